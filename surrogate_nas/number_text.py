"""Numbers as text, without exponents where people write none."""

from __future__ import annotations

_LARGEST = 1e15  # written with all of its digits


def exact(value: float) -> str:
    """A finite number in the shortest text that means it, for messages and for settings.

    Example:
        >>> exact(5.0), exact(12_345_678.5), exact(0.1 + 0.2)
        ('5', '12345678.5', '0.30000000000000004')
    """
    text = f"{value:.15g}"
    return text if float(text) == value else repr(float(value))


def rounded(value: float, digits: int = 6) -> str:
    """A number with some significant digits, and all of those before the point.

    Example:
        >>> rounded(0.12345678), rounded(12_345_678.5), rounded(1234.5, 3)
        ('0.123457', '12,345,678', '1,234')
    """
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in text and abs(value) < _LARGEST else text
