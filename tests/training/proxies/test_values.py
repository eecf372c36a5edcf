"""Zero-cost proxies against closed forms, and on the networks of NAS-Bench-201."""

import csv
import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from surrogate_nas.errors import ArchitectureError, InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.proxies import values as proxies
from surrogate_nas.training.proxies.values import PROXIES, proxy_values
from tests.training.data import squares

SPACE = open_space("dense-cell")
SMALL = {"channels": 4}
NO_LABELS = torch.zeros(1, dtype=torch.int64)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def _linear(*weights: Tensor) -> nn.Sequential:
    layers = []
    for weight in weights:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data.copy_(weight)
        layers.append(layer)
    return nn.Sequential(*layers)


def test_synflow_of_a_linear_chain_counts_its_absolute_paths_once_a_layer() -> None:
    a, b = torch.randn(3, 2), torch.randn(2, 3)
    paths = float((b.double().abs() @ a.double().abs()).sum())
    found = proxies.synflow(_linear(a, b), torch.randn(5, 2), NO_LABELS)
    assert found == pytest.approx(math.log1p(2 * paths))  # each of two layers carries it all


def test_gradient_proxies_of_a_linear_softmax_model() -> None:
    weight, images = torch.randn(3, 4), torch.randn(6, 4)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    error = torch.softmax(images @ weight.T, dim=1) - nn.functional.one_hot(labels, 3)
    gradient = error.T @ images / 6
    norm = proxies.grad_norm(_linear(weight), images, labels)
    saliency = proxies.snip(_linear(weight), images, labels)
    assert norm == pytest.approx(float(gradient.norm()), rel=1e-5)
    assert saliency == pytest.approx(float((weight * gradient).abs().sum()), rel=1e-5)


def test_naswot_of_identical_inputs_is_that_of_a_matrix_of_rank_one() -> None:
    network = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(inplace=True))
    images = torch.randn(1, 4).expand(6, 4)
    # K is 12 units everywhere, so det(K + I) = 1 + 6 * 12.
    assert proxies.naswot(network, images, NO_LABELS) == pytest.approx(math.log(73))


def test_naswot_counts_the_units_on_which_two_images_agree() -> None:
    network = nn.Sequential(_linear(torch.eye(3)), nn.ReLU())
    images = torch.tensor([[1.0, 1, -1], [1, -1, -1]])  # on 1 1 0 and 1 0 0: they agree on two
    expected = math.log((3 + 1) ** 2 - 2**2)
    assert proxies.naswot(network, images, NO_LABELS) == pytest.approx(expected)


def test_jacob_cov_is_lowest_where_all_images_have_one_gradient() -> None:
    k, images = 1e-5, torch.randn(4, 6)
    alike = -(math.log(4 + k) + 1 / (4 + k)) - 3 * (math.log(k) + 1 / k)
    linear = proxies.jacob_cov(_linear(torch.randn(2, 6)), images, NO_LABELS)
    assert linear == pytest.approx(alike, rel=1e-4)
    blind = proxies.jacob_cov(_linear(torch.zeros(2, 6)), images, NO_LABELS)
    assert blind == pytest.approx(alike, rel=1e-4)

    class Squares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square()

    found = proxies.jacob_cov(Squares(), images, NO_LABELS)
    values = np.linalg.eigvalsh(np.corrcoef(images.numpy().astype(np.float64)))
    values = values.clip(0) + k
    assert found == pytest.approx(-(np.log(values) + 1 / values).sum(), rel=1e-3)


