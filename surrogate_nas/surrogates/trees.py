"""Boosted trees as arrays, which are stored without a pickle and read without a library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import xgboost

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import FormatError
from surrogate_nas.predictors.boosting import XGBoost

_BLOCK = 1 << 12  # rows at once, so that intermediate arrays stay small


@dataclass(frozen=True, slots=True)
class Trees:
    """The mean of some boosters.

    Attributes:
        feature: int32 (trees, nodes), the column that an inner node compares.
        threshold: float32 (trees, nodes), the left child follows below it; a leaf has its value.
        left: int32 (trees, nodes), the left child; a leaf has itself.
        right: int32 (trees, nodes), likewise.
        affine: float64 (2,), what is added to the sum of the leaves, and by what it is multiplied
            before.
    """

    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    affine: FloatArray

    @classmethod
    def of(cls, predictors: Sequence[XGBoost]) -> Self:
        """The trees of predictors that were fitted to the same values."""
        boosters = [booster for predictor in predictors for booster in predictor.boosters]
        trees = [tree for booster in boosters for tree in _dumped(booster)]
        nodes = max((len(tree["left_children"]) for tree in trees), default=1)
        shape = max(len(trees), 1), nodes
        feature, threshold = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        left = np.tile(np.arange(nodes, dtype=np.int32), (shape[0], 1))
        right = left.copy()
        for i, tree in enumerate(trees):
            children = np.array(tree["left_children"])
            inner = np.flatnonzero(children >= 0)
            threshold[i, : len(children)] = tree["split_conditions"]
            feature[i, inner] = np.array(tree["split_indices"])[inner]
            left[i, inner] = children[inner]
            right[i, inner] = np.array(tree["right_children"])[inner]
        share = predictors[0].scale / max(len(boosters), 1)
        return cls(feature, threshold, left, right, np.array([predictors[0].centre, share]))

    def arrays(self) -> dict[str, FloatArray | IntArray]:
        """What `restored` takes."""
        return {
            "feature": self.feature.astype("<u2"),
            "threshold": self.threshold.astype("<f4"),
            "left": self.left.astype("<u2"),
            "right": self.right.astype("<u2"),
            "affine": self.affine,
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, FloatArray | IntArray], columns: int) -> Self:
        """From `arrays`, for rows of so many columns.

        Raises:
            FormatError: If they are no trees over these columns.
        """
        feature, left, right = (
            np.asarray(arrays[name], np.int32) for name in ("feature", "left", "right")
        )
        threshold = np.asarray(arrays["threshold"], np.float32)
        own = np.arange(left.shape[1] if left.ndim == 2 else 0)
        leaf = left == own
        sound = (
            left.ndim == 2
            and left.shape == right.shape == feature.shape == threshold.shape
            and np.isfinite(threshold).all()
            and (feature < columns).all()
            # Children come after their parents, so that every path ends.
            and ((left < len(own)) & (right < len(own))).all()
            and (leaf == (right == own)).all()
            and (leaf | ((left > own) & (right > own))).all()
        )
        if not sound or np.shape(arrays["affine"]) != (2,):
            raise FormatError("the trees of the surrogate are damaged")
        return cls(feature, threshold, left, right, np.asarray(arrays["affine"], np.float64))

    def predict(self, x: FloatArray) -> FloatArray:
        """Of rows float32 (n, columns): float64 (n,)."""
        blocks = range(0, max(len(x), 1), _BLOCK)
        total = np.concatenate([self._sums(x[i : i + _BLOCK]) for i in blocks])
        return np.asarray(self.affine[0] + self.affine[1] * total)

    def _sums(self, x: FloatArray) -> FloatArray:
        trees, nodes = self.left.shape
        feature, threshold = self.feature.ravel(), self.threshold.ravel()
        base = np.arange(trees, dtype=np.int32) * nodes
        left, right = (self.left + base[:, None]).ravel(), (self.right + base[:, None]).ravel()
        node = np.tile(base, (len(x), 1))
        rows = np.arange(len(x))[:, None]
        while True:
            below = x[rows, feature[node]] < threshold[node]
            after = np.where(below, left[node], right[node])
            if np.array_equal(after, node):
                return np.asarray(threshold[node].sum(axis=1, dtype=np.float64))
            node = after


def _dumped(booster: xgboost.Booster) -> list[dict[str, list[float]]]:
    model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
    trees: list[dict[str, list[float]]] = model["trees"]
    return trees
