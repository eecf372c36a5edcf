"""What computes a network: PyTorch as it is, compiled, or ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError, SurrogateNASError
from surrogate_nas.training.portable import quiet_export

RUNTIMES = ("eager", "compile", "onnx")


def prepared(
    runtime: str, network: nn.Module, inputs: Sequence[Tensor], threads: int
) -> Callable[[], Any]:
    """A function that computes the network's outputs for the inputs, once.

    Args:
        runtime: One of `RUNTIMES`.
        network: In evaluation mode, on the device of the inputs.
        inputs: The network's arguments.
        threads: Threads of ONNX Runtime.

    Raises:
        MissingDependencyError: If a package is missing.
        InvalidArgumentError: If ONNX Runtime is asked for on another device than a processor.
        SurrogateNASError: If the network cannot be compiled or exported.
    """
    if runtime == "onnx":
        return _onnx(network, inputs, threads)
    if runtime == "eager":
        return lambda: network(*inputs)
    torch.compiler.reset()  # else it would remember every network that was measured before
    compiled = torch.compile(network)
    try:
        compiled(*inputs)
    except Exception as error:
        raise SurrogateNASError(
            f"torch.compile cannot compile this network ({_first(error)}); it needs a C++ compiler "
            "on a processor; measure with the runtime eager"
        ) from error
    return lambda: compiled(*inputs)


def _onnx(network: nn.Module, inputs: Sequence[Tensor], threads: int) -> Callable[[], Any]:
    if len(inputs) != 1 or inputs[0].device.type != "cpu":
        raise InvalidArgumentError(
            "the runtime onnx measures networks of images on a processor; use --device cpu, or the "
            "runtime eager"
        )
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (torch asks for it when it is too late)
    except ImportError as error:
        raise MissingDependencyError(
            "the runtime onnx needs packages that are not installed: "
            "pip install 'surrogate-nas[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        try:
            with quiet_export():
                torch.onnx.export(
                    network, (inputs[0],), path, dynamo=True, external_data=False, verbose=False
                )
            session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise SurrogateNASError(
                f"ONNX Runtime cannot run this network ({_first(error)}); measure with the runtime "
                "eager"
            ) from error
    feed = {session.get_inputs()[0].name: inputs[0].numpy()}
    return lambda: session.run(None, feed)


def _first(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200] if text else ''}"
