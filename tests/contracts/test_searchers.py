"""Registered searchers, alone and guided."""

import json

from surrogate_nas.registry import names
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.testing import SearcherContract
from surrogate_nas.testing.contract import need_not
from surrogate_nas.testing.processes import elsewhere
from surrogate_nas.testing.searchers import SPACES
from surrogate_nas.testing.toys import Linear, Zeros
from tests.contracts.implementations import declare

# Its own guide reads graphs, which the spaces of the contract do not have.
GUIDED_ONLY = ("bayesian",)
PLAIN = [name for name in names("searcher") if name not in GUIDED_ONLY]
VARIANTS = ["gradient:gumbel", "reinforce:plain", "hyperband:evolution", "bayesian:ei+linear"]
CASES = [*PLAIN, *(f"{name}+linear" for name in names("searcher")), *VARIANTS]


class Registered(SearcherContract):
    case: str

    def make(self, space: SearchSpace, seed: int) -> Searcher:
        return make(self.case, space, seed)

    def test_a_seed_fixes_the_trials_in_a_fresh_process(self) -> None:
        raise need_not("a process for each would take minutes; one serves all, see below")


def make(case: str, space: SearchSpace, seed: int = 0) -> Searcher:
    name, guided, _ = case.partition("+")
    predictor = Linear() if guided else None
    # Without budgets, as hyperband repeats architectures at larger ones, see its own tests.
    searcher = make_searcher(name, space, seed=seed, predictor=predictor, features=Zeros())
    if isinstance(searcher, Guided):
        searcher.steps = 40  # a fork of an Optuna sampler takes milliseconds for each
    return searcher


declare(globals(), Registered, {case: {"case": case, "guided": "+" in case} for case in CASES})


class Everything:
    def traces(self) -> str:
        return json.dumps({case: globals()[f"Test[{case}]"]().traces() for case in CASES})


def test_a_seed_fixes_the_trials_in_a_fresh_process() -> None:
    here = Everything().traces()
    for hashing in ("1", "2"):
        assert elsewhere(Everything, "traces", PYTHONHASHSEED=hashing) == here


def test_plain_and_guided_start_alike() -> None:
    for name in PLAIN:
        plain = make(name, SPACES["separate"], 7)
        guided = make(f"{name}+linear", SPACES["separate"], 7)
        assert plain.ask(20) == guided.ask(20)
