"""Which column of a file is which measurement of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal

_SERIES = re.compile(r"([^@#:=,/.][^@#:=,/]*)(?:@([0-9]+))?(?:#([0-9]+))?")

MOST_EPOCHS = 100_000_000
"""Most epochs (or steps) of a budget."""

Series = dict[tuple[int | None, int | None], str]
"""Column by epochs and seed, each None if it is not named."""


@dataclass(frozen=True)
class TaskColumns:
    """The columns of one task.

    Attributes:
        name: The task's name.
        maximise: Whether more is better.
        budgets: Epochs, ascending.
        seeds: Seeds, ascending.
        validation: Column of the validation metric by budget and seed.
        test: Column of the test metric, likewise; empty if there is none.
        metrics: Further metrics and their columns.
        cost: Column of the cost, or None.
    """

    name: str
    maximise: bool
    budgets: tuple[int, ...]
    seeds: tuple[int, ...]
    validation: Mapping[tuple[int, int], str]
    test: Mapping[tuple[int, int], str]
    metrics: Sequence[tuple[Goal, str]]
    cost: str | None

    @property
    def used(self) -> Iterator[str]:
        """All columns."""
        yield from self.validation.values()
        yield from self.test.values()
        yield from (column for _, column in self.metrics)
        if self.cost is not None:
            yield self.cost


def read_columns(
    tasks: Mapping[str, str],
    tests: Mapping[str, str],
    metrics: Mapping[str, str],
    costs: Mapping[str, str],
    minimise: Sequence[str],
) -> list[TaskColumns]:
    """Understand the arguments of `import_csv`.

    Raises:
        InvalidArgumentError: If there is no task, or names, budgets or seeds do not fit together.
        UnknownNameError: If there is no task of a name.
    """
    validation = _by_task("task", tasks)
    if not validation:
        raise InvalidArgumentError("a table needs at least one task: --task NAME=COLUMN")
    test = _by_task("test", tests)
    measured = _metrics(metrics, list(validation))
    _known("task", [*test, *(task for task in costs if task)], list(validation))
    names = dict.fromkeys([*validation, *(name for _, name in measured)])
    _known("task or metric to minimise", minimise, list(names))
    found = []
    for name, series in validation.items():
        _check_uniform(name, series)
        _check_covered(name, series, test.get(name, {}))
        own = {m: c for (owner, m), c in measured.items() if owner is None}
        own |= {m: c for (owner, m), c in measured.items() if owner == name}
        columns = _numbered(series)
        found.append(
            TaskColumns(
                name=name,
                maximise=name not in minimise,
                budgets=tuple(sorted({budget for budget, _ in columns})),
                seeds=tuple(sorted({seed for _, seed in columns})),
                validation=columns,
                test=_numbered(test.get(name, {})),
                metrics=[(Goal(m, m not in minimise), column) for m, column in own.items()],
                cost=costs.get(name, costs.get("")),
            )
        )
    return found


def _by_task(option: str, columns: Mapping[str, str]) -> dict[str, Series]:
    found: dict[str, Series] = {}
    for text, column in columns.items():
        match = _SERIES.fullmatch(text)
        if match is None or (match[2] is not None and not match[2].strip("0")):
            raise InvalidArgumentError(
                f"--{option} must be NAME[@EPOCHS][#SEED]=COLUMN with at least 1 epoch, where no "
                f"name contains any of @#:=,/ or begins with a dot, got {text!r}"
            )
        name, epochs, seed = match.groups()
        if len(epochs or "") > 20 or int(epochs or 0) > MOST_EPOCHS or len(seed or "") > 20:
            raise InvalidArgumentError(
                f"--{option} must have at most {MOST_EPOCHS:,} epochs and a seed of at most 20 "
                f"digits, got {text[:80]!r}"
            )
        key = (None if epochs is None else int(epochs), None if seed is None else int(seed))
        series = found.setdefault(name, {})
        if key in series:
            raise InvalidArgumentError(f"--{option} {text} is given twice; leave one out")
        series[key] = column
    return found


def _metrics(metrics: Mapping[str, str], tasks: Sequence[str]) -> dict[tuple[str | None, str], str]:
    found: dict[tuple[str | None, str], str] = {}
    for text, column in metrics.items():
        task, colon, name = text.rpartition(":")
        if not name or "/" in name or name.startswith(".") or (colon and not task):
            raise InvalidArgumentError(
                "--metric must be [TASK:]NAME=COLUMN, where no name is empty, contains '/' or "
                f"begins with a dot, got {text!r}"
            )
        if colon:
            _known("task", [task], tasks)
        found[task or None, name] = column
    return found


def _known(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known)


def _check_uniform(name: str, series: Series) -> None:
    for i, part in enumerate(("@EPOCHS", "#SEED")):
        if len({key[i] is None for key in series}) > 1:
            raise InvalidArgumentError(
                f"--task {name} must have {part} in all of its columns or in none, "
                f"got {_listed(series)}"
            )


def _check_covered(name: str, series: Series, test: Series) -> None:
    """Refuse test columns whose epochs and seeds have no column of validation."""
    for i, part in enumerate(("@EPOCHS", "#SEED")):
        keys = {key[i] for key in series}
        for key in test:
            if key[i] not in keys:
                raise InvalidArgumentError(
                    f"--test {name} must have a {part} of --task {name} ({_listed(series)}), "
                    f"got {_listed([key])}"
                )


def _listed(keys: Series | Sequence[tuple[int | None, int | None]]) -> str:
    def text(epochs: int | None, seed: int | None) -> str:
        written = ("" if epochs is None else f"@{epochs}") + ("" if seed is None else f"#{seed}")
        return written or "neither epochs nor seed"

    return ", ".join(text(*key) for key in keys)


def _numbered(series: Series) -> dict[tuple[int, int], str]:
    """The same with one epoch and seed 0 where none is named."""
    return {
        (1 if epochs is None else epochs, seed or 0): column
        for (epochs, seed), column in series.items()
    }
