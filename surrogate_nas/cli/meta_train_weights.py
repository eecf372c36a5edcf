"""``surrogate-nas meta-train --learn weights``: learn starting weights from real trainings."""

from __future__ import annotations

import argparse
from typing import Any

from surrogate_nas.errors import InvalidArgumentError

NAMES: tuple[str, ...] = ()
"""Options of this form alone."""


def add_options(option: Any) -> None:
    """Add the options of this form by a group's ``add_argument``; each is None if not given."""


def run(arguments: argparse.Namespace) -> int:
    """Learn, and report."""
    raise InvalidArgumentError("--learn weights is not part of this version; use --learn predictor")
