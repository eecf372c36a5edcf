"""Files of what was meta-learned: tensors in the format safetensors, settings, checksums."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from surrogate_nas._types import FloatArray
from surrogate_nas.checksums import checksum_of
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.files import cannot_write, write_bytes

SUFFIX = ".safetensors"

_CHECKSUM = "checksum"
_KNOWN = frozenset({_CHECKSUM, "format", "format_version", "settings", "settings_checksum"})


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of such files.

    Attributes:
        format: Its name in the file.
        version: Of the format.
        what: What such a file holds, for messages.
        command: Makes such files.
    """

    format: str
    version: int
    what: str
    command: str

    def write(
        self,
        path: str | os.PathLike[str],
        tensors: Mapping[str, FloatArray],
        settings: Mapping[str, Any],
    ) -> None:
        """Write a file, whole or not at all.

        Args:
            path: Ends in `SUFFIX`.
            tensors: By name.
            settings: What is known about them, a JSON object.

        Raises:
            InvalidArgumentError: If the name does not end in ``.safetensors``.
            SurrogateNASError: If it cannot be written.
        """
        path = Path(path)
        self.check_suffix(path)
        text = json.dumps(settings, sort_keys=True)
        metadata = {
            "format": self.format,
            "format_version": str(self.version),
            "settings": text,
            "settings_checksum": checksum_of({}, text),
        }
        content = tensor_file(tensors, metadata)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content)
        except OSError as error:
            raise cannot_write(path, error, f"the {self.what}") from error

    def check_suffix(self, path: str | os.PathLike[str]) -> None:
        """Refuse a name that does not end in ``.safetensors``.

        Raises:
            InvalidArgumentError: If it is such a name.
        """
        if Path(path).suffix != SUFFIX:
            raise InvalidArgumentError(
                f"a file of {self.what} must end in {SUFFIX}, got {os.fspath(path)!r}"
            )

    def read(
        self,
        path: str | os.PathLike[str],
        parse: Callable[[dict[str, Any]], _T],
        *,
        tensors: bool = True,
    ) -> tuple[dict[str, FloatArray], _T]:
        """Read the tensors and the settings of a file.

        Args:
            path: The file.
            parse: Reads the settings; a LookupError, TypeError or ValueError means damage.
            tensors: Whether to read the tensors, too.

        Raises:
            InvalidArgumentError: If there is no such file.
            FormatError: If it is no such file, damaged, or of another version.
        """
        if not Path(path).is_file():
            raise InvalidArgumentError(f"there is no file of {self.what} {os.fspath(path)!r}")
        try:
            with open_tensors(Path(path)) as file:
                metadata = file.metadata() or {}
                self._check(path, metadata)
                check_names(metadata)
                text = metadata["settings"]
                if metadata.get("settings_checksum", own := checksum_of({}, text)) != own:
                    raise ValueError("its settings do not have their checksum")
                content = json.loads(text)
                if not isinstance(content, dict):
                    raise TypeError("its settings are no JSON object")
                settings = parse(content)
                found = read_tensors(file, Path(path)) if tensors else {}
                for name, tensor in found.items():
                    if not np.isfinite(tensor).all():
                        raise ValueError(f"{name} has values that are not finite")
                return found, settings
        except FormatError:
            raise
        except (
            SafetensorError,
            OSError,
            ValueError,
            TypeError,
            LookupError,
            RecursionError,
        ) as error:
            raise FormatError(
                f"{path} is damaged, cut off or no file of {self.what} ({error}); make it again "
                f"with {self.command!r}"
            ) from error

    def _check(self, path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
        if metadata.get("format") != self.format:
            raise FormatError(
                f"{path} holds no {self.what} of surrogate-nas; make some with {self.command!r}"
            )
        if metadata.get("format_version") != str(self.version):
            raise FormatError(
                f"{path} has version {metadata.get('format_version')} of the format of "
                f"{self.what}, and this program reads version {self.version}; update "
                f"surrogate-nas, or train them again with {self.command!r}"
            )


def tensor_file(tensors: Mapping[str, FloatArray], metadata: Mapping[str, str]) -> bytes:
    """The content of a file of tensors and texts."""
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    checksum = checksum_of(contiguous, *_texts(metadata))
    return save(contiguous, metadata={**metadata, _CHECKSUM: checksum})


def read_tensors(file: Any, path: Path) -> dict[str, FloatArray]:
    """All tensors of an open file; one of an older version has no checksum.

    Raises:
        ValueError: If it does not have its checksum.
    """
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    metadata = file.metadata() or {}
    check_names(metadata)
    found = checksum_of(tensors, *_texts(metadata))
    if metadata.get(_CHECKSUM, found) != found:
        raise ValueError(f"{path.name} does not have its checksum")
    return tensors


def check_names(metadata: Mapping[str, str]) -> None:
    """Refuse a name that no version writes: a damaged one would hide a checksum.

    Raises:
        ValueError: If there is one.
    """
    unknown = sorted(metadata.keys() - _KNOWN)
    if unknown:
        raise ValueError(f"its metadata have the unknown name {unknown[0]!r}")


def open_tensors(path: Path) -> Any:
    """Open a file of tensors, a context manager."""
    return safe_open(path, framework="numpy")


def _texts(metadata: Mapping[str, str]) -> list[str]:
    return [text for key in sorted(metadata) if key != _CHECKSUM for text in (key, metadata[key])]
