"""Runs a page's code blocks as its reader would: fresh environment, empty folder.

Makes a wheel of this checkout, installs it with its dependencies into a new environment of the
Python that runs this script, and runs the blocks in their order: tables of text become files,
commands run one by one, and the Python blocks in one process, as one may go on from another. Lines
of the shell other than ``surrogate-nas …`` are listed, and not run. It needs a package index, and
nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from blocks import blocks

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Print a line for each block; the exit code is 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("page", nargs="?", type=Path, default=ROOT / "README.md")
    parser.add_argument("--extras", default="dataframe", help="default: %(default)s")
    parser.add_argument("--bin", type=Path, help="programs of an environment that is there already")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        programs = arguments.bin or _installed(Path(folder, "environment"), arguments.extras)
        work = Path(folder, "empty")
        work.mkdir()
        return _run_all(arguments.page, programs.absolute(), work)


def _installed(folder: Path, extras: str) -> Path:
    """The folder of programs of a new environment with this program."""
    print(f"Python {sys.version.split()[0]}: installing into a new environment", flush=True)
    started = time.perf_counter()
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = folder / "wheels"
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(wheels), str(ROOT)], check=True)
    (wheel,) = wheels.glob("*.whl")
    pins = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, "install", *pins, f"{wheel}[{extras}]"], check=True)
    print(f"installed in {time.perf_counter() - started:.0f} s", flush=True)
    return programs


def _run_all(page: Path, programs: Path, work: Path) -> int:
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "SURROGATE_NAS_HOME": str(work.parent / "home"),
        "MPLBACKEND": "agg",
    }
    environment.pop("PYTHONPATH", None)
    failed, python = 0, []

    def run(label: str, command: list[str]) -> None:
        nonlocal failed
        started = time.perf_counter()
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        said = "ok" if done.returncode == 0 else f"FAILED ({done.returncode})"
        print(f"{said:12} {time.perf_counter() - started:6.1f} s  {label}", flush=True)
        if done.returncode != 0:
            failed += 1
            print(done.stdout[-2000:] + done.stderr[-4000:])

    for block in blocks(page.read_text(encoding="utf-8")):
        if block.file is not None:
            (work / block.file).write_text(block.text, encoding="utf-8")
            print(f"{'wrote':12} {'':6}    {block.file}")
        elif block.language == "python":
            python.append(block.text)
        elif block.language in ("console", "bash"):
            for command in block.commands:
                program, *rest = shlex.split(command, comments=True)
                if program == "surrogate-nas":
                    run(command, [str(programs / program), *rest])
                else:
                    print(f"{'not run':12} {'':6}    {command}")
    if python:
        label = f"{len(python)} blocks of Python"
        run(label, [str(programs / "python"), "-c", "\n".join(python)])
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
