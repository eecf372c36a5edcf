"""The log of trainings."""

import json
from pathlib import Path
from typing import Any

import pytest

from surrogate_nas.errors import FormatError, InvalidArgumentError, SurrogateNASError
from surrogate_nas.training.log import TrainingLog
from surrogate_nas.training.record import Record

RECORD = Record((1 / 3, 99.9), (0.1, 0.2), (1.5, 3.0), parameters=7, flops=8, latency=0.25)
KEY = ("digits", (0, 4), 1)
TRAINING = {"epochs": 2, "settings": {"channels": 4}}
HERE = {"processor": "abacus", "torch": "2"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with one training and one failure."""
    path = tmp_path / "t.h5.log"
    with TrainingLog(path) as log:
        log.begin("dense-cell", {"digits": TRAINING})
        log.add(KEY, RECORD, HERE)
        log.add(("digits", (1, 1), 0), "TrainingError: out of memory", HERE)
    return path


def test_comes_back_exactly(path: Path) -> None:
    before = path.read_bytes()
    with TrainingLog(path) as log:
        log.begin("dense-cell", {"digits": TRAINING})
        assert log.done == {KEY: RECORD, ("digits", (1, 1), 0): "TrainingError: out of memory"}
        assert log.machines == [HERE]
    assert path.read_bytes() == before


def test_a_new_task_and_machine_are_noted_once(path: Path) -> None:
    other = {"processor": "slide rule", "torch": "2"}
    for seed in (2, 3):
        with TrainingLog(path) as log:
            log.begin("dense-cell", {"digits": TRAINING, "watch": {"epochs": 1}})
            log.add(("digits", (0, 4), seed), RECORD, other)
            assert log.machines == [HERE, other]
    assert len(path.read_bytes().splitlines()) == 5 + 2 + 2


@pytest.mark.parametrize(
    ("space", "training", "named"),
    [
        ("layerwise", TRAINING, "space 'dense-cell', and 'layerwise'"),
        ("dense-cell", {**TRAINING, "epochs": 3}, "epochs=2 of digits, and 3 was asked for"),
        ("dense-cell", {"epochs": 2}, "settings="),
        ("dense-cell", {**TRAINING, "data": "ab"}, "data=None of digits, and 'ab'"),
    ],
)
def test_other_settings_are_named(
    path: Path, space: str, training: dict[str, Any], named: str
) -> None:
    before = path.read_bytes()
    with TrainingLog(path) as log, pytest.raises(InvalidArgumentError, match=named):
        log.begin(space, {"digits": training})
    assert path.read_bytes() == before


def test_a_learned_file_may_have_moved_but_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "t.h5.log"
    made = TRAINING | {"initial": {"file": "a/w.safetensors", "identity": "1f"}}
    with TrainingLog(path) as log:
        log.begin("dense-cell", {"digits": made})
        log.add(KEY, RECORD, HERE)
    before = path.read_bytes()
    with TrainingLog(path) as log:
        moved = {"file": "b/w.safetensors", "identity": "1f"}
        log.begin("dense-cell", {"digits": TRAINING | {"initial": moved}})
        assert path.read_bytes() == before
        changed = {"file": "a/w.safetensors", "identity": "2e"}
        for other in (TRAINING | {"initial": changed}, TRAINING):
            with pytest.raises(InvalidArgumentError, match="initial="):
                log.begin("dense-cell", {"digits": other})


def test_settings_that_trained_nothing_bind_nobody(tmp_path: Path) -> None:
    path = tmp_path / "t.h5.log"
    for space, epochs in (("dense-cell", 2), ("layerwise", 3)):
        with TrainingLog(path) as log:
            log.begin(space, {"digits": {"epochs": epochs}})
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line.get("space") for line in lines] == ["layerwise", None]
    assert lines[1]["training"] == {"epochs": 3}


def test_a_torn_line_is_cut_off_wherever_it_ends(path: Path) -> None:
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for length in range(1, len(last)):
        path.write_bytes(whole[: len(whole) - length])
        with pytest.warns(UserWarning, match="torn"), TrainingLog(path) as log:
            assert list(log.done) == [KEY]
        assert path.read_bytes() == whole[: len(whole) - len(last)]


def test_a_torn_first_line_is_no_log_yet(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9])
    with pytest.warns(UserWarning, match="torn"), TrainingLog(path) as log:
        log.begin("layerwise", {})
    assert json.loads(path.read_bytes().splitlines()[0])["space"] == "layerwise"


@pytest.mark.parametrize(
    "content",
    [b"notes without an end", b"notes\n", b'{"log": "other", "version": 1}\n', b"{}\n", b"[]\n"],
)
def test_other_files_stay_as_they_are(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FormatError, match="no l"), TrainingLog(path):
        pass
    assert path.read_bytes() == content


def test_damage_in_the_middle_is_an_error_with_its_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{}\n", *lines[3:]]))
    with pytest.raises(FormatError, match="line 4 of"), TrainingLog(path):
        pass


def test_one_process_at_a_time(path: Path) -> None:
    with TrainingLog(path):
        with pytest.raises(SurrogateNASError, match="another process"), TrainingLog(path):
            pass
        with pytest.raises(SurrogateNASError, match="another process"), TrainingLog(path):
            pass
    with TrainingLog(path):
        pass


def test_each_line_is_on_the_disk_at_once(path: Path) -> None:
    with TrainingLog(path) as log:
        log.add(("digits", (2, 2), 0), RECORD, None)
        assert json.loads(path.read_bytes().splitlines()[-1])["choices"] == [2, 2]
