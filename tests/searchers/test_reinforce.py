from __future__ import annotations

import numpy as np
import pytest
import torch

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Trial
from surrogate_nas.searchers.reinforce import Reinforce
from tests.searchers.toys import ToySpace, additive, run, succeed

SPACE = ToySpace((3, 4, 2, 5, 3))
LARGE = ToySpace((8,) * 6)


def test_the_controller_is_a_distribution_and_draws_from_it() -> None:
    searcher = Reinforce(SPACE, seed=1, learning_rate=0.05)
    run(searcher, additive(SPACE, 0), 60)  # away from uniform
    every = SPACE.from_index(np.arange(SPACE.encodings)).astype(np.int64)
    controller = searcher._controller
    with torch.no_grad():
        log_p, entropy = controller(torch.from_numpy(every))
    p = log_p.double().exp().numpy()
    assert p.sum() == pytest.approx(1, abs=1e-5)
    # By the chain rule the mean entropy of the decisions is the entropy of the whole.
    expected = -(p * np.log(p)).sum() / len(SPACE.sizes)
    assert (p * entropy.numpy()).sum() == pytest.approx(expected, rel=1e-4)
    n = 40_000
    drawn = SPACE.index(controller.sample(n, np.random.default_rng(0)))
    share = np.bincount(drawn, minlength=SPACE.encodings) / n
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / n) + 1e-4).all()


@pytest.mark.parametrize("rule", ["ppo", "plain"])
def test_what_was_rewarded_becomes_more_probable(rule: str) -> None:
    function = additive(LARGE, 3)
    searcher = Reinforce(LARGE, seed=0, rule=rule)
    rng = np.random.default_rng(0)
    values = [function(LARGE.sample(rng)) for _ in range(2_000)]
    run(searcher, function, 200)
    drawn = map(LARGE.architecture, searcher._controller.sample(200, rng))
    assert np.mean([function(arch) for arch in drawn]) > np.mean(values) + np.std(values)


def test_the_unit_of_the_values_does_not_matter() -> None:
    function = additive(SPACE, 1)
    found = [
        run(Reinforce(SPACE, seed=2), f, 60)
        for f in (function, lambda a: 1e6 * function(a) - 7e8, lambda a: np.exp(function(a)))
    ]
    assert found[0] == found[1] == found[2]


def test_failures_make_less_probable() -> None:
    searcher = Reinforce(SPACE, seed=0)
    function = additive(SPACE, 1)
    for _ in range(150):
        (proposal,) = searcher.ask()
        failed = proposal.arch.choices[3] == 2
        trial = Trial(proposal, error="diverged") if failed else succeed(proposal, function)
        searcher.tell([trial])
    drawn = searcher._controller.sample(500, np.random.default_rng(0))
    assert (drawn[:, 3] == 2).mean() < 0.1


def test_the_generator_of_torch_is_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3).tolist()
    torch.manual_seed(7)
    run(Reinforce(SPACE, seed=1), additive(SPACE, 0), 30)
    assert torch.rand(3).tolist() == expected


def test_bad_settings() -> None:
    with pytest.raises(UnknownNameError, match="unknown rule 'po'; did you mean 'ppo'"):
        Reinforce(SPACE, rule="po")
    for name in ("batch", "epochs"):
        with pytest.raises(InvalidArgumentError, match=f"{name} must be at least 1, got 0"):
            Reinforce(SPACE, **{name: 0})  # type: ignore[arg-type]


def test_a_policy_that_is_sure_is_not_asked_again_for_each_proposal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searcher = Reinforce(LARGE, seed=0, batch=100)
    known = np.array([[1, 2, 3, 4, 5, 6]])
    asked = []

    def draw(n: int) -> IntArray:
        asked.append(n)
        return known.repeat(n, axis=0)

    monkeypatch.setattr(searcher, "_draw", draw)
    searcher.claim(LARGE.architecture(known[0]))
    found = {proposal.arch for proposal in searcher.ask(16)}
    assert len(asked) == 1
    assert len(found) == 16
    assert all((np.array(arch.choices) != known[0]).sum() == 1 for arch in found)
