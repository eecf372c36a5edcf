"""Results of real trainings of a search's winners."""

from __future__ import annotations

from dataclasses import dataclass

from surrogate_nas.records.base import JsonRecord


@dataclass(frozen=True, slots=True)
class VerifiedArchitecture(JsonRecord):
    """A winner, and what its trainings gave; values of the search are in the metric's own sign.

    Attributes:
        arch: The architecture.
        predicted: What a predictor said before the search measured it, or null.
        table: What the search measured: the table's value, or that of its own training.
        trained: Accuracy in % with each seed; null where a training failed or was not made.
    """

    arch: str
    predicted: float | None
    table: float
    trained: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class VerificationRecord(JsonRecord):
    """A search's winners, really trained.

    Attributes:
        architectures: The best first.
        kendall_tau: Kendall's τ-b of the search's values and the means of the trained ones; null
            where one of them is constant.
        seconds: How long it took.
        errors: Why trainings failed, with architecture and seed.
        best: The architecture with the best mean over its trainings, by which to choose: that of
            the search is the best of single noisy values. Null where none succeeded.
    """

    architectures: tuple[VerifiedArchitecture, ...]
    kendall_tau: float | None
    seconds: float
    errors: tuple[str, ...]
    best: str | None = None
