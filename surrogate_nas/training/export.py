"""Exports trained networks to files."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import FormatError, InvalidArgumentError, MissingDependencyError
from surrogate_nas.files import reason, replacing
from surrogate_nas.spaces import open_space
from surrogate_nas.training.checkpoints import read_checkpoint, write_checkpoint
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.networks.base import NetworkTask, build_network

SUFFIXES = (".pt", ".onnx")
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


def check_export(path: Path, dataset: Dataset) -> None:
    """Check the file name's suffix for networks of this data set.

    Raises:
        InvalidArgumentError: If it ends in none of `SUFFIXES`, or is .onnx for a graph.
        MissingDependencyError: If the kind needs a package that is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidArgumentError(
            f"--export must end with {' or '.join(SUFFIXES)}, got {os.fspath(path)!r}"
        )
    if path.suffix.lower() == ".onnx":
        if dataset.graph is not None:
            raise InvalidArgumentError(
                f"--export: the network of a graph can be a .pt file only, got {os.fspath(path)!r}"
            )
        try:
            import onnxscript  # noqa: F401  (torch asks for it when it is too late)
        except ImportError as error:
            raise MissingDependencyError(
                "an .onnx file needs the packages onnx and onnxscript: pip install onnx onnxscript"
            ) from error


def export_network(
    path: Path,
    network: nn.Module,
    dataset: Dataset,
    *,
    space: str,
    architecture: str,
    builder: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write a trained network that takes raw images: ``.pt`` for `load_network`, or ``.onnx``.

    The network of a graph is written without changes.

    Args:
        path: The file.
        network: As `TrainingObjective.train` returns it.
        dataset: The data set of its training.
        space: Name or TOML file of the space.
        architecture: The architecture in the space's notation.
        builder: Name of the function that built it, if that is not the space's default.
        settings: Sizes with which it was built.

    Raises:
        InvalidArgumentError: If the file cannot be written.
    """
    network = network.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    if path.suffix.lower() == ".onnx":
        _export_onnx(path, Standardised(network, dataset.moments).eval(), dataset.task)
        return
    content = {
        "space": space,
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
    network = build_network(
        open_space(content["space"]).parse(content["architecture"]),
        NetworkTask(tuple(content["shape"]), content["classes"]),
        network=content["builder"],
        settings=content["settings"],
    )
    network.load_state_dict(content["weights"])
    if content["moments"] is None:
        return network.eval()
    mean, std = (torch.tensor(m, dtype=torch.float64).numpy() for m in content["moments"])
    return Standardised(network, (mean, std)).eval()


def _export_onnx(path: Path, network: nn.Module, task: NetworkTask) -> None:
    example = torch.zeros((2, *task.shape))
    batch = torch.export.Dim("batch")
    with _quiet(logging.getLogger("torch.onnx")), _replaced(path) as part:
        torch.onnx.export(
            network,
            (example,),
            part,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: batch}},
            external_data=False,
            verbose=False,
            dynamo=True,
        )


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise InvalidArgumentError(f"cannot write {os.fspath(path)!r}: {reason(error)}") from error


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Suppress warnings of torch's exporter that a user cannot act on."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
