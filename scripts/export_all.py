"""Exports a network of every space, and compares what its file computes with PyTorch.

Each file is compared when it is written, with batches of several sizes (graphs: of several numbers
of nodes), by ONNX Runtime or by what `torch.export.load` reads. A space is listed with the largest
difference, as a part of the largest output, or with the reason why there is no such file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.registry import names
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.examples import Graph, Split
from surrogate_nas.training.export import _raw, _ready
from surrogate_nas.training.networks.base import build_network
from surrogate_nas.training.portable import PORTABLE, write_portable
from tests.small_networks import GRAPH_NETWORKS, SMALL

_NODES, _EDGES = 60, 240


def images() -> Dataset:
    """Noise of 3 x 16 x 16."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Split:
        inputs = rng.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
        return Split(inputs, np.arange(count) % 4)

    return Dataset("noise", part(8), part(8), part(8), 4)


def graph() -> Dataset:
    """Random nodes and edges."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(_NODES, 6)).astype(np.float32)
    edges = rng.integers(0, _NODES, (2, _EDGES))
    labels = np.arange(_NODES) % 4
    parts = [Split(rows, labels[rows]) for rows in np.array_split(np.arange(_NODES), 3)]
    return Dataset("random graph", *parts, 4, graph=Graph(features, edges))


def main() -> None:
    """Print a line for each space, kind of file and architecture."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--space", help="comma-separated; default: all with networks")
    parser.add_argument("--count", type=int, default=1, help="architectures of each space")
    arguments = parser.parse_args()
    chosen = arguments.space.split(",") if arguments.space else names("network")
    for name in chosen:
        space, data = open_space(name), graph() if name in GRAPH_NETWORKS else images()
        for number in range(arguments.count):
            arch = space.sample(np.random.default_rng(number))
            torch.manual_seed(0)
            network = _raw(_ready(build_network(arch, data.task, settings=SMALL.get(name))), data)
            for suffix in PORTABLE:
                started = time.perf_counter()
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder, f"model{suffix}")
                    try:
                        told = f"{write_portable(path, network, data, path):.1e}"
                    except InvalidArgumentError as error:
                        told = str(error).replace(folder, "")
                seconds = time.perf_counter() - started
                print(f"{name:16} {suffix:6} {seconds:6.1f} s  {told}", flush=True)


if __name__ == "__main__":
    main()
