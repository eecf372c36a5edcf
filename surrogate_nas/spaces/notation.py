"""Reads many texts that consist of pieces, fast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.spaces.decisions import Decision


@dataclass(frozen=True, slots=True)
class Piece:
    """The possible texts of a piece of a notation.

    Attributes:
        texts: The texts, all different.
        choices: int (texts, k), the k decisions that each text stands for.
    """

    texts: Sequence[str]
    choices: IntArray


def option_pieces(decisions: Iterable[Decision | Sequence[str]]) -> list[Piece]:
    """The pieces of a notation in which each piece is the name of an option, or an alias."""
    texts = (d.options if isinstance(d, Decision) else d for d in decisions)
    return [Piece(options, np.arange(len(options))[:, None]) for options in texts]


def read_pieces(
    texts: Sequence[str], separator: str, pieces: Sequence[Piece]
) -> tuple[IntArray, BoolArray]:
    """Read the texts that consist of one text for each piece, joined by a separator.

    Returns:
        int16 (n, decisions), zeros for texts that were not read, and bool (n,), whether each was.
    """
    known = np.array([text.count(separator) == len(pieces) - 1 for text in texts], dtype=np.bool_)
    # One flat list, because a list for each text would take most of the time.
    fit = [texts[i] for i in np.flatnonzero(known).tolist()]
    flat = separator.join(fit).split(separator)
    columns, good = [], np.ones(len(fit), dtype=np.bool_)
    for i, piece in enumerate(pieces):
        number = {text: row for row, text in enumerate(piece.texts)}
        column = map(number.get, flat[i :: len(pieces)], repeat(-1))
        found = np.fromiter(column, dtype=np.int64, count=len(fit))
        good &= found >= 0
        columns.append(piece.choices[found])
    read = np.concatenate(columns, axis=1)
    choices = np.zeros((len(texts), read.shape[1]), dtype=np.int16)
    known[known] = good
    choices[known] = read[good]
    return choices, known
