"""Standardisation and augmentation."""

import pytest
import torch
from torch import Tensor

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.devices import DeviceExamples, all_devices, augment, find_device
from tests.training.data import squares


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _image(n: int) -> Tensor:
    return torch.arange(1, 1 + 2 * 4 * 5, dtype=torch.uint8).view(1, 2, 4, 5).repeat(n, 1, 1, 1)


def test_standardised_inputs_have_mean_0_and_deviation_1() -> None:
    data = squares()
    examples = DeviceExamples(data.train, data.moments, torch.device("cpu"))
    inputs, labels = examples.batch(torch.arange(len(data.train)))
    assert inputs.dtype == torch.float32
    torch.testing.assert_close(inputs.mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs.std(correction=0), torch.tensor(1.0), atol=1e-5, rtol=0)
    assert labels.tolist() == data.train.labels.tolist()


def test_every_shift_and_mirror_is_a_window_of_the_padded_image() -> None:
    n, crop = 400, 1
    raw = _image(n)
    plain = torch.nn.functional.pad(raw[0], (crop,) * 4)
    mirrored = plain.flip(-1)
    windows = {
        (y, x, flip): (mirrored if flip else plain)[:, y : y + 4, x : x + 5]
        for y in range(3)
        for x in range(3)
        for flip in (False, True)
    }
    seen = dict.fromkeys(windows, 0)
    for image in augment(raw, crop, True, _generator()):
        key = next(key for key, window in windows.items() if torch.equal(window, image))
        seen[key] += 1
    assert min(seen.values()) > 0
    assert abs(sum(count for key, count in seen.items() if key[2]) - n / 2) < 5 * (n / 4) ** 0.5


def test_without_augmentation_nothing_changes() -> None:
    raw = _image(3)
    assert augment(raw, 0, False, _generator()) is raw
    mirrored = augment(raw, 0, True, _generator(1))
    assert all(
        torch.equal(m, r) or torch.equal(m, r.flip(-1)) for m, r in zip(mirrored, raw, strict=True)
    )


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", "mps:1", ""])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="device must be one of auto, cpu, cuda, mps"):
        find_device(name)


def test_a_device_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidArgumentError, match="not available here; use --device cpu"):
        find_device("cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("cuda:1") == torch.device("cuda:1")
    assert find_device("auto") == torch.device("cuda")
    with pytest.raises(InvalidArgumentError, match="there are 2 here"):
        find_device("cuda:2")


def test_cuda_leaves_every_gpu_open(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all_devices("cpu") == [torch.device("cpu")]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert all_devices("cuda") == all_devices("auto") == [torch.device(f"cuda:{i}") for i in (0, 1)]
    assert all_devices("cuda:1") == [torch.device("cuda:1")]
