"""Checkpoints of many trainings in one place that all machines see."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import re
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Protocol

import torch

from surrogate_nas._version import __version__
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    MissingDependencyError,
    SurrogateNASError,
)
from surrogate_nas.files import reason, write_bytes
from surrogate_nas.training.checkpoints import decoded, encoded

_LOG = logging.getLogger(__name__)
_VERSION = 1  # of the files


class _Place(Protocol):
    """Where the files are."""

    slots: tuple[str, ...]  # ends of the names that a checkpoint's epochs take in turn

    def check(self) -> None: ...
    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, content: memoryview) -> None: ...
    def remove(self, name: str) -> None: ...


class CheckpointFolder:
    """A folder, or a URL of `fsspec`, with a checkpoint for each training that is under way.

    Files are named by all that decides a training, so that none is mistaken for another's. One
    that is damaged, or of another version of this program or of PyTorch, is told in a line, and
    the training begins anew; so it does where a checkpoint cannot be written. Objects are
    pickled by their address alone.

    Attributes:
        shown: The address, without a password.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        """Name the folder; see `check`."""
        text = os.fspath(where)
        self.is_url = "://" in text
        self._where = text if self.is_url else os.path.abspath(text)
        self.shown = re.sub(r"//([^/:@]*):[^/@]*@", r"//\1:***@", self._where)

    def __repr__(self) -> str:
        return f"CheckpointFolder({self.shown!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_place"}

    @cached_property
    def _place(self) -> _Place:
        if not self.is_url:
            return _Folder(Path(self._where))
        try:
            import fsspec
            from fsspec.implementations.local import LocalFileSystem

            system, path = fsspec.core.url_to_fs(self._where)
        except ImportError as error:
            raise MissingDependencyError(
                f"--checkpoints {self.shown} needs another package: {error}"
            ) from error
        except Exception as error:  # an unknown protocol, or whatever a driver refuses
            self._refuse(error)
        return _Folder(Path(path)) if isinstance(system, LocalFileSystem) else _Remote(system, path)

    def check(self) -> None:
        """Make the folder if it is missing, and try to write there.

        Raises:
            InvalidArgumentError: If that fails; the message tells the reason.
            MissingDependencyError: If the protocol's package is not installed.
        """
        place = self._place
        try:
            place.check()
        except Exception as error:  # drivers raise errors of their own
            self._refuse(error)

    def _refuse(self, error: Exception) -> NoReturn:
        raise InvalidArgumentError(
            "--checkpoints must be a folder, or a URL of fsspec such as s3://bucket/folder, that "
            f"can be written; {self.shown!r} cannot: {_line(error)}"
        ) from error

    def of(self, label: str, code: str) -> FolderCheckpoint:
        """The checkpoint of one training.

        Args:
            label: All that decides the training.
            code: What else it depends on and may change, such as the source of the network;
                a checkpoint of other code is not used.
        """
        name = hashlib.sha256(label.encode()).hexdigest()[:32]
        made_by = f"surrogate-nas {__version__}, torch {torch.__version__}, code {code}"
        return FolderCheckpoint(self, name, f"version {_VERSION}, {made_by}")


class FolderCheckpoint:
    """The `Checkpoint` of one training; trouble with it never ends the training."""

    def __init__(self, folder: CheckpointFolder, name: str, version: str) -> None:
        self._folder = folder
        self._name = name
        self._version = version
        self._told = False

    @property
    def shown(self) -> str:
        """Its address, without a password."""
        return f"{self._folder.shown}/{self._name}.ckpt"

    def read(self, label: str, device: torch.device) -> dict[str, Any] | None:
        """See `Checkpoint`."""
        found, errors = [], []
        for name in self._names:
            try:
                content = self._folder._place.get(name)
                if content is not None:
                    found.append(self._decoded(content, label, device))
            except SurrogateNASError as error:
                errors.append(error)
            except Exception as error:  # drivers raise errors of their own
                raise SurrogateNASError(
                    f"the checkpoints in {self._folder.shown} cannot be read: {_line(error)}"
                ) from error
        if not found and errors:
            raise errors[0]
        return max(found, key=lambda content: len(content["curve"]), default=None)

    def _decoded(self, content: bytes, label: str, device: torch.device) -> dict[str, Any]:
        # The version is apart from the label, as the file's name does not depend on it.
        whole = decoded(io.BytesIO(content), self.shown, label, device)
        version = whole.pop("version", None)
        if version != self._version:
            raise FormatError(
                f"{self.shown} was written by another version ({version}) than this one "
                f"({self._version})"
            )
        return whole

    def write(self, label: str, content: Mapping[str, Any], epoch: int) -> None:
        """See `Checkpoint`."""
        names = self._names
        try:
            whole = encoded(label, {**content, "version": self._version})
            self._folder._place.put(names[epoch % len(names)], whole)
        except Exception as error:  # a full disk, or drivers' own errors
            if not self._told:
                _LOG.warning(
                    "cannot write a checkpoint in %s: %s; the training goes on without it",
                    self._folder.shown,
                    _line(error),
                )
            self._told = True

    def unusable(self, error: SurrogateNASError) -> None:
        """See `Checkpoint`."""
        text = str(error).removesuffix("; delete it to begin anew")
        _LOG.warning("%s; the training begins anew", text)

    def remove(self) -> None:
        """Remove what is kept."""
        for name in self._names:
            with contextlib.suppress(Exception):  # it is not there, or stays as a leftover
                self._folder._place.remove(name)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(f"{self._name}{end}.ckpt" for end in self._folder._place.slots)


class _Folder:
    """A local or mounted folder, whose files are replaced at once."""

    slots: tuple[str, ...] = ("",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        _try(self)

    def get(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return (self._path / name).read_bytes()
        return None

    def put(self, name: str, content: memoryview) -> None:
        write_bytes(self._path / name, content)

    def remove(self, name: str) -> None:
        (self._path / name).unlink()


class _Remote:
    """Any other file system, few of which replace a file at once: epochs take two in turn."""

    slots: tuple[str, ...] = ("-0", "-1")

    def __init__(self, system: Any, path: str) -> None:
        self._system = system
        self._path = path.rstrip("/")

    def check(self) -> None:
        self._system.makedirs(self._path, exist_ok=True)
        _try(self)

    def get(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            found: bytes = self._system.cat_file(f"{self._path}/{name}")
            return found
        return None

    def put(self, name: str, content: memoryview) -> None:
        self._system.pipe_file(f"{self._path}/{name}", bytes(content))

    def remove(self, name: str) -> None:
        self._system.rm_file(f"{self._path}/{name}")


def _try(place: _Place) -> None:
    name = f"try-{secrets.token_hex(8)}"
    place.put(name, memoryview(b"surrogate-nas"))
    place.remove(name)


def _line(error: Exception) -> str:
    text = reason(error) if isinstance(error, OSError) else str(error)
    return " ".join(text.split())[:300] or type(error).__name__
