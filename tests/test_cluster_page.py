"""The page about clusters: its commands, scripts and manifests are checked without a cluster."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from surrogate_nas.cli import parser

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cluster.md"
FILES = ROOT / "docs" / "cluster"


def commands(text: str) -> Iterator[list[str]]:
    """The words of each call of the program."""
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line)
            if words[:1] == ["surrogate-nas"]:
                yield words[1:]


def manifests() -> Iterator[Any]:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    for path in sorted(FILES.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def accepted(words: list[str]) -> None:
    chosen = parser().parse_args(words)
    assert chosen.command in ("search", "verify")


def test_commands_are_those_of_the_program() -> None:
    found = list(commands(PAGE.read_text(encoding="utf-8")))
    assert len(found) >= 4
    for words in found:
        accepted(words)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).exists(), target


def test_the_slurm_script_starts_a_shared_search(tmp_path: Path) -> None:
    program = tmp_path / "surrogate-nas"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    script = FILES / "search.slurm"
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    without = subprocess.run(["bash", script], env=environment, capture_output=True, text=True)
    assert without.returncode != 0
    assert "STORE=URL" in without.stderr
    environment["STORE"] = "postgresql+psycopg://nas@db/nas"
    done = subprocess.run(
        ["bash", script], env=environment, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    accepted(words)
    assert "--share" in words
    assert words[words.index("--store") + 1] == environment["STORE"]
    options = re.findall(r"^#SBATCH --([a-z-]+)", script.read_text(), flags=re.MULTILINE)
    assert {"array", "gres", "requeue", "time"} <= set(options)


def test_manifests_are_those_of_kubernetes() -> None:
    """Against the schemas of Kubernetes; the pods of a cluster of KubeRay, too."""
    validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    kinds = []
    for manifest in manifests():
        kinds.append(manifest["kind"])
        if manifest["kind"] != "RayCluster":
            validate.validate(manifest, "1.29", strict=True)
            continue
        spec = manifest["spec"]
        for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
            validate.validate({**pod, **group["template"]}, "1.29", strict=True)
            assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    assert kinds.count("Job") == 2
    assert "StatefulSet" in kinds


def test_jobs_start_the_program_with_options_that_it_has() -> None:
    jobs = [manifest for manifest in manifests() if manifest["kind"] == "Job"]
    for job in jobs:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["surrogate-nas"]
        accepted(container["args"])
