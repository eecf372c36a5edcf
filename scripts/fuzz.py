"""Damages files of every format, and looks at what the program makes of them: ``scripts/fuzz``.

Each input must be read as before, or refused by one message within five seconds and 500 MB. A file
that the program wrote must not change what it says. Every input follows from the seed, its format
and its number, so that each finding can be repeated: ``scripts/fuzz --format journal --only 17``.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_formats import FORMATS, Format

from surrogate_nas.errors import SurrogateNASError

SECONDS, MEGABYTES = 5.0, 500
FAULTS = ("traceback", "hang", "crash", "memory", "silent change")
_GUARD = 3 << 30  # bytes of address space beyond those at the start
_SWAPS = (b"null", b"true", b"-1", b"0.5", b"1" + b"0" * 400, b'"x"', b"[]", b"[1]", b"{}")
_VALUE = re.compile(rb'(?<=[:\[,])\s*(?:-?[0-9][0-9.eE+-]*|"[^"\\]{0,80}"|null|true|false)')
_NUMBER = re.compile(rb"[0-9]+")


# Damage ---------------------------------------------------------------------------------------


def truncated(content: bytes, rng: np.random.Generator) -> bytes:
    """The beginning."""
    return content[: int(rng.integers(len(content)))]


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """One to four bits."""
    changed = bytearray(content)
    for position in rng.integers(len(content), size=int(rng.integers(1, 5))).tolist():
        changed[position] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def huge(content: bytes, rng: np.random.Generator) -> bytes:
    """A number in a text, or some bytes, that claim a lot; or many nested brackets."""
    found = list(_NUMBER.finditer(content[: 1 << 16]))
    way = int(rng.integers(4))
    if way == 0 and found:
        match = found[int(rng.integers(len(found)))]
        digits = b"9" * int(rng.choice([9, 12, 400, 5000]))
        return content[: match.start()] + digits + content[match.end() :]
    at = int(rng.integers(len(content)))
    if way == 1:
        return content[:at] + b"[" * 50_000 + content[at:]
    size = int(rng.choice([2, 4, 8]))
    claim = (b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), b"\x00" * (size - 1) + b"\x40")
    return content[:at] + claim[int(rng.integers(3))] + content[at + size :]


def swapped(content: bytes, rng: np.random.Generator) -> bytes:
    """A value of another type in a text; else a block of bytes from another place."""
    found = list(_VALUE.finditer(content[: 1 << 18]))
    if found and not content.startswith((b"\x80", b"PK", b"BZh", b"\x89")):
        match = found[int(rng.integers(len(found)))]
        other = _SWAPS[int(rng.integers(len(_SWAPS)))]
        return content[: match.start()] + other + content[match.end() :]
    start, to = rng.integers(len(content), size=2).tolist()
    block = content[start : start + int(rng.integers(1, 65))]
    return content[:to] + block + content[to + len(block) :]


WAYS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "truncation": truncated,
    "bit flips": flipped,
    "huge claims": huge,
    "type swaps": swapped,
}


def damage(content: bytes, seed: int, name: str, number: int) -> tuple[str, bytes]:
    """How, and the damaged content."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    way = list(WAYS)[number % len(WAYS)]
    return way, WAYS[way](content, rng) if content else b""


# One input ------------------------------------------------------------------------------------


def outcome(form: Format, path: Path, expected: Any, way: str) -> tuple[str, str]:
    """What became of one file: ``same``, ``other``, ``refused`` or a fault; and details."""
    try:
        found = form.read(path)
    except SurrogateNASError as error:
        return "refused", " ".join(str(error).split())[:300]
    except MemoryError:
        return "memory", "MemoryError"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        own = [f for f in traceback.extract_tb(error.__traceback__) if "surrogate" in f.filename]
        last = own[-1] if own else where
        place = f"{Path(last.filename).name}:{last.lineno}"
        return "traceback", f"{place} {type(error).__name__}: {str(error)[:200]}"
    if repr(found) == repr(expected):
        return "same", ""
    if form.ours and not (form.grows and _is_part(found, expected)):
        return "silent change", f"{way}: {repr(found)[:200]}"
    return "other", ""


