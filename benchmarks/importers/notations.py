"""Notations of architectures other than that of the space."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from surrogate_nas import registry
from surrogate_nas.errors import ArchitectureError, InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces import nasbench101, nasbench201
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.nasbench101_cells import NODES

Written = str | list[str]
"""An architecture in the notation of its space, or an option for each decision."""

Reader = Callable[[SearchSpace, str], Written]
"""Reads one text; raises `ArchitectureError` if it is no architecture."""

NASLIB_201 = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""The operations of NAS-Bench-201 in the order of NASLib's ``OP_NAMES_NB201``."""

NASLIB_201_NAMES = ("Identity", "Zero", "ReLUConvBN3x3", "ReLUConvBN1x1", "AvgPool1x1")
"""NASLib's names of them: ``OP_NAMES``."""

NASLIB_201_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""The edges in the order of NASLib's ``EDGE_LIST``, whose states count from 1."""

NASLIB_101 = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
"""The operations of NAS-Bench-101 in the order of NASLib's ``all_ops``."""

_SHORT_101 = {name.split("-")[0]: name for name in nasbench101.OPERATIONS}
_NUMBERS = re.compile(r"[\[({ ]*[0-9]{1,6}(?:[\s,;:/_-]+[0-9]{1,6})*[\])} ]*")
_MARKS = re.compile(r"[\s\[\](){},;:'\"|]*")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_LOOKED_AT = 10  # texts by which a notation is detected
_ITEM = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,;'"\[\](){}]+?))\s*(?:[,;]|$)""")


def _wrong(text: str, why: str) -> ArchitectureError:
    return ArchitectureError(f"architecture {text!r} {why}")


def _whole_numbers(text: str, what: str) -> list[int]:
    if not _NUMBERS.fullmatch(text):
        raise _wrong(text, f"is not {what}, like (0, 1, 2)")
    return [int(number) for number in re.findall("[0-9]+", text)]


def read_indices(space: SearchSpace, text: str) -> Written:
    """Numbers of options from 0, one a decision: ``(0, 3, 1)``."""
    numbers = _whole_numbers(text, "numbers of options")
    if len(numbers) != len(space.decisions):
        raise _wrong(text, f"is not {len(space.decisions)} numbers, one a decision")
    for number, decision in zip(numbers, space.decisions, strict=True):
        if number >= len(decision.options):
            raise _wrong(
                text,
                f"has no option {number} of {decision.name}, which has "
                f"{len(decision.options)}, counted from 0",
            )
    chosen = zip(space.decisions, numbers, strict=True)
    return [decision.options[number] for decision, number in chosen]


def read_options(space: SearchSpace, text: str) -> Written:
    """A list of names of options, one a decision: ``['conv3', 'skip']``, or ``conv3, skip``."""
    inside = text.strip().removeprefix("[").removesuffix("]")
    inside = inside.removeprefix("(").removesuffix(")").strip().removesuffix(",")
    names, position = [], 0
    while position < len(inside):
        item = _ITEM.match(inside, position)
        if item is None or item.end() == position:
            raise _wrong(text, "is no list of names of options, like ['a', 'b']")
        names.append(next(part for part in item.groups() if part is not None))
        position = item.end()
    if len(names) != len(space.decisions):
        raise _wrong(
            text, f"lists {len(names)} options, not {len(space.decisions)}, one a decision"
        )
    return names


def read_naslib_201(space: SearchSpace, text: str) -> Written:
    """NASLib's ``op_indices`` of NAS-Bench-201, ``(0, 1, 2, 3, 4, 1)``, or a list of its names.

    The orders of edges and operations are those of ``naslib/search_spaces/nasbench201/
    conversions.py`` in the repository automl/NASLib: `NASLIB_201_EDGES` and `NASLIB_201`. They
    differ from those of the benchmark's own text, in which the edge 1->2 comes before 0->3.
    """
    words = _WORD.findall(text)
    if words:
        _check_marks(text, _WORD.sub("", text))
        ops = [_one_of(word, NASLIB_201_NAMES, NASLIB_201, "NASLib operation") for word in words]
    else:
        numbers = _whole_numbers(text, "NASLib's six numbers of operations")
        if max(numbers) >= len(NASLIB_201):
            raise _wrong(text, f"has numbers of operations above {len(NASLIB_201) - 1}")
        ops = [NASLIB_201[number] for number in numbers]
    if len(ops) != len(NASLIB_201_EDGES):
        raise _wrong(text, f"has {len(ops)} operations, not one for each of 6 edges")
    by_edge = dict(zip(NASLIB_201_EDGES, ops, strict=True))
    return [by_edge[edge] for edge in nasbench201.EDGES]


