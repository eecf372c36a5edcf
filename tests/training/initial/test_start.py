"""Copying of starting weights, and what a training takes from its data."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.examples import Split
from surrogate_nas.training.devices import DeviceExamples
from surrogate_nas.training.initial.keys import parameter_keys
from surrogate_nas.training.initial.sources import SourceData
from surrogate_nas.training.initial.start import copy_shared, discriminant, fit_to_data
from tests.training.data import squares
from tests.training.initial.banks import SETTINGS, SPACE, tiny_bank

DATA = squares()
SETTINGS_OF = {"dense-cell": SETTINGS, "nasbench201": {"channels": 4, "cells": 1}}


def coloured(channels: int, classes: int = 3):  # type: ignore[no-untyped-def]
    """The same images with several equal channels."""
    data = squares(classes=classes)

    def part(split: Split) -> Split:
        return Split(np.repeat(split.inputs, channels, axis=1), split.labels)

    return replace(
        data, train=part(data.train), validation=part(data.validation), test=part(data.test)
    )


@pytest.mark.parametrize("name", ["dense-cell", "layerwise", "hierarchical", "nasbench201"])
def test_keys_are_the_same_on_other_data_and_one_for_each_parameter(name: str) -> None:
    space = open_space(name)
    settings = SETTINGS_OF.get(name, {})
    for choices in space.sample_choices(np.random.default_rng(0), 5):
        arch = space.architecture(choices)
        _, grey = SourceData(DATA, settings).build(arch)
        network, colour = SourceData(coloured(3, classes=2), settings).build(arch)
        assert grey == colour
        assert len(set(colour.shared.values())) == len(colour.shared)
        head = {f"{colour.head}.weight", f"{colour.head}.bias"}
        assert {name for name, _ in network.named_parameters()} - set(colour.shared) == head


def test_keys_tell_operations_and_positions_apart() -> None:
    def keys(text: str) -> set[str]:
        return set(SourceData(DATA, SETTINGS).build(SPACE.parse(text))[1].shared.values())

    one, other = keys("conv3x3-skip-skip-conv5x5"), keys("conv5x5-skip-skip-conv5x5")
    stem = keys("skip-skip-skip-skip")
    assert len(one - other) == len(other - one) == 3  # a kernel, and a scale and shift of its own
    assert len((one & other) - stem) == 3
    assert not (keys("conv3x3-skip-skip-skip") & keys("skip-conv3x3-skip-skip")) - stem


def test_copies_are_exact_and_what_the_bank_lacks_stays() -> None:
    bank = tiny_bank(DATA, seed=5)
    tensors = {key: torch.from_numpy(array) for key, array in bank.tensors.items()}
    network, keys = SourceData(DATA, SETTINGS).build(SPACE.parse("conv3x3-skip-conv5x5-maxpool3x3"))
    del tensors[keys.shared["1.nodes.0.0.weight"]]
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    assert copy_shared(network, keys, tensors) == len(keys.shared) - 1
    for name, parameter in network.named_parameters():
        key = keys.shared.get(name)
        if key in tensors and name != keys.stem:
            assert torch.equal(parameter, tensors[key])
        elif name != keys.stem:
            assert torch.equal(parameter, before[name])
    torch.testing.assert_close(
        dict(network.named_parameters())[keys.stem or ""][:, 0],
        tensors[keys.shared[keys.stem or ""]],
    )


def test_a_stem_of_other_channels_answers_equal_channels_as_the_bank_does() -> None:
    bank = tiny_bank(DATA)
    tensors = {key: torch.from_numpy(array) for key, array in bank.tensors.items()}
    answers: list[torch.Tensor] = []
    for data in (DATA, coloured(3)):
        torch.manual_seed(len(answers))  # other random weights
        network, keys = SourceData(data, SETTINGS).build(SPACE.parse("skip-skip-skip-skip"))
        copy_shared(network, keys, tensors)
        stem = network.get_submodule((keys.stem or "").removesuffix(".weight"))
        images = torch.from_numpy(data.train.inputs[:4]).float()
        answers.append(stem(images))
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-2)


def test_the_head_is_a_linear_discriminant() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    x = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=(4, 6))[labels]
    weight, bias = discriminant(torch.from_numpy(x), torch.from_numpy(labels), 4)
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1).fit(x, labels)
    logits = x @ weight.numpy().T + bias.numpy()
    expected = oracle.predict_log_proba(x)
    centred = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(centred, expected, rtol=1e-6, atol=1e-8)


def test_statistics_are_those_of_the_data() -> None:
    network, keys = SourceData(DATA, SETTINGS).build(SPACE.parse("skip-skip-skip-skip"))
    examples = DeviceExamples(DATA.train, DATA.moments, torch.device("cpu"))
    assert parameter_keys(network, DATA.task) == keys
    fit_to_data(network, keys, examples, DATA.classes, seed=0)
    stem, norm = network[0][0], network[0][1]  # type: ignore[index]
    x = stem(examples.batch(torch.arange(len(examples)))[0])
    torch.testing.assert_close(norm.running_mean, x.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, x.var(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert norm.momentum == 0.1
    assert network.training
