"""The examples of docstrings are run, and the main classes have one."""

import doctest
import importlib
import inspect
from pathlib import Path

import optuna
import pytest

import surrogate_nas
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.training.objective import TrainingObjective
from tests.test_arrows import MODULES

WITH_EXAMPLES = sorted(
    name for name, path in MODULES.items() if "\n        >>> " in path.read_text(encoding="utf-8")
)
MAIN = (
    surrogate_nas.Architecture,
    surrogate_nas.SearchSpace,
    surrogate_nas.Goal,
    surrogate_nas.FunctionObjective,
    surrogate_nas.TabularTask,
    surrogate_nas.Searcher,
    surrogate_nas.Predictor,
    surrogate_nas.MetaPredictor,
    surrogate_nas.Stored,
    surrogate_nas.SurrogateSampler,
    surrogate_nas.search,
    GaussianProcess,
    Guided,
    MetaGNN,
    TrainingObjective,
)


@pytest.mark.parametrize("thing", MAIN, ids=lambda thing: thing.__name__)
def test_the_main_classes_show_how_they_are_used(thing: object) -> None:
    assert "Example:\n" in (inspect.getdoc(thing) or "")


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_do_what_they_say(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0
