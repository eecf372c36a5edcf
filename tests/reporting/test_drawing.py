"""Drawings of architectures."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.transforms import Bbox

from surrogate_nas import registry
from surrogate_nas._types import IntArray
from surrogate_nas.cli import main
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.reporting.drawing import architecture_figure
from surrogate_nas.reporting.layout import layered
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture


def _random_graph(rng: np.random.Generator, n: int) -> IntArray:
    """Each node but the first has one to three sources."""
    edges = [
        (source, node)
        for node in range(1, n)
        for source in rng.choice(node, size=min(node, int(rng.integers(1, 4))), replace=False)
    ]
    return np.array(edges).T


@pytest.mark.parametrize("seed", range(5))
def test_nothing_lies_on_anything_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = _random_graph(rng, 15)
    widths = rng.uniform(0.5, 2, 15)
    layout = layered(edges, widths, bend=0.3)
    source, target = edges
    assert (layout.layer[source] < layout.layer[target]).all()
    rows: dict[int, list[tuple[float, float]]] = {}
    for x, row, width in zip(layout.x, layout.layer, widths, strict=True):
        rows.setdefault(int(row), []).append((x, width))
    for edge, bends in zip(edges.T, layout.bends, strict=True):
        first, last = layout.layer[edge]
        assert [row for _, row in bends] == list(range(first + 1, last))
        for x, row in bends:
            rows[row].append((x, 0.3))
    for places in rows.values():
        places.sort()
        for (x0, width0), (x1, width1) in pairwise(places):
            assert x1 - x0 >= (width0 + width1) / 2 - 1e-6


def test_a_chain_is_straight_and_a_tree_has_no_crossing() -> None:
    chain = layered(np.array([range(4), range(1, 5)]), np.ones(5), bend=0.3)
    assert np.ptp(chain.x) < 1e-6
    # Two roots' children, numbered so that the first order crosses.
    edges = np.array([[0, 0, 1, 2, 1, 2], [1, 2, 5, 3, 6, 4]])
    tree = layered(edges, np.ones(7), bend=0.3)
    left, right = (1, 2) if tree.x[1] < tree.x[2] else (2, 1)
    children = {1: (5, 6), 2: (3, 4)}
    assert max(tree.x[list(children[left])]) < min(tree.x[list(children[right])])


@pytest.mark.parametrize("name", sorted(registry.SPACES))
def test_labels_fit_into_their_boxes_in_every_space(name: str) -> None:
    space = open_space(name)
    arch = space.sample(np.random.default_rng(3))
    graph = space.graphs(np.array([arch.choices]))
    figure = architecture_figure(space, arch)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [p.get_window_extent() for p in axes.patches if isinstance(p, FancyBboxPatch)]
    assert len(boxes) == len(graph.op)
    assert sum(isinstance(p, FancyArrowPatch) for p in axes.patches) == graph.edges.shape[1]
    title, *labels = [text.get_window_extent() for text in axes.texts]
    for box, label in zip(boxes, labels, strict=True):
        assert box.x0 < label.x0 < label.x1 < box.x1
        assert box.y0 < label.y0 < label.y1 < box.y1
    everything = [title, *boxes]
    for i, box in enumerate(everything):
        assert not any(box.overlaps(other) for other in everything[i + 1 :])
    page = figure.bbox
    assert Bbox.union(everything).x1 < page.x1
    assert all(min(box.x0, box.y0) > 0 and box.y1 < page.y1 for box in everything)


def test_another_space_is_refused() -> None:
    with pytest.raises(ArchitectureError):
        architecture_figure(open_space("dense-cell"), Architecture("nats-size", (0, 0, 0, 0, 0)))


def test_the_command_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arch = "conv3x3-skip-skip-maxpool3x3"
    command = ["train", arch, "--epochs", "0", "--settings", "channels=2", "--device", "cpu"]
    pictures = [tmp_path / name for name in ("a.svg", "b.svg", "a.png")]
    for path in pictures:
        assert main([*command, "--draw", str(path)]) == 0
    first, second, third = (path.read_bytes() for path in pictures)
    assert first == second
    assert b"<svg" in first
    assert third.startswith(b"\x89PNG")
    capsys.readouterr()
    for name, reason in (("a.gif", "--draw must end with"), ("no/where.png", "--draw must be in")):
        assert main([*command, "--draw", name]) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1
