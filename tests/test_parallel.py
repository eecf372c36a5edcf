from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.parallel import Pool, cores, default_workers, dispatch, each, one_thread

ROOT = Path(__file__).resolve().parent.parent


def square(x: int) -> int:
    if x < 0:
        raise ValueError("negative")
    return x * x


def threads(_: int) -> list[int]:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((50, 50)) @ np.ones((50, 50))
    assert os.environ["OMP_NUM_THREADS"] == "1"
    return [int(pool["num_threads"]) for pool in threadpool_info()]


def where(job: int, device: str) -> tuple[int, str]:
    if job < 0:
        raise ValueError("negative")
    return os.getpid(), device


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def nap(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(100)


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_each_job_once(workers: int) -> None:
    found = dict(each(square, [3, 1, 2], workers=workers))
    assert found == {0: 9, 1: 1, 2: 4}
    assert list(each(square, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_of_a_job_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        list(each(square, [3, -1], workers=workers))


def test_a_killed_worker_is_explained() -> None:
    with pytest.raises(SurrogateNASError, match="worker process was killed"):
        list(each(die, [0, 1], workers=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_one_thread(workers: int) -> None:
    for _, found in each(threads, [0, 1], workers=workers):
        assert found
        assert set(found) == {1}


def test_one_thread_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread(), one_thread():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_cores() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_a_process_a_gpu_or_a_core() -> None:
    assert default_workers(["cpu"]) == cores()
    assert default_workers(["cuda:0", "cuda:1"]) == 2
    assert default_workers(["mps"]) == 1


@pytest.mark.parametrize(("workers", "used"), [(1, [1, 0]), (3, [2, 1])])
def test_processes_are_spread_over_devices_and_stay_there(workers: int, used: list[int]) -> None:
    waiting = list(range(24))
    processes: dict[str, set[int]] = {"a": set(), "b": set()}
    done = []
    with Pool(workers) as pool:
        for job, result in dispatch(
            pool, where, lambda: waiting.pop(0) if waiting else None, list(processes)
        ):
            done.append(job)
            process, device = result()
            processes[device].add(process)
            time.sleep(0.03)  # in which the others finish, too
    assert sorted(done) == list(range(24))
    assert [len(found) for found in processes.values()] == used
    assert not processes["a"] & processes["b"]


def test_the_next_job_is_known_before_a_place_is_free() -> None:
    waiting = list(range(5))
    left = []
    with Pool(1) as pool:
        for _ in dispatch(pool, where, lambda: waiting.pop(0) if waiting else None, ["a"]):
            left.append(len(waiting))
    assert left == [3, 2, 1, 0, 0]


def test_an_exception_of_a_spread_job_is_that_of_its_result() -> None:
    waiting = [2, -1]
    with Pool(1) as pool:
        found = dict(dispatch(pool, where, lambda: waiting.pop(0) if waiting else None, ["a", "b"]))
    assert found[2]()[1] == "a"
    with pytest.raises(ValueError, match="negative"):
        found[-1]()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or ") Z" not in stat.read_text()


def test_workers_end_with_their_killed_parent(tmp_path: Path) -> None:
    code = (
        "from surrogate_nas.parallel import each\n"
        "from tests.test_parallel import nap\n"
        f"list(each(nap, [{str(tmp_path)!r}] * 2, workers=2))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2:
        assert time.monotonic() < deadline
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    while any(alive(process) for process in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_process_that_cannot_start_is_explained() -> None:
    with Pool(1, square, -1) as pool:  # the setup fails
        pool.submit(square, 2)
        with pytest.raises(SurrogateNASError, match="could not start"):
            pool.wait()
