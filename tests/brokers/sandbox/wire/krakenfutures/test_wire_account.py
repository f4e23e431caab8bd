from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import MarginMode
from brokers.sandbox.engine import Engine

Desk = Any
Client = Callable[[str], Any]


def test_the_multi_collateral_wallet_adds_up(desk: Desk, engine: Engine) -> None:
    desk.order(orderType="lmt", side="buy", reduceOnly="false", limitPrice="50000", size="0.1")
    flex = desk.get("accounts")["accounts"]["flex"]
    pool = engine.figures("flex").pool("account")
    assert pool is not None
    assert flex["marginEquity"] == float(pool.margin_balance) == 18_500, "1,500 back the isolated position"
    assert (flex["initialMargin"], flex["maintenanceMargin"]) == (3_000, 1_500)
    assert flex["initialMarginWithOrders"] == 3_500, "a tenth of 5,000 for the order"
    assert flex["availableMargin"] == flex["marginEquity"] - flex["initialMarginWithOrders"]
    assert desk.get("accounts")["accounts"]["cash"]["balances"] == {"usd": 1000.0}


def test_margins_stay_at_the_entry_price(desk: Desk, engine: Engine) -> None:
    engine.move_price("BTC", Decimal("0.9"))
    flex = desk.get("accounts")["accounts"]["flex"]
    assert (flex["initialMargin"], flex["maintenanceMargin"], flex["pnl"]) == (3_000, 1_500, -3_000)


def test_an_inverse_wallet_is_in_coin(client: Client) -> None:
    wallet = client("coin").get("accounts")["accounts"]["fi_xbtusd"]
    assert (wallet["currency"], wallet["balances"]) == ("xbt", {"xbt": 0.4})
    assert wallet["marginRequirements"]["im"] == 0.1
    assert wallet["marginRequirements"]["mm"] == 0.05
    assert wallet["auxiliary"]["af"] == pytest.approx(0.3)


def test_positions_state_no_price_but_their_entry(desk: Desk, client: Client) -> None:
    bitcoin, ether = desk.get("openpositions")["openPositions"]
    assert (bitcoin["symbol"], bitcoin["side"], bitcoin["size"], bitcoin["price"]) == (
        "PF_XBTUSD",
        "long",
        0.5,
        60_000,
    )
    assert not {"markPrice", "initialMargin", "maxFixedLeverage"} & set(bitcoin)
    assert ether["maxFixedLeverage"] == 10
    (inverse,) = client("coin").get("openpositions")["openPositions"]
    assert (inverse["symbol"], inverse["side"], inverse["size"]) == ("PI_XBTUSD", "short", 60_000)


def test_a_leverage_preference_isolates_the_contract(desk: Desk, engine: Engine) -> None:
    assert engine.margin_mode("flex", "PF_SOLUSD") is MarginMode.CROSS
    assert desk.ask("PUT", "leveragepreferences", symbol="PF_SOLUSD", maxLeverage="5")["result"] == "success"
    assert engine.margin_mode("flex", "PF_SOLUSD") is MarginMode.ISOLATED
    preferences = desk.get("leveragepreferences")["leveragePreferences"]
    assert {"symbol": "PF_SOLUSD", "maxLeverage": 5.0} in preferences
    desk.ask("PUT", "leveragepreferences", symbol="PF_SOLUSD")
    assert engine.margin_mode("flex", "PF_SOLUSD") is MarginMode.CROSS


def test_transfers_go_by_wallet_and_name_nothing(desk: Desk, engine: Engine) -> None:
    given = {"fromAccount": "cash", "toAccount": "flex", "unit": "usd", "amount": "100"}
    answer = desk.ask("POST", "transfer", **given)
    assert set(answer) == {"result", "serverTime"}
    assert engine.funding_balance("flex", "USD") == 900
    refused = {
        "insufficientFunds": {"amount": "5000"},
        "invalidAmount": {"amount": "-1"},
        "invalidUnit": {"unit": "doge"},
        "invalidAccount": {"toAccount": "cash"},
    }
    for error, change in refused.items():
        assert desk.ask("POST", "transfer", **(given | change))["error"] == error
