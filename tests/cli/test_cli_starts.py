"""Commands with ``--initial``, and ``meta-train --learn weights``."""

from pathlib import Path

import pytest

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.cli import main
from tests.answers import answered

DIGITS = ["--space", "dense-cell", "--dataset", "digits", "--device", "cpu"]
DIGITS += ["--settings", "channels=2", "--epochs", "1"]
OWN = ["--dataset", "tests.training.data:source"]
ARCH = "conv3x3-skip-conv5x5-maxpool3x3"
SEARCH = ["search", *DIGITS, "--batch", "1", "--predictor", "none", "--searcher", "evolution"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Starting weights that were learnt on something else than digits."""
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    learn = ["meta-train", "--learn", "weights", *OWN, "--settings", "channels=2"]
    learn += ["--trainings", "12", "--batches", "2", "--held-out", "5", "--device", "cpu"]
    assert main([*learn, "--out", str(path)]) == 0
    return path


def test_the_same_seed_learns_the_same_weights(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from surrogate_nas.training.initial.files import read_weights

    first = read_weights(weights)
    path = tmp_path / "w.safetensors"
    learn = ["meta-train", "--learn", "weights", *OWN, "--settings", "channels=2"]
    learn += ["--trainings", "12", "--batches", "2", "--held-out", "5", "--device", "cpu"]
    answer = answered(capsys, *learn, "--out", path)
    assert answer["labels"] == 12
    assert read_weights(path).identity == first.identity
    assert len(first.provenance.held_out) == 5
    assert main([*learn, "--minutes", "0.0001", "--out", str(path)]) == 0
    assert read_weights(path).provenance.trainings < 12


def test_weights_have_two_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from surrogate_nas.training.initial.bank import WeightBank
    from surrogate_nas.training.initial.files import read_weights
    from surrogate_nas.training.initial.written import WrittenWeights

    learn = ["meta-train", "--learn", "weights", *OWN, "--settings", "channels=2"]
    learn += ["--trainings", "1", "--batches", "1", "--device", "cpu"]
    for form, kind in (("bank", WeightBank), ("hypernetwork", WrittenWeights)):
        path = tmp_path / f"{form}.safetensors"
        assert main([*learn, "--form", form, "--out", str(path)]) == 0
        assert isinstance(read_weights(path), kind)
        warm = answered(capsys, "train", ARCH, *DIGITS, "--initial", path)
        assert warm["initial"].startswith(str(path))
    assert main([*learn, "--form", "schedule", "--out", str(path)]) == 2
    assert (
        "--form must be one of hypernetwork, bank with --learn weights" in capsys.readouterr().err
    )


def test_train_starts_from_a_file_and_refuses_one_that_saw_the_data(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", ARCH, *DIGITS]
    cold = answered(capsys, *train)
    warm = answered(capsys, *train, "--initial", weights)
    assert warm["validation_accuracy"] != cold["validation_accuracy"]
    assert (
        answered(capsys, *train, "--initial", "none")["curve"][0]["loss"]
        == (cold["curve"][0]["loss"])
    )
    assert warm["initial"].startswith(f"{weights} (")
    assert "initial" not in cold
    fitted = answered(capsys, *train, "--initial", "fitted")
    assert fitted["curve"][0]["loss"] != cold["curve"][0]["loss"]
    own = ["train", ARCH, *DIGITS, *OWN]
    assert main([*own, "--initial", str(weights)]) == 2
    assert "--allow-seen" in capsys.readouterr().err
    assert main([*own, "--initial", str(weights), "--allow-seen"]) == 0
    assert main([*train, "--initial", "inherit"]) == 2
    assert "is for search --dataset" in capsys.readouterr().err


def test_a_search_notes_its_start_and_verify_repeats_it(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "a.journal"
    kept = [*SEARCH, "--trials", "2", "--store", store]
    warm = answered(capsys, *kept, "--initial", "fitted")
    assert warm["initial"] == "fitted"
    best = warm["best"]
    train = ["train", best["arch"], *DIGITS, "--initial", "fitted"]
    assert answered(capsys, *train)["validation_accuracy"] == best["value"]
    assert main([*map(str, kept)]) == 2
    assert "initial" in capsys.readouterr().err
    verified = answered(capsys, "verify", store, "--top", 1, "--seeds", 1, "--device", "cpu")
    trained = answered(capsys, *train, "--seed", 1)["validation_accuracy"]
    assert verified["architectures"][0]["trained"] == [trained]
    again = ["verify", store, "--top", 1, "--seeds", 1, "--device", "cpu", "--initial", "none"]
    assert answered(capsys, *again)["architectures"][0]["trained"] != [trained]


def test_short_trainings_of_a_search_have_their_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "a.journal"
    longer = [*DIGITS[:-1], "3", "--initial", "fitted:1"]
    search = ["search", *longer, "--trials", 2, "--batch", 1, "--searcher"]
    found = answered(capsys, *search, "hyperband:evolution+gp", "--store", store)
    assert found["initial"] == "fitted:1"
    values = {(t["arch"], int(t["cost"])): t["value"] for t in found["trials"]}
    assert {budget for _, budget in values} == {1, 3}
    train = ["train", None, *DIGITS[:-1]]
    for (arch, budget), value in values.items():
        train[1] = arch
        start = "fitted" if budget == 1 else "none"
        assert answered(capsys, *train, budget, "--initial", start)["validation_accuracy"] == value
    verified = answered(capsys, "verify", store, "--top", 1, "--seeds", 1, "--device", "cpu")
    train[1] = verified["architectures"][0]["arch"]
    trained = answered(capsys, *train, 3, "--seed", 1)["validation_accuracy"]
    assert verified["architectures"][0]["trained"] == [trained]
    assert main([*map(str, search), "evolution"]) == 2
    assert "several budgets with --searcher screening or hyperband" in capsys.readouterr().err
    assert main(["train", ARCH, *longer]) == 2
    assert "leave out ':1'" in capsys.readouterr().err


def test_a_table_notes_its_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.h5"
    build = ["build", *DIGITS, "--count", "2", "--workers", "1", "--out", str(out)]
    answered(capsys, *build, "--initial", "fitted")
    training = HDF5Benchmark(out).task("digits").training
    assert training is not None
    assert training["initial"] == {"file": "fitted", "identity": "fitted"}
    assert main(build) == 2
    assert "initial" in capsys.readouterr().err


def test_weights_that_do_not_help_are_laid_aside(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from surrogate_nas.training.initial.bank import WeightBank
    from surrogate_nas.training.initial.files import read_weights, write_weights

    bank = read_weights(weights)
    useless = WeightBank({k: 0 * a for k, a in bank.tensors.items()}, bank.provenance)
    path = weights.with_name("zero.safetensors")
    write_weights(path, useless)
    cold = answered(capsys, *SEARCH, "--trials", "1")
    assert main([*SEARCH, "--trials", "1", "--initial", str(path), "--json"]) == 0
    told = capsys.readouterr()
    assert "laid aside" in told.err
    assert f'"value": {cold["best"]["value"]}' in told.out


def test_children_inherit_and_a_stored_search_goes_on_as_if_it_had_not_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inherit = [*SEARCH, "--initial", "inherit", "--trials"]
    whole = answered(capsys, *inherit, 4, "--store", tmp_path / "a.journal")["trials"]
    fresh = answered(capsys, *SEARCH, "--trials", 4)["trials"]
    assert whole[0]["value"] == fresh[0]["value"]
    assert [t["value"] for t in whole] != [t["value"] for t in fresh]
    answered(capsys, *inherit, 2, "--store", tmp_path / "b.journal")
    again = answered(capsys, *inherit, 4, "--store", tmp_path / "b.journal")["trials"]
    assert [t["value"] for t in again] == [t["value"] for t in whole]
    assert (tmp_path / "b.journal.weights").is_dir()
