"""Gradient search on the real network: gradients, samples, and what it may see."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from surrogate_nas.errors import InvalidArgumentError, TrainingError, UnknownNameError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.dense_cell import NODES, OPERATIONS
from surrogate_nas.training.datasets.base import Dataset, open_dataset
from surrogate_nas.training.datasets.examples import Split
from surrogate_nas.training.networks.base import NetworkTask, build_network
from surrogate_nas.training.networks.mixed_cell import Mixture, build_supernet
from surrogate_nas.training.recipes import Recipe
from surrogate_nas.training.supernet import METHODS, SupernetEpoch, search_supernet
from surrogate_nas.training.unrolled import unrolled_gradient
from tests.training.data import squares

DATA = squares()
TASK = NetworkTask((1, 6, 6), 3)
SHAPE = (NODES, len(OPERATIONS))


def _gumbel(generator: torch.Generator) -> Tensor:
    return -torch.empty(SHAPE).exponential_(generator=generator).log()


def _inherit(single: nn.Module, shared: nn.Module, choices: tuple[int, ...]) -> None:
    """Copy the weights that a single network has in a supernet."""
    weights = shared.state_dict()
    renamed = {}
    for key in single.state_dict():
        source = key
        place, _, rest = key.partition(".nodes.")
        if rest:
            node, _, rest = rest.partition(".")
            source = f"{place}.operations.{int(node) * SHAPE[1] + choices[int(node)]}.{rest}"
        renamed[key] = weights[source]
    single.load_state_dict(renamed)


# One network inside the supernet --------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_a_sample_is_the_network_of_one_architecture(training: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    mixture, settings = Mixture(), {"channels": 3, "cells": 2}
    shared = build_supernet(mixture, TASK, **settings)
    x = torch.randn(4, *TASK.shape)
    for _ in range(5):
        logits = torch.randn(SHAPE, generator=generator)
        mixture.set_sample(logits, _gumbel(generator), 3.0)
        choices = tuple(mixture.weights.argmax(dim=1).tolist())
        single = build_network(Architecture("dense-cell", choices), TASK, settings=settings)
        _inherit(single, shared, choices)
        expected = single.train(training)(x)  # first: normalisations note what they see
        torch.testing.assert_close(shared.train(training)(x), expected)


def test_a_certain_mixture_is_the_network_of_one_architecture() -> None:
    mixture = Mixture()
    shared = build_supernet(mixture, TASK, channels=3)
    choices = (1, 4, 2, 3)
    logits = torch.full(SHAPE, -60.0)
    logits[range(NODES), choices] = 60.0
    mixture.set_softmax(logits)
    single = build_network(Architecture("dense-cell", choices), TASK, settings={"channels": 3})
    _inherit(single, shared, choices)
    x = torch.randn(4, *TASK.shape)
    torch.testing.assert_close(shared(x), single(x))


def test_samples_follow_the_softmax_and_have_its_gradient() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(SHAPE, generator=generator).requires_grad_()
    mixture, n = Mixture(), 3000
    counts = torch.zeros(SHAPE)
    for _ in range(n):
        mixture.set_sample(logits, _gumbel(generator), 5.0)
        counts += mixture.weights.detach()
    expected = logits.detach().softmax(dim=1)
    assert ((counts / n - expected).abs() < 5 * (expected / n).sqrt()).all()

    noise, worth = _gumbel(generator), torch.randn(SHAPE, generator=generator)
    mixture.set_sample(logits, noise, 2.0)
    assert set(mixture.weights.detach().flatten().tolist()) == {0.0, 1.0}
    (found,) = torch.autograd.grad((mixture.weights * worth).sum(), logits)
    soft = ((logits + noise) / 2.0).softmax(dim=1)
    (relaxed,) = torch.autograd.grad((soft * worth).sum(), logits)
    torch.testing.assert_close(found, relaxed)


# Gradients of DARTS ---------------------------------------------------------------------------


def test_the_second_order_gradient_is_that_of_the_loss_after_a_step() -> None:
    torch.manual_seed(0)
    mixture = Mixture()
    network = build_supernet(mixture, TASK, channels=2).double()
    logits = torch.randn(SHAPE, dtype=torch.float64).requires_grad_()
    batch, other = (
        (torch.randn(6, *TASK.shape, dtype=torch.float64), torch.randint(3, (6,))) for _ in range(2)
    )
    rate = 0.3
    before = [w.detach().clone() for w in network.parameters()]

    def after_a_step(moved: Tensor) -> float:
        """The same by hand: step the weights, look at the loss, step back."""
        mixture.set_softmax(moved)
        weights = list(network.parameters())
        gradients = torch.autograd.grad(cross_entropy(network(batch[0]), batch[1]), weights)
        with torch.no_grad():
            for w, g in zip(weights, gradients, strict=True):
                w.sub_(rate * g)
            loss = cross_entropy(network(other[0]), other[1]).item()
            for w, old in zip(weights, before, strict=True):
                w.copy_(old)
        return loss

    loss, gradient = unrolled_gradient(network, mixture, logits, batch, other, rate)
    assert loss.item() == pytest.approx(after_a_step(logits.detach()), rel=1e-9)
    numeric = torch.zeros_like(gradient)
    for i in range(SHAPE[0]):
        for j in range(SHAPE[1]):
            step = torch.zeros(SHAPE, dtype=torch.float64)
            step[i, j] = 1e-5
            ends = after_a_step(logits.detach() + step), after_a_step(logits.detach() - step)
            numeric[i, j] = (ends[0] - ends[1]) / 2e-5
    torch.testing.assert_close(gradient, numeric, rtol=1e-4, atol=1e-8)
    _, first = unrolled_gradient(network, mixture, logits, batch, other, 0.0)
    mixture.set_softmax(logits)
    expected = torch.autograd.grad(cross_entropy(network(other[0]), other[1]), logits)[0]
    torch.testing.assert_close(first, expected)
    assert (gradient - first).abs().max() > 0.01 * first.abs().max()


# The search -----------------------------------------------------------------------------------


def _search(method: str, data: Dataset = DATA, seed: int = 0, epochs: int = 3) -> object:
    found = search_supernet(
        data, method=method, epochs=epochs, seed=seed, device="cpu", settings={"channels": 2}
    )
    losses = [(point.loss, point.validation_loss) for point in found.curve]
    return losses, found.probabilities.tolist(), found.architecture


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_fixes_the_search_and_the_test_part_is_not_read(method: str) -> None:
    first = _search(method)
    torch.rand(7)  # what the caller did with torch's generator is no matter
    spoilt = replace(DATA, test=Split(255 - DATA.test.inputs, DATA.test.labels[::-1].copy()))
    assert _search(method, spoilt) == first
    assert _search(method, seed=1) != first
    other = replace(DATA, validation=DATA.test)
    assert _search(method, other) != first


@pytest.mark.parametrize("method", METHODS)
def test_learns_and_reports_each_epoch(method: str) -> None:
    told: list[SupernetEpoch] = []
    found = search_supernet(
        DATA, method=method, epochs=8, device="cpu", settings={"channels": 4}, watch=told.append
    )
    assert [point.epoch for point in found.curve] == list(range(1, 9))
    assert tuple(told) == found.curve
    assert found.curve[-1].validation_loss < 0.9 * found.curve[0].validation_loss
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    choices = found.probabilities.argmax(axis=1).tolist()
    assert found.architecture == Architecture("dense-cell", tuple(choices))
    assert found.probabilities.max() > 0.3  # uniform would be 0.2


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_learns_on_a_gpu(method: str) -> None:
    settings = {"channels": 4}
    found = search_supernet(DATA, method=method, epochs=8, device="cuda", settings=settings)
    assert found.curve[-1].validation_loss < 0.9 * found.curve[0].validation_loss
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


def test_weights_alone_move_on_training_examples() -> None:
    """Validation labels that say nothing leave the weights their own loss."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(DATA.validation.labels)
    found = search_supernet(
        replace(DATA, validation=Split(DATA.validation.inputs, labels)),
        epochs=20,
        device="cpu",
        settings={"channels": 4},
    )
    assert found.curve[-1].loss < 0.6 < 1.0 < found.curve[-1].validation_loss


