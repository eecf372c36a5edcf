"""The options that say how networks are built and trained."""

from __future__ import annotations

import argparse

from surrogate_nas.registry import DATASETS

KNOWN_DATASETS = f"{', '.join(DATASETS)}, or module:function"


def add_network_options(
    parser: argparse.ArgumentParser, *, later: bool = False, own: bool = True
) -> None:
    """Add them.

    Args:
        parser: Of the command.
        later: Leave what is not given None, for a command that has its own defaults.
        own: Whether a network of the user's own can be named.
    """
    option = parser.add_argument
    option(
        "--device",
        default=None if later else "auto",
        metavar="auto|cpu|cuda|mps",
        help="default: the fastest there is",
    )
    option(
        "--recipe",
        default=None if later else "sgd",
        metavar="R",
        help="sgd, adamw, nasbench201 (default: sgd)",
    )
    if own:
        help_text = "what builds the network of your own space"
        option("--network", metavar="module:build", help=help_text)
    option(
        "--settings",
        type=_settings,
        default=None if later else {},
        metavar="NAME=N,…",
        help="sizes of the network, such as channels=8,cells=2",
    )


def _settings(text: str) -> dict[str, int | float]:
    """Numbers by their names, comma-separated."""
    found: dict[str, int | float] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            number = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise argparse.ArgumentTypeError(f"must be like channels=8,cells=2, got {text!r}")
        found[name.strip()] = int(number) if number.is_integer() else number
    return found
