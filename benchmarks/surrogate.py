"""Surrogate benchmarks: files that answer for every architecture of a space.

Such a file is a table whose values are predictions, with the following beside them::

    /surrogate/card                         the card, JSON in UTF-8, see `SurrogateBenchmark.card`
    /surrogate/rows                         int16 (n, decisions), what the models were fitted to
    /surrogate/tasks/<task>/std             float64 (rows,), uncertainty of the goal
    /surrogate/tasks/<task>/<column>/noise  float64 (2, m), values, and the deviation of one
                                            training there
                                    /ratio  float64 (budgets,), the deviation at each budget in
                                            units of that at the last
                                    /…      the model, where the space cannot be listed

All arrays have a crc32, as those of a table. A table of a space that can be listed has all of its
architectures. Else it has a sample, to which ranks refer, and the models answer for all others.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import h5py
import numpy as np
from scipy.special import ndtri

from surrogate_nas import registry
from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.hdf5 import SURROGATE, HDF5Benchmark, StoredTask
from surrogate_nas.benchmarks.sources import METRICS, TEST, VALIDATION
from surrogate_nas.errors import FormatError, InvalidArgumentError, MissingRecordError
from surrogate_nas.evaluation import Evaluation, Prediction
from surrogate_nas.spaces.base import Architecture, Isomorphs, SearchSpace

EXTRAPOLATION = "extrapolation"
"""Metric that is 1 where an architecture is far from all that the models were fitted to, else 0."""

CARD, ROWS, STD = "card", "rows", "std"

_MODELS = "surrogate_nas.surrogates.stored:StoredModels"
_MULTIPLIERS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


class Models(Protocol):
    """Models of a task whose space cannot be listed."""

    def predict(self, column: str, choices: IntArray) -> FloatArray:
        """Means of a column for encodings (n, decisions), in its own sign: (n, budgets)."""
        ...

    def std(self, choices: IntArray) -> FloatArray:
        """Uncertainty of the task's own goal at the largest budget: (n,)."""
        ...


class SurrogateBenchmark(HDF5Benchmark):
    """A surrogate benchmark in a file."""

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """What the models were fitted to, by which sampling, and how large their errors are."""
        try:
            card: dict[str, Any] = json.loads(self.array(CARD).tobytes())
            card["tasks"]
        except (ValueError, LookupError, RecursionError) as error:
            raise FormatError(
                f"the card of {self.path} is damaged ({error}); build it again"
            ) from error
        return card

    @property
    def architectures(self) -> int:
        """Number of architectures, or of encodings where these are not known."""
        return self.space.size if self.space.countable else self.space.encodings

    def task(self, name: str, *, isomorphs: Isomorphs = "separate") -> SurrogateTask:
        """Open one task.

        Raises:
            UnknownNameError: If there is no such task.
        """
        super().task(name, isomorphs=isomorphs)  # refuses other names
        return SurrogateTask(self, name, isomorphs)

    def array(self, name: str) -> Any:
        """One array of the surrogate, verified."""
        with self._opened() as file:
            self._check_unchanged(file)
            return self._verified(file[f"{SURROGATE}/{name}"], ())

    def arrays(self, below: str) -> dict[str, Any]:
        """The arrays of the surrogate, verified, by what follows ``below`` in their names."""
        found: dict[str, Any] = {}
        with self._opened() as file:
            self._check_unchanged(file)

            def read(name: str, item: h5py.Group | h5py.Dataset) -> None:
                if isinstance(item, h5py.Dataset):
                    found[name] = self._verified(item, ())

            file[f"{SURROGATE}/{below}"].visititems(read)
        return found


