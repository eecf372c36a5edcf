"""Searches in MLflow."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from surrogate_nas.callbacks.tracking import Status, TrackingCallback
from surrogate_nas.errors import MissingDependencyError

_STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_FORBIDDEN = re.compile(r"[^\w\-. /]")  # in MLflow's names
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000


class MLflowCallback(TrackingCallback):
    """Writes a search as a run of MLflow.

    It uses a client of its own, so the active run and the global settings of ``mlflow`` stay as
    they are.

    Args:
        uri: The tracking server, database or folder; None for MLflow's own choice.
        experiment: Name of the experiment; it is made where it is missing.
        run_name: Name of the run; None for one that MLflow makes.
        params: See `TrackingCallback`.

    Attributes:
        run_id: The run, after a search began; else None.

    Raises:
        MissingDependencyError: When a search begins, if the extra ``mlflow`` is missing.
    """

    def __init__(
        self,
        uri: str | None = None,
        *,
        experiment: str = "surrogate-nas",
        run_name: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(params)
        self.uri = uri
        self.experiment = experiment
        self.run_name = run_name
        self.run_id: str | None = None
        self._client: Any = None

    def open_run(self, params: Mapping[str, str | int | float | bool]) -> None:
        """Make a run in the experiment."""
        try:
            from mlflow.entities import Param
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise MissingDependencyError(
                "MLflowCallback needs the package mlflow: pip install 'surrogate-nas[mlflow]'"
            ) from error
        self._client = MlflowClient(tracking_uri=self.uri)
        found = self._client.get_experiment_by_name(self.experiment)
        number = found.experiment_id if found else self._client.create_experiment(self.experiment)
        self.run_id = self._client.create_run(number, run_name=self.run_name).info.run_id
        texts = [Param(_name(key), str(value)[:_LONGEST_PARAM]) for key, value in params.items()]
        self._client.log_batch(self.run_id, params=texts)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Log all numbers of a trial at once."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        points = [Metric(_name(key), value, now, step) for key, value in metrics.items()]
        self._client.log_batch(self.run_id, metrics=points)

    def write_text(self, name: str, text: str, step: int) -> None:
        """Set a tag; a later text of the same name replaces it."""
        self._client.set_tag(self.run_id, _name(name), text[:_LONGEST_TAG])

    def close_run(self, status: Status) -> None:
        """End the run."""
        self._client.set_terminated(self.run_id, status=_STATUS[status])


def _name(text: str) -> str:
    """The text without characters that MLflow refuses in names."""
    return _FORBIDDEN.sub("_", text)
