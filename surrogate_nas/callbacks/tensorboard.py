"""Searches in TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from surrogate_nas.callbacks.tracking import Status, TrackingCallback
from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardCallback(TrackingCallback):
    """Writes a search as files of events, which ``tensorboard --logdir FOLDER`` shows.

    Args:
        folder: The folder of one run; it is made where it is missing.
        params: See `TrackingCallback`; they are shown as the text ``settings``.

    Raises:
        MissingDependencyError: When a search begins, if the extra ``tensorboard`` is missing.
        InvalidArgumentError: When a search begins, if the folder cannot be written.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(params)
        self.folder = os.fspath(folder)
        self._writer: SummaryWriter | None = None

    def open_run(self, params: Mapping[str, str | int | float | bool]) -> None:
        """Open the file of events."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError(
                "TensorBoardCallback needs the package tensorboard: "
                "pip install 'surrogate-nas[tensorboard]'"
            ) from error
        try:
            self._writer = SummaryWriter(self.folder)
        except OSError as error:
            raise InvalidArgumentError(
                f"folder must be one that can be written, got {self.folder!r}: {error}"
            ) from error
        rows = [f"| {name} | {str(value).replace('|', ' ')} |" for name, value in params.items()]
        self.write_text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]), 0)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a scalar for each number."""
        if self._writer is not None:
            for name, value in metrics.items():
                self._writer.add_scalar(name, value, step)

    def write_text(self, name: str, text: str, step: int) -> None:
        """Add a text."""
        if self._writer is not None:
            self._writer.add_text(name, text, step)

    def close_run(self, status: Status) -> None:
        """Write the status, and close the file."""
        self.write_text("status", status, self._step)
        if self._writer is not None:
            self._writer.close()
        self._writer = None
