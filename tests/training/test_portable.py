"""Files that run without this program, by their own runtimes, with inputs of several sizes.

`scripts/export-all` does the same for every space; it takes a minute.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.export import (
    Standardised,
    check_export,
    export_network,
    load_network,
    try_export,
)
from surrogate_nas.training.model_card import card_path
from surrogate_nas.training.networks.base import build_network
from tests.small_networks import GRAPH_NETWORKS, SMALL
from tests.training.data import squares
from tests.training.test_graph_training import DATA as GRAPH

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

IMAGES = squares(size=8)
SPACES = ["graphgym", "nas-bench-graph", "nasbench201"]


def outputs(path: Path, inputs: tuple[Tensor, ...]) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        os.fspath(path), options, providers=["CPUExecutionProvider"]
    )
    names = ["images"] if len(inputs) == 1 else ["features", "edges"]
    assert [taken.name for taken in session.get_inputs()] == names
    feed = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
    return session.run(["logits"], feed)[0]


@pytest.mark.extra
@pytest.mark.parametrize("name", SPACES)
def test_onnx_runtime_computes_what_pytorch_does(name: str, tmp_path: Path) -> None:
    data, space = (GRAPH if name in GRAPH_NETWORKS else IMAGES), open_space(name)
    arch = space.sample(np.random.default_rng(1))
    settings = SMALL.get(name, {})
    torch.manual_seed(0)
    network = build_network(arch, data.task, settings=settings).eval()
    path = tmp_path / "model.onnx"
    text = space.format(arch)
    export_network(path, network, data, space=name, architecture=text, settings=settings)
    assert f"\n{text}\n" in card_path(path).read_text(encoding="utf-8")
    for size in (1, 7):
        if name in GRAPH_NETWORKS:
            inputs: tuple[Tensor, ...] = (
                torch.randn(20 + size, *data.task.shape),
                torch.randint(0, 20 + size, (2, 50 + size)),
            )
            reference = network
        else:
            inputs = (torch.randn(size, *data.task.shape),)
            reference = Standardised(network, data.moments).eval()
        with torch.no_grad():
            expected = reference(*inputs).numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(outputs(path, inputs) / scale, expected / scale, atol=1e-5)


@pytest.mark.parametrize("data", [IMAGES, GRAPH], ids=["images", "graph"])
def test_a_program_is_read_by_torch_alone(data: Dataset, tmp_path: Path) -> None:
    graph = data is GRAPH
    space = open_space("nas-bench-graph" if graph else "dense-cell")
    arch = space.sample(np.random.default_rng(1))
    path = tmp_path / "model.pt2"
    network = build_network(arch, data.task, settings={"channels": 4}).eval()
    export_network(path, network, data, space=space.name, architecture=space.format(arch))
    module = torch.export.load(path).module()
    for size in (1, 7):
        if graph:
            nodes = 20 + size
            inputs: tuple[Tensor, ...] = (
                torch.randn(nodes, *data.task.shape),
                torch.randint(0, nodes, (2, 50 + size)),
            )
            reference = network
        else:
            inputs = (torch.randn(size, *data.task.shape),)
            reference = Standardised(network, data.moments).eval()
        with torch.no_grad():
            torch.testing.assert_close(module(*inputs), reference(*inputs))


@pytest.mark.extra
@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("edge_index_2hop:degree_row:add:add:4:mean", ".pt2"),  # fixed the number of nodes
        ("edge_index_knn_rwpe:rel_rwpe:add:add:4:mean", ".onnx"),  # was refused, or computed else
    ],
)
def test_designs_that_look_at_all_pairs_of_nodes(text: str, suffix: str, tmp_path: Path) -> None:
    space, path = open_space("gnn-design"), tmp_path / f"model{suffix}"
    torch.manual_seed(0)
    network = build_network(space.parse(text), GRAPH.task, settings={"channels": 4}).eval()
    export_network(path, network, GRAPH, space=space.name, architecture=text)
    inputs = torch.randn(33, *GRAPH.task.shape), torch.randint(0, 33, (2, 90))
    with torch.no_grad():
        expected = network(*inputs)
    if suffix == ".pt2":
        found = torch.export.load(path).module()(*inputs)
    else:
        found = torch.from_numpy(outputs(path, inputs))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


class Wrong(nn.Module):
    """Computes something that no ONNX file can hold."""

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = torch.linalg.eigh(x[:, 0] @ x[:, 0].transpose(1, 2)).eigenvalues
        return values


def test_what_cannot_be_a_file_is_told_before_the_training(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(InvalidArgumentError, match=r"cannot be a file .*eigh.*write a \.pt file"):
        try_export(path, Wrong(), IMAGES, own=True)
    with pytest.raises(InvalidArgumentError, match=r"write a \.pt file"):
        export_network(path, Wrong(), IMAGES, space="own", architecture="a")
    assert list(tmp_path.iterdir()) == []
    try_export(tmp_path / "model.pt", Wrong(), IMAGES, own=True)  # its weights are kept alone


def test_other_outputs_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from surrogate_nas.training import portable

    monkeypatch.setattr(portable, "_difference", lambda *_: 0.01)
    network = build_network(open_space("dense-cell").parse("skip-skip-skip-skip"), IMAGES.task)
    with pytest.raises(InvalidArgumentError, match=r"would compute other outputs .* 0\.01 of"):
        export_network(tmp_path / "model.pt2", network, IMAGES, space="own", architecture="a")
    assert list(tmp_path.iterdir()) == []


def test_the_space_of_a_table_is_part_of_the_file(tmp_path: Path) -> None:
    from surrogate_nas.spaces.custom import CustomSpace

    text = 'name = "own"\ngraph = "chain"\ndecisions = 2\noptions = ["skip", "conv3"]\n'
    space = CustomSpace(text + '[operations]\nconv3 = {operation = "conv", kernel = 3}\n')
    path, builder = tmp_path / "model.pt", "tests.training.test_portable:build_flat"
    network = build_flat(None, IMAGES.task).eval()
    export_network(path, network, IMAGES, space=space, architecture="skip:skip", builder=builder)
    x = torch.randn(3, *IMAGES.task.shape)
    found = load_network(path)
    assert torch.equal(found(x), Standardised(network, IMAGES.moments)(x))


def build_flat(architecture: object, task: Any) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(task.shape)), task.classes))


def test_suffixes_are_checked() -> None:
    for suffix in (".pt", ".onnx", ".pt2"):
        check_export(Path(f"model{suffix}"))
    with pytest.raises(InvalidArgumentError, match=r"--export-best must end with .*'model\.h5'"):
        check_export(Path("model.h5"), option="--export-best")
