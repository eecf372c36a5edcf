"""Files of meta-trained weights: safetensors with JSON settings, and which of them serve a task."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.tensor_files import SUFFIX, FileKind

FORMAT = "surrogate-nas weights"
FORMAT_VERSION = 2
_KIND = FileKind(FORMAT, FORMAT_VERSION, "weights", "surrogate-nas meta-train")

Tensors = Mapping[str, FloatArray]


def noted(space: SearchSpace, spaces: Sequence[str]) -> bool:
    """Whether a space is listed by its identity, or by its name as in older files."""
    return space.identity in spaces or space.name in spaces


@dataclass(frozen=True, slots=True)
class SourceTask:
    """A task that weights were trained on.

    Attributes:
        name: ``benchmark/task``, for people.
        space: Identity of its space; files of older programs have the name alone.
        fingerprint: Identifies it under any name, see `surrogate_nas.evaluation.fingerprint`.
        labels: Number of its values that were used.
    """

    name: str
    space: str
    fingerprint: str
    labels: int

    def of_space(self, space: SearchSpace) -> bool:
        """Whether it is of this space, and not of another one of the same name."""
        return noted(space, (self.space,))

    def same(self, space: SearchSpace, task: str, fingerprints: Sequence[str]) -> bool:
        """Whether this is a task under another name, or other measurements of it.

        It is recognised by its fingerprint. Other measurements (a mean over more seeds, another
        budget) have another fingerprint, so the same name in the same space counts, too.
        """
        return self.fingerprint in fingerprints or (
            self.of_space(space) and self.name.rpartition("/")[2].lower() == task.lower()
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file of weights tells about them.

    Attributes:
        predictor: Registered name of the meta-learner.
        tasks: What they were trained on.
        operations: Which of `surrogate_nas.spaces.operations.OPERATIONS` their spaces have.
        seed: Of the meta-training.
        created: Seconds since 1970.
        program: Version of the program that made them.
        learner: The meta-learner's own settings.
        held_out: Kendall tau by number of labels, by held-out task.
    """

    predictor: str
    tasks: tuple[SourceTask, ...]
    operations: tuple[int, ...]
    seed: int
    created: int
    program: str
    learner: Mapping[str, Any] = field(default_factory=dict)
    held_out: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def labels(self) -> int:
        """Number of values of other tasks that were used."""
        return sum(task.labels for task in self.tasks)

    @property
    def spaces(self) -> tuple[str, ...]:
        """Identities of the spaces of the tasks, each once."""
        return tuple(dict.fromkeys(task.space for task in self.tasks))

    def for_learner(self) -> Mapping[str, Any]:
        """The argument of `MetaPredictor.restored`: `learner`, with spaces by their identities.

        Version 0.1.0 wrote identities for the tasks, but names for the learner.
        """
        names = [identity.partition("#")[0] for identity in self.spaces]
        found = dict(self.learner)
        if found.get("spaces") == names:
            found["spaces"] = list(self.spaces)
        if [found.get("space")] == names:
            found["space"] = self.spaces[0]
        return found

    def of_space(self, space: SearchSpace) -> bool:
        """Whether any of the tasks is of a space."""
        return any(task.of_space(space) for task in self.tasks)

    def saw(self, space: SearchSpace, task: str, fingerprints: Sequence[str] = ()) -> bool:
        """Whether a task was among those that were trained on, see `SourceTask.same`."""
        return any(seen.same(space, task, fingerprints) for seen in self.tasks)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what `dataclasses.asdict` gave; it takes the content apart.

        Raises:
            TypeError, KeyError: If it is something else.
        """
        tasks = tuple(SourceTask(**task) for task in content.pop("tasks"))
        read = cls(tasks=tasks, operations=tuple(content.pop("operations")), **content)
        _check_types(read)
        return read


def _check_types(settings: Settings) -> None:
    for item, texts, numbers in (
        (settings, ("predictor", "program"), ("seed", "created")),
        *((task, ("name", "space", "fingerprint"), ("labels",)) for task in settings.tasks),
    ):
        for names, kind in ((texts, str), (numbers, int)):
            for name in names:
                if not isinstance(getattr(item, name), kind):
                    raise TypeError(f"{name} is no {kind.__name__}")
    if not all(isinstance(number, int) for number in settings.operations):
        raise TypeError("operations are no numbers")
    if not isinstance(settings.learner, dict):
        raise TypeError("learner is no object")


def write_weights(path: str | os.PathLike[str], tensors: Tensors, settings: Settings) -> None:
    """Write a file, whole or not at all.

    Raises:
        InvalidArgumentError: If the name does not end in ``.safetensors``.
        SurrogateNASError: If it cannot be written.
    """
    _KIND.write(path, tensors, asdict(settings))


def read_settings(path: str | os.PathLike[str]) -> Settings:
    """Read the settings of a file alone.

    Raises:
        InvalidArgumentError: If there is no such file.
        FormatError: If it is no such file, damaged, or of another version.
    """
    return _KIND.read(path, Settings.from_json, tensors=False)[1]


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, FloatArray], Settings]:
    """Read a file.

    Raises:
        InvalidArgumentError: If there is no such file.
        FormatError: If it is no such file, damaged, or of another version.
    """
    return _KIND.read(path, Settings.from_json)


SHIPPED = Path(__file__).parents[1] / "shipped"
"""Weights that come with the program."""


def installed_weights(predictor: str, folders: Iterable[Path]) -> list[tuple[Path, Settings]]:
    """All readable weights of a meta-learner in some folders, the newest first."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                settings = read_settings(path)
            except (FormatError, InvalidArgumentError):  # damaged, a folder or a broken link
                continue
            if settings.predictor == predictor:
                found.append((path, settings))
    return sorted(found, key=lambda item: (-item[1].created, -len(item[1].tasks)))
