"""Graphs whose nodes are classified, from arrays and from PyTorch Geometric."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.training.datasets.base import open_dataset

NODES = 40


def arrays() -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(0)
    part = np.arange(NODES) % 4
    return {
        "x": rng.normal(size=(NODES, 5)).astype(np.float32),
        "edge_index": rng.integers(0, NODES, (2, 90)),
        "y": np.arange(NODES) // 4 % 3,
        "train_mask": part < 2,
        "val_mask": part == 2,
        "test_mask": part == 3,
    }


def _write(folder: Path, **changed: npt.NDArray[Any] | None) -> Path:
    path = folder / "graph.npz"
    kept = {name: array for name, array in (arrays() | changed).items() if array is not None}
    np.savez(path, **kept)  # type: ignore[arg-type]
    return path


def geometric(_folder: Path | None) -> object:
    from torch_geometric.data import Data

    found = arrays()
    return Data(**{name: torch.from_numpy(array) for name, array in found.items()})


def one_of_geometric(folder: Path | None) -> object:
    from torch_geometric.data import InMemoryDataset

    made = InMemoryDataset()
    made.data, made.slices = made.collate([geometric(folder)])
    return made


def two_of_geometric(folder: Path | None) -> object:
    from torch_geometric.data import InMemoryDataset

    made = InMemoryDataset()
    made.data, made.slices = made.collate([geometric(folder)] * 2)
    return made


def nothing(_folder: Path | None) -> object:
    return 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("source", ["npz", "geometric", "one_of_geometric"])
def test_parts_are_those_of_the_masks(source: str, tmp_path: Path) -> None:
    path = _write(tmp_path)
    data = open_dataset(source if source == "npz" else f"{__name__}:{source}", path)
    found = arrays()
    assert data.graph is not None
    np.testing.assert_array_equal(data.graph.features, found["x"])
    np.testing.assert_array_equal(data.graph.edges, found["edge_index"])
    assert (data.task.shape, data.task.classes, data.classes) == ((5,), 3, 3)
    for part, mask in (
        (data.train, found["train_mask"]),
        (data.validation, found["val_mask"]),
        (data.test, found["test_mask"]),
    ):
        np.testing.assert_array_equal(part.inputs, np.flatnonzero(mask))
        np.testing.assert_array_equal(part.labels, found["y"][mask])
    assert data.fingerprint == open_dataset("npz", path).fingerprint
    with pytest.raises(InvalidArgumentError, match="is a graph; this needs images"):
        _ = data.moments


def test_without_masks_parts_are_drawn_from_the_labelled_nodes(tmp_path: Path) -> None:
    labels = arrays()["y"][:, None]
    labels[:7] = -1
    masks = dict.fromkeys(("train_mask", "val_mask", "test_mask"))
    data = open_dataset("npz", _write(tmp_path, y=labels, **masks))
    parts = [data.train.inputs, data.validation.inputs, data.test.inputs]
    assert sorted(np.concatenate(parts).tolist()) == list(range(7, NODES))
    assert min(map(len, parts)) >= 5
    # What is in no other mask may be learned from.
    rest = open_dataset("npz", _write(tmp_path, train_mask=None))
    assert len(rest.train) == NODES // 2


def test_edges_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    whole = open_dataset("npz", _write(tmp_path)).fingerprint
    edges = arrays()["edge_index"][:, 1:]
    assert open_dataset("npz", _write(tmp_path, edge_index=edges)).fingerprint != whole


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"y": None}, "must hold x, edge_index and y, and holds"),
        ({"x": np.full((NODES, 2), np.nan)}, "x must be finite numbers"),
        ({"x": np.zeros(NODES)}, "x must be finite numbers"),
        ({"y": np.zeros(NODES - 1, dtype=int)}, "y must be an integer for each of 40 nodes"),
        ({"y": np.zeros(NODES)}, "y must be an integer for each of 40 nodes"),
        ({"edge_index": np.zeros((3, 2), dtype=int)}, "edge_index must be"),
        ({"edge_index": np.full((2, 2), NODES)}, "edge_index must be"),
        ({"val_mask": np.zeros((NODES, 10), dtype=bool)}, r"keep one: val_mask\[:, 0\]"),
        ({"train_mask": np.ones(NODES, dtype=bool)}, "must not share a node"),
        ({"train_mask": np.zeros(NODES, dtype=bool)}, "has no training examples"),
        ({"val_mask": np.zeros(NODES, dtype=bool)}, "a part without examples"),
    ],
)
def test_mistakes_are_named(
    changed: dict[str, npt.NDArray[Any] | None], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=reason):
        open_dataset("npz", _write(tmp_path, **changed))


@pytest.mark.filterwarnings("ignore")
def test_only_one_graph_is_taken() -> None:
    with pytest.raises(FormatError, match="must hold one graph"):
        open_dataset(f"{__name__}:two_of_geometric")
    with pytest.raises(FormatError, match="one graph of PyTorch Geometric, got int"):
        open_dataset(f"{__name__}:nothing")
