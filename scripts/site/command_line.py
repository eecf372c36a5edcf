"""The page of the command line, made from the parsers."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator

from surrogate_nas.cli import parser


def page() -> str:
    """All commands with their options as Markdown."""
    top = parser()
    parts = [
        "# Command line",
        "",
        top.description or "",
        "",
        "Every command explains itself by `--help`, and prints one JSON object with `--json` "
        "([its keys](json.md)). The exit code is 0, or 2 for a mistake in what was asked, 1 where "
        "the work failed, and 130 after an interrupt by the keyboard.",
        "",
    ]
    top.formatter_class = _Wide
    for group in top._action_groups:
        parts += _options(top, group)
    for _, command in _commands(top):
        parts += _section(command, 2)
    return "\n".join(parts) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _section(command: argparse.ArgumentParser, level: int) -> list[str]:
    title = command.prog.removeprefix("surrogate-nas ")
    lines = [f"{'#' * level} {title}", "", _prose(command.description or ""), ""]
    command.formatter_class = _Wide
    lines += ["```text", command.format_usage().removeprefix("usage: ").rstrip(), "```", ""]
    for group in command._action_groups:
        lines += _options(command, group)
    if command.epilog:
        lines += _example(command.epilog)
    for _, inner in _commands(command):
        lines += _section(inner, level + 1)
    return lines


class _Wide(argparse.RawDescriptionHelpFormatter):
    """The same text on every terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=96)


def _options(command: argparse.ArgumentParser, group: argparse._ArgumentGroup) -> list[str]:
    shown = [
        action
        for action in group._group_actions
        if action.help is not argparse.SUPPRESS
        and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    ]
    if not shown:
        return []
    heading = group.title or ""
    lines = [] if heading in ("options", "positional arguments") else [f"**{_cell(heading)}**", ""]
    lines += ["| option | meaning |", "|---|---|"]
    formatter = command._get_formatter()
    for action in shown:
        text = formatter._expand_help(action) if action.help else ""
        needed = " (required)" if action.required and action.option_strings else ""
        lines.append(f"| {_invocation(formatter, action)}{needed} | {_cell(text)} |")
    return [*lines, ""]


def _invocation(formatter: argparse.HelpFormatter, action: argparse.Action) -> str:
    if not action.option_strings:
        (name,) = formatter._metavar_formatter(action, action.dest)(1)
        return _code(name)
    value = "" if action.nargs == 0 else formatter._format_args(action, action.dest.upper())
    return _code(f"{', '.join(action.option_strings)} {value}".strip())


def _example(epilog: str) -> list[str]:
    head, _, body = epilog.partition("\n")
    return [f"{head.strip().capitalize()}", "", "```console", textwrap.dedent(body), "```", ""]


def _prose(text: str) -> str:
    """The sentences of a description, whose lines were broken for a terminal."""
    return _cell(text)


def _code(text: str) -> str:
    return "<code>" + _escaped(text) + "</code>"


def _cell(text: str) -> str:
    """Text for a cell of a table; names of options and files as code."""
    text = _escaped(" ".join(text.split()))
    text = re.sub(r"(?<![\w-])(--[a-z][\w-]*)", r"<code>\1</code>", text)
    return text.replace("*", "\\*").replace("_", "\\_")


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("|", "&#124;").replace("[", "&#91;").replace("]", "&#93;")
