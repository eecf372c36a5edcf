"""Files of tensors in the format safetensors, with a checksum."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from surrogate_nas._types import FloatArray
from surrogate_nas.checksums import checksum_of

_CHECKSUM = "checksum"
_KNOWN = frozenset({_CHECKSUM, "format", "format_version", "settings", "settings_checksum"})


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
