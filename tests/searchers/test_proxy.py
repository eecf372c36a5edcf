import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.searchers.factory import make_searcher
from tests.searchers.toys import ToySpace, Zeros, additive, run

SPACE = ToySpace((3,) * 5)
LARGE = ToySpace((8,) * 6)


def test_the_order_is_that_of_the_proxy_whatever_is_told() -> None:
    searcher = make_searcher("proxy", SPACE, seed=0, features=Zeros())
    found = run(searcher, additive(SPACE, 1), 242, batch=5)  # all but the cell of zeros
    zeros = [arch.choices.count(0) for arch in found]
    assert zeros == sorted(zeros, reverse=True)
    assert len(set(found)) == 242


def test_a_variant_goes_by_one_column() -> None:
    class Two:
        names = ("synflow", "snip")

        def __call__(self, choices: IntArray) -> FloatArray:
            zeros = Zeros()(choices)
            return np.concatenate([-zeros, zeros], axis=1)

    def first(spec: str) -> int:
        asked = make_searcher(spec, SPACE, seed=0, features=Two()).ask(5)
        return sum(proposal.arch.choices.count(0) for proposal in asked)

    assert (first("proxy"), first("proxy:synflow"), first("proxy:snip")) == (0, 0, 20)
    with pytest.raises(UnknownNameError, match="choose from: synflow, snip"):
        first("proxy:zen")


def test_the_best_of_a_sample_stand_for_a_large_space() -> None:
    asked = make_searcher("proxy", LARGE, seed=0, features=Zeros()).ask(20)
    drawn = LARGE.sample_choices(np.random.default_rng(0), 1000)
    usual = np.quantile((drawn == 0).sum(axis=1), 0.95)
    assert min(proposal.arch.choices.count(0) for proposal in asked) > usual


def test_without_features_it_says_what_it_needs() -> None:
    with pytest.raises(InvalidArgumentError, match="goes by features"):
        make_searcher("proxy", SPACE, seed=0)
