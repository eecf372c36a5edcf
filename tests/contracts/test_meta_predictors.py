from typing import Any

from surrogate_nas.predictors.base import MetaPredictor
from surrogate_nas.registry import load, names
from surrogate_nas.testing import MetaPredictorContract
from tests.contracts.implementations import declare
from tests.contracts.test_predictors import learns_from_one_task

QUICK: dict[str, dict[str, Any]] = {"meta-gnn": {"steps": 10}}


class Registered(MetaPredictorContract):
    name: str

    def make(self, seed: int) -> MetaPredictor:
        made: MetaPredictor = load("predictor", self.name)(seed=seed, **QUICK.get(self.name, {}))
        return made


declare(
    globals(),
    Registered,
    {name: {"name": name} for name in names("predictor") if not learns_from_one_task(name)},
)
