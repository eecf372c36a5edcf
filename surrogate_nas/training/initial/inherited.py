"""Starts a training from the trained weights of the nearest architecture of the same search."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.checkpoints import read_checkpoint, write_checkpoint
from surrogate_nas.training.initial.base import FreshTraining
from surrogate_nas.training.options import INHERIT

KEPT = 200
"""Trained networks that are kept, those with the best values."""
_SUFFIX = ".pt"
_LABEL = "weights to inherit"


@dataclass(frozen=True)
class Inherited:
    """The trained networks of a search, in a folder.

    A child of evolution differs from its parent in a decision or two, so its parent, or a trained
    architecture as near as it, is the nearest one; that of the best value among equals.

    Attributes:
        folder: Made if it does not exist.
    """

    folder: Path

    @property
    def identity(self) -> str:
        """What is recorded."""
        return INHERIT

    def begin(self, network: nn.Module, training: FreshTraining) -> None:
        """Copy what fits of the nearest trained network, see `Initial`; the rest stays fresh."""
        path = self.parent(training.arch)
        if path is None:
            return
        device = next((p.device for p in network.parameters()), torch.device("cpu"))
        try:
            content = read_checkpoint(path, _LABEL, device)
        except (FormatError, InvalidArgumentError):  # torn by a kill: the child starts afresh
            return
        if content is not None:  # another process may have removed it
            inherit(network, content["network"])

    def parent(self, arch: Architecture) -> Path | None:
        """The file of the nearest other architecture, or None if none shares a decision."""
        found = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            choices, value = _parts(path)
            distance = sum(a != b for a, b in zip(choices, arch.choices, strict=True))
            if 0 < distance < len(choices):
                found.append((distance, -value, path.name, path))
        return min(found)[-1] if found else None

    def keep(self, arch: Architecture, network: nn.Module, value: float) -> None:
        """Keep a trained network for later children, and only the best ones."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = "-".join(map(str, arch.choices))
        state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
        write_checkpoint(self.folder / f"{text}={value:.4f}{_SUFFIX}", _LABEL, {"network": state})
        kept = sorted(self.folder.glob(f"*{_SUFFIX}"), key=lambda path: (-_parts(path)[1], path))
        for path in kept[KEPT:]:
            path.unlink(missing_ok=True)


def weights_folder(store: str | os.PathLike[str] | None) -> Path:
    """The folder of inherited weights beside a store in a file, so that a search continues.

    Without such a file it is a temporary folder, which is removed when the process ends.
    """
    text = "" if store is None else os.fspath(store)
    kind, scheme, rest = text.partition(":///")
    if text and (not scheme or kind == "sqlite"):
        return Path(f"{rest if scheme else text}.weights")
    folder = tempfile.mkdtemp(prefix="surrogate-nas-weights-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _parts(path: Path) -> tuple[tuple[int, ...], float]:
    choices, _, value = path.name.removesuffix(_SUFFIX).partition("=")
    return tuple(map(int, choices.split("-"))), float(value)


@torch.no_grad()
def inherit(network: nn.Module, parent: dict[str, Tensor]) -> int:
    """Copy the parent's tensors of the same name and shape; the number of those copied.

    A kernel that has grown has the parent's in its middle and zeros around, which computes the
    same: the function is preserved (Chen et al., "Net2Net", ICLR 2016). One that has shrunk has
    the middle of the parent's, which is only near it.

    Args:
        network: Is changed in place.
        parent: The parent's state.
    """
    copied = 0
    for name, tensor in network.state_dict().items():
        given = parent.get(name)
        if given is None:
            continue
        if given.shape != tensor.shape:
            given = _resized(given, tensor)
        if given is not None:
            tensor.copy_(given)
            copied += 1
    return copied


def _resized(given: Tensor, wanted: Tensor) -> Tensor | None:
    """The kernel of a convolution with another odd size, or None where other sizes differ."""
    if given.ndim != 4 or wanted.ndim != 4 or given.shape[:2] != wanted.shape[:2]:
        return None
    growth = [w - g for g, w in zip(given.shape[2:], wanted.shape[2:], strict=True)]
    if any(more % 2 for more in growth):
        return None
    rows, columns = (more // 2 for more in growth)
    return nn.functional.pad(given, (columns, columns, rows, rows))
