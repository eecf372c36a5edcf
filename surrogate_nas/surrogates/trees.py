"""Boosted trees as arrays, which are stored without a pickle and checked before they are used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import xgboost

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import FormatError
from surrogate_nas.predictors.boosting import XGBoost

_DEEPEST = 12
_FEW = 8  # rows, up to which a call of xgboost takes longer than the trees
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Trees:
    """The mean of some boosters, as complete binary trees of one depth d.

    An inner node i has the children 2i + 1 and 2i + 2; the leaves follow the inner nodes. Below a
    leaf that lies higher in the original tree, all paths end in its value.

    Attributes:
        feature: int32 (trees, 2^d - 1), the column that an inner node compares.
        threshold: float32 (trees, 2^d - 1), the left child follows below it.
        leaf: float32 (trees, 2^d), the values, each representable as float16.
        affine: float64 (2,), what is added to the sum of the leaves, and by what it is multiplied
            before.
    """

    feature: IntArray
    threshold: FloatArray
    leaf: FloatArray
    affine: FloatArray

    @classmethod
    def of(cls, predictors: Sequence[XGBoost]) -> Self:
        """The trees of predictors that were fitted to the same values."""
        boosters = [booster for predictor in predictors for booster in predictor.boosters]
        packed = _Packed.of([tree for booster in boosters for tree in _dumped(booster)])
        share = predictors[0].scale / max(len(boosters), 1)
        return cls(*packed.complete(), np.array([predictors[0].centre, share]))

    def arrays(self) -> dict[str, FloatArray | IntArray]:
        """What `restored` takes."""
        return {
            "feature": self.feature.astype("<u2"),
            "threshold": self.threshold.astype("<f4"),
            "leaf": self.leaf.astype("<f2"),
            "affine": self.affine,
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, FloatArray | IntArray], columns: int) -> Self:
        """From `arrays`, for rows of so many columns.

        Raises:
            FormatError: If they are no trees over these columns.
        """
        feature = np.asarray(arrays["feature"], np.int32)
        threshold, leaf = (np.asarray(arrays[name], np.float32) for name in ("threshold", "leaf"))
        sound = (
            feature.ndim == leaf.ndim == 2
            and feature.shape == threshold.shape
            and leaf.shape == (len(feature), feature.shape[1] + 1)
            and leaf.shape[1] in {1 << depth for depth in range(_DEEPEST + 1)}
            and np.isfinite(threshold).all()
            and np.isfinite(leaf).all()
            and (feature >= 0).all()
            and (feature < columns).all()
        )
        if not sound or np.shape(arrays["affine"]) != (2,):
            raise FormatError("the trees of the surrogate are damaged")
        return cls(feature, threshold, leaf, np.asarray(arrays["affine"], np.float64))

    def predict(self, x: FloatArray) -> FloatArray:
        """Of rows float32 (n, columns): float64 (n,)."""
        total = self._walked(x) if len(x) <= _FEW else self._booster(x.shape[1]).inplace_predict(x)
        return np.asarray(self.affine[0] + self.affine[1] * total)

    def _walked(self, x: FloatArray) -> FloatArray:
        feature, threshold, first, leaf = self._flat
        inner = self.feature.shape[1]
        found = np.empty(len(x))
        for i, row in enumerate(x):
            node = np.zeros(len(first), np.intp)  # within its tree
            for _ in range(inner.bit_length()):
                at = first + node
                node += node
                node += 1
                node += row.take(feature.take(at)) >= threshold.take(at)
            # xgboost adds in this order and precision, too.
            found[i] = np.add.accumulate(leaf.take(first + (node - inner)), dtype=np.float32)[-1]
        return found

    @cached_property
    def _flat(self) -> tuple[IntArray, FloatArray, IntArray, FloatArray]:
        """Nodes, thresholds, where each tree begins in them, and leaves; as many of each a tree."""
        trees, leaves = self.leaf.shape
        pad = ((0, 0), (0, 1))
        feature = np.pad(self.feature, pad).astype(np.intp)
        threshold = np.pad(self.threshold, pad)
        first = np.arange(trees, dtype=np.intp) * leaves
        return feature.ravel(), threshold.ravel(), first, self.leaf.ravel()

    def _booster(self, columns: int) -> xgboost.Booster:
        """The same trees for many rows at once."""
        known: dict[int, xgboost.Booster] = self._boosters
        if columns not in known:
            known[columns] = _loaded(self.feature, self.threshold, self.leaf, columns)
        return known[columns]

    @cached_property
    def _boosters(self) -> dict[int, xgboost.Booster]:
        return {}


@dataclass(frozen=True, slots=True)
class _Packed:
    """Trees as xgboost stores them, padded to the largest.

    Attributes:
        feature: int64 (trees, nodes).
        value: float32 (trees, nodes), the threshold of an inner node, the value of a leaf.
        left: int64 (trees, nodes), -1 of a leaf.
        right: int64 (trees, nodes).
    """

    feature: IntArray
    value: FloatArray
    left: IntArray
    right: IntArray

    @classmethod
    def of(cls, trees: Sequence[Mapping[str, list[float]]]) -> Self:
        nodes = max((len(tree["left_children"]) for tree in trees), default=1)
        shape = max(len(trees), 1), nodes
        feature, left, right = (np.full(shape, fill) for fill in (0, -1, -1))
        value = np.zeros(shape, np.float32)
        for i, tree in enumerate(trees):
            n = len(tree["left_children"])
            feature[i, :n] = tree["split_indices"]
            left[i, :n] = tree["left_children"]
            right[i, :n] = tree["right_children"]
            value[i, :n] = tree["split_conditions"]
        return cls(feature, value, left, right)

    def complete(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Columns and thresholds of complete trees, and their leaves."""
        rows = np.arange(len(self.left))[:, None]
        at = np.zeros((len(rows), 1), np.int64)  # the nodes of one level
        features, thresholds = [], []
        while (inner := self.left[rows, at] >= 0).any():
            features.append(np.where(inner, self.feature[rows, at], 0))
            thresholds.append(np.where(inner, self.value[rows, at], _LARGEST))
            below = (np.where(inner, side[rows, at], at) for side in (self.left, self.right))
            at = np.stack(list(below), axis=2).reshape(len(rows), -1)
        none = np.zeros((len(rows), 0))
        return (
            np.concatenate([none, *features], axis=1).astype(np.int32),
            np.concatenate([none, *thresholds], axis=1).astype(np.float32),
            self.value[rows, at].astype(np.float16).astype(np.float32),
        )


