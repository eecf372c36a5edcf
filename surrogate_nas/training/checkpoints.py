"""Files that hold the state of a training."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch

from surrogate_nas.errors import FormatError, InvalidArgumentError


def write_checkpoint(path: Path, label: str, content: dict[str, Any]) -> None:
    """Write a file of tensors and plain values, whole or not at all.

    Raises:
        InvalidArgumentError: If it cannot be written there.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save({"label": label, **content}, file)
            os.chmod(temporary, 0o644)  # mkstemp lets nobody else read
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InvalidArgumentError(
            f"cannot write {os.fspath(path)!r}: {error.strerror or error}"
        ) from error


def read_checkpoint(path: Path, label: str, device: torch.device) -> dict[str, Any] | None:
    """Read what `write_checkpoint` wrote, without executing anything; None if there is no file.

    Raises:
        InvalidArgumentError: If it belongs to something else than ``label``.
        FormatError: If it is damaged.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        found = content.pop("label")
    except (
        AttributeError,
        EOFError,
        KeyError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        raise FormatError(
            f"{path} is not a whole checkpoint of a training; delete it to begin anew"
        ) from error
    if found != label:
        raise InvalidArgumentError(
            f"checkpoint {os.fspath(path)!r} belongs to another training ({found}) than this one "
            f"({label}); give another file, or delete it"
        )
    return dict(content)
