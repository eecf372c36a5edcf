"""Networks as files that run without this program: ONNX, and programs of `torch.export`."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError
from surrogate_nas.files import FULL
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.networks.neighbours import DENSE

PORTABLE = (".onnx", ".pt2")
"""Suffixes of ONNX files, and of programs that ``torch.export.load`` reads."""
_BATCHES = (1, 2, 5)
_NEAR = 1e-3  # of the largest logit: what another order of sums may change
_QUIET = 3  # ONNX Runtime's level of errors

_LEAST = 10  # nodes, more than the nearest ones of a node, and than its eigenvectors
_free = torch.export.Dim
_BATCH = ({0: _free("batch")},)

NetworkInputs = tuple[Tensor, ...]


def check_packages(path: Path) -> None:
    """Check that a file of this suffix can be written.

    Raises:
        MissingDependencyError: If it needs a package that is not installed.
    """
    if path.suffix.lower() != ".onnx":
        return
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401  (torch asks for it when it is too late)
    except ImportError as error:
        raise MissingDependencyError(
            "an .onnx file needs the packages onnx, onnxscript and onnxruntime: "
            "pip install 'surrogate-nas[onnx]'"
        ) from error


def write_portable(part: Path, network: nn.Module, dataset: Dataset, path: Path) -> float:
    """Write a network as a file by the suffix of ``path``, and compare what the file computes.

    The number of images is free, or that of nodes and edges.

    Args:
        part: Where it is written.
        network: In evaluation mode on the CPU; it takes raw images, or features and edges.
        dataset: The data set of its training, whose inputs are compared.
        path: Its name for people.

    Returns:
        The largest difference of a logit between the file and PyTorch.

    Raises:
        InvalidArgumentError: If the network has a part that such a file cannot hold, or the file
            computes something else.
        OSError: If a disk is full.
    """
    examples = _examples(dataset)
    names = ["images"] if dataset.graph is None else ["features", "edges"]
    onnx = path.suffix.lower() == ".onnx"
    try:
        with quiet_export():
            (_write_onnx if onnx else _write_program)(part, network, examples[0], names)
            run = _onnx_runner(part) if onnx else _program_runner(part)
            difference = max(_difference(run, network, inputs) for inputs in examples)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise InvalidArgumentError(
            f"the network cannot be a file {os.fspath(path)!r} ({_first_line(error)}); "
            "write a .pt file"
        ) from error
    if not difference <= _NEAR:
        raise InvalidArgumentError(
            f"{os.fspath(path)!r} would compute other outputs than PyTorch (the largest difference "
            f"is {difference:.2g} of the largest output); write a .pt file"
        )
    return difference


def _examples(dataset: Dataset) -> list[NetworkInputs]:
    """NetworkInputs of several sizes; the first one is traced."""
    if dataset.graph is None:
        images = dataset.validation.inputs
        sizes = sorted(_BATCHES, key=lambda size: size != 2)  # not 1, which is no free size
        return [
            (torch.from_numpy(np.resize(images[:size], (size, *images.shape[1:]))).float(),)
            for size in sizes
        ]
    features = torch.from_numpy(dataset.graph.features).float()
    edges = torch.from_numpy(dataset.graph.edges)
    kept = (2 * len(features) + 2) // 3
    part = edges[:, (edges < kept).all(dim=0)]
    return [(features, edges), *([(features[:kept], part)] if part.shape[1] > 1 else [])]


def _program(network: nn.Module, inputs: NetworkInputs) -> torch.export.ExportedProgram:
    """The network for any number of images, or of nodes and edges."""
    if len(inputs) == 1:
        return torch.export.export(network, inputs, dynamic_shapes=_BATCH)
    edges = {1: _free("edges", min=2)}
    try:
        sizes = {0: _free("nodes", min=2)}, edges
        return torch.export.export(network, inputs, dynamic_shapes=sizes)
    except Exception:  # of other designs, which look at all pairs of nodes, or at the nearest
        sizes = {0: _free("nodes", min=_LEAST, max=DENSE)}, edges
        return torch.export.export(network, inputs, dynamic_shapes=sizes)


def _write_onnx(
    part: Path, network: nn.Module, inputs: NetworkInputs, names: Sequence[str]
) -> None:
    graph = len(inputs) == 2
    torch.onnx.export(  # which has further ways to make a program of a network of images
        _program(network, inputs) if graph else network,
        () if graph else inputs,
        part,
        input_names=list(names),
        output_names=["logits"],
        dynamic_shapes=None if graph else _BATCH,
        external_data=False,
        verbose=False,
        dynamo=True,
    )


def _write_program(
    part: Path, network: nn.Module, inputs: NetworkInputs, names: Sequence[str]
) -> None:
    program = _program(network, inputs)
    whole = io.BytesIO()  # torch aborts the process where a disk is full
    torch.export.save(program, whole)
    part.write_bytes(whole.getbuffer())


def _onnx_runner(part: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    session = onnxruntime.InferenceSession(
        os.fspath(part), options, providers=["CPUExecutionProvider"]
    )
    names = [taken.name for taken in session.get_inputs()]

    def run(inputs: NetworkInputs) -> FloatArray:
        given = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
        return np.asarray(session.run(None, given)[0])

    return run


def _program_runner(part: Path) -> Any:
    with open(part, "rb") as file:
        module = torch.export.load(file).module()

    def run(inputs: NetworkInputs) -> FloatArray:
        with torch.no_grad():
            return np.asarray(module(*inputs).numpy())

    return run


def _difference(run: Any, network: nn.Module, inputs: NetworkInputs) -> float:
    """The largest difference of an output, as a part of the largest one."""
    with torch.no_grad():
        expected = network(*inputs).numpy()
    found = run(inputs)
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-9))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "No ONNX function" in line or "DispatchError" in line]
    return f"{type(error).__name__}: {(told or lines or [''])[0][:200]}"


@contextmanager
def quiet_export() -> Iterator[None]:
    """Suppress warnings of torch's exporters that a user cannot act on."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnx_ir")]
    loggers.append(logging.getLogger("onnxscript"))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
