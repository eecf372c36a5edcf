"""The states that the decisions of a space are in: an option, or inactive."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.spaces.base import Decision, RestrictedSpace, SearchSpace

SAMPLE = 4_096
"""Architectures drawn from a space that cannot be listed."""

_LEVELS = 32  # of a number or an ordinal with more, consecutive ones are one state


class DecisionStates:
    """The state of each decision as a number, and what is known of the states.

    Attributes:
        occurs: bool (states,) for each decision: whether a state occurs in the space. The last
            state is that of an inactive decision.
        values: float64 (states,) for each decision: standardised values of a number, or ranks of
            an ordinal's options, 0 where inactive; None where only names are known.
    """

    def __init__(self, space: SearchSpace, shares: list[FloatArray]) -> None:
        """Prepare the states of ``space``, given their `state_shares`."""
        self._space = space
        self._merged, occurs, values = [], [], []
        for decision, share in zip(space.decisions, shares, strict=True):
            size = len(share) - 1
            steps = step_values(decision)
            levels = size if steps is None else min(size, _LEVELS)
            merged = np.arange(size + 1) * levels // size
            self._merged.append(merged)
            weight = np.bincount(merged, share)
            occurs.append(weight > 0)
            values.append(None if steps is None else _standardised(steps, share, merged))
        self.occurs, self.values = tuple(occurs), tuple(values)

    def __call__(self, choices: IntArray) -> IntArray:
        """State of each decision of encodings (n, decisions): int64 (n, decisions)."""
        states = states_of(self._space, self._space.keys(np.asarray(choices)))
        return np.stack([m[states[:, d]] for d, m in enumerate(self._merged)], axis=1)


def _standardised(steps: FloatArray, share: FloatArray, merged: IntArray) -> FloatArray | None:
    """Mean value of each merged state, in standard deviations over the space; None if constant."""
    share, inner = share[:-1], merged[:-1]
    if not share.sum() > 0:
        return None
    share = share / share.sum()
    mean = float(share @ steps)
    std = float(np.sqrt(share @ (steps - mean) ** 2))
    if not std > 0:
        return None
    values = np.bincount(inner, (steps - mean) / std) / np.bincount(inner)
    return np.append(values, 0.0)


def step_values(decision: Decision) -> FloatArray | None:
    """Value or rank of each option, float64 (options,); None where only names are known."""
    if decision.kind == "categorical":
        return None
    if decision.values is not None:
        return np.array(decision.values, dtype=np.float64)
    return np.arange(len(decision.options), dtype=np.float64)


def state_shares(space: SearchSpace) -> list[FloatArray]:
    """How often each decision is in each of its states: float64 (options + 1,) each, sum 1."""
    listed = space.enumerable or isinstance(space, RestrictedSpace)
    if listed:
        pool = space.unique()
    else:
        pool = space.keys(space.sample_choices(np.random.default_rng(0), SAMPLE))
    states = states_of(space, pool)
    shares = []
    for position, size in enumerate(space.sizes):
        count = np.bincount(states[:, position], minlength=size + 1).astype(np.float64)
        if not listed:  # what a sample lacks may still exist
            count[:-1] += 0.5
        shares.append(count / count.sum())
    return shares


def states_of(space: SearchSpace, keys: IntArray) -> IntArray:
    """The option of each decision, or the number of its options where it is inactive."""
    return np.where(space.active(keys), keys, np.array(space.sizes))
