from typing import Any

from surrogate_nas.predictors.base import MetaPredictor, Predictor
from surrogate_nas.registry import load, names
from surrogate_nas.testing import PredictorContract
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


def learns_from_one_task(name: str) -> bool:
    """Those that learn across tasks have a contract of their own."""
    kind: Any = load("predictor", name)
    return not issubclass(kind, MetaPredictor)


declare(
    globals(),
    Registered,
    {name: {"name": name} for name in names("predictor") if learns_from_one_task(name)},
)
