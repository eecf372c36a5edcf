"""What a machine is called."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def machine_of(device: torch.device) -> dict[str, str]:
    """The ``processor``, or GPU, with its vector instructions, and the version of ``torch``."""
    if device.type == "cuda":
        processor = torch.cuda.get_device_name(device)
    else:
        processor = f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}"
    return {"processor": processor, "torch": torch.__version__}


def _processor() -> str:
    """Name, family and model: several generations share a name on virtual machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    if "model name" not in found:
        return platform.machine()
    return f"{found['model name']} (family {found.get('cpu family')}, model {found.get('model')})"
