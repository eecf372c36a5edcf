"""Exports trained networks to files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.files import reason, replacing
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.training.checkpoints import read_checkpoint, write_checkpoint
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.model_card import card_path, write_card
from surrogate_nas.training.networks.base import NetworkTask, build_network
from surrogate_nas.training.portable import PORTABLE, check_packages, write_portable

SUFFIXES = (".pt", *PORTABLE)
_LABEL = "surrogate-nas network 1"


class Standardised(nn.Module):
    """A network that takes raw images, in the units of the data set of its training."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, moments: tuple[FloatArray, FloatArray]) -> None:
        super().__init__()
        self.network = network
        mean, std = (torch.tensor(m, dtype=torch.float32).view(-1, 1, 1) for m in moments)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, height, width) to logits (n, classes)."""
        logits: Tensor = self.network((images.float() - self.mean) / self.std)
        return logits


def check_export(path: Path, *, option: str = "--export") -> None:
    """Check the suffix of a file's name.

    Raises:
        InvalidArgumentError: If it ends in none of `SUFFIXES`.
        MissingDependencyError: If the kind needs a package that is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidArgumentError(
            f"{option} must end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, "
            f"got {os.fspath(path)!r}"
        )
    check_packages(path)


def try_export(path: Path, network: nn.Module, dataset: Dataset, *, own: bool = False) -> None:
    """Export a network that is not trained yet, so that a long training is not in vain.

    The program's own networks of images can always be exported. Networks of graphs with some
    designs, and a user's own, may have parts that ``.onnx`` and ``.pt2`` cannot hold.

    Args:
        path: The file; it is not written.
        network: The network.
        dataset: The data set.
        own: Whether the network is built by a function of the user's own.

    Raises:
        InvalidArgumentError: See `export_network`.
    """
    if path.suffix.lower() in PORTABLE and (own or dataset.graph is not None):
        with tempfile.TemporaryDirectory() as folder:
            write_portable(Path(folder, path.name), _raw(_ready(network), dataset), dataset, path)


def export_network(
    path: Path,
    network: nn.Module,
    dataset: Dataset,
    *,
    space: str | SearchSpace,
    architecture: str,
    builder: str | None = None,
    settings: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a trained network that takes raw images, and a model card beside it.

    ``.pt`` is for `load_network`, ``.onnx`` for ONNX Runtime and others, ``.pt2`` for
    ``torch.export.load``. What the last two compute is compared with PyTorch first. The network of
    a graph is written without changes.

    Args:
        path: The file.
        network: As `TrainingObjective.train` returns it.
        dataset: The data set of its training.
        space: Name or TOML file of the space, or the space itself.
        architecture: The architecture in the space's notation.
        builder: Name of the function that built it, if that is not the space's default.
        settings: Sizes with which it was built.
        facts: What the card tells of its search and training, see
            `surrogate_nas.training.model_card.write_card`.

    Raises:
        InvalidArgumentError: If the file cannot be written, or cannot hold this network.
    """
    network, difference = _ready(network), None
    if path.suffix.lower() in PORTABLE:
        with _replaced(path) as part:
            difference = write_portable(part, _raw(network, dataset), dataset, path)
    else:
        _write_checkpoint(path, network, dataset, space, architecture, builder, settings)
    try:
        write_card(
            path,
            network,
            dataset,
            space=space if isinstance(space, str) else space.name,
            architecture=architecture,
            facts=facts or {},
            difference=difference,
        )
    except OSError as error:
        raise InvalidArgumentError(
            f"cannot write {os.fspath(card_path(path))!r}: {reason(error)}"
        ) from error


def _ready(network: nn.Module) -> nn.Module:
    """The network on the CPU in evaluation mode."""
    return network.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload,no-any-return]


def _raw(network: nn.Module, dataset: Dataset) -> nn.Module:
    """The network with the standardisation of raw images."""
    return network if dataset.graph is not None else Standardised(network, dataset.moments).eval()


def _write_checkpoint(
    path: Path,
    network: nn.Module,
    dataset: Dataset,
    space: str | SearchSpace,
    architecture: str,
    builder: str | None,
    settings: Mapping[str, Any] | None,
) -> None:
    content = {
        "space": space if isinstance(space, str) else space.name,
        "definition": space.definition if isinstance(space, CustomSpace) else None,
        "architecture": architecture,
        "builder": builder,
        "settings": dict(settings or {}),
        "shape": list(dataset.task.shape),
        "classes": dataset.classes,
        "moments": [m.tolist() for m in dataset.moments] if dataset.graph is None else None,
        "weights": network.state_dict(),
    }
    write_checkpoint(path, _LABEL, content)


def load_network(path: str | os.PathLike[str]) -> nn.Module:
    """Read a ``.pt`` file of `export_network`: raw images to logits, in evaluation mode.

    The network of a graph takes the features of nodes and the edges.

    Nothing of the file is executed. A builder or a TOML file that it names must still be there.

    Raises:
        FormatError: If there is no such file, or it is damaged.
    """
    content = read_checkpoint(Path(path), _LABEL, torch.device("cpu"))
    if content is None:
        raise FormatError(f"there is no file {os.fspath(path)!r}")
    definition = content.get("definition")  # older files have none
    space = open_space(content["space"]) if definition is None else CustomSpace(definition)
    network = build_network(
        space.parse(content["architecture"]),
        NetworkTask(tuple(content["shape"]), content["classes"]),
        network=content["builder"],
        settings=content["settings"],
    )
    network.load_state_dict(content["weights"])
    if content["moments"] is None:
        return network.eval()
    mean, std = (torch.tensor(m, dtype=torch.float64).numpy() for m in content["moments"])
    return Standardised(network, (mean, std)).eval()


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise InvalidArgumentError(f"cannot write {os.fspath(path)!r}: {reason(error)}") from error
