"""GPUs that this process believes in; those that it starts find that there are none."""

import pytest
import torch


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let there be GPUs; a training in another process fails with the name of the one it got."""
    if torch.cuda.is_available():
        pytest.skip("there are GPUs")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: number)
