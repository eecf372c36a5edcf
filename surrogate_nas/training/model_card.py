"""The model card of an exported network: what it is, how it was made, and how to use it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from surrogate_nas._version import __version__
from surrogate_nas.files import write_text
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.networks.base import count_parameters

_PYTHON = {
    ".pt": """\
from surrogate_nas.training.export import load_network

network = load_network({name!r})
logits = network({inputs})""",
    ".pt2": """\
import torch

network = torch.export.load({name!r}).module()
logits = network({inputs})""",
    ".onnx": """\
import onnxruntime

session = onnxruntime.InferenceSession({name!r})
(logits,) = session.run(["logits"], {feed})""",
}


def card_path(path: Path) -> Path:
    """The card of a model's file: ``model.card.md`` beside ``model.onnx``."""
    return path.with_suffix(".card.md")


def write_card(
    path: Path,
    network: nn.Module,
    dataset: Dataset,
    *,
    space: str,
    architecture: str,
    facts: Mapping[str, Any],
    difference: float | None = None,
) -> Path:
    """Write the card of an exported network beside its file.

    Args:
        path: The network's file.
        network: The network.
        dataset: The data set of its training.
        space: Name of the space.
        architecture: In the space's notation.
        facts: How it was found, trained and measured, in the order in which they are listed.
        difference: See `surrogate_nas.training.portable.write_portable`; None where nothing was
            compared.

    Returns:
        The card's file.
    """
    suffix = path.suffix.lower()
    rows = {
        "data set": f"{dataset.name}, fingerprint {dataset.fingerprint}",
        "parameters": f"{count_parameters(network):,}",
        **facts,
        "made by": f"surrogate_nas {__version__}, PyTorch {torch.__version__}, Python "
        f"{platform.python_version()}",
    }
    lines = [
        f"# {path.name}",
        "",
        f"A network for the {dataset.classes} classes of `{dataset.name}`, found and trained by "
        f"surrogate_nas. Its architecture in the space {space}:",
        "",
        "```text",
        architecture,
        "```",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_cell(value)} |" for name, value in rows.items() if value is not None),
        "",
        "## Use",
        "",
        _inputs(dataset),
        "",
        "```python",
        _PYTHON[suffix].format(
            name=path.name,
            inputs="images" if dataset.graph is None else "features, edges",
            feed='{"images": images}'
            if dataset.graph is None
            else '{"features": features, "edges": edges}',
        ),
        "```",
        "",
        *_checked(suffix, difference),
        "## Limits",
        "",
        "The validation accuracy chose this architecture among others, so it is optimistic; the "
        "test accuracy was not used for any choice. Both hold for this data set, one training and "
        "one seed. Nothing is known about other data.",
        "",
    ]
    found = card_path(path)
    write_text(found, "\n".join(lines))
    return found


def _inputs(dataset: Dataset) -> str:
    if dataset.graph is not None:
        (features,) = dataset.task.shape
        return (
            f"Inputs are float32 features (nodes, {features}) and int64 edges (2, edges), outputs "
            f"logits (nodes, {dataset.classes})."
        )
    channels, height, width = dataset.task.image()
    return (
        f"Inputs are float32 images (n, {channels}, {height}, {width}) in the units of the data "
        f"set, as they come from its files; the network standardises them. Outputs are logits "
        f"(n, {dataset.classes})."
    )


def _checked(suffix: str, difference: float | None) -> list[str]:
    if difference is None:
        return []
    by = "ONNX Runtime" if suffix == ".onnx" else "the program of the file"
    return [
        f"Checked when it was written: outputs of {by} and of PyTorch differ by at most "
        f"{difference:.1e} of the largest output, for several sizes of a batch.",
        "",
    ]


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
