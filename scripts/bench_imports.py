"""Peak memory and time of importing NATS-Bench's topology folder; part of ``scripts/bench``.

The files have the official layout and size, and made-up values. Run alone:
``python scripts/bench_imports.py [FILES]``, by default all 15,625.
"""

from __future__ import annotations

import bz2
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests know the layout of the files
_MARK = "@architecture@"
_VARIANTS = 9  # different contents, with one, two and three seeds in turn

_IMPORT = """
import json, os, resource, sys, time
os.environ["SURROGATE_NAS_HOME"] = sys.argv[2]
from surrogate_nas.benchmarks.importers.base import Listener
from surrogate_nas.benchmarks.importers.nats_bench import import_nats_tss

start = time.perf_counter()
made = import_nats_tss(sys.argv[1], name="nats-tss", listener=Listener())
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps({
    "architectures": made.architectures,
    "seconds": time.perf_counter() - start,
    "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    "table_megabytes": made.path.stat().st_size / 1e6,
}))
"""


def nats_import(files: int = 15_625) -> dict[str, Any]:
    """Import a folder of ``files`` files in a fresh process; the peak may be 1,000 MB."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "NATS-tss-v1_0-3ffb9-simple")
        archive.mkdir()
        total = _write(archive, files)
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, archive, Path(folder, "home")],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured | {"kilobytes_per_file": total / files / 1e3}


def _write(archive: Path, files: int) -> int:
    """Write the files; returns their size in all.

    Compressing each would take half an hour. So only its beginning, which names the architecture,
    is compressed; the rest follows as another bzip2 stream.
    """
    from surrogate_nas.spaces.nasbench201 import NASBench201Space

    space = NASBench201Space()
    variants = [_variant(number % 3 + 1, number) for number in range(_VARIANTS)]
    total = 0
    for number, choices in enumerate(space.all_choices()[:files].tolist()):
        text = space.format(space.architecture(choices))
        head, rest = variants[number % _VARIANTS]
        named = head + b"X" + len(text).to_bytes(4, "little") + text.encode()
        content = bz2.compress(named) + rest
        archive.joinpath(f"{number:06d}.pickle.pbz2").write_bytes(content)
        total += len(content)
    return total


def _variant(seeds: int, number: int) -> tuple[bytes, bytes]:
    """The pickle before the architecture's name, and the compressed rest of it."""
    from tests.benchmarks.nats_files import PARTS, SEEDS, arch_state

    rng = np.random.default_rng(number)
    short = {dataset: SEEDS[: 2 if dataset == "cifar10-valid" else 1] for dataset in PARTS}
    long = dict.fromkeys(PARTS, SEEDS[:seeds])
    states = {
        "12": arch_state(number, _MARK, 12, short, rng, old=False),
        "200": arch_state(number, _MARK, 200, long, rng, old=True),
    }
    # Protocol 3, as protocol 4 contains the length of the rest; the name occurs once.
    content = pickle.dumps(states, protocol=3)
    head, rest = content.split(b"X" + len(_MARK).to_bytes(4, "little") + _MARK.encode())
    return head, bz2.compress(rest)


if __name__ == "__main__":
    print(json.dumps(nats_import(*map(int, sys.argv[1:])), indent=2))
