"""Architectures as the names of their options, joined by a separator, whatever the names are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError, UnknownNameError
from surrogate_nas.spaces.conditions import Conditions
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.notation import option_pieces, read_pieces

_QUOTES = "\"'`|^"


class OptionTexts:
    """Writes and reads the options of a space's decisions.

    A name that holds the separator or begins with a quote is written in quotes, in which a quote
    is doubled. A decision that is inactive is written ``-``.
    """

    def __init__(
        self, decisions: Sequence[Decision], separator: str, conditions: Conditions | None
    ) -> None:
        """Decide on the quote, which is none of the separator's characters."""
        self._decisions = decisions
        self._conditions = conditions
        self._separator = separator
        self._quote = quote_beside(separator)
        self._blank = "" if "-" in separator else "-"
        self._blanks = {"", self._blank} if conditions is not None else set()
        self._written = [tuple(map(self._write, decision.options)) for decision in decisions]

    def _write(self, name: str) -> str:
        ends = set(name[:1] + name[-1:])
        odd = name.startswith(self._quote) or name in self._blanks
        if odd or self._separator in name or ends & set(self._separator):
            return f"{self._quote}{name.replace(self._quote, 2 * self._quote)}{self._quote}"
        return name

    def write(self, choices: Sequence[int]) -> str:
        """The text of an encoding."""
        texts = [self._written[i][choice] for i, choice in enumerate(choices)]
        if self._conditions is not None:
            active = self._conditions.active_of(choices)
            texts = [t if counts else self._blank for t, counts in zip(texts, active, strict=True)]
        return self._separator.join(texts)

    def read(self, text: str) -> list[int]:
        """The encoding of a text, with the first option where a decision is inactive.

        Raises:
            ArchitectureError: If the text is no architecture.
        """
        count = len(self._decisions)
        pieces = text.split(self._separator)
        if len(pieces) == 1 < count == len(text) and text.isascii() and text.isdecimal():
            return self._settled(self._digits(text), text)
        if self._quote in text:
            pieces = list(self._pieces(text))
        if len(pieces) != count:
            example = self.write([0] * count)
            raise ArchitectureError(
                f"architecture {text!r} is not the {count} names of options joined by "
                f"{self._separator!r}, like {example if len(example) < 400 else example[:400]}"
            )
        found = [self._find(i, piece, text) for i, piece in enumerate(pieces)]
        return self._settled(found, text)

    def _digits(self, text: str) -> list[int]:
        sizes = [len(decision.options) for decision in self._decisions]
        choices = [int(digit) for digit in text]
        if max(sizes) > 10 or any(c >= n for c, n in zip(choices, sizes, strict=True)):
            raise ArchitectureError(
                f"architecture {text!r}: digits are numbers of options from 0, and decisions "
                f"have at most ten; sizes of the decisions: {tuple(sizes)}"
            )
        return choices

    def _pieces(self, text: str) -> Iterator[str]:
        """Split at the separators outside quotes."""
        start = 0
        while True:
            end = self._end_of_quotes(text, start)
            if end is None:
                end = text.find(self._separator, start)
                end = len(text) if end < 0 else end
            yield text[start:end]
            if end == len(text):
                return
            start = end + len(self._separator)

    def _end_of_quotes(self, text: str, start: int) -> int | None:
        """Where the quoted name ends that begins here; None if none does."""
        if not text.startswith(self._quote, start):
            return None
        end = start + 1
        while (end := text.find(self._quote, end)) >= 0:
            if text.startswith(self._quote, end + 1):
                end += 2
                continue
            end += 1
            closed = end == len(text) or text.startswith(self._separator, end)
            return end if closed else None
        return None

    def _find(self, i: int, piece: str, text: str) -> int:
        """The option of a piece; -1 for none, where a decision has a condition."""
        decision = self._decisions[i]
        quote = self._quote
        if len(piece) > 1 and piece[0] == piece[-1] == quote:
            number = decision.position(piece[1:-1].replace(2 * quote, quote))
            if number >= 0:
                return number
        elif decision.when and piece in self._blanks:
            return -1
        number = decision.position(piece)
        if number < 0:
            reason = UnknownNameError(f"{decision.name} option", piece, decision.options)
            raise ArchitectureError(f"architecture {text!r}: {reason}")
        return number

    def _settled(self, choices: list[int], text: str) -> list[int]:
        if self._conditions is None:
            return choices
        filled = [max(choice, 0) for choice in choices]
        active = self._conditions.active_of(filled)
        for i, (choice, counts) in enumerate(zip(choices, active, strict=True)):
            if counts and choice < 0:
                raise ArchitectureError(
                    f"architecture {text!r} needs an option of {self._decisions[i].name!r}, which "
                    f"is active here (choose from: {', '.join(self._decisions[i].options)})"
                )
        return [choice if counts else 0 for choice, counts in zip(filled, active, strict=True)]

    def read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        """Those written as `write` does, without inactive decisions, see `read_pieces`."""
        return read_pieces(texts, self._separator, option_pieces(self._written))


def quote_beside(separator: str) -> str:
    """A quote that is no part of the separator."""
    return next((quote for quote in _QUOTES if quote not in separator), _QUOTES[0])
