from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.cost.energy import EnergyMeter
from surrogate_nas.training.cost.measuring import MeasuringSettings, measure_network
from surrogate_nas.training.cost.memory import peak_memory
from surrogate_nas.training.networks.base import NetworkTask

CPU = torch.device("cpu")
TASK = NetworkTask((3, 8, 8), 10)


class Slow(nn.Module):
    """Sleeps for some milliseconds a pass."""

    def __init__(self, *milliseconds: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(7))
        self.passes = 0
        self.milliseconds = milliseconds

    def forward(self, images: Tensor) -> Tensor:
        wait = self.milliseconds[self.passes % len(self.milliseconds)]
        self.passes += 1
        time.sleep(wait / 1000)
        return images.flatten(1)[:, :10]


def test_latency_is_the_median_of_the_repeats() -> None:
    cost = measure_network(Slow(4.0, 4.0, 60.0), TASK, MeasuringSettings(repeats=9), CPU)
    assert 4 <= cost.latency_ms < 40
    assert cost.parameters == 7
    steady = measure_network(Slow(4.0), TASK, MeasuringSettings(repeats=5), CPU)
    assert steady.latency_ms >= 4
    assert steady.spread_ms >= 0


def test_memory_is_that_of_the_tensors_that_are_there_at_once() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 4, 1))
    images = torch.zeros((2, 3, 32, 32))
    held = 4 * (sum(p.numel() for p in network.parameters()) + images.numel())
    two = 2 * 4 * 2 * 16 * 32 * 32  # the inputs and outputs of the ReLU
    with torch.no_grad():
        assert peak_memory(network, [images], CPU) == pytest.approx((held + two) / 1e6)
        inplace = nn.Sequential(network[0], nn.ReLU(inplace=True))
        held = 4 * (sum(p.numel() for p in inplace.parameters()) + images.numel())
        assert peak_memory(inplace, [images], CPU) == pytest.approx((held + two / 2) / 1e6)


def test_batches_and_threads_are_as_asked_for() -> None:
    seen: list[tuple[int, int]] = []

    class Watched(Slow):
        def forward(self, images: Tensor) -> Tensor:
            seen.append((len(images), torch.get_num_threads()))
            return images.flatten(1)[:, :10]

    before = torch.get_num_threads()
    settings = MeasuringSettings(batch_size=5, threads=2, repeats=2)
    cost = measure_network(Watched(0), TASK, settings, CPU)
    assert (5, 2) in seen
    assert torch.get_num_threads() == before
    assert cost.flops == 0


def test_onnx_runtime_computes_the_same_network() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10))
    settings = MeasuringSettings(repeats=2, runtime="onnx")
    assert measure_network(network, TASK, settings, CPU).latency_ms > 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"repeats": 0}, "repeats must be at least 1"), ({"runtime": "jax"}, "one of eager, compile")],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        MeasuringSettings(**wrong)


def test_counters_of_energy_are_added_up_and_wrap_around(tmp_path: Path) -> None:
    def tell(domain: str, microjoules: int) -> None:
        folder = tmp_path / domain
        folder.mkdir(exist_ok=True)
        (folder / "energy_uj").write_text(f"{microjoules}\n")
        (folder / "max_energy_range_uj").write_text("10000\n")

    tell("intel-rapl:0", 9_000)
    tell("intel-rapl:1", 2_000)
    tell("intel-rapl:0:0", 500)  # a part of the first
    meter = EnergyMeter(CPU, powercap=tmp_path)
    first = meter.read()
    tell("intel-rapl:0", 1_000)  # it began again at 0 after 10,000
    tell("intel-rapl:1", 2_500)
    second = meter.read()
    assert first is not None
    assert second is not None
    assert second - first == pytest.approx(2.5)
    assert EnergyMeter(CPU, powercap=tmp_path / "nowhere").read() is None
