"""Options from a file: ``--config run.toml``, and ``--dump-config``, which writes such a file."""

from __future__ import annotations

import argparse
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surrogate_nas.cli.parsing import chosen, suggestion
from surrogate_nas.errors import InvalidArgumentError

_OPTION = "--config"
_EMPTY: tuple[Any, ...] = ("", [], {})
_NOT_KEPT = frozenset({"config", "dump_config", "help", "quiet", "verbose", "json"})


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the two options to a command."""
    group = parser.add_argument_group("options from a file")
    group.add_argument(
        _OPTION,
        metavar="FILE.toml",
        help="take options from a table of the command's name, or from the top of the file; those "
        "of the command line win",
    )
    group.add_argument(
        "--dump-config",
        action="store_true",
        help="print all options of this command as such a file, and do nothing else",
    )


# Reading ----------------------------------------------------------------------------------------


def with_config(top: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """The words of a command line, with those of its ``--config`` file before its own options.

    Raises:
        InvalidArgumentError: If the file cannot be read, or names an option that there is not.
    """
    path = _path(words)
    leaf, names = chosen(top, words)
    if path is None or not names:
        return list(words)
    found = _options(path, names, _commands(top))
    actions = _by_name(leaf)
    more: list[str] = []
    for key, value in found.items():
        action = actions.get(key.replace("_", "-"))
        if action is None or action.dest in ("config", "dump_config"):
            hint = suggestion(key.replace("_", "-"), sorted(actions))
            raise InvalidArgumentError(
                f"{path}: surrogate-nas {' '.join(names)} has no option {key!r}{hint}"
            )
        if action.option_strings and not _is_given(action, words):
            more += _words(action, key, value, path)
        elif not action.option_strings and not _has_positional(words, len(names)):
            more.insert(0, str(value))
    return [*words[: _end(words, names)], *more, *words[_end(words, names) :]]


def _path(words: Sequence[str]) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == _OPTION and following:
            return following
        if word.startswith(f"{_OPTION}="):
            return word.partition("=")[2]
    return None


def _options(path: str, names: Sequence[str], commands: frozenset[str]) -> dict[str, Any]:
    """The options of a command: those at the top of a file, and those of the command's table."""
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArgumentError(f"cannot read {_OPTION} {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"{path} is no TOML file: {error}") from error
    found = {key: value for key, value in content.items() if key not in commands}
    inner: Any = content
    for name in names:
        inner = inner.get(name, {}) if isinstance(inner, Mapping) else {}
    return found | (dict(inner) if isinstance(inner, Mapping) else {})


def _commands(top: argparse.ArgumentParser) -> frozenset[str]:
    actions = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    return frozenset(name for action in actions for name in action.choices)


def _by_name(leaf: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Actions by the names that a file may use: of options without hyphens, and positionals."""
    found: dict[str, argparse.Action] = {}
    for action in leaf._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        names = [name[2:] for name in action.option_strings if name.startswith("--")]
        for name in names or [action.dest.replace("_", "-")]:
            found[name] = action
    return found


def _is_given(action: argparse.Action, words: Sequence[str]) -> bool:
    return any(word.partition("=")[0] in action.option_strings for word in words)


def _has_positional(words: Sequence[str], names: int) -> bool:
    """Whether something else than an option follows the command."""
    return len(words) > names and not words[names].startswith("-")


def _end(words: Sequence[str], names: Sequence[str]) -> int:
    """Where the names of the command end."""
    return max(position for position, word in enumerate(words) if word == names[-1]) + 1


def _words(action: argparse.Action, key: str, value: Any, path: str) -> list[str]:
    """What one would type for an option of a file."""
    option = next(name for name in action.option_strings if name.startswith("--"))
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise InvalidArgumentError(f"{path}: {key} must be true or false, got {value!r}")
        return [option] if value else []
    if isinstance(action, argparse._AppendAction):
        listed = value if isinstance(value, list) else [value]
        return [word for item in listed for word in (option, _text(item))]
    return [option, _text(value)]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


# Writing ----------------------------------------------------------------------------------------


def dumped(top: argparse.ArgumentParser, words: Sequence[str], found: argparse.Namespace) -> str:
    """The options of a command as a file of TOML that `with_config` reads."""
    leaf, names = chosen(top, words)
    lines = [f"[{'.'.join(names)}]"]
    for name, action in _by_name(leaf).items():
        value = getattr(found, action.dest, None)
        if action.dest in _NOT_KEPT or value is None or value is False or value in _EMPTY:
            continue
        if not _is_plain(value):  # such as NAME=COLUMN, which was read into a pair
            value = _typed(action, words)
        lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str | int | float) for item in value)
    return isinstance(value, str | int | float | Path | Mapping)


def _typed(action: argparse.Action, words: Sequence[str]) -> list[str]:
    """The values of an option as they were typed."""
    found = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, sign, value = word.partition("=")
        if name in action.option_strings:
            found.append(value if sign else following)
    return found


def _toml(value: Any) -> str:
    """A value as TOML; whatever is no number, list or table is text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else json.dumps(str(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    return json.dumps(str(value), ensure_ascii=False)
