"""Completion of commands and options in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

SHELLS = ("bash", "zsh", "tcsh")


class PrintCompletion(argparse.Action):
    """``--print-completion SHELL`` prints what a shell needs to complete options, and ends."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print the script."""
        try:
            import shtab
        except ImportError:
            parser.error(
                "--print-completion needs shtab, the extra completion: pip install "
                "'surrogate-nas[completion]'"
            )
        print(shtab.complete(parser, shell=str(values)))
        parser.exit(0)


def add_completion_option(parser: argparse.ArgumentParser) -> None:
    """Add the option to the program."""
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        metavar="SHELL",
        help='print completions for bash, zsh or tcsh, for example: eval "$(surrogate-nas '
        '--print-completion bash)"',
    )
