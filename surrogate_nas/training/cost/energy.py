"""Reads the energy counters of processors (RAPL) and NVIDIA GPUs (NVML)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter:
    """Energy that a device has used since some moment.

    On a processor it is that of all packages (Intel's and AMD's RAPL counters, which Linux lets
    only some users read), on a CUDA device that of the GPU (NVML, with the package ``pynvml``).
    Elsewhere, or where nothing may be read, there is none.
    """

    def __init__(self, device: torch.device, *, powercap: Path = POWERCAP) -> None:
        """Find the counters of a device."""
        self._gpu: Any = None
        self._domains: list[Path] = []
        if device.type == "cuda":
            self._gpu = _gpu(device)
        elif device.type == "cpu":
            self._domains = sorted(powercap.glob("*-rapl:[0-9]*"))
            self._domains = [d for d in self._domains if d.name.count(":") == 1]
        self._last = [0.0] * len(self._domains)
        self._wraps = [0.0] * len(self._domains)

    def read(self) -> float | None:
        """Millijoules since some moment, or None where they cannot be read."""
        if self._gpu is not None:
            library, handle = self._gpu
            try:
                return float(library.nvmlDeviceGetTotalEnergyConsumption(handle))
            except library.NVMLError:  # an older GPU
                return None
        if not self._domains:
            return None
        try:
            for i, domain in enumerate(self._domains):
                value = float((domain / "energy_uj").read_text())
                if value < self._last[i]:
                    limit = float((domain / "max_energy_range_uj").read_text())
                    self._wraps[i] += limit
                self._last[i] = value
        except (OSError, ValueError):
            return None
        return (sum(self._last) + sum(self._wraps)) / 1000


def _gpu(device: torch.device) -> Any:
    try:
        import pynvml  # type: ignore[import-not-found]

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except Exception:  # without the package, the driver's library or the permission
        return None
