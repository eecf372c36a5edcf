"""NAS-Bench-201: cells on three image data sets, in the files of its first publication."""

from __future__ import annotations

import os
import re

from surrogate_nas.benchmarks.importers.archives import Archive, import_archive
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.torch_files import load_torch
from surrogate_nas.spaces.nasbench201 import NASBench201Space


def import_nasbench201(
    source: str | os.PathLike[str], *, name: str, listener: Listener
) -> Imported:
    """Make installed tables of NAS-Bench-201, one for each run.

    The table ``name`` holds the run of 200 epochs (``full`` in the file), ``name-hp12`` that of 12
    (``less``; in version 1.0 on CIFAR-10 and without test accuracies). Tasks, budgets, seeds and
    metrics are those of `nats_bench.import_nats_tss`. Dong and Yang, "NAS-Bench-201: Extending the
    Scope of Reproducible Neural Architecture Search", ICLR 2020.

    Args:
        source: ``NAS-Bench-201-v1_0-e61699.pth`` or ``NAS-Bench-201-v1_1-096897.pth``, which need
            much memory; or a folder of one of their archives with files ``000000-FULL.pth`` or
            ``000000-SIMPLE.pth``, which is read file by file.
        name: See there.
        listener: See there.

    Returns and raises as `nats_bench.import_nats_tss` does.
    """
    return import_archive(source, ARCHIVE, name=name, listener=listener)


ARCHIVE = Archive(
    space=NASBench201Space(),
    runs={"less": "12", "full": "200"},
    file=re.compile(r"([0-9]+)-(?:FULL|SIMPLE)\.pth"),
    example="000000-FULL.pth",
    load=load_torch,
    share=7,  # measured 6.3; the official reader needs twice as much
    citation="NAS-Bench-201 (Dong and Yang, ICLR 2020)",
)
