from decimal import Decimal

import pytest

from brokers.models import MarginMode, Side, Symbol
from daemon.risk.foreign import Key, reopened

D = Decimal
BTC: Key = (Symbol("BTCUSDT"), Side.LONG, MarginMode.CROSS)
SHORT: Key = (Symbol("BTCUSDT"), Side.SHORT, MarginMode.CROSS)


@pytest.mark.parametrize(
    ("was", "filled", "held", "most"),
    [
        ("10", "4", "6", None),
        ("10", "4", "5", None),  # somebody else closed too: welcome
        ("10", "4", "6.04", None),  # within the fee of what was bought
        ("10", "4", "6.2", "6"),
        ("10", "4", "10", "6"),
        ("10", "0", "10.04", None),  # interest
        ("10", "0", "11", "10"),
        ("10", "10", "3", "0"),
        ("0", "0", "3", "0"),
    ],
)
def test_what_is_more_than_our_fills_left_is_somebody_elses(
    was: str, filled: str, held: str, most: str | None
) -> None:
    found = reopened({BTC: D(was)} if was != "0" else {}, {BTC: D(filled)}, {BTC: D(held)})

    assert [(one.most, one.held) for one in found] == ([] if most is None else [(D(most), D(held))])


def test_the_other_side_is_another_position() -> None:
    (found,) = reopened({BTC: D(10)}, {BTC: D(10)}, {SHORT: D(4)})

    assert found.key == SHORT
    assert "short BTCUSDT came back from 0 to 4, 4 more" in found.sentence
    (grown,) = reopened({BTC: D(10)}, {BTC: D(5)}, {BTC: D(12)})
    assert "long BTCUSDT grew from 5 to 12, 7 more" in grown.sentence
