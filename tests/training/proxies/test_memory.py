"""Proxies of a whole space: what is kept in files, and what is ranked."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.errors import ArchitectureError, InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.examples import Graph
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.proxies import memory as proxy_memory
from surrogate_nas.training.proxies.memory import ProxyMemory
from surrogate_nas.training.proxies.table import ProxyTable
from surrogate_nas.training.proxies.values import PROXIES, proxy_values
from tests.training.data import squares

ROOT = Path(__file__).resolve().parents[3]
WHOLE = open_space("dense-cell")
SPACE = WHOLE.restricted(WHOLE.all_choices()[::25])


def memory(
    folder: Path, *names: str, data: Dataset | None = None, channels: int = 2
) -> ProxyMemory:
    """Of 25 cells."""
    training = TrainingObjective(
        SPACE, data or squares(), epochs=1, device="cpu", settings={"channels": channels}
    )
    return ProxyMemory(SPACE, training, names, folder)


def test_a_table_ranks_the_values_of_proxies(tmp_path: Path) -> None:
    found = memory(tmp_path, "naswot", "parameters")
    assert found.missing == 50
    found.fill(workers=2)
    table = found.table()
    assert table.names == ("naswot", "parameters")
    order = np.random.default_rng(0).permutation(25)
    choices = SPACE.unique()[order]
    columns = table(choices)
    values = proxy_values(choices, SPACE, squares(), table.names, settings={"channels": 2})
    for column, value in zip(columns.T, values.T, strict=True):
        np.testing.assert_array_equal(
            np.argsort(column, kind="stable"), np.argsort(value, kind="stable")
        )
        assert np.unique(column).size == np.unique(value).size
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(columns.std(axis=0), 1, atol=1e-6)
    with pytest.raises(ArchitectureError, match="is not an architecture"):
        table(WHOLE.all_choices()[1:2])


def test_files_are_of_what_decides_the_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = memory(tmp_path, "naswot", "parameters")
    first.fill(workers=1)
    assert memory(tmp_path, "parameters", "naswot", "snip").missing == 25
    assert memory(tmp_path, "naswot", channels=3).missing == 25
    again = squares(n=90)  # other images of the same shape, which parameters do not see
    assert memory(tmp_path, "naswot", "parameters", data=again).missing == 25
    assert first.table().identity == memory(tmp_path, "naswot", "parameters").table().identity
    assert first.table().identity != memory(tmp_path, "parameters").table().identity
    monkeypatch.setattr(proxy_memory, "__version__", "other")
    assert memory(tmp_path, "naswot").missing == 25


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    memory(tmp_path, "parameters").fill(workers=1)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for damaged in (b"", b"nonsense", content[: len(content) // 2]):
        path.write_bytes(damaged)
        found = memory(tmp_path, "parameters")
        assert found.missing == 25
        found.fill(workers=1)
        assert path.read_bytes() == content


_SLOW = """
import sys, time
from pathlib import Path
from surrogate_nas.training.proxies import memory as proxy_memory
from tests.training.proxies.test_memory import memory
quick = proxy_memory.PROXIES["parameters"]
def slow(network, images, labels):
    time.sleep(0.05)
    return quick(network, images, labels)
proxy_memory.PROXIES["parameters"] = slow
proxy_memory._SECONDS, proxy_memory._AT_ONCE = 0.0, 1
memory(Path(sys.argv[1]), "parameters").fill(workers=1)
"""


def test_after_a_kill_only_the_rest_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(tmp_path / "whole", "parameters").fill(workers=1)
    folder = tmp_path / "killed"
    program = subprocess.Popen([sys.executable, "-c", _SLOW, str(folder)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.npz")):
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    program.wait()
    resumed = memory(folder, "parameters")
    missing = resumed.missing
    assert 0 < missing < 25
    built: list[IntArray] = []

    def counted(choices: IntArray, *arguments: object, **options: object) -> object:
        built.extend(choices)
        return proxy_values(choices, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(proxy_memory, "proxy_values", counted)
    resumed.fill(workers=1)
    assert len(built) == missing
    (one,), (other,) = (list(path.glob("*.npz")) for path in (folder, tmp_path / "whole"))
    assert one.read_bytes() == other.read_bytes()


def test_long_work_says_how_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_memory, "_FIRST", 0.0)
    said: list[str] = []
    memory(tmp_path, "parameters").fill(workers=1, on_step=said.append)
    assert said[0].startswith("proxies on squares: 10 of 25, ")
    assert said[0].endswith(" s left")
    silent: list[str] = []
    memory(tmp_path, "parameters").fill(workers=1, on_step=silent.append)
    assert silent == []


def test_what_is_not_finite_comes_last_and_constants_say_nothing() -> None:
    space = WHOLE.restricted(WHOLE.all_choices()[:4])
    values = np.array([[3.0, 7], [np.nan, 7], [1, 7], [3, 7]])
    columns = ProxyTable(space, ["zen", "flops"], values, "")(space.unique())
    # Middles of ranks: 3, 0.5, 1.5, 3.
    expected = np.array([1, -1.5, -0.5, 1])
    np.testing.assert_allclose(columns[:, 0], expected / expected.std(), rtol=1e-6)
    np.testing.assert_array_equal(columns[:, 1], 0)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'naswot'"):
        memory(tmp_path, "naswt")
    assert "naswt" not in PROXIES
    with pytest.raises(InvalidArgumentError, match="25 proxies are missing"):
        memory(tmp_path, "snip").table()
    large = open_space("layerwise")
    training = TrainingObjective(large, squares(), epochs=1, device="cpu")
    with pytest.raises(InvalidArgumentError, match=f"{large.encodings:,} encodings, too many"):
        ProxyMemory(large, training, ["snip"], tmp_path)
    data = squares()
    graph = Graph(np.zeros((5, 2), dtype=np.float32), np.zeros((2, 0), dtype=np.int64))
    nodes = Dataset("nodes", data.train, data.validation, data.test, 3, graph=graph)
    with pytest.raises(InvalidArgumentError, match="'nodes' is a graph"):
        memory(tmp_path, "snip", data=nodes)
    assert list(tmp_path.iterdir()) == []
