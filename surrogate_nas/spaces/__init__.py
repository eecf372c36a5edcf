"""Spaces of architectures: encodings, graphs and notations, without any results."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate_nas.spaces.base import SearchSpace


def open_space(name: str | os.PathLike[str]) -> SearchSpace:
    """The space of a registered name, of a dotted path, or of a file that ends in ``.toml``.

    Raises:
        UnknownNameError: If there is no such name.
        InvalidArgumentError: If a dotted path leads to no space.
        FormatError: If a file cannot be read or declares no space, see `custom.CustomSpace`.
    """
    from surrogate_nas import registry
    from surrogate_nas.errors import InvalidArgumentError
    from surrogate_nas.spaces.base import SearchSpace
    from surrogate_nas.spaces.custom import load_space

    if os.fspath(name).endswith(".toml"):
        return load_space(name)
    found = registry.load("space", os.fspath(name))
    space = found() if callable(found) else found
    if not isinstance(space, SearchSpace):
        raise InvalidArgumentError(f"space {name!r} leads to {found!r}, which is no SearchSpace")
    return space