@pytest.mark.data
@pytest.mark.parametrize("method", METHODS)
def test_searches_on_cifar10(method: str) -> None:
    data = open_dataset("cifar10", os.environ["SURROGATE_NAS_DATA"])
    few = np.arange(100)
    data = replace(data, train=data.train.take(few), validation=data.validation.take(few))
    settings = {"channels": 4, "stem_stride": 4}
    found = search_supernet(data, method=method, epochs=1, device="cpu", settings=settings)
    assert np.isfinite(found.probabilities).all()


def test_mistakes_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'darts'"):
        search_supernet(DATA, method="dart")
    with pytest.raises(InvalidArgumentError, match="epochs must be at least 1, got 0"):
        search_supernet(DATA, epochs=0)
    with pytest.raises(InvalidArgumentError, match="seed must be at least 0, got -1"):
        search_supernet(DATA, seed=-1)
    with pytest.raises(InvalidArgumentError, match="has no setting 'width'"):
        search_supernet(DATA, settings={"width": 3})
    with pytest.raises(InvalidArgumentError, match="integer of at least 1, got -1"):
        search_supernet(DATA, settings={"channels": -1}, device="cpu")
    one = replace(DATA, validation=DATA.validation.take(np.arange(1)))
    with pytest.raises(InvalidArgumentError, match="at least 2 training and 2 validation"):
        search_supernet(one)


def test_a_divergence_is_a_training_error() -> None:
    wild = Recipe("wild", "sgd", 1e30, 0.0, 32)
    with pytest.raises(TrainingError, match="the supernet diverged in epoch"):
        search_supernet(DATA, epochs=3, recipe=wild, device="cpu", settings={"channels": 2})
