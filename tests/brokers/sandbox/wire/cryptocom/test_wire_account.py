"""The account as the Crypto.com wire prints it, and when the venue acts on it."""

from collections.abc import Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from brokers.models import OrderSide
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import OrderSpec, Refusal, Rejection

Desk = Any
BTC, ETH = "BTCUSD-PERP", "ETHUSD-PERP"
HOUR_MS = 3_600_000
D = Decimal


def balance(desk: Desk) -> dict[str, Any]:
    (row,) = desk.rows("private/user-balance")
    return row


def test_the_totals_keep_crypto_coms_identities_at_every_price(desk: Desk, engine: Engine) -> None:
    for factor in ("1", "0.97", "0.93"):
        engine.move_price("BTC", D(factor))
        desk.wait(1_000)
        row = {name: D(value) for name, value in balance(desk).items() if name.startswith("total_")}
        initial = row["total_initial_margin"]
        assert row["total_available_balance"] == row["total_margin_balance"] - initial
        assert initial == row["total_position_im"] + row["total_haircut"]
        assert row["total_maintenance_margin"] == initial / 2
        assert row["total_position_cost"] == engine.ticker(BTC).mark + 2 * engine.ticker(ETH).mark


def test_profit_moves_into_cash_every_hour_and_the_equity_does_not_change(desk: Desk, engine: Engine) -> None:
    engine.move_price("BTC", D("0.99"))
    fresh = balance(desk)
    assert (D(fresh["total_session_unrealized_pnl"]), D(fresh["total_cash_balance"])) == (-600, 20_000)
    desk.wait(HOUR_MS)
    settled = balance(desk)
    assert (D(settled["total_session_unrealized_pnl"]), D(settled["total_cash_balance"])) == (0, 19_400)
    assert settled["total_margin_balance"] == fresh["total_margin_balance"] == "19400"
    assert settled["position_balances"][0]["quantity"] == "19400"
    row = next(r for r in desk.rows("private/get-positions") if r["instrument_name"] == BTC)
    assert (row["open_position_pnl"], row["session_pnl"]) == ("-600", "0")
    assert (row["open_pos_cost"], row["cost"]) == ("60000", "59400")


def test_positions_are_signed_and_what_was_closed_stays_as_a_row_of_zero(desk: Desk, engine: Engine) -> None:
    engine.close_position("cross", BTC)
    rows = {row["instrument_name"]: row for row in desk.rows("private/get-positions")}
    assert (rows[ETH]["quantity"], rows[ETH]["open_pos_cost"]) == ("-2", "-6000")
    assert (rows[BTC]["quantity"], rows[BTC]["cost"]) == ("0.0", "0.0")


def test_an_isolated_position_stands_in_both_answers_under_one_id(client: Callable[[str], Desk]) -> None:
    desk = client("mixed")
    (unit,) = balance(desk)["isolated_positions"]
    rows = {row["instrument_name"]: row for row in desk.rows("private/get-positions")}
    assert rows[ETH]["isolation_id"] == unit["isolation_id"]
    assert "isolation_id" not in rows[BTC]
    assert (unit["total_margin_balance"], unit["total_maintenance_margin"]) == ("1500", "750")
    assert balance(desk)["total_isolated_cash_balance"] == "1500"


def test_between_initial_and_maintenance_margin_nothing_that_adds_risk_is_taken(engine: Engine) -> None:
    engine.move_price("BTC", D("0.75"))
    pool = engine.figures("cross").pool("account")
    assert pool is not None
    assert pool.maintenance_margin < pool.margin_balance < pool.initial_margin
    adding = OrderSpec(symbol=BTC, side=OrderSide.BUY, quantity=D("0.01"))
    with pytest.raises(Rejection) as refused:
        engine.place("cross", adding)
    assert refused.value.reason is Refusal.INSUFFICIENT_MARGIN
    reducing = OrderSpec(symbol=BTC, side=OrderSide.SELL, quantity=D("0.01"), reduce_only=True)
    assert engine.place("cross", reducing).filled == D("0.01")


def test_below_maintenance_margin_the_venue_acts_itself(engine: Engine) -> None:
    engine.move_price("BTC", D("0.715"))
    assert engine.figures("cross").position(BTC) is not None
    engine.move_price("BTC", D("0.98"))
    assert engine.figures("cross").position(BTC) is None


def test_leverage_is_the_accounts_and_wants_its_own_id(desk: Desk, engine: Engine) -> None:
    own = desk.post("private/get-accounts")["result"]["this_account"]["uuid"]
    change = "private/change-account-leverage"
    desk.wait(1_000)
    assert desk.post(change, {"account_id": own, "leverage": "20"})["code"] == 0
    assert {engine.leverage("cross", name) for name in (BTC, ETH)} == {D(20)}
    assert balance(desk)["total_position_im"] == "3300"
    assert desk.post(change, {"account_id": "someone", "leverage": "20"})["code"] == 401
    desk.wait(1_000)
    for wrong in ("0", "101", "2.5", "many"):
        desk.wait(1_000)
        assert desk.post(change, {"account_id": own, "leverage": wrong})["code"] == 226


def test_public_answers_are_dated_by_the_venue(desk: Desk) -> None:
    answer = desk.public("public/get-tickers", instrument_name=BTC)
    told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert told == desk.wire.now_ms // 1000
    (row,) = answer.payload["result"]["data"]
    assert (row["i"], row["a"], row["t"]) == (BTC, "60000", desk.wire.now_ms)
    (mark,) = desk.public(
        "public/get-valuations", instrument_name=BTC, valuation_type="mark_price", count="1"
    ).payload["result"]["data"]
    assert mark["v"] == "60000"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("public/get-tickers", {"instrument_name": "NOPE"}, 209),
        ("public/get-valuations", {"instrument_name": BTC, "valuation_type": "guess"}, 40004),
        ("public/get-book", {"instrument_name": BTC, "depth": "51"}, 40004),
    ],
)
def test_public_questions_that_make_no_sense(
    desk: Desk, method: str, params: dict[str, str], code: int
) -> None:
    assert desk.public(method, **params).payload["code"] == code
