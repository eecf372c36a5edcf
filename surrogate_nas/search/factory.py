"""Searchers composed by name: ``evolution``, ``evolution+xgboost``."""

from __future__ import annotations

import numpy as np

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.registry import load
from surrogate_nas.search.base import Searcher
from surrogate_nas.search.guided import Guided
from surrogate_nas.spaces.base import SearchSpace


def make_searcher(
    spec: str, space: SearchSpace, *, seed: int, predictor: str | Predictor | None = None
) -> Searcher:
    """Compose a searcher.

    With one seed, a plain and a guided searcher propose the same architectures until the guide
    knows enough, so comparisons of them are paired.

    Args:
        spec: A registered searcher, alone or with a predictor: ``"evolution+gp"``.
        space: Where to search.
        seed: Source of all randomness.
        predictor: The guide, unless ``spec`` names it: a registered name or an object.
            ``None`` and ``"none"`` mean no guide.

    Raises:
        UnknownNameError: If a name is not registered; the message suggests the nearest.
        InvalidArgumentError: If two predictors are named.
    """
    name, plus, guide = spec.partition("+")
    if plus and predictor not in (None, "none"):
        raise InvalidArgumentError(
            f"searcher {spec!r} names its predictor, so predictor must be None, got {predictor!r}"
        )
    wanted = guide if plus else predictor
    # The inner searcher has the root's own stream, which a plain one of this seed has too.
    root = np.random.SeedSequence(seed)
    inner: Searcher = load("searcher", name)(space, seed=root)
    if wanted is None or wanted == "none":
        return inner
    for_choice, for_predictor = root.spawn(2)
    if isinstance(wanted, str):
        wanted = load("predictor", wanted)(seed=int(for_predictor.generate_state(1)[0]))
    return Guided(inner, wanted, seed=for_choice)
