"""The base of all contract tests; it needs no test runner."""

from __future__ import annotations

import re
import unittest
from collections.abc import Iterator
from contextlib import contextmanager


class Contract:
    """Promises of an abstraction: methods whose names begin with ``test_``.

    A subclass names the implementation. pytest finds the methods if its name begins with ``Test``,
    and `unittest` if it is also a `unittest.TestCase`; `check` needs neither. A promise that an
    implementation need not keep raises `unittest.SkipTest` with the reason.
    """

    @classmethod
    def promises(cls) -> list[str]:
        """Names of the methods, in their order."""
        found = dict.fromkeys(name for kind in reversed(cls.__mro__) for name in vars(kind))
        return [name for name in found if name.startswith("test_")]

    @classmethod
    def check(cls) -> dict[str, str]:
        """Test all promises.

        Returns:
            The reason for each promise that need not be kept.

        Raises:
            AssertionError: If a promise is broken.
        """
        reasons = {}
        for name in cls.promises():
            try:
                getattr(cls(), name)()
            except unittest.SkipTest as skipped:
                reasons[name] = str(skipped)
        return reasons


def need_not(reason: str) -> unittest.SkipTest:
    """The exception of a promise that an implementation need not keep."""
    return unittest.SkipTest(reason)


class _Caught:
    value: BaseException


@contextmanager
def raises(kind: type[BaseException], *, match: str = "") -> Iterator[_Caught]:
    """Fail unless the body raises ``kind``, with a message in which ``match`` is found."""
    caught = _Caught()
    try:
        yield caught
    except kind as error:
        caught.value = error
    else:
        raise AssertionError(f"{kind.__name__} was not raised")
    text = str(caught.value)
    assert re.search(match, text), f"{text!r} does not say {match!r}"
