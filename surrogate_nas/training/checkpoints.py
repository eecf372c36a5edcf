"""Files that hold the state of a training."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from surrogate_nas.checksums import check_zip
from surrogate_nas.errors import FormatError, InvalidArgumentError, SurrogateNASError
from surrogate_nas.files import reason, writing


@runtime_checkable
class Checkpoint(Protocol):
    """Where one training keeps its state; the label says of which training a state is."""

    @property
    def shown(self) -> str:
        """Its name, for messages."""
        ...

    def read(self, label: str, device: torch.device) -> dict[str, Any] | None:
        """The newest state, or None.

        Raises:
            SurrogateNASError: If it is damaged, or of another training.
        """
        ...

    def write(self, label: str, content: Mapping[str, Any], epoch: int) -> None:
        """Keep the state after an epoch, whole or not at all."""
        ...

    def unusable(self, error: SurrogateNASError) -> None:
        """Raise the error of a state that cannot be used, or tell it, and train anew."""
        ...


class CheckpointFile:
    """A file that the user named; what is wrong with it is an error."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def shown(self) -> str:
        """The path."""
        return os.fspath(self.path)

    def read(self, label: str, device: torch.device) -> dict[str, Any] | None:
        """See `Checkpoint`."""
        return read_checkpoint(self.path, label, device)

    def write(self, label: str, content: Mapping[str, Any], epoch: int) -> None:
        """See `Checkpoint`.

        Raises:
            InvalidArgumentError: If it cannot be written there.
        """
        write_checkpoint(self.path, label, content)

    def unusable(self, error: SurrogateNASError) -> None:
        """See `Checkpoint`."""
        raise error


def write_checkpoint(path: Path, label: str, content: Mapping[str, Any]) -> None:
    """Write a file of tensors and plain values, whole or not at all.

    Raises:
        InvalidArgumentError: If it cannot be written there.
    """
    whole = encoded(label, content)
    try:
        with writing(path) as file:
            file.write(whole)
    except OSError as error:
        raise InvalidArgumentError(f"cannot write {os.fspath(path)!r}: {reason(error)}") from error


def read_checkpoint(path: Path, label: str, device: torch.device) -> dict[str, Any] | None:
    """Read what `write_checkpoint` wrote, without executing anything; None if there is no file.

    Raises:
        InvalidArgumentError: If it has another label than ``label``.
        FormatError: If it is damaged.
    """
    return decoded(path, os.fspath(path), label, device) if path.exists() else None


def encoded(label: str, content: Mapping[str, Any]) -> memoryview:
    """Tensors and plain values as the bytes of a file."""
    whole = io.BytesIO()  # torch hides the system's reason of a failed write
    torch.save({"label": label, "checksum": _checksum(content), **content}, whole)
    return whole.getbuffer()


def decoded(file: Path | io.BytesIO, name: str, label: str, device: torch.device) -> dict[str, Any]:
    """Read what `encoded` made, without executing anything.

    Args:
        file: The file or its bytes.
        name: Of the file, for messages.
        label: What `encoded` was given.
        device: Where the tensors shall be.

    Raises:
        InvalidArgumentError: If it has another label than ``label``.
        FormatError: If it is damaged.
    """
    try:
        check_zip(file)
        if isinstance(file, io.BytesIO):
            file.seek(0)
        content = torch.load(file, map_location=device, weights_only=True)
        found = content.pop("label")
        if content.pop("checksum", own := _checksum(content, but="checksum")) != own:
            raise ValueError("it does not have its checksum")
    except Exception as error:  # damaged bytes can fail anywhere
        raise FormatError(
            f"{name} is not a whole checkpoint of a training; delete it to begin anew"
        ) from error
    if found != label:
        raise InvalidArgumentError(
            f"checkpoint {name!r} belongs to another training ({found}) than this one "
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
