"""Files that hold the state of a training."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from surrogate_nas.checksums import check_zip
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.files import reason, writing


def write_checkpoint(path: Path, label: str, content: dict[str, Any]) -> None:
    """Write a file of tensors and plain values, whole or not at all.

    Raises:
        InvalidArgumentError: If it cannot be written there.
    """
    whole = io.BytesIO()  # torch hides the system's reason of a failed write
    torch.save({"label": label, "checksum": _checksum(content), **content}, whole)
    try:
        with writing(path) as file:
            file.write(whole.getbuffer())
    except OSError as error:
        raise InvalidArgumentError(f"cannot write {os.fspath(path)!r}: {reason(error)}") from error


def read_checkpoint(path: Path, label: str, device: torch.device) -> dict[str, Any] | None:
    """Read what `write_checkpoint` wrote, without executing anything; None if there is no file.

    Raises:
        InvalidArgumentError: If it has another label than ``label``.
        FormatError: If it is damaged.
    """
    if not path.exists():
        return None
    try:
        check_zip(path)
        content = torch.load(path, map_location=device, weights_only=True)
        found = content.pop("label")
        if content.pop("checksum", own := _checksum(content, but="checksum")) != own:
            raise ValueError("it does not have its checksum")
    except Exception as error:  # damaged bytes can fail anywhere
        raise FormatError(
            f"{path} is not a whole checkpoint of a training; delete it to begin anew"
        ) from error
    if found != label:
        raise InvalidArgumentError(
            f"checkpoint {os.fspath(path)!r} belongs to another training ({found}) than this one "
            f"({label}); give another file, or delete it"
        )
    return dict(content)


def _checksum(value: Any, before: int = 0, *, but: str | None = None) -> int:
    """Checksum of tensors and plain values; older checkpoints have those of the zip file alone."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if but is None or key != but:
                before = _checksum(item, zlib.crc32(repr(key).encode(), before))
        return before
    if isinstance(value, list | tuple):
        for item in value:
            before = _checksum(item, before)
        return zlib.crc32(str(len(value)).encode(), before)
    if isinstance(value, torch.Tensor):
        before = zlib.crc32(f"{value.dtype} {tuple(value.shape)}".encode(), before)
        flat = value.detach().cpu().contiguous().reshape(-1)
        return zlib.crc32(flat.view(torch.uint8).numpy().data, before) if len(flat) else before
    return zlib.crc32(repr(value).encode(), before)
