"""Trainings that take no time and need no torch, and a program that builds a table of them.

``python -m tests.recorders OUT PAUSE ATTEMPTS`` builds one; the last is a folder that gets a file
for each training that was begun.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from surrogate_nas.errors import MissingDependencyError, TrainingError
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.record import Record
from surrogate_nas.workflows.build import Built, Task, build

SPACE = open_space("dense-cell")
ROWS = SPACE.all_choices()[::26]
SEEDS = 2


@dataclass(frozen=True)
class Arithmetic:
    """Values that follow from the architecture and the seed; some trainings fail."""

    task: str
    epochs: int = 2
    pause: float = 0.0
    attempts: str | None = None
    dies: tuple[int, ...] = ()  # encodings whose training kills its process
    dies_once: tuple[int, ...] = ()
    diverges: tuple[int, ...] = ()
    misses: tuple[int, ...] = ()
    places: tuple[str, ...] = ("cpu",)

    def devices(self) -> list[str]:
        return list(self.places)

    def machine(self, device: str) -> dict[str, str]:
        return {"processor": f"abacus, {device}", "torch": "none"}

    def forget(self, arch: Architecture, seed: int) -> None:
        """Nothing of a training is kept."""

    def _attempts(self, number: int, seed: int) -> Path:
        return Path(self.attempts or "", f"{self.task}-{number}-{seed}")

    def _begun(self, number: int, seed: int) -> int:
        return self._attempts(number, seed).stat().st_size

    def record(self, arch: Architecture, seed: int, device: str) -> Record:
        number = SPACE.number(arch)
        if self.attempts is not None:
            with open(self._attempts(number, seed), "a") as file:
                file.write("x")
        time.sleep(self.pause)
        if number in self.dies or (number in self.dies_once and self._begun(number, seed) == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if number in self.diverges:
            raise TrainingError("the training diverged in epoch 1")
        if number in self.misses:
            raise MissingDependencyError("install something")
        base = number / 7 + seed / 3 + len(self.task)
        return Record(
            validation=tuple(base + epoch / 11 for epoch in range(self.epochs)),
            test=tuple(base - epoch / 13 for epoch in range(self.epochs)),
            elapsed=tuple(time.perf_counter() for _ in range(self.epochs)),
            parameters=number,
            flops=2 * number,
            latency=time.perf_counter(),
        )


def tasks(pause: float = 0.0, attempts: str | None = None) -> dict[str, Task]:
    return {
        name: Task(Arithmetic(name, pause=pause, attempts=attempts), {"dataset": name, "epochs": 2})
        for name in ("one", "three")
    }


def build_here(out: Path, pause: float = 0.0, attempts: str | None = None) -> Built:
    return build(SPACE, tasks(pause, attempts), ROWS, out=out, seeds=SEEDS, workers=2)


if __name__ == "__main__":
    build_here(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
