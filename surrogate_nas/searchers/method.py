"""Parses names of search methods: ``evolution``, ``hyperband:evolution+gp``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.registry import load, names
from surrogate_nas.searchers.base import Requirements, Searcher

AUTO, NONE = "auto", "none"
"""The names that stand for a predictor chosen for the task, and for no predictor."""


@dataclass(frozen=True, slots=True)
class Method:
    """A searcher with its variant and its predictor.

    >>> Method.parse("hyperband:evolution+gp").inner
    Method(searcher='evolution', variant=None, inner=None, predictor=None)

    Attributes:
        searcher: A registered name, or a dotted path ``module:Class``.
        variant: What follows the colon, or None.
        inner: The searcher inside a composite, which guides itself or not; else None.
        predictor: What follows the plus: a registered name, a file of weights, a dotted path,
            `AUTO` or `NONE`; None where there is no plus.
    """

    searcher: str
    variant: str | None = None
    inner: Method | None = None
    predictor: str | None = None

    @classmethod
    def parse(cls, text: str) -> Method:
        """Read ``searcher`` or ``searcher:variant``, either with ``+predictor``.

        All text after the first plus is the predictor, so the path of a file may have a plus.

        Raises:
            UnknownNameError: If there is no such searcher or predictor; the message suggests the
                nearest.
            InvalidArgumentError: If a part is empty, a searcher has no variants and one is named,
                a composite is inside itself, or a dotted path does not lead anywhere.
        """
        name, plus, predictor = text.partition("+")
        if plus and not predictor:
            raise InvalidArgumentError(
                f"searcher {text!r} names no predictor after its plus; leave the plus out, or "
                f"name one: {name}+gp"
            )
        if plus:
            check_predictor(predictor)
        found = _parsed(name, ())
        return cls(found.searcher, found.variant, found.inner, predictor if plus else None)

    @property
    def name(self) -> str:
        """The searcher with its variant, without the predictor."""
        return self.searcher if self.variant is None else f"{self.searcher}:{self.variant}"

    def __str__(self) -> str:
        return self.name if self.predictor is None else f"{self.name}+{self.predictor}"

    @property
    def kind(self) -> Any:
        """The searcher's class, or a function that makes one."""
        return load("searcher", self.searcher)

    @property
    def requirements(self) -> Requirements:
        """Further arguments of the searcher's constructor, without those of an inner searcher."""
        return _requirements(self.kind, self.variant)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that the searcher, or the inner one, needs."""
        inner = () if self.inner is None else self.inner.features
        return tuple(dict.fromkeys([*self.requirements.features, *inner]))

    @property
    def guide(self) -> str | None:
        """The predictor that was named; None if there is none or if it is `NONE`."""
        return None if self.predictor == NONE else self.predictor

    @property
    def own_guide(self) -> str | None:
        """The default predictor of the searcher, or of the inner one."""
        own = self.requirements.guide
        return self.inner.own_guide if own is None and self.inner is not None else own

    @property
    def unguided(self) -> Method | None:
        """The same search without a guide; None if it has none.

        Of a searcher that always has a guide, as ``bayesian``, it is evolution.
        """
        if self.guide is None and self.own_guide is None:
            return None
        if self.requirements.guide is not None:
            return Method("evolution")
        inner = self.inner
        if inner is not None and inner.own_guide is not None:
            inner = inner.unguided
        variant = self.variant if inner is None else inner.name
        return Method(self.searcher, variant, inner)


def check_predictor(name: str) -> None:
    """Check that a name is registered, `AUTO`, `NONE`, a file of weights or a dotted path.

    Raises:
        UnknownNameError: With the nearest name.
    """
    from surrogate_nas.tensor_files import SUFFIX

    known = [*names("predictor"), AUTO, NONE]
    if name not in known and ":" not in name and not name.endswith(SUFFIX):
        raise UnknownNameError("predictor", name, known)


def _parsed(name: str, outer: tuple[str, ...]) -> Method:
    """Parse an inner searcher, which has no predictor in its name."""
    searcher, variant = _parts(name)
    kind = load("searcher", searcher)
    if variant is not None:
        _check_variant(kind, searcher, variant)
    if searcher in outer:
        raise InvalidArgumentError(
            f"the inner searcher of {searcher} must be another one, got {searcher!r} inside it; "
            f"try {searcher}:evolution"
        )
    inner = _requirements(kind, variant).inner
    return Method(searcher, variant, None if inner is None else _parsed(inner, (*outer, searcher)))


def _parts(name: str) -> tuple[str, str | None]:
    """The searcher's own name, a registered one or a dotted path, and the variant."""
    known = names("searcher")
    head, colon, rest = name.partition(":")
    if head in known:
        return head, rest if colon else None
    if not colon or ("." not in head and (not head or find_spec(head) is None)):
        raise UnknownNameError("searcher", head, known)
    attribute, colon, variant = rest.partition(":")
    return f"{head}:{attribute}", variant if colon else None


def _check_variant(kind: Any, searcher: str, variant: str) -> None:
    if getattr(kind, "variant", None) is None:
        raise InvalidArgumentError(
            f"searcher {searcher!r} has no variants, got {f'{searcher}:{variant}'!r}; leave out "
            f"{f':{variant}'!r}"
        )
    if not variant:
        raise InvalidArgumentError(
            f"searcher '{searcher}:' names no variant after its colon; leave the colon out"
        )


def _requirements(kind: Any, variant: str | None) -> Requirements:
    if isinstance(kind, type) and issubclass(kind, Searcher):
        return kind.requirements(variant)
    return Requirements()  # a function that makes a searcher of a space and a seed
