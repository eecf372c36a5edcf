import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.rows import RowIndex, distinct

SPACE = NASBench201Space()


def test_rows_are_those_of_a_dictionary() -> None:
    rng = np.random.default_rng(0)
    known = SPACE.from_index(np.sort(rng.choice(SPACE.encodings, 300, replace=False)))
    asked = np.concatenate([known[::-7], SPACE.sample_choices(rng, 200)])
    where = {tuple(row): i for i, row in enumerate(known.tolist())}
    found = RowIndex.of(SPACE, known).find(asked)
    assert found.tolist() == [where.get(tuple(row), -1) for row in asked.tolist()]


def test_all_encodings_in_order_give_one_array() -> None:
    known = SPACE.all_choices()[::5]
    index = RowIndex.of(SPACE, known)
    assert index.find(known.copy()) is index.all
    assert not index.all.flags.writeable
    assert index.find(known[:-1]) is not index.all


def test_no_rows_and_no_questions() -> None:
    known = SPACE.all_choices()[:3]
    assert RowIndex.of(SPACE, known).find(known[:0]).tolist() == []
    assert RowIndex.of(SPACE, known[:0]).find(known).tolist() == [-1, -1, -1]


def test_the_first_unknown_encoding_is_named() -> None:
    known = SPACE.all_choices()
    index = RowIndex.of(SPACE, known[:10])
    assert index.require(known[[3, 1]]).tolist() == [3, 1]
    with pytest.raises(ArchitectureError, match=r"\[0, 0, 0, 0, 2, 1\]"):
        index.require(known[[3, 11, 12]])


def test_distinct_encodings_and_where_they_are() -> None:
    choices = SPACE.sample_choices(np.random.default_rng(1), 500)[:, :6] % 2
    first, group = distinct(SPACE, choices)
    oracle, positions, inverse = np.unique(choices, axis=0, return_index=True, return_inverse=True)
    assert np.array_equal(choices[first], oracle)
    assert np.array_equal(first, positions)
    assert np.array_equal(group, inverse.ravel())
