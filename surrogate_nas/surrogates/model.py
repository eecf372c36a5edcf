"""One metric of a surrogate: a stacked model of its values, and the noise of one training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import FormatError
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.predictors.feature_predictor import with_columns
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.scores import QuantileMap
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.surrogates.process import Process
from surrogate_nas.surrogates.trees import Trees

_TREES = "trees/"
_DIGITS = 5  # of a standard deviation: beyond them processors and libraries differ


class SpaceColumns:
    """What models see of the architectures of one space.

    It is the same of all isomorphs if the known rows are canonical forms, as those of trainings.
    In a table with a row for each encoding, isomorphs differ.

    Attributes:
        space: The space, with merged isomorphs if they are seen as the same.
        inputs: The columns of a Gaussian process.
    """

    def __init__(self, space: SearchSpace, rows: IntArray) -> None:
        """Prepare the columns of ``space``, of which ``rows`` (n, decisions) are known."""
        canonical = np.array_equal(rows, space.canonicalise(rows))
        self.space = space.with_isomorphs("merged" if canonical else "separate")
        inputs = GaussianProcess().describe(self.space, None)
        self.inputs = inputs
        structure = inputs.structure
        of_trees = structure.columns(XGBoost.families)
        self._both = np.union1d(inputs.columns, of_trees)
        self._of_process = np.searchsorted(self._both, inputs.columns)
        self._of_trees = np.searchsorted(self._both, of_trees)
        self._last: tuple[bytes, FloatArray, FloatArray] | None = None

    def process(self, choices: IntArray) -> FloatArray:
        """What a Gaussian process sees of encodings (n, decisions): float32 (n, k)."""
        return self._described(choices)[1]

    def trees(self, choices: IntArray) -> FloatArray:
        """What trees see of encodings (n, decisions): float32 (n, m)."""
        return self._described(choices)[2]

    def _described(self, choices: IntArray) -> tuple[bytes, FloatArray, FloatArray]:
        # All models of a task are asked for the same encodings, one after the other.
        key = np.ascontiguousarray(choices, dtype=np.int16).tobytes()
        if self._last is None or self._last[0] != key:
            inputs = self.inputs
            structure = inputs.structure.transform(choices, self._both)
            parts = [structure[:, self._of_trees]]
            if len(inputs.decisions):
                parts.append(inputs.decisions.transform(choices))
            process = inputs.standardised(structure[:, self._of_process], choices)
            self._last = key, process, np.ascontiguousarray(with_columns(parts))
        return self._last


@dataclass(frozen=True)
class Predicted:
    """What a model says of n architectures.

    Attributes:
        values: float64 (n, budgets), means over seeds.
        similarity: float64 (n,), correlation with the most similar known row.
    """

    values: FloatArray
    similarity: FloatArray


@dataclass(frozen=True)
class Model:
    """Stacked predictions of one metric.

    Scores of the members (see `surrogate_nas.predictors.scores.warped`) are averaged with weights
    and mapped back to values. A learning curve is what the last epoch has, plus a combination of
    a few curves whose weights the Gaussian process predicts.

    Attributes:
        process: A Gaussian process; its first output is the score, the others are of curves.
        share: Its weight.
        trees: Boosted trees and their weights.
        scores: float64 (n,), scores of the known values.
        known: float64 (n,), the values themselves.
        spread: Standard deviation of the error of a score.
        factor: By which the process's standard deviations are multiplied.
        curves: float64 (1 + k, budgets), the mean difference from the last epoch, then k curves.
        noise: float64 (2, m), values and the standard deviation of one training there.
        ratio: float64 (budgets,), the deviation at each budget in units of that at the last.
        limits: The least and the largest value that there can be.
    """

    process: Process
    share: float
    trees: tuple[tuple[float, Trees], ...]
    scores: FloatArray
    known: FloatArray
    spread: float
    factor: float
    curves: FloatArray
    noise: FloatArray
    ratio: FloatArray
    limits: tuple[float, float]

    def predict(self, columns: SpaceColumns, choices: IntArray) -> Predicted:
        """Predict encodings (n, decisions)."""
        outputs, similarity = self.process.mean(columns.process(choices))
        return Predicted(self.values(columns, choices, outputs), similarity)

    def values(self, columns: SpaceColumns, choices: IntArray, outputs: FloatArray) -> FloatArray:
        """What `predict` says, given the outputs of the process (n, k): float64 (n, budgets)."""
        score = self.share * outputs[:, 0]
        if self.trees:
            seen = columns.trees(choices)
            for share, trees in self.trees:
                score = score + share * trees.predict(seen)
        last = np.interp(score, *self._means)
        curves = self.curves[0] + outputs[:, 1:] @ self.curves[1:]
        values = (last[:, None] + curves).clip(*self.limits)
        return np.asarray(np.round(values / self._unit) * self._unit)

    def std(self, columns: SpaceColumns, choices: IntArray, values: FloatArray) -> FloatArray:
        """Standard deviations of a mean over seeds at the largest budget: float64 (n,)."""
        score = np.interp(values, *self._inverse)
        found = self._map.moments(score, self.process.std(columns.process(choices)))[1]
        return np.asarray(np.maximum(found * self.factor, 1e-9 * self._scale))

    def noise_std(self, values: FloatArray) -> FloatArray:
        """Standard deviation of one training at values of any shape, at the largest budget."""
        return np.asarray(np.interp(values, *self.noise))

    @cached_property
    def _scale(self) -> float:
        return max(float(self.known.std()), 1e-12)

    @cached_property
    def _unit(self) -> float:
        return float(10.0 ** np.floor(np.log10(self._scale) - _DIGITS))

    @cached_property
    def _means(self) -> tuple[FloatArray, FloatArray]:
        return self._map.means(self.spread)

    @cached_property
    def _map(self) -> QuantileMap:
        return QuantileMap(self.scores, self.known)

    @cached_property
    def _inverse(self) -> tuple[FloatArray, FloatArray]:
        value, first = np.unique(self.known, return_index=True)
        return value, self.scores[first]

    # Arrays -------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, FloatArray | IntArray]:
        """What `restored` takes."""
        shares = [self.share, *(share for share, _ in self.trees)]
        found: dict[str, FloatArray | IntArray] = {
            **self.process.arrays(),
            "shares": np.array(shares),
            "scores": self.scores,
            "known": self.known,
            "spread": np.array([self.spread, self.factor]),
            "curves": self.curves,
            "noise": self.noise,
            "ratio": self.ratio,
            "limits": np.array(self.limits),
        }
        for i, (_, trees) in enumerate(self.trees):
            for name, array in trees.arrays().items():
                found[f"{_TREES}{i}/{name}"] = array
        return found

    @classmethod
    def restored(cls, arrays: Mapping[str, Any], columns: SpaceColumns, rows: IntArray) -> Self:
        """From `arrays` and the encodings of the known rows (n, decisions).

        Raises:
            FormatError: If something is missing, or of another shape.
        """
        try:
            process = Process.restored(arrays, columns.inputs, columns.process(rows))
            width = columns.trees(rows[:1]).shape[1]
            shares, spread = arrays["shares"], arrays["spread"]
            trees = []
            for i, share in enumerate(shares[1:].tolist()):
                head = f"{_TREES}{i}/"
                parts = {k.removeprefix(head): v for k, v in arrays.items() if k.startswith(head)}
                trees.append((float(share), Trees.restored(parts, width)))
            found = cls(
                process=process,
                share=float(shares[0]),
                trees=tuple(trees),
                scores=arrays["scores"],
                known=arrays["known"],
                spread=float(spread[0]),
                factor=float(spread[1]),
                curves=arrays["curves"],
                noise=arrays["noise"],
                ratio=arrays["ratio"],
                limits=(float(arrays["limits"][0]), float(arrays["limits"][1])),
            )
        except (LookupError, ValueError, TypeError) as error:
            raise FormatError(f"a model of the surrogate is damaged ({error})") from error
        n, budgets = len(rows), len(found.ratio)
        outputs = found.process.weights.shape[1]
        shapes = found.scores.shape, found.known.shape, found.curves.shape, found.noise.shape
        if shapes[:3] != ((n,), (n,), (outputs, budgets)) or shapes[3][:1] != (2,):
            raise FormatError("the arrays of a model of the surrogate do not fit together")
        return found
