from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.cost.measuring import MeasuringSettings
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.workflows.build import choose
from surrogate_nas.workflows.measure import Measuring, measure
from tests.answers import answered
from tests.displays import Display

SPACE = open_space("dense-cell")
QUICK = MeasuringSettings(repeats=2)
SMALL = {"channels": 4}


def measuring(repeats: int = 2) -> Measuring:
    return Measuring(
        SPACE, "cpu", MeasuringSettings(repeats=repeats), NetworkTask((1, 8, 8), 10), sizes=SMALL
    )


def test_the_table_names_the_device_and_holds_all_costs(tmp_path: Path) -> None:
    rows, out = choose(SPACE, 3), tmp_path / "cpu.h5"
    measured = measure(measuring(), rows, out=out)
    table = HDF5Benchmark(out)
    task = table.task("cpu")
    assert task.goal.metric == "latency_ms"
    assert not task.goal.maximise
    machine = measuring().machine
    assert f"on cpu: {machine}" in table.source
    assert "batch size 1, 1 thread, median of 2 passes, eager" in table.source
    found = task.evaluate(Architecture("dense-cell", tuple(rows[0].tolist())))
    cost = measured.costs[tuple(rows[0].tolist())]
    assert -found.value == cost.latency_ms
    assert found.metrics["parameters"] == cost.parameters > 0
    assert found.metrics["flops"] == cost.flops > 0
    assert found.metrics["memory_mb"] == cost.memory_mb


def test_an_interrupt_keeps_what_was_measured_and_the_next_call_goes_on(tmp_path: Path) -> None:
    rows, out, steps = choose(SPACE, 5), tmp_path / "cpu.h5", []

    def stop(text: str) -> None:
        steps.append(text)
        if len(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(measuring(), rows, out=out, progress=Display(stop))
    before = HDF5Benchmark(out).task("cpu")
    assert len(before) == 3
    measured = measure(measuring(), rows, out=out)
    assert measured.measured == 2
    after = HDF5Benchmark(out).task("cpu")
    np.testing.assert_array_equal(after.lookup(before.choices), before.values)
    with pytest.raises(InvalidArgumentError, match=r"median of 3 passes.*choose another --out"):
        measure(measuring(repeats=3), rows, out=out)


def test_a_network_that_fails_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    rows = choose(SPACE, 3)
    bad = tuple(rows[1].tolist())

    class Choosy(Measuring):
        def cost(self, row):  # type: ignore[no-untyped-def]
            if tuple(row) == bad:
                raise RuntimeError("CUDA error: the device vanished")
            return super().cost(row)

    choosy = Choosy(SPACE, "cpu", QUICK, NetworkTask((1, 8, 8), 10), sizes=SMALL)
    measured = measure(choosy, rows, out=tmp_path / "cpu.h5")
    assert measured.failed == {bad: "RuntimeError: CUDA error: the device vanished"}
    assert len(HDF5Benchmark(tmp_path / "cpu.h5").choices) == 2
    with pytest.raises(SurrogateNASError, match=r"no network could be measured.*vanished"):
        measure(choosy, rows[1:2])


def test_the_command_measures_what_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    cell = "conv3x3-conv5x5-skip-maxpool3x3"
    given = ["measure", cell, "--device", "cpu", "--repeats", "2", "--shape", "1,8,8"]
    record = answered(capsys, *given, "--settings", "channels=4")
    assert [network["arch"] for network in record["networks"]] == [cell]
    assert record["device"] == "cpu"
    assert record["path"] is None
    for wrong, told in (
        (["measure"], "either architectures or --count"),
        ([*given, "--count", "2"], "either architectures or --count"),
        ([*given, "--dataset", "digits"], "leave out --shape"),
        (["measure", cell, "--device", "tpu"], "device must be one of"),
    ):
        assert main(wrong) == 2
        assert told in capsys.readouterr().err
