"""The page about testing plug-ins, as its reader would follow it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from surrogate_nas import testing
from surrogate_nas.testing import Contract
from surrogate_nas.testing.contract import need_not, raises

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def test_every_contract_is_in_the_table() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    assert {*listed, "Contract"} == set(testing.__all__)
    for name in listed:
        assert issubclass(getattr(testing, name), Contract)
        assert getattr(testing, name).promises()


def test_the_example_keeps_its_promises_without_a_test_runner(tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    (tmp_path / "blind.py").write_text(example)
    code = "import sys, blind; print(blind.TestBlind.check()); assert 'pytest' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "{}\n"), done.stderr


class Broken(Contract):
    def test_one(self) -> None:
        raise need_not("a reason")

    def test_two(self) -> None:
        with raises(ValueError, match="small"):
            raise ValueError("large")


class Lazy(Contract):
    def test_nothing_is_raised(self) -> None:
        with raises(ValueError):
            pass


def test_broken_promises_are_noticed() -> None:
    assert Broken.promises() == ["test_one", "test_two"]
    with pytest.raises(AssertionError, match="'large' does not say 'small'"):
        Broken.check()
    with pytest.raises(AssertionError, match="ValueError was not raised"):
        Lazy.check()
