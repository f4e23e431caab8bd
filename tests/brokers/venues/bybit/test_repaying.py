"""What of a coin's debt could be given back, and what Bybit says of it."""

from decimal import Decimal

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import MarginMode
from brokers.orders import Repayment, Verdict
from brokers.venues.bybit.repaying import read_receipt, repay_params, repayable
from brokers.venues.bybit.wallet import Coin

D = Decimal


def coin(
    wallet: str | None, borrowed: str | None, locked: str | None = "0", bonus: str | None = None
) -> Coin:
    wallet_, borrowed_, locked_, bonus_ = (
        None if text is None else D(text) for text in (wallet, borrowed, locked, bonus)
    )
    return Coin(
        currency="USDT",
        equity=None,
        usd_value=None,
        wallet_balance=wallet_,
        unrealized_pnl=None,
        locked=locked_,
        bonus=bonus_,
        order_margin=None,
        position_margin=None,
        maintenance_margin=None,
        borrowed=borrowed_,
        spot_borrowed=None,
        interest=D(3),
    )


@pytest.mark.parametrize(
    ("row", "free"),
    [
        (coin("100", "40"), "40"),  # never more than is owed
        (coin("100", "400"), "100"),  # nor than is there
        (coin("100", "400", "30", "5"), "65"),  # spot orders and a bonus are not free
        (coin("100", "400", "130"), "0"),
        (coin("-50", "50"), "0"),  # the balance below zero is the debt
        (coin("100", "0"), "0"),
        (coin(None, "40"), None),
        (coin("100", None), None),
        (coin("100", "40", None), None),
    ],
)
def test_what_could_be_given_back(row: Coin, free: str | None) -> None:
    assert repayable(row, MarginMode.CROSS) == (None if free is None else D(free))
    assert repayable(row, MarginMode.PORTFOLIO) == repayable(row, MarginMode.CROSS)


@pytest.mark.parametrize("mode", [None, MarginMode.ISOLATED])
def test_where_nothing_is_lent_nothing_can_be_given_back(mode: MarginMode | None) -> None:
    assert repayable(coin("100", "40"), mode) is None


def test_coin_and_amount_are_both_named() -> None:
    # either left out would mean all there is
    repayment = Repayment(unit="account", currency="BTC", amount=D("0.00000010"), client_id="a")
    assert repay_params(repayment) == {"coin": "BTC", "amount": "0.0000001"}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("SU", Verdict.ACCEPTED), ("P", Verdict.ACCEPTED), ("FA", Verdict.REJECTED)],
)
def test_the_documented_statuses(status: str, verdict: Verdict) -> None:
    payload = {"retCode": 0, "retMsg": "success", "result": {"resultStatus": status}, "time": 1756295680801}
    assert read_receipt(payload).verdict is verdict


@pytest.mark.parametrize("result", [{}, {"resultStatus": ""}, {"resultStatus": "X"}, []])
def test_any_other_proves_nothing(result: object) -> None:
    with pytest.raises(MalformedAnswer):
        read_receipt({"retCode": 0, "retMsg": "success", "result": result})