def read_operations_201(space: SearchSpace, text: str) -> Written:
    """The six operations of a NAS-Bench-201 cell, in the order of its text.

    The edges are 0->1, 0->2, 1->2, 0->3, 1->3, 2->3; a list may give the source of each
    operation, too, like the benchmark's own ``[[('none', 0)], [('none', 0), ('none', 1)], …]``.
    Then the sources must be these.
    """
    words = _WORD.findall(text)
    rest = _WORD.sub("", text)
    sources = [int(digit) for digit in re.findall("[0-9]", rest)]
    _check_marks(text, re.sub("[0-9]", "", rest))
    if len(words) != 6 or sources not in ([], [source for source, _ in nasbench201.EDGES]):
        raise _wrong(text, "is not six operations, of the edges 0->1, 0->2, 1->2, 0->3, 1->3, 2->3")
    return words


def read_bits_101(space: SearchSpace, text: str) -> Written:
    """A NAS-Bench-101 cell: the bits of its adjacency matrix, and its operations.

    The bits are the square matrix or its upper triangle, row by row; the operations those of all
    nodes, or without ``input`` and ``output``: ``[1, 0, 1, …] ['conv3x3-bn-relu', …]``.
    """
    ops = [_SHORT_101.get(word, word) for word in _WORD.findall(text)]
    rest = _WORD.sub("", text)
    bits = re.sub("[^0-9]", "", rest)
    _check_marks(text, re.sub("[01]", "", rest))
    if ops[:1] != ["input"] and ops[-1:] != ["output"]:
        ops = ["input", *ops, "output"]
    v = len(ops)
    if len(bits) == v * (v - 1) // 2:
        digits = iter(bits)
        bits = "".join(
            next(digits) if target > source else "0" for source in range(v) for target in range(v)
        )
    elif len(bits) != v * v:
        raise _wrong(
            text,
            f"has {len(bits)} bits, and its {v} nodes need {v * v} (the matrix) or "
            f"{v * (v - 1) // 2} (its upper triangle)",
        )
    return f"{bits}:{','.join(ops)}"


def read_naslib_101(space: SearchSpace, text: str) -> Written:
    """NASLib's tuple of NAS-Bench-101: the square matrix, and a number for each operation.

    The order of operations, `NASLIB_101`, is that of ``naslib/search_spaces/nasbench101/
    conversions.py`` in the repository automl/NASLib.
    """
    numbers = _whole_numbers(text, "NASLib's matrix and numbers of operations")
    v = next((v for v in range(2, NODES + 1) if v * v + v == len(numbers)), 0)
    if not v:
        raise _wrong(text, f"has {len(numbers)} numbers, not v*v + v for 2 to 7 nodes")
    matrix, ops = numbers[: v * v], numbers[v * v :]
    if max(matrix) > 1 or max(ops) >= len(NASLIB_101):
        raise _wrong(text, "is not a matrix of 0 and 1, and numbers of operations from 0 to 4")
    return f"{''.join(map(str, matrix))}:{','.join(NASLIB_101[op] for op in ops)}"


def _check_marks(text: str, rest: str) -> None:
    """Refuse a text with anything but words, numbers and punctuation of lists."""
    if not _MARKS.fullmatch(rest):
        raise _wrong(text, "is no list of operations")


def _one_of(word: str, names: Sequence[str], ops: Sequence[str], kind: str) -> str:
    if word not in names:
        raise ArchitectureError(str(UnknownNameError(kind, word, names)))
    return ops[names.index(word)]


NOTATIONS: dict[str, dict[str, Reader]] = {
    "nasbench201": {"naslib": read_naslib_201, "operations": read_operations_201},
    "nasbench101": {"bits": read_bits_101, "naslib": read_naslib_101},
}
"""Notations by the space whose architectures they describe."""

GENERAL: dict[str, Reader] = {"options": read_options, "indices": read_indices}
"""Notations of all spaces."""


def open_notation(space: SearchSpace, name: str) -> Reader:
    """The reader of a notation of this name, or a function of the user.

    A function takes the text and gives the options: a mapping by decision, a sequence in the order
    of the decisions, an `Architecture`, or the architecture in the notation of the space.

    Raises:
        UnknownNameError: If the space has no notation of this name.
        InvalidArgumentError: If ``module:function`` does not lead to a function.
    """
    if ":" in name:
        function = registry.follow("notation", name)
        if not callable(function):
            raise InvalidArgumentError(f"the notation {name!r} must be a function, got {function}")
        return lambda space, text: _called(space, name, function, text)
    known = NOTATIONS.get(space.name, {}) | GENERAL
    if name not in known:
        raise UnknownNameError(f"notation of {space.name!r}", name, [*known, "module:function"])
    return known[name]