def _is_part(found: Any, expected: Any) -> bool:
    """Whether a log that was cut off, or lost its last line, holds what was there before."""
    whole, part = repr(expected), [repr(item) for item in found]
    return all(item[:-1] in whole for item in part)


def _fork(jobs: Sequence[int], work: Callable[[int], tuple[str, str]]) -> dict[int, Any]:
    """Do jobs in forks; one that ends its process is a hang or a crash, and others go on."""
    found: dict[int, Any] = {}
    left = list(jobs)
    while left:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _work(left, work, writing)
        os.close(writing)
        with open(reading, "rb") as pipe:
            for line in pipe:
                number, *result = json.loads(line)
                found[number] = result
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        left = [number for number in left if number not in found]
        if left:  # the first of them ended the process
            found[left.pop(0)] = ["hang" if status == -signal.SIGALRM else "crash", f"{status}"]
    return found


def _work(jobs: Sequence[int], work: Callable[[int], tuple[str, str]], pipe: int) -> None:
    faulthandler.disable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _GUARD, size + _GUARD))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    code = 1
    try:
        for number in jobs:
            before = _peak(reset=True)
            signal.setitimer(signal.ITIMER_REAL, 4 * SECONDS)  # of a machine that others use, too
            started = time.process_time()
            kind, told = work(number)
            seconds = time.process_time() - started
            signal.setitimer(signal.ITIMER_REAL, 0)
            if seconds > SECONDS:
                kind, told = "hang", f"{seconds:.1f} s, then {kind}"
            elif _peak() - before > MEGABYTES:
                kind, told = "memory", f"{_peak() - before:.0f} MB, then {kind}"
            os.write(pipe, json.dumps([number, kind, told]).encode() + b"\n")
        code = 0
    finally:
        os._exit(code)


def _peak(*, reset: bool = False) -> float:
    """Megabytes that this process has held at most since the last reset."""
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s*([0-9]+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1000 if found else 0.0


# All ------------------------------------------------------------------------------------------


def fuzz(
    name: str, numbers: Sequence[int], seed: int
) -> tuple[Counter[str], list[tuple[int, str, str]]]:
    """Damage a format; the counts of what happened, and number, kind and details of each fault."""
    form = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SURROGATE_NAS_HOME"] = os.path.join(folder, "home")
        source = Path(folder, "source")
        source.mkdir()
        path = form.write(source)
        kept = Path(folder, "kept")
        shutil.copytree(source, kept)
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        contents = {file: file.read_bytes() for file in files}
        expected = form.read(path)

        def work(number: int) -> tuple[str, str]:
            shutil.rmtree(source)
            shutil.copytree(kept, source)
            file = files[number % len(files)]
            way, content = damage(contents[file], seed, name, number)
            if content == contents[file]:
                return "same", ""
            file.write_bytes(content)
            return outcome(form, path, expected, way)

        found = _fork(numbers, work)
    faults = [(n, kind, told) for n, (kind, told) in sorted(found.items()) if kind in FAULTS]
    return Counter(kind for kind, _ in found.values()), faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, and print what was found; 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=5000, help="of all formats together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=sorted(FORMATS), action="append")
    parser.add_argument("--only", type=int, help="the number of one input")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    names = options.format or list(FORMATS)
    each = -(-options.inputs // len(names))
    numbers = range(each) if options.only is None else [options.only]
    total: Counter[str] = Counter()
    faults = []
    for name in names:
        started = time.perf_counter()
        counts, found = fuzz(name, numbers, options.seed)
        total += counts
        faults += [(name, *fault) for fault in found]
        if not options.json:
            listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            print(f"{name}: {listed} ({time.perf_counter() - started:.0f} s)", flush=True)
            for number, kind, told in found[:20]:
                print(f"  {number} {kind}: {told}", flush=True)
    if options.json:
        print(json.dumps({"seed": options.seed, "counts": total, "faults": faults}))
    else:
        print(f"seed {options.seed}: {sum(total.values())} inputs, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
