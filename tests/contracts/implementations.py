"""Test classes, one for each implementation of an abstraction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surrogate_nas.testing import Contract


def declare(
    module: dict[str, Any], contract: type[Contract], cases: Mapping[str, Mapping[str, Any]]
) -> None:
    """Put a subclass of a contract for each case into a module, where pytest finds it.

    Args:
        module: Its ``globals()``.
        contract: What is promised.
        cases: By the name of the case the attributes of its class; functions become methods.
    """
    for case, attributes in cases.items():
        name = f"Test[{case}]"
        members = {"__module__": module["__name__"], "__qualname__": name, **attributes}
        module[name] = type(name, (contract,), members)
