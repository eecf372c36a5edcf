"""The peak memory of a pass of a network."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_memory(network: nn.Module, inputs: Sequence[Tensor], device: torch.device) -> float | None:
    """Peak of parameters, inputs and activations of one eager pass, in 10⁶ bytes.

    On CUDA it is what PyTorch's allocator says, with the memory that algorithms need while they
    run. On a processor it is the sum of all tensors that are there at once. None on other devices.
    """
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        network(*inputs)
        extra = torch.cuda.max_memory_allocated(device) - before
    elif device.type == "cpu":
        with _Allocated(inputs) as allocated:
            network(*inputs)
        extra = allocated.most
    else:
        return None
    held = [*network.parameters(), *network.buffers(), *inputs]
    return (extra + sum(t.numel() * t.element_size() for t in held)) / 1e6


class _Allocated(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Add up the results of operations that are there at once, each storage once.

    Attributes:
        most: The highest number of bytes.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = self._now = 0
        self._users = {tensor.untyped_storage().data_ptr(): 1 for tensor in inputs}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in _tensors((args, kwargs))}
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            key, size = storage.data_ptr(), storage.nbytes()
            if key in given and key not in self._users:  # a view of a parameter
                continue
            if key not in self._users:
                self._users[key] = 0
                self._now += size
            self._users[key] += 1
            weakref.finalize(tensor, self._gone, key, size)
        self.most = max(self.most, self._now)
        return result

    def _gone(self, key: int, size: int) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key]
            self._now -= size


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
