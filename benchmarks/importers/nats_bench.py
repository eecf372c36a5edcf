"""NATS-Bench: the topology space and the size space, three image data sets."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from surrogate_nas.benchmarks.importers.archives import Archive, import_archive
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.bounded import unpack_bzip2
from surrogate_nas.pickles import naming, parse_pickle
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.nats_size import NATSSizeSpace


def import_nats_tss(source: str | os.PathLike[str], *, name: str, listener: Listener) -> Imported:
    """Make installed tables of NATS-Bench's topology part, one for each run.

    The table ``name`` holds the run of 200 epochs, ``name-hp12`` that of 12, which the API calls
    ``hp``. The tasks ``cifar10``, ``cifar100`` and ``ImageNet16-120`` follow the community's
    protocol. A search sees the accuracy on ``x-valid``, on CIFAR-10 of a training on half of the
    images (the API's ``cifar10-valid``). The accuracy on the test images is hidden: ``x-test``, on
    CIFAR-10 ``ori-test`` of a training on all images. Every epoch with a recorded validation
    accuracy is a budget: a whole curve in the run of 12 epochs, and in that of 200 on CIFAR-10;
    elsewhere the last epoch alone. Seeds 0, 1, 2 are the API's 777, 888, 999. Metrics are those of
    `results_count.METRICS`. Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture
    Topology and Size", TPAMI 2021.

    Args:
        source: The unpacked folder ``NATS-tss-v1_0-3ffb9-simple``, which is read file by file, or
            the file ``NATS-tss-v1_0-3ffb9.pickle.pbz2``, which needs much memory.
        name: Name of the first table; old tables of these names are replaced.
        listener: Hears about the progress.

    Returns:
        The table of the longest run; the others are in its ``also``.

    Raises:
        InvalidArgumentError: If the name breaks a rule, or there is no such file or folder.
        UnsafePickleError: If a file holds more than plain data; nothing of it was executed.
        FormatError: If a file is damaged or of another kind; then nothing is written.
    """
    return import_archive(source, TOPOLOGY, name=name, listener=listener)


def import_nats_sss(source: str | os.PathLike[str], *, name: str, listener: Listener) -> Imported:
    """Make installed tables of NATS-Bench's size part, one for each run.

    The table ``name`` holds the run of 90 epochs, ``name-hp12`` and ``name-hp01`` those of 12 and
    of 1; all have whole curves. Otherwise it is like `import_nats_tss`.

    Args:
        source: The unpacked folder ``NATS-sss-v1_0-50262-simple``, which is read file by file, or
            the file ``NATS-sss-v1_0-50262.pickle.pbz2``, which needs much memory.
        name: See `import_nats_tss`.
        listener: See `import_nats_tss`.

    Returns and raises as `import_nats_tss` does.
    """
    return import_archive(source, SIZE, name=name, listener=listener)


_TIMES = 40  # bytes for each byte of a file; numbers and their names compress by 10 or less


def _load(file: Path) -> Any:
    with naming(file, "pickle compressed by bzip2"):
        return parse_pickle(unpack_bzip2(file, _TIMES))


TOPOLOGY = Archive(
    space=NASBench201Space(),
    runs={"12": "12", "200": "200"},
    file=re.compile(r"([0-9]+)\.pickle\.pbz2"),
    example="000000.pickle.pbz2",
    load=_load,
    share=35,  # measured 22 with random numbers; real ones are compressed more
    citation="NATS-Bench, topology (Dong et al., TPAMI 2021)",
)
SIZE = replace(
    TOPOLOGY,
    space=NATSSizeSpace(),
    runs={"01": "01", "12": "12", "90": "90"},
    citation="NATS-Bench, size (Dong et al., TPAMI 2021)",
)
