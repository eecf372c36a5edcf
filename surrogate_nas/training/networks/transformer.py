"""The networks of `transformer`: encoders that classify sequences."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.transformer import DEPTHS, FACTORS, HEADS, MIXERS, WIDTHS
from surrogate_nas.training.networks.base import NetworkTask


def build(architecture: Architecture, task: NetworkTask, *, patch: int = 1) -> nn.Module:
    """An encoder over the steps of a signal, or over the rows of an image.

    An input of height 1 is a signal: ``patch`` steps along its width are a token. Each row of any
    other input is a token.

    Args:
        architecture: Of the space `transformer`.
        task: Signals or images, and classes.
        patch: Number of steps of a signal in one token; incomplete tokens are dropped.
    """
    channels, height, width = task.image()
    signal = height == 1
    size = channels * (min(patch, width) if signal else width)
    tokens = width // min(patch, width) if signal else height
    layers, chosen, *rest = architecture.choices
    return Transformer(WIDTHS[chosen], rest[: 4 * (layers + 1)], tokens, size, task.classes)


class Transformer(nn.Module):
    """Layers with normalisation before each part (Vaswani et al., 2017; Xiong et al., 2020)."""

    def __init__(
        self, width: int, choices: list[int], tokens: int, size: int, classes: int
    ) -> None:
        super().__init__()
        self.tokens, self.size = tokens, size
        self.embedding = nn.Linear(size, width)
        self.position = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.layers = nn.ModuleList()
        for mixer, heads, factor, depth in zip(*(choices[i::4] for i in range(4)), strict=True):
            attends = MIXERS[mixer] == "attention"
            mixing = Attention(width, HEADS[heads]) if attends else FourierMixing()
            hidden = FACTORS[factor] * width
            sizes = [width, *[hidden] * DEPTHS[depth]]
            inner = [module for a, b in pairwise(sizes) for module in (nn.Linear(a, b), nn.GELU())]
            transform = nn.Sequential(*inner, nn.Linear(hidden, width))
            self.layers += [Around(mixing, width), Around(transform, width)]
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) to logits (n, classes)."""
        n, channels = x.shape[:2]
        if x.shape[2] == 1:  # a signal: steps, then channels
            steps = x[:, :, 0].transpose(1, 2)
            used = self.tokens * (self.size // channels)
            sequence = steps[:, :used].reshape(n, self.tokens, self.size)
        else:
            sequence = x.transpose(1, 2).reshape(n, self.tokens, self.size)
        state = self.embedding(sequence) + self.position
        for layer in self.layers:
            state = layer(state)
        logits: Tensor = self.classifier(self.norm(state).mean(dim=1))
        return logits


class Around(nn.Module):
    """A part with a normalisation before it and a shortcut around both."""

    def __init__(self, part: nn.Module, width: int) -> None:
        super().__init__()
        self.norm, self.part = nn.LayerNorm(width), part

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width), the same shape."""
        return torch.add(x, self.part(self.norm(x)))


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width), the same shape."""
        mixed: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return mixed


class FourierMixing(nn.Module):
    """The real part of the Fourier transform over tokens and width (Lee-Thorp et al., 2022)."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width), the same shape; scaled to keep the variance."""
        mixed: Tensor = torch.fft.fft2(x, norm="ortho").real
        return mixed