def test_zen_ignores_the_scale_that_a_normalisation_takes_away() -> None:
    class Scaled(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor
            self.conv = nn.Conv2d(2, 3, 3)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            normalised: Tensor = self.norm(self.conv(x) * self.factor)
            return normalised

    def score(factor: float) -> float:
        torch.manual_seed(1)
        return proxies.zen(Scaled(factor), torch.zeros(8, 2, 6, 6), NO_LABELS)

    # The normalisation hides the factor from the features; its own term shows it again.
    assert score(10) - score(1) == pytest.approx(math.log(10), abs=1e-3)


def test_values_depend_on_the_seed_and_on_nothing_beside() -> None:
    data = squares()
    choices = SPACE.sample_choices(np.random.default_rng(0), 3)
    together = proxy_values(choices, SPACE, data, batch=8, settings=SMALL)
    assert together.shape == (3, len(PROXIES))
    assert np.isfinite(together).all()
    before = torch.random.get_rng_state()
    for j, name in enumerate(PROXIES):
        alone = proxy_values(choices[1:2], SPACE, data, [name], batch=8, settings=SMALL)
        assert alone[0, 0] == together[1, j]
    assert torch.equal(before, torch.random.get_rng_state())
    other = proxy_values(choices, SPACE, data, seed=1, batch=8, settings=SMALL)
    same = (other == together).all(axis=0)
    assert set(np.array(list(PROXIES))[same]) == {"parameters", "flops"}


@pytest.mark.gpu
def test_a_gpu_gives_the_values_of_a_cpu() -> None:
    choices = SPACE.sample_choices(np.random.default_rng(0), 3)
    # Small eigenvalues make jacob_cov a matter of rounding; zen draws its noise on the device.
    names = [name for name in PROXIES if name not in ("jacob_cov", "zen")]
    here, there = (
        proxy_values(choices, SPACE, squares(), names, batch=8, device=device, settings=SMALL)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(there, here, rtol=0.05)
    others = ["jacob_cov", "zen"]
    values = proxy_values(choices, SPACE, squares(), others, device="cuda", settings=SMALL)
    assert np.isfinite(values).all()


def test_a_network_that_ignores_its_images_has_finite_values() -> None:
    space = open_space("nasbench201")
    none = np.zeros((1, 6), dtype=np.int64)
    assert set(space.decisions[0].options[:1]) == {"none"}
    values = proxy_values(none, space, squares(), batch=4, settings={"channels": 4, "cells": 1})
    assert np.isfinite(values).all()


def test_mistakes_are_named() -> None:
    choices = np.zeros((1, 4), dtype=np.int64)
    with pytest.raises(UnknownNameError, match="synflow"):
        proxy_values(choices, SPACE, squares(), ["synflo"])
    with pytest.raises(InvalidArgumentError, match="batch must be from 2 to the 96"):
        proxy_values(choices, SPACE, squares(), batch=97)
    with pytest.raises(ArchitectureError):
        proxy_values(choices + 9, SPACE, squares(), ["parameters"], batch=2)


# NAS-Bench-201 ----------------------------------------------------------------------------------


def _measured() -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    path = Path(os.environ["SURROGATE_NAS_DATA"], "nasbench201.csv.gz")
    with gzip.open(path, "rt") as file:
        rows = [(row["arch_str"], row["cifar10_val200"]) for row in csv.DictReader(file)]
    return [text for text, _ in rows], np.array([float(value) for _, value in rows])


@pytest.mark.data
def test_counts_rank_all_of_nasbench201() -> None:
    space = open_space("nasbench201")
    texts, accuracy = _measured()
    data = open_dataset("cifar10", os.environ["SURROGATE_NAS_DATA"])
    # Every edge of a cell has the same shape, so each convolution adds the same wherever it is.
    none, narrow, wide = "none", "nor_conv_1x1", "nor_conv_3x3"
    ops = [(none,) * 6, (narrow, *(none,) * 5), (wide, *(none,) * 5), (narrow,) * 2 + (wide,) * 4]
    options = space.decisions[0].options
    choices = np.array([[options.index(op) for op in cell] for cell in ops])
    base, one, three, mixed = proxy_values(choices, space, data, ["parameters", "flops"], batch=2)
    np.testing.assert_array_equal(mixed, base + 2 * (one - base) + 4 * (three - base))
    convolutions = np.array([(text.count(narrow), text.count(wide)) for text in texts])
    values = base + convolutions @ np.stack([one - base, three - base])
    # The table's own column of parameters has this correlation.
    for column in values.T:
        assert float(spearmanr(column, accuracy)[0]) == pytest.approx(0.7154, abs=1e-3)


@pytest.mark.data
def test_proxies_rank_small_networks_of_nasbench201() -> None:
    space = open_space("nasbench201")
    texts, accuracy = _measured()
    data = open_dataset("cifar10", os.environ["SURROGATE_NAS_DATA"])
    rows = np.random.default_rng(0).choice(len(texts), 60, replace=False)
    choices = np.array([space.parse(texts[i]).choices for i in rows])
    small = {"channels": 4, "cells": 1}
    least = {"synflow": 0.55, "naswot": 0.55, "jacob_cov": 0.35}  # three samples had .15 more
    values = proxy_values(choices, space, data, list(least), batch=16, settings=small)
    for (name, bound), column in zip(least.items(), values.T, strict=True):
        assert float(spearmanr(column, accuracy[rows])[0]) > bound, name
