"""A parser that takes exact names, reports mistakes on one line, and suggests what was meant."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

_CHOICE = re.compile(r"invalid choice: '([^']*)'.*\(choose from (.*)\)", re.DOTALL)
_NAME = re.compile(r"'([^']+)'|([^\s,']+)")


class HelpText(argparse.HelpFormatter):
    """Fills descriptions to the width of the terminal; examples keep their lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example:"):
            return "".join(indent + line for line in text.splitlines(keepends=True))
        parts = (super(HelpText, self)._fill_text(p, width, indent) for p in text.split("\n\n"))
        return "\n\n".join(parts)


class _Store(argparse._StoreAction):
    """Stores a value; a list that is given in several options is one list."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        earlier = getattr(namespace, self.dest, self.default)
        if isinstance(values, list) and isinstance(earlier, list) and earlier is not self.default:
            twice = [v for v in values if v in earlier and not isinstance(v, float)]
            if twice:
                raise argparse.ArgumentError(
                    self, f"must not name anything twice, got {twice[0]!r}"
                )
            values = [*earlier, *values]
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """The parser of the program, of each command and of each format."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": HelpText, **settings})
        for name in (None, "store"):
            self.register("action", name, _Store)

    def error(self, message: str) -> NoReturn:
        """End the program with a mistake on one line."""
        found = _CHOICE.search(message)
        if found:
            choices = [a or b for a, b in _NAME.findall(found[2])]
            message += suggestion(found[1], choices)
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; an option that there is not is a mistake of the command that was named."""
        words = sys.argv[1:] if args is None else list(args)
        found, rest = self.parse_known_args(words, namespace)
        if rest:
            leaf, _ = chosen(self, words)
            wrong = next((word for word in rest if word.startswith("-")), rest[0])
            options = [name for name in leaf._option_string_actions if name.startswith("--")]
            name = wrong.partition("=")[0]
            hint = _of_others(name, self) or suggestion(name, options)
            leaf.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
        return found

    def _print_message(self, message: str, file: Any = None) -> None:
        # The library's own hides that nothing was written.
        file = sys.stderr if file is None else file
        file.write(message)
        file.flush()


def suggestion(name: str, choices: Sequence[str]) -> str:
    """The end of a message that names what was probably meant, or nothing."""
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _of_others(name: str, top: argparse.ArgumentParser) -> str:
    """The end of a message that names the commands that have an option, or nothing."""
    commands = [
        leaf.prog.removeprefix(f"{top.prog} ")
        for leaf in leaves(top)
        if name in leaf._option_string_actions
    ]
    return f"; {name} is an option of {', '.join(commands)}" if commands else ""


def chosen(
    parser: argparse.ArgumentParser, words: Sequence[str]
) -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser of the command that words name, and the names of the command.

    The names stand before all options but those of the program itself.
    """
    names: list[str] = []
    for word in words:
        commands = next(
            (a for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None
        )
        if commands is None:
            break
        if word in commands.choices:
            parser = commands.choices[word]
            names.append(word)
        elif not word.startswith("-"):
            break
    return parser, names


def leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of all commands, and of the formats of those that have some."""
    commands = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not commands:
        return [parser]
    return [
        leaf for action in commands for inner in action.choices.values() for leaf in leaves(inner)
    ]