def _called(space: SearchSpace, name: str, function: Callable[[str], object], text: str) -> Written:
    try:
        found = function(text)
    except Exception as error:  # any exception of the user's function
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise _wrong(text, f"cannot be read by {name}: {reason}") from error
    if isinstance(found, str):
        return found
    if isinstance(found, Architecture):
        chosen = zip(space.decisions, space.check(found).choices, strict=True)
        return [decision.options[choice] for decision, choice in chosen]
    names = [decision.name for decision in space.decisions]
    if isinstance(found, Mapping):
        for key in found:
            if key not in names:
                raise _wrong(
                    text, f"read by {name}: {UnknownNameError('decision', str(key), names)}"
                )
        found = [found.get(decision) for decision in names]
    if not isinstance(found, Sequence) or len(found) != len(names):
        raise _wrong(
            text,
            f"read by {name} must be a mapping from decisions to options, {len(names)} options, an "
            f"Architecture or a text, got {found!r}",
        )
    return ["" if option is None else str(option) for option in found]


def by_pattern(
    space: SearchSpace, pattern: str, groups: Mapping[str, str], fixed: Mapping[str, str]
) -> Reader:
    """A reader of texts by a regular expression with a group for each decision.

    Args:
        space: The space.
        pattern: The expression, which must match the whole text. Groups without names are the
            decisions in their order.
        groups: Group by decision, for groups with other names than the decisions.
        fixed: Option by decision, for decisions that the text does not hold.

    Raises:
        InvalidArgumentError: If it is no regular expression, or lacks decisions.
        UnknownNameError: If there is a group for no decision.
    """
    try:
        form = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidArgumentError(
            f"--pattern must be a regular expression with a group for each decision, got "
            f"{pattern!r}: {error}"
        ) from error
    names = [decision.name for decision in space.decisions]
    wanted = [name for name in names if name not in fixed]
    if form.groups == len(wanted) and not form.groupindex and not groups:
        where: dict[str, str | int] = dict(zip(wanted, range(1, form.groups + 1), strict=True))
    else:
        where = {name: groups.get(name, name) for name in wanted}
        _check_groups(space, form, where, pattern)

    def read(space: SearchSpace, text: str) -> Written:
        match = form.fullmatch(text)
        if match is None:
            raise _wrong(text, f"is not matched as a whole by --pattern {pattern!r}")
        return [fixed[name] if name in fixed else match[where[name]] or "" for name in names]

    return read


def _check_groups(
    space: SearchSpace, form: re.Pattern[str], where: Mapping[str, str | int], pattern: str
) -> None:
    for group in form.groupindex:
        if group not in where.values():
            raise UnknownNameError("decision of the group", group, list(where))
    lacking = [name for name, group in where.items() if group not in form.groupindex]
    if lacking:
        raise InvalidArgumentError(
            f"--pattern must have a group (?P<NAME>…) for each decision of {space.name!r} (or "
            "--decision NAME=GROUP where it is called otherwise, --fixed NAME=OPTION where all "
            "rows have one option, or as many groups without names as decisions); missing: "
            f"{', '.join(lacking)}, got {pattern!r}"
        )


def likely(space: SearchSpace, texts: Sequence[str]) -> tuple[str, Reader] | None:
    """The notation in which most of some texts are written; None for that of the space."""
    given = list(dict.fromkeys(text for text in texts if text))[:_LOOKED_AT]
    known = NOTATIONS.get(space.name, {}) | {"options": read_options}
    most = sum(_reads(space, text, None) for text in given)
    best = None
    for name, reader in known.items():
        if most == len(given):
            break
        count = sum(_reads(space, text, reader) for text in given)
        if count > most:
            most, best = count, (name, reader)
    return best


def described(reader: Reader) -> str:
    """The first sentence of the docstring of a notation."""
    return (reader.__doc__ or "").strip().split("\n\n")[0].rstrip(".").replace("``", "")


def _reads(space: SearchSpace, text: str, reader: Reader | None) -> bool:
    try:
        found = text if reader is None else reader(space, text)
        if isinstance(found, str):
            space.parse(found)
        elif any(option not in d.options for option, d in zip(found, space.decisions, strict=True)):
            return False
    except ArchitectureError:
        return False
    return True