class SurrogateTask(StoredTask):
    """A task of a surrogate benchmark; any seed is a training with its own noise.

    ``seed=None`` is the mean over trainings, as in all tables. Where the space cannot be listed,
    ranks, regrets and the optimum are those among the sample that the file holds.
    """

    _table: SurrogateBenchmark

    @property
    def table(self) -> SurrogateBenchmark:
        """The file's benchmark."""
        return self._table

    @property
    def seeds(self) -> int:
        """1: a table of means, whose trainings are drawn when they are asked for."""
        return 1

    @property
    def card(self) -> Mapping[str, Any]:
        """The part of the benchmark's card about this task."""
        card: Mapping[str, Any] = self._table.card["tasks"][self.name]
        return card

    @property
    def listed(self) -> bool:
        """Whether the file holds the prediction of every architecture."""
        return self._whole.enumerable

    @cached_property
    def space(self) -> SearchSpace:
        """The whole space; isomorphs are merged where only canonical forms were measured."""
        return self._whole.with_isomorphs("merged" if self._merged else self._isomorphs)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the file and the task."""
        return f"surrogate-{self._table.checksum[:24]}-{zlib.crc32(self.name.encode()):08x}"

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """Its own, and those of the measurements that it was fitted to."""
        return self.fingerprint, *map(str, self.card.get("fingerprints", ()))

    def uncertainty(self, choices: IntArray) -> FloatArray:
        """Standard deviations of the means of the task's own goal, at the largest budget: (n,).

        Calibrated, so that the interval of 1.645 deviations holds 90 % of measured values.
        """
        if not self.listed:
            return self._models.std(choices)
        stds = self._table.array(f"tasks/{self.name}/{STD}")
        return np.append(self._by_architecture(stds), np.nan)[self.rows(choices)]

    # Noise --------------------------------------------------------------------------------------

    def _position(self, budget: int | None, seed: int | None) -> int:
        if seed is not None and seed < 0:
            raise MissingRecordError(f"a seed must be at least 0, got {seed}")
        return super()._position(budget, None)

    def _column(self, column: str, epoch: int, seed: int | None) -> FloatArray:
        values = super()._column(column, epoch, None)
        return values if seed is None else self._noisy(column, self.choices, values, epoch, seed)

    def _noisy(
        self, column: str, choices: IntArray, values: FloatArray, epoch: int, seed: int
    ) -> FloatArray:
        """Values (n,) of one training, which differ from their means (n,)."""
        if column not in self._noise:  # whether it extrapolates, or a cost that is computed
            return values
        noise, ratio = self._noise[column]
        size = np.interp(values, *noise) * ratio[min(epoch, len(ratio) - 1)]
        salt = zlib.crc32(f"{self.name}/{column}".encode())
        drawn = normals(self._whole.canonicalise(choices), salt, seed)
        found = np.asarray(values + size * drawn)
        if column in (VALIDATION, TEST) and self.own_goal.unit == "%":
            found = np.where((values >= 0) & (values <= 100), found.clip(0, 100), found)
        if column.startswith(METRICS) and noise[0].min() >= 0:  # a cost, such as a latency
            found = np.where(values >= 0, found.clip(0), found)
        return found

    @cached_property
    def _noise(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        arrays = self._table.arrays(f"tasks/{self.name}")
        columns = [c for c in self._source.columns if f"{c}/noise" in arrays]
        return {c: (arrays[f"{c}/noise"], arrays[f"{c}/ratio"]) for c in columns}

    # Spaces that cannot be listed ---------------------------------------------------------------

    @cached_property
    def _models(self) -> Models:
        models: Models = registry.follow("surrogate's models", _MODELS)(self._table, self.name)
        return models

    def _predicted(
        self, column: str, choices: IntArray, epoch: int, seed: int | None
    ) -> FloatArray:
        values = self._models.predict(column, choices)
        values = values[:, min(epoch, values.shape[1] - 1)]
        return values if seed is None else self._noisy(column, choices, values, epoch, seed)

    def lookup(
        self, choices: IntArray, *, budget: int | None = None, seed: int | None = None
    ) -> FloatArray:
        """Values of many encodings (n, decisions), larger is better: (n,).

        Raises:
            MissingRecordError: If the budget was not recorded.
        """
        if self.listed:
            return super().lookup(choices, budget=budget, seed=seed)
        epoch = self._position(budget, seed)
        column = self._columns[0]
        return self.goal.sign * self._predicted(column, np.asarray(choices), epoch, seed)

    def known_costs(self, choices: IntArray) -> dict[str, Prediction]:
        """See `surrogate_nas.evaluation.KnowsCosts`."""
        if self.listed:
            return super().known_costs(choices)
        found = {}
        for goal, column in zip(self.goals, self._columns, strict=True):
            if goal.metric in self.known:
                values = self._predicted(column, choices, len(self.budgets) - 1, None)
                found[goal.metric] = Prediction(values, np.zeros(len(values)))
        return found

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Answer for any architecture of the space.

        Raises:
            ArchitectureError: If the architecture is not part of the space.
            MissingRecordError: If the budget was not recorded.
        """
        if self.listed:
            return super().evaluate(arch, budget=budget, seed=seed)
        epoch = self._position(budget, seed)
        choices = np.array([self._whole.check(arch).choices])
        found = {
            column: float(self._predicted(column, choices, epoch, seed)[0])
            for column in self._source.columns
        }
        signed = zip(self.goals, self._columns, strict=True)
        values = tuple(goal.sign * found[column] for goal, column in signed)
        names = {c: c.removeprefix(METRICS) for c in found if c.startswith(METRICS)}
        names[VALIDATION] = self.own_goal.metric
        return Evaluation(
            values,
            self.costs[epoch],
            self.budgets[epoch],
            seed,
            {name: found[c] for c, name in names.items() if c not in self._columns},
            {self.own_goal.metric: found[TEST]} if TEST in found else {},
        )


def normals(choices: IntArray, salt: int, seed: int) -> FloatArray:
    """A standard normal number for each encoding (n, decisions), the same everywhere: (n,)."""
    state = np.full(len(choices), (salt + (seed + 1) * _GOLDEN) & _MASK, dtype=np.uint64)
    for column in np.asarray(choices).T:
        state = _mixed(state + column.astype(np.uint64) + np.uint64(_GOLDEN & _MASK))
    return np.asarray(ndtri(((state >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53))


def _mixed(state: Any) -> Any:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    for shift, factor in zip((30, 27), _MULTIPLIERS, strict=True):
        state = (state ^ (state >> np.uint64(shift))) * factor
    return state ^ (state >> np.uint64(31))


def refuse_surrogate(table: object, what: str) -> None:
    """Refuse a surrogate where real measurements are needed.

    Raises:
        InvalidArgumentError: If it is one.
    """
    if isinstance(table, SurrogateBenchmark):
        raise InvalidArgumentError(
            f"{what} must hold measurements, and {table.path} is a surrogate; name the table that "
            "it was fitted to"
        )