def _dumped(booster: xgboost.Booster) -> list[dict[str, list[float]]]:
    model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
    trees: list[dict[str, list[float]]] = model["trees"]
    return trees


def _loaded(
    feature: IntArray, threshold: FloatArray, leaf: FloatArray, columns: int
) -> xgboost.Booster:
    """A booster that predicts the sum of the leaves of complete trees."""
    trees, leaves = leaf.shape
    inner, nodes = leaves - 1, 2 * leaves - 1
    child = np.full(nodes, -1)
    child[:inner] = 2 * np.arange(inner) + 1
    parent = (np.arange(nodes) - 1) // 2
    parent[0] = 2**31 - 1
    same: dict[str, Any] = {
        "left_children": child.tolist(),
        "right_children": np.where(child < 0, -1, child + 1).tolist(),
        "parents": parent.tolist(),
        **dict.fromkeys(("default_left", "split_type"), [0] * nodes),
        **dict.fromkeys(("loss_changes", "sum_hessian"), [0.0] * nodes),
        **{f"categories{what}": [] for what in ("", "_nodes", "_segments", "_sizes")},
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(columns),
            "num_nodes": str(nodes),
            "size_leaf_vector": "1",
        },
    }
    split = np.pad(feature, ((0, 0), (0, leaves))).tolist()
    value = np.concatenate([threshold, leaf], axis=1).astype(np.float64).tolist()
    own = (
        {"id": i, "split_indices": split[i], "split_conditions": value[i], "base_weights": value[i]}
        for i in range(trees)
    )
    empty = xgboost.train(
        {"base_score": 0.0, "nthread": 1},
        xgboost.DMatrix(np.zeros((1, columns), np.float32), [0.0]),
        num_boost_round=0,
    )
    model = json.loads(empty.save_raw("json"))
    boosted = model["learner"]["gradient_booster"]["model"]
    boosted["trees"] = [{**same, **tree} for tree in own]
    boosted["tree_info"] = [0] * trees
    boosted["iteration_indptr"] = list(range(trees + 1))
    boosted["gbtree_model_param"]["num_trees"] = str(trees)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(model).encode()))
    return booster
