"""Devices for training, and data sets on a device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.datasets.examples import Split
from surrogate_nas.training.recipes import Recipe

_DEVICES = ("auto", "cpu", "cuda", "mps")


def find_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is the fastest one available.

    Raises:
        InvalidArgumentError: If there is no such device here.
    """
    kind, _, number = name.partition(":")
    if kind not in _DEVICES or (number and not (kind == "cuda" and number.isdecimal())):
        raise InvalidArgumentError(
            f"device must be one of {', '.join(_DEVICES)}, or cuda with a number, got {name!r}"
        )
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind == "auto":
        return torch.device(next((k for k, there in available.items() if there), "cpu"))
    if not available.get(kind, True):
        raise InvalidArgumentError(f"device {name!r} is not available here; use --device cpu")
    if number and int(number) >= torch.cuda.device_count():
        raise InvalidArgumentError(
            f"device {name!r} does not exist; there are {torch.cuda.device_count()} here"
        )
    return torch.device(name)


def all_devices(name: str) -> list[torch.device]:
    """All devices that a name may stand for: every GPU for ``cuda``.

    Raises:
        InvalidArgumentError: If there is no such device here.
    """
    found = find_device(name)
    if found.type != "cuda" or ":" in name:
        return [found]
    return [torch.device("cuda", i) for i in range(torch.cuda.device_count())]


class DeviceExamples:
    """One part of a data set, completely on a device, where batches are made.

    Images are standardised; numbers of nodes are not changed.
    """

    def __init__(
        self, split: Split, moments: tuple[FloatArray, FloatArray] | None, device: torch.device
    ) -> None:
        self.inputs = torch.from_numpy(split.inputs).to(device)
        self.labels = torch.from_numpy(split.labels).to(device)
        self._images = moments is not None
        if moments is None:
            return
        mean, std = (torch.tensor(m, dtype=torch.float32, device=device) for m in moments)
        self._scale = (1 / std).view(-1, 1, 1)
        self._shift = (-mean / std).view(-1, 1, 1)
        # Strides in the order in which CUDA's convolutions are fast.
        fast = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self._format: Any = {"memory_format": fast}

    def __len__(self) -> int:
        return len(self.labels)

    def standardised(self, raw: Tensor) -> Tensor:
        """Raw inputs with mean 0 and standard deviation 1 in each channel: float32."""
        return torch.addcmul(self._shift, raw.float(), self._scale).contiguous(**self._format)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of these examples, without augmentation."""
        raw = self.inputs[rows]
        return self.standardised(raw) if self._images else raw, self.labels[rows]

    def augmented(
        self, rows: Tensor, recipe: Recipe, flip: bool, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and labels of these examples, each image cropped and mirrored at random."""
        if not self._images:
            return self.batch(rows)
        raw = augment(self.inputs[rows], recipe.crop, recipe.flip and flip, generator)
        return self.standardised(raw), self.labels[rows]


def augment(raw: Tensor, crop: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Shift each image by up to ``crop`` pixels, black outside, and mirror half of them.

    Args:
        raw: (n, channels, height, width).
        crop: Pixels that are added on each side before an image of the old size is cut out.
        flip: Whether to mirror.
        generator: On the device of the images.

    Returns:
        Of the shape and type of ``raw``.
    """
    if not crop and not flip:
        return raw
    n, channels, height, width = raw.shape
    where = raw.device

    def draws(most: int) -> Tensor:
        return torch.randint(most, (n, 1), generator=generator, device=where)

    rows = torch.arange(height, device=where).expand(n, -1)
    columns = torch.arange(width, device=where).expand(n, -1)
    if flip:
        columns = torch.where(draws(2) == 1, width - 1 - columns, columns)
    if crop:
        raw = torch.nn.functional.pad(raw, (crop, crop, crop, crop))
        rows = rows + draws(2 * crop + 1)
        columns = columns + draws(2 * crop + 1)
    # Position of each pixel in its padded image; one gather does both.
    positions = rows[:, :, None] * raw.shape[3] + columns[:, None, :]
    flat = positions.view(n, 1, -1).expand(-1, channels, -1)
    return raw.flatten(2).gather(2, flat).view(n, channels, height, width)
