"""Data sets with disjoint training, validation and test parts."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from surrogate_nas import registry
from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import FormatError, InvalidArgumentError, SurrogateNASError
from surrogate_nas.training.datasets.examples import Examples, Graph, Source, Split
from surrogate_nas.training.datasets.graphs import geometric_examples
from surrogate_nas.training.networks.base import NetworkTask

_SAMPLED = 16  # one input in so many


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test examples that have no row in common.

    Attributes:
        name: Name in the registry.
        train: The part for training.
        validation: The part for validation, which a search sees.
        test: The part for tests, which only reports see.
        classes: Number of classes; labels are 0 to classes - 1.
        flip: Whether a mirrored image is an example of the same class.
        graph: The graph whose nodes are the examples, or None for images.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    flip: bool = False
    graph: Graph | None = None

    @property
    def task(self) -> NetworkTask:
        """The input shape and classes of a network for this data set."""
        inputs = self.train.inputs if self.graph is None else self.graph.features
        return NetworkTask(inputs.shape[1:], self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all examples and labels, by which the data are recognised in any folder."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            for array in (part.inputs, part.labels):
                digest.update(f"{array.shape} {array.dtype}".encode())
                digest.update(np.ascontiguousarray(array).data)
        if self.graph is not None:
            for array in (self.graph.features, self.graph.edges):
                digest.update(f"{array.shape} {array.dtype}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:32]

    @cached_property
    def sampled_hashes(self) -> frozenset[int]:
        """Hashes of about a sixteenth of its inputs, by which its parts are recognised.

        They are chosen by the hashes themselves, so those of a part are among those of the whole.
        """
        if self.graph is None:
            arrays = [part.inputs for part in (self.train, self.validation, self.test)]
        else:
            arrays = [self.graph.features]
        digests = (
            hashlib.blake2b(row.tobytes(), digest_size=6).digest()
            for array in arrays
            for row in np.ascontiguousarray(array)
        )
        numbers = (int.from_bytes(digest, "big") for digest in digests)
        return frozenset(number for number in numbers if number % _SAMPLED == 0)

    @cached_property
    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the training inputs: float64 (channels,) each."""
        if self.graph is not None:
            raise InvalidArgumentError(f"data set {self.name!r} is a graph; this needs images")
        inputs = self.train.inputs
        mean = inputs.mean(axis=(0, 2, 3), dtype=np.float64)
        std = inputs.std(axis=(0, 2, 3), dtype=np.float64)
        return mean, np.where(std > 0, std, 1.0)


def open_dataset(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    validation: float = 0.2,
    test: float = 0.2,
    split_seed: int = 0,
) -> Dataset:
    """Open a data set of a registered name, or of ``module:function``.

    If the source has no validation or test part, this part is drawn from the training part, the
    same share of each class.

    Args:
        name: See `registry.DATASETS`; or a function from a folder to `Examples`.
        data_dir: The folder or file that holds the data; not for those that come with a package.
        validation: Share of the training part that becomes the validation part.
        test: Share of the training part that becomes the test part, which is drawn first.
        split_seed: Seed of the draw.

    Raises:
        UnknownNameError: If there is no such data set.
        InvalidArgumentError: If ``data_dir`` is missing or leads nowhere, or a share is not
            between 0 and 1.
        FormatError: If a file is missing, damaged, or of another kind.
        MissingDependencyError: If the package that holds or reads the data is not installed.
    """
    for argument, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise InvalidArgumentError(f"{argument} must be a share between 0 and 1, got {share}")
    source: Source = registry.load("dataset", name)
    folder = None if data_dir is None else Path(data_dir)
    if folder is not None and not folder.exists():
        raise InvalidArgumentError(f"data_dir must exist, but there is no {os.fspath(folder)!r}")
    found = _read(name, source, folder)
    rng = np.random.default_rng(split_seed)
    rest, test_part = _separated(name, found.train, found.test, test, rng)
    train, validation_part = _separated(name, rest, found.validation, validation, rng)
    known = np.unique(train.labels)
    if len(known) < 2:
        raise FormatError(f"data set {name!r} must have at least two classes, got {len(known)}")
    parts = [train, validation_part, test_part]
    if found.graph is None:
        parts = [_images(name, part, train) for part in parts]
    train, validation_part, test_part = (_labelled(name, part, known) for part in parts)
    return Dataset(
        name, train, validation_part, test_part, len(known), flip=found.flip, graph=found.graph
    )


def _read(name: str, source: Source, folder: Path | None) -> Examples:
    """The examples of a source, checked."""
    try:
        found: Examples | None = source(folder)
    except SurrogateNASError:
        raise
    except Exception as error:
        raise FormatError(
            f"data set {name!r} cannot be read: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Examples):
        kind = type(found).__name__
        found = geometric_examples(f"data set {name!r}", found)
        if found is None:
            raise FormatError(
                f"data set {name!r} must be Examples, or one graph of PyTorch Geometric, got {kind}"
            )
    for part in (found.train, found.validation, found.test):
        if part is not None and len(part.inputs) != len(part.labels):
            raise FormatError(
                f"data set {name!r} has {len(part.inputs)} inputs with {len(part.labels)} labels"
            )
    if len(found.train) == 0:
        raise FormatError(f"data set {name!r} has no training examples")
    return found


def _separated(
    name: str, whole: Split, given: Split | None, share: float, rng: np.random.Generator
) -> tuple[Split, Split]:
    if given is not None:
        return whole, given
    rest, part = stratified(whole.labels, share, rng)
    if len(part) == 0:
        raise FormatError(
            f"data set {name!r} has {len(whole)} training examples, too few to take a share of "
            f"{share} of each class from them"
        )
    return whole.take(rest), whole.take(part)


def stratified(
    labels: IntArray, share: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Two disjoint sets of rows, the second with the share of each class, rounded.

    A class keeps at least one row in the first.

    Args:
        labels: int (n,).
        share: Between 0 and 1.
        rng: Draws the rows.

    Returns:
        Rows of the first and of the second set, ascending.
    """
    part = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        part.append(rows[: min(round(share * len(rows)), len(rows) - 1)])
    chosen = np.sort(np.concatenate(part))
    return np.setdiff1d(np.arange(len(labels)), chosen, assume_unique=True), chosen


def _images(name: str, part: Split, train: Split) -> Split:
    """The part with checked, contiguous images."""
    inputs = np.ascontiguousarray(part.inputs)
    if inputs.ndim != 4 or inputs.shape[1:] != train.inputs.shape[1:] or len(part) != len(inputs):
        raise FormatError(
            f"data set {name!r}: inputs must be (n, channels, height, width), the same in all "
            f"parts, with a label each; got {inputs.shape} with {len(part)} labels beside "
            f"{train.inputs.shape}"
        )
    if inputs.dtype != np.uint8:
        inputs = inputs.astype(np.float32)
        if not np.isfinite(inputs).all():
            raise FormatError(f"data set {name!r} has inputs that are not finite")
    return Split(inputs, part.labels)


def _labelled(name: str, part: Split, known: IntArray) -> Split:
    """The part with labels that are numbered from 0."""
    if len(part) == 0:
        raise FormatError(f"data set {name!r} has a part without examples")
    labels = np.searchsorted(known, part.labels)
    labels[labels == len(known)] = 0
    unseen = known[labels] != part.labels
    if unseen.any():
        raise FormatError(
            f"data set {name!r}: no training example has the label {part.labels[unseen][0]}"
        )
    return Split(part.inputs, labels.astype(np.int64))
