"""Networks of graphs, really trained: message passing, the loop, export, the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import Dataset, open_dataset
from surrogate_nas.training.datasets.examples import Graph, Split
from surrogate_nas.training.export import export_network, load_network
from surrogate_nas.training.networks.base import NetworkTask, build_network, count_flops
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.proxies.values import proxy_values
from surrogate_nas.training.recipes import Recipe

pytestmark = pytest.mark.filterwarnings("ignore")

SPACE = open_space("nas-bench-graph")
NODES, CLASSES = 240, 3


def neighbours() -> Dataset:
    """A node's own features are noise; those of its neighbour show its class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=NODES)
    readers = np.arange(NODES)
    x = np.zeros((2 * NODES, CLASSES), dtype=np.float32)
    x[:NODES] = rng.normal(size=(NODES, CLASSES))
    x[NODES + readers, labels] = 6
    edges = np.stack([NODES + readers, readers])
    thirds = np.array_split(readers, 3)
    parts = [Split(rows, labels[rows].astype(np.int64)) for rows in thirds]
    train, validation, test = parts
    return Dataset("neighbours", train, validation, test, CLASSES, graph=Graph(x, edges))


DATA = neighbours()
SMALL = {"channels": 8, "dropout": 0.0}


def _accuracy(text: str) -> float:
    objective = TrainingObjective(
        SPACE, DATA, epochs=40, recipe="adamw", device="cpu", settings=SMALL
    )
    evaluation = objective.evaluate(SPACE.parse(text))
    assert evaluation.cost == 40
    return evaluation.value


def test_what_a_node_is_comes_from_its_neighbours() -> None:
    assert _accuracy("0123-sage-fc-fc-fc") > 95
    assert _accuracy("0123-fc-fc-fc-fc") < 60


def test_steps_are_those_of_a_loop_written_by_hand() -> None:
    arch = SPACE.parse("0012-gcn-sage-fc-gat")
    recipe = Recipe("plain", "sgd", 0.1, 1e-3, 7)
    objective = TrainingObjective(
        SPACE, DATA, epochs=4, recipe=recipe, seed=3, device="cpu", settings=SMALL
    )
    curve = objective.train(arch).curve
    network = objective.build(arch)
    assert DATA.graph is not None
    graph = torch.from_numpy(DATA.graph.features), torch.from_numpy(DATA.graph.edges)
    rows, labels = torch.from_numpy(DATA.train.inputs), torch.from_numpy(DATA.train.labels)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=4)
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(*graph)[rows], labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    torch.testing.assert_close([point.loss for point in curve], losses, rtol=1e-4, atol=1e-5)
    network.eval()
    right = network(*graph)[torch.from_numpy(DATA.test.inputs)].argmax(1).numpy()
    assert curve[-1].test_accuracy == pytest.approx(100 * (right == DATA.test.labels).mean())


def test_multiply_adds_are_those_of_one_node() -> None:
    network = build_network(SPACE.parse("0123-fc-gcn-fc-fc"), DATA.task, settings=SMALL)
    assert count_flops(network, DATA.task) == 3 * 8 + 3 * 8 * 8 + 8 * 3
    for text in ("0123-gat-gin-cheb-arma", "0000-sage-graph-gcn-gat"):
        assert count_flops(build_network(SPACE.parse(text), DATA.task), DATA.task) > 0


def test_an_exported_network_reads_a_graph(tmp_path: Path) -> None:
    text, path = "0012-gcn-fc-skip-gat", tmp_path / "model.pt"
    objective = TrainingObjective(SPACE, DATA, epochs=2, device="cpu", settings=SMALL)
    network = objective.train(SPACE.parse(text)).network.eval()
    export_network(path, network, DATA, space="nas-bench-graph", architecture=text, settings=SMALL)
    assert DATA.graph is not None
    graph = torch.from_numpy(DATA.graph.features), torch.from_numpy(DATA.graph.edges)
    assert torch.equal(load_network(path)(*graph), network(*graph))


def test_what_needs_images_says_so() -> None:
    choices = np.array([SPACE.parse("0012-gcn-fc-skip-gat").choices])
    with pytest.raises(InvalidArgumentError, match="is a graph; this needs images"):
        proxy_values(choices, SPACE, DATA, ["snip"], batch=4)
    with pytest.raises(InvalidArgumentError, match=r"takes images .* got \(3,\)"):
        build_network(open_space("dense-cell").parse("skip-skip-skip-skip"), DATA.task)
    assert DATA.task == NetworkTask((3,), 3)


def test_the_commands_train_on_a_graph_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "graph.npz"
    assert DATA.graph is not None
    masks: dict[str, Any] = {
        f"{name}_mask": np.isin(np.arange(2 * NODES), part.inputs)
        for name, part in (("train", DATA.train), ("val", DATA.validation), ("test", DATA.test))
    }
    labels = np.full(2 * NODES, -1)
    for part in (DATA.train, DATA.validation, DATA.test):
        labels[part.inputs] = part.labels
    np.savez(path, x=DATA.graph.features, edge_index=DATA.graph.edges, y=labels, **masks)
    assert open_dataset("npz", path).fingerprint == DATA.fingerprint
    common = ["--space", "nas-bench-graph", "--dataset", "npz", "--data-dir", str(path)]
    common += ["--device", "cpu", "--settings", "channels=8,dropout=0", "--recipe", "adamw"]
    assert main(["search", *common, "--epochs", "10", "--trials", "3", "--json"]) == 0
    best = json.loads(capsys.readouterr().out)["best"]
    assert main(["train", best["arch"], *common, "--epochs", "10", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["validation_accuracy"] == best["value"]
    assert answer["test_accuracy"] == best["test"]
