"""Searches in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surrogate_nas.callbacks.tracking import Status, TrackingCallback
from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError


class WandBCallback(TrackingCallback):
    """Writes a search as a run of Weights & Biases.

    Args:
        project: Name of the project.
        params: See `TrackingCallback`; they become the run's configuration.
        **options: Further arguments of ``wandb.init``, such as ``name``, ``entity``, ``dir``, or
            ``mode="offline"``.

    Raises:
        MissingDependencyError: When a search begins, if the extra ``wandb`` is missing.
        InvalidArgumentError: If ``options`` have ``config``, which is made of ``params``.
    """

    def __init__(
        self, project: str, *, params: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(params)
        if "config" in options:
            raise InvalidArgumentError("config is made by WandBCallback itself; give params=")
        self.project = project
        self.options = options
        self._run: Any = None

    def open_run(self, params: Mapping[str, str | int | float | bool]) -> None:
        """Begin a run."""
        try:
            import wandb
        except ImportError as error:
            raise MissingDependencyError(
                "WandBCallback needs the package wandb: pip install 'surrogate-nas[wandb]'"
            ) from error
        self._run = wandb.init(project=self.project, config=dict(params), **self.options)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Log all numbers of a trial at once."""
        self._run.log(dict(metrics), step=step)

    def write_text(self, name: str, text: str, step: int) -> None:
        """Set an entry of the summary; a later text of the same name replaces it."""
        self._run.summary[name] = text

    def close_run(self, status: Status) -> None:
        """End the run, with exit code 1 unless the search finished."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status == "finished" else 1)
