"""When a search calls its callbacks, and with what."""

from __future__ import annotations

from pathlib import Path

import pytest

from surrogate_nas import FunctionObjective, SearchResult, Stored, Trial, make_searcher, search
from surrogate_nas.callbacks import SearchCallback, SearchStart, TensorBoardCallback
from surrogate_nas.store import open_storage
from tests.callbacks.conftest import SPACE, Run, fail, stop


class Log(SearchCallback):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def on_start(self, start: SearchStart) -> None:
        self.told.append(start)

    def on_trial(self, trial: Trial) -> None:
        self.told.append(trial)

    def on_end(self, result: SearchResult) -> None:
        self.told.append(result)

    def on_error(self, error: BaseException) -> None:
        self.told.append(error)


def test_a_callback_sees_the_whole_search(run: Run) -> None:
    log, seen = Log(), list[Trial]()
    result = run([log, seen.append])
    start, *trials, end = log.told
    assert isinstance(start, SearchStart)
    assert (start.space, start.trials, start.batch, start.known) == (SPACE, 4, 1, 0)
    assert start.searcher.startswith("Given('nats-size'")
    assert trials == seen == list(result.trials)
    assert [trial.error is None for trial in seen] == [True, False, True, True]
    assert end is result


def test_an_interrupt_ends_the_search_as_usual(run: Run) -> None:
    log = Log()
    result = run([log, stop])
    assert result.stopped == "interrupted"
    assert log.told[1:] == [*result.trials, result]


def test_an_exception_is_told_to_those_that_had_begun(run: Run) -> None:
    log = Log()
    with pytest.raises(OSError, match="full") as raised:
        run([log, fail])
    assert log.told[-1] is raised.value

    class Broken(SearchCallback):
        def on_start(self, start: SearchStart) -> None:
            raise OSError("no connection")

    first, last = Log(), Log()
    with pytest.raises(OSError, match="connection"):
        run([first, Broken(), last])
    assert [type(told) for told in first.told] == [SearchStart, OSError]
    assert last.told == []


def test_an_invalid_search_does_not_begin(run: Run) -> None:
    log = Log()
    with pytest.raises(ValueError, match="trials"):
        run([log], trials=0)
    assert log.told == []


def test_stored_trials_are_reported_again(tmp_path: Path) -> None:
    objective = FunctionObjective(SPACE, lambda arch: sum(arch.choices))
    storage = open_storage(tmp_path / "run.journal")
    for known, trials in ((0, 3), (3, 5)):
        log = Log()
        stored = Stored(objective, storage, name="run", settings={})
        search(make_searcher("random", SPACE, seed=0), stored, trials=trials, callbacks=[log])
        start = log.told[0]
        assert isinstance(start, SearchStart)
        assert start.known == known
        assert len(log.told) == trials + 2


def test_a_tracker_needs_a_search(tmp_path: Path, run: Run) -> None:
    trial = run([]).trials[0]
    with pytest.raises(ValueError, match="on_start must be called before on_trial"):
        TensorBoardCallback(tmp_path)(trial)
