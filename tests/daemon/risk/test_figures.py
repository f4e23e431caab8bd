from decimal import Decimal

import pytest

from daemon.risk.figures import money, percent


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        ("0.636", "63.6 %"),
        ("0.7", "70 %"),
        ("0.90449", "90.4 %"),
        ("0", "0 %"),
        ("-0.05", "-5 %"),
        ("1000", "100000 %"),
    ],
)
def test_a_ratio_is_told_in_percent(*, ratio: str, text: str) -> None:
    assert percent(Decimal(ratio)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("8333.333333333333333333333333", "8333.33"),
        ("1e30", "1" + "0" * 30),
        ("1200", "1200"),
        ("-50.5", "-50.5"),
        ("0", "0"),
        ("0.0034567891", "0.003457"),
        ("-0.5", "-0.5"),
        ("1e-7", "0.0000001"),
    ],
)
def test_an_amount_is_told_without_noise(*, amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text
