"""The command line. Loads nothing heavy before a command runs."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from surrogate_nas._version import __version__
from surrogate_nas.cli.completion import add_completion_option
from surrogate_nas.cli.config import add_config_options, dumped, with_config
from surrogate_nas.cli.logs import add_log_options, logged
from surrogate_nas.cli.parsing import Parser, leaves
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError
from surrogate_nas.files import FULL

_COMMANDS = (
    "benchmarks",
    "import_",
    "search",
    "compare",
    "report",
    "retry",
    "meta_train",
    "evaluate",
    "train",
    "supernet",
    "verify",
    "build",
    "check_surrogate",
    "measure",
)
"""Modules, which are imported where an interrupt is caught."""
_INTERRUPTED = 130
_BROKEN_PIPE = 141


def parser() -> Parser:
    """All commands and their options."""
    top = Parser(
        prog="surrogate-nas",
        description="Neural architecture search with few trainings, guided by surrogate "
        "predictors.",
        epilog="Start with: surrogate-nas search",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_completion_option(top)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in _COMMANDS:
        module = import_module(f"{__name__}.{name}")
        command = commands.add_parser(
            _word(name),
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=f"example:\n  {module.EXAMPLE}",
            allow_abbrev=False,
        )
        module.add_options(command)
        command.add_argument(
            "--json",
            action="store_true",
            help="print one JSON object on standard output, all else on standard error",
        )
        command.set_defaults(run=module.run)
    for leaf in leaves(top):
        add_log_options(leaf)
        add_config_options(leaf)
    return top


def _word(module: str) -> str:
    """The command as a user types it; `import` and hyphens cannot be in a module's name."""
    return module.rstrip("_").replace("_", "-")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code.

    2 is a mistake in what was asked, 130 an interrupt by the keyboard, 141 a closed pipe.
    """
    program = "surrogate-nas"
    try:
        _write_anything()
        top = parser()
        words = with_config(top, sys.argv[1:] if argv is None else argv)
        arguments = top.parse_args(words)
        program = f"surrogate-nas {arguments.command}"
        if arguments.dump_config:
            print(dumped(top, words, arguments), end="")
            return 0
        arguments.command_line = (program.split()[0], *words)
        folder = _working_folder()
        if folder not in sys.path:  # for a user's own module:function
            sys.path.append(folder)
        # Imported here, because `--help` needs neither and they are slow to import.
        from surrogate_nas.cli.console import plain_warnings
        from surrogate_nas.parallel import one_thread

        told = logged(quiet=arguments.quiet, verbose=arguments.verbose)
        with told, plain_warnings(), one_thread():
            code: int = arguments.run(arguments)
            sys.stdout.flush()
        return code
    except SurrogateNASError as error:
        _tell(f"{program}: error: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        _tell(f"{program}: interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno not in FULL:
            _tell(f"{program}: error: {error}")
            return 2
        _drop_output()
        where = f" {error.filename}" if error.filename else ""
        _tell(f"{program}: error: cannot write{where}: {error.strerror}; free some space")
        return 2


def _write_anything() -> None:
    """Escape what an encoding such as ASCII lacks, and bytes of file names that are no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise InvalidArgumentError(
            f"the working folder cannot be read ({error.strerror}): change to another one"
        ) from error


def _tell(message: str) -> None:
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr)


def _drop_output() -> None:
    """Give up standard output, as the interpreter flushes it once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
