"""Numbers as text."""

import pytest

from surrogate_nas.number_text import exact, rounded
from surrogate_nas.reporting.digits import percent


@pytest.mark.parametrize("value", [0.0, 5.0, -2.5, 12_347_123.0, 0.1 + 0.2, 1e6, 1e300, 3e-7])
def test_an_exact_number_is_read_back(value: float) -> None:
    assert float(exact(value)) == value
    if 1 <= abs(value) < 1e15:
        assert "e" not in exact(value)


def test_rounded_numbers_have_no_exponents() -> None:
    assert [rounded(v) for v in (0.12345678, 94.8897, 12_345_678.5)] == [
        *("0.123457", "94.8897", "12,345,678"),
    ]
    assert rounded(1234.5, 3) == "1,234"
    assert [percent(v) for v in (0.0038, 4.64, 9.96, 42.2, 99.8, 100.0)] == [
        *("0.0038", "4.6", "10", "42", "100", "100"),
    ]
