import json
from typing import Any

from surrogate_nas.predictors.base import MetaPredictor, Predictor
from surrogate_nas.registry import load, names
from surrogate_nas.testing import PredictorContract
from surrogate_nas.testing.contract import need_not
from surrogate_nas.testing.processes import elsewhere
from tests.contracts.implementations import declare

QUICK: dict[str, dict[str, int]] = {
    "gnn": {"members": 2, "hidden": 16, "steps": 50},
    "mlp": {"steps": 100},
}


class Registered(PredictorContract):
    name: str

    def make(self, seed: int) -> Predictor:
        predictor: Predictor = load("predictor", self.name)(seed=seed, **QUICK.get(self.name, {}))
        return predictor

    def test_same_seed_same_predictions_in_a_fresh_process(self) -> None:
        raise need_not("a process for each would load all libraries; one serves all, see below")


def learns_from_one_task(name: str) -> bool:
    """Those that learn across tasks have a contract of their own."""
    kind: Any = load("predictor", name)
    return not issubclass(kind, MetaPredictor)


NAMES = [name for name in names("predictor") if learns_from_one_task(name)]
declare(globals(), Registered, {name: {"name": name} for name in NAMES})


class Everything:
    def predictions(self) -> str:
        return json.dumps({name: globals()[f"Test[{name}]"]().predictions() for name in NAMES})


def test_same_seed_same_predictions_in_a_fresh_process() -> None:
    here = Everything().predictions()
    assert Everything().predictions() == here
    assert elsewhere(Everything, "predictions") == here
