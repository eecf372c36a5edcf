import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.files import (
    cannot_write,
    cut_torn_line,
    replacing,
    try_to_write,
    write_bytes,
    write_text,
    writing,
)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "före\n")
    with writing(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_text(encoding="utf-8") == "före\n"
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_what_was_there(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"before")
    with pytest.raises(failure), writing(path) as file:  # noqa: PT012
        file.write(b"half")
        raise failure
    with pytest.raises(failure), replacing(path) as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise failure
    with pytest.raises(FileNotFoundError), replacing(path):
        pass  # wrote nothing
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_permissions_and_links_are_those_of_plain_files(tmp_path: Path) -> None:
    code = (
        "import os, sys; from surrogate_nas.files import write_bytes; os.umask(0o027); "
        "write_bytes(sys.argv[1], b'x'); open(sys.argv[2], 'wb').close()"
    )
    ours, plain = tmp_path / "ours", tmp_path / "plain"
    subprocess.run([sys.executable, "-c", code, ours, plain], check=True)
    assert ours.stat().st_mode == plain.stat().st_mode
    link = tmp_path / "link"
    link.symlink_to(ours)
    write_bytes(link, b"y")
    assert link.is_symlink()
    assert ours.read_bytes() == b"y"


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from surrogate_nas.files import write_bytes; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    write_bytes(sys.argv[1], bytes(100_000))\n"
        "except OSError as error:\n    print(error.errno)"
    )
    path = tmp_path / "file"
    done = subprocess.run(
        [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) == errno.EFBIG
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "repair"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "choose a folder")]
)
def test_the_message_has_a_repair(number: int, repair: str) -> None:
    error = OSError(number, os.strerror(number), "elsewhere")
    found = cannot_write("a.h5", error, "the table")
    assert isinstance(found, SurrogateNASError)
    assert str(found).startswith(f"cannot write the table a.h5: {os.strerror(number)}; {repair}")


def test_folders_without_files(tmp_path: Path) -> None:
    try_to_write(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="No such file"):
        try_to_write(tmp_path / "missing")


@pytest.mark.parametrize("torn", [0, 1, 100, 70_000])
@pytest.mark.parametrize("whole", [b"", b"one\ntwo\n", b"x" * 70_000 + b"\n"])
def test_torn_lines_are_cut_off(tmp_path: Path, whole: bytes, torn: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(whole + b"y" * torn)
    with open(path, "r+b") as file:
        assert cut_torn_line(file) == torn
        file.write(b"z\n")
    assert path.read_bytes() == whole + b"z\n"


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_line_is_added_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "log"
    code = (
        "import resource, sys; from surrogate_nas.files import append\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "file = open(sys.argv[1], 'ab', buffering=0)\n"
        "append(file, bytes(600))\n"
        "try:\n    append(file, bytes(600))\n"
        "except OSError as error:\n    print(error.errno)\n"
        "append(file, bytes(400))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) == errno.EFBIG
    assert path.stat().st_size == 1000
