"""Numbers of parameters and multiply-adds against published ones."""

import csv
import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.spaces import open_space
from surrogate_nas.training.networks.base import (
    NetworkTask,
    build_network,
    count_flops,
    count_parameters,
)

CIFAR10 = NetworkTask((3, 32, 32), 10)


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing weights is most of the time of building a network."""
    for kind in (torch.nn.Conv2d, torch.nn.Linear, torch.nn.BatchNorm2d):
        monkeypatch.setattr(kind, "reset_parameters", lambda self: None)


def _network(space: str, text: str, task: NetworkTask, **settings: Any) -> torch.nn.Module:
    return build_network(open_space(space).parse(text), task, settings=settings)


@pytest.mark.data
def test_nasbench201_has_the_published_parameters() -> None:
    path = Path(os.environ["SURROGATE_NAS_DATA"], "nasbench201.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    tasks = {
        "cifar10": CIFAR10,
        "cifar100": NetworkTask((3, 32, 32), 100),
        "ImageNet16-120": NetworkTask((3, 16, 16), 120),
    }
    chosen = np.random.default_rng(0).choice(len(rows), 510, replace=False)
    for name, part in zip(tasks, np.split(chosen, 3), strict=True):
        for row in (rows[i] for i in part):
            network = _network("nasbench201", row["arch_str"], tasks[name])
            published = round(float(row[f"{name}_params_M"]) * 1e6)
            assert count_parameters(network) == published, row["arch_str"]


def test_nasbench201_has_the_published_multiply_adds() -> None:
    """FLOP=113.95 M, Params=0.802 MB in the README of NAS-Bench-201."""
    last = "|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
    text = f"|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+{last}"
    network = _network("nasbench201", text, CIFAR10)
    assert round(count_parameters(network) / 1e6, 3) == 0.802
    assert round(count_flops(network, CIFAR10) / 1e6, 2) == 113.95


@pytest.mark.parametrize(
    ("text", "parameters"),
    [("8:8:8:8:8", 11_714), ("8:8:16:40:40", 107_826), ("64:64:64:64:64", 713_674)],
)
def test_nats_size_has_the_published_parameters(text: str, parameters: int) -> None:
    """Records of NATS-sss for CIFAR-10."""
    assert count_parameters(_network("nats-size", text, CIFAR10)) == parameters


@pytest.mark.parametrize(
    ("text", "parameters", "flops"),
    [
        ("12110101", 1_114_826, 48_638_464),
        ("12122202", 2_042_058, 81_515_008),
        ("12201000", 636_938, 43_209_216),
        ("12202202", 1_868_426, 72_925_696),
    ],
)
def test_nasbench_macro_has_the_published_numbers(text: str, parameters: int, flops: int) -> None:
    """Records of nas-bench-macro_cifar10.json."""
    network = _network("nasbench-macro", text, CIFAR10)
    assert (count_parameters(network), count_flops(network, CIFAR10)) == (parameters, flops)


def test_nasbench101_has_the_published_parameters() -> None:
    """The cell like Inception's of the benchmark's README, in both orders of its nodes."""
    matrix = [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    ops = "input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output"
    space = open_space("nasbench101")
    arch = space.parse("".join(str(i) for row in matrix for i in row) + ":" + ops)
    for same in (arch, space.canonical(arch)):
        assert count_parameters(build_network(same, CIFAR10)) == 2_694_282


@pytest.mark.parametrize(
    ("task", "features", "classes", "settings"),
    [
        ("pubmed", 500, 3, {}),
        ("photo", 745, 8, {}),
        ("cs", 6805, 15, {"pre": True}),
        ("arxiv", 128, 40, {"post": True}),
        ("computers", 767, 10, {"channels": 64, "pre": True, "post": True}),
    ],
)
def test_nas_bench_graph_has_the_published_parameters(
    task: str, features: int, classes: int, settings: dict[str, Any]
) -> None:
    table = open_benchmark("nas-bench-graph").task(task)
    rng = np.random.default_rng(0)
    for arch in (table.space.sample(rng) for _ in range(40)):
        published = table.evaluate(arch).metrics["parameters"] * 1e6
        with torch.device("meta"):
            network = build_network(arch, NetworkTask((features,), classes), settings=settings)
        assert count_parameters(network) == round(published), table.space.format(arch)
