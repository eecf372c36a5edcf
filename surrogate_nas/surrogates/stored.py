"""Models of a surrogate benchmark's file, for spaces that cannot be listed."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.sources import METRICS, VALIDATION
from surrogate_nas.benchmarks.surrogate import EXTRAPOLATION, ROWS, SurrogateBenchmark
from surrogate_nas.errors import FormatError
from surrogate_nas.surrogates.model import Model, Predicted, SpaceColumns
from surrogate_nas.surrogates.process import Together

PROBES = "probes"
"""Array of predictions of the first known rows, by which changed columns are noticed."""

PROBED = 3
_TOLERANCE = 1e-3  # of a standard deviation


class StoredModels:
    """The models of one task; each is read at its first use."""

    def __init__(self, table: SurrogateBenchmark, task: str) -> None:
        """Prepare to read them from ``table``."""
        self._table, self._task = table, task
        self._models: dict[str, Model] = {}
        self._last: tuple[bytes, dict[str, Predicted]] = (b"", {})

    @cached_property
    def _columns(self) -> SpaceColumns:
        return SpaceColumns(self._table.space, self._rows)

    @cached_property
    def _rows(self) -> IntArray:
        rows: IntArray = self._table.array(ROWS)
        if rows.ndim != 2 or rows.shape[1] != len(self._table.space.sizes):
            raise FormatError(
                f"the rows of {self._table.path} do not fit the space {self._table.space.name!r}; "
                "build it again"
            )
        return self._table.space.check_all(rows)

    @cached_property
    def _threshold(self) -> float:
        card = self._table.card["tasks"][self._task]
        return float(card["extrapolation"]["least_similarity"])

    def predict(self, column: str, choices: IntArray) -> FloatArray:
        """Means of a column for encodings (n, decisions), in its own sign: (n, budgets)."""
        if column == METRICS + EXTRAPOLATION:
            similarity = self._predicted(VALIDATION, choices).similarity
            return (similarity < self._threshold).astype(np.float64)[:, None]
        return self._predicted(column, choices).values

    def std(self, choices: IntArray) -> FloatArray:
        """Uncertainty of the task's own goal at the largest budget: (n,)."""
        values = self._predicted(VALIDATION, choices).values[:, -1]
        return self._model(VALIDATION).std(self._columns, choices, values)

    def _predicted(self, column: str, choices: IntArray) -> Predicted:
        # SpaceColumns, and whether it is far away, are asked for one after the other.
        key = np.ascontiguousarray(choices, dtype=np.int16).tobytes()
        if self._last[0] != key:
            self._last = (key, {})
        known = self._last[1]
        if column not in known and len(choices) == 1:
            known.update(self._of_one(choices))
        if column not in known:
            known[column] = self._model(column).predict(self._columns, choices)
        return known[column]

    def _of_one(self, choices: IntArray) -> dict[str, Predicted]:
        """What all models say of one encoding (1, decisions), if they know the same rows."""
        if self._together is None:
            return {}
        found = {}
        for name, said in zip(
            self._names, self._together.mean(self._columns.process(choices)), strict=True
        ):
            outputs, similarity = said
            values = self._model(name).values(self._columns, choices, outputs)
            found[name] = Predicted(values, similarity)
        return found

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._table.card["tasks"][self._task]["columns"])

    @cached_property
    def _together(self) -> Together | None:
        return Together.of([self._model(name).process for name in self._names])

    def _model(self, column: str) -> Model:
        if column not in self._models:
            arrays = self._table.arrays(f"tasks/{self._task}/{column}")
            probes = arrays.pop(PROBES)
            rows = self._rows[arrays.pop(ROWS)]
            try:
                model = Model.restored(arrays, self._columns, rows)
            except FormatError as error:
                raise FormatError(f"{self._table.path}: {error}; build it again") from error
            again = model.predict(self._columns, rows[:PROBED]).values
            scale = max(float(model.known.std()), 1e-12)
            if again.shape != probes.shape or np.abs(again - probes).max() > _TOLERANCE * scale:
                raise FormatError(
                    f"{self._table.path} was fitted by a version of surrogate-nas that describes "
                    "architectures in another way; build it again"
                )
            self._models[column] = model
        return self._models[column]
