"""Orders at the Crypto.com wire."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import OrderSpec, Trigger

Desk = Any
BTC, ETH = "BTCUSD-PERP", "ETHUSD-PERP"
CLOSE, CREATE = "private/close-position", "private/create-order"


def close(desk: Desk, **params: str) -> Any:  # noqa: ANN401 - raw JSON
    return desk.post(CLOSE, {"instrument_name": BTC, "type": "MARKET", **params})


def detail(desk: Desk, order_id: str) -> dict[str, Any]:
    row: dict[str, Any] = desk.post("private/get-order-detail", {"order_id": order_id})["result"]
    return row


def test_a_close_takes_its_side_from_the_position(desk: Desk, engine: Engine) -> None:
    first = close(desk, quantity="0.4")["result"]
    second = close(desk, instrument_name=ETH)["result"]
    assert detail(desk, first["order_id"])["side"] == "SELL"
    row = detail(desk, second["order_id"])
    assert (row["side"], row["quantity"], row["status"]) == ("BUY", "2", "FILLED")
    assert row["exec_inst"] == ["REDUCE_ONLY"]
    held = {p.symbol: p.quantity for p in engine.figures("cross").positions}
    assert held == {BTC: Decimal("0.6")}


def test_a_close_cannot_turn_the_position_around(desk: Desk, engine: Engine) -> None:
    assert close(desk, quantity="5")["code"] == 0
    assert engine.figures("cross").position(BTC) is None


def test_a_bounded_close_rests_until_it_is_cancelled(desk: Desk) -> None:
    order_id = close(desk, type="LIMIT", price="61000", quantity="0.4")["result"]["order_id"]
    (row,) = desk.rows("private/get-open-orders")
    assert (row["order_id"], row["limit_price"], row["time_in_force"]) == (
        order_id,
        "61000",
        "GOOD_TILL_CANCEL",
    )
    assert desk.post("private/cancel-order", {"order_id": order_id})["code"] == 0
    assert detail(desk, order_id)["status"] == "CANCELED"
    assert desk.ask("private/cancel-order", {"order_id": order_id}).payload["code"] == 316


@pytest.mark.parametrize(
    ("params", "code", "status"),
    [
        ({"instrument_name": "SOLUSD-PERP"}, 201, 500),
        ({"instrument_name": "NOPE"}, 209, 400),
        ({"isolation_id": "7"}, 613, 500),
        ({"type": "STOP_LOSS"}, 218, 400),
        ({"type": "LIMIT"}, 40004, 400),
        ({"type": "LIMIT", "price": "-1"}, 308, 400),
        ({"quantity": "0.00001"}, 213, 400),
        ({"quantity": "-1"}, 213, 400),
        ({"quantity": ""}, 40004, 400),
    ],
)
def test_a_close_that_cannot_be_is_refused(
    desk: Desk, params: dict[str, str], code: int, status: int
) -> None:
    answer = desk.ask(CLOSE, {"instrument_name": BTC, "type": "MARKET", **params})
    assert (answer.payload["code"], answer.status) == (code, status)


def test_an_isolated_position_is_closed_by_its_id(client: Callable[[str], Desk], engine: Engine) -> None:
    desk = client("mixed")
    rows = {row["instrument_name"]: row for row in desk.rows("private/get-positions")}
    assert close(desk, instrument_name=ETH)["code"] == 201  # there is no cross position
    isolation = rows[ETH]["isolation_id"]
    order_id = close(desk, instrument_name=ETH, isolation_id=isolation)["result"]["order_id"]
    assert detail(desk, order_id)["exec_inst"] == ["REDUCE_ONLY", "ISOLATED_MARGIN"]
    assert engine.figures("mixed").position(ETH) is None


def test_an_order_of_ones_own_keeps_its_id_for_ever(desk: Desk) -> None:
    order = {
        "instrument_name": BTC,
        "side": "BUY",
        "type": "LIMIT",
        "price": "50000",
        "quantity": "0.01",
        "client_oid": "mine",
    }
    assert desk.post(CREATE, order)["result"]["client_oid"] == "mine"
    answer = desk.ask(CREATE, order)
    assert (answer.payload["code"], answer.status) == (204, 400)
    assert desk.post("private/get-order-detail", {"client_oid": "mine"})["result"]["status"] == "ACTIVE"
    assert desk.post("private/cancel-order", {"client_oid": "mine"})["code"] == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"time_in_force": "IMMEDIATE_OR_CANCEL"}, 0),
        ({"exec_inst": ["POST_ONLY"]}, 0),
        ({"exec_inst": ["REDUCE_ONLY"], "side": "BUY"}, 1110),
        ({"exec_inst": ["NONSENSE"]}, 219),
        ({"time_in_force": "SOMETIME"}, 221),
        ({"side": "HOLD"}, 220),
        ({"client_oid": "x" * 37}, 40004),
        ({"quantity": "100", "side": "BUY"}, 306),
    ],
)
def test_words_of_an_order(desk: Desk, change: dict[str, Any], code: int) -> None:
    order = {"instrument_name": BTC, "side": "SELL", "type": "LIMIT", "price": "61000", "quantity": "0.01"}
    assert desk.post(CREATE, {**order, **change})["code"] == code


def test_an_unfilled_immediate_order_says_why_it_ended(desk: Desk) -> None:
    order = {
        "instrument_name": BTC,
        "side": "SELL",
        "type": "LIMIT",
        "price": "61000",
        "quantity": "0.01",
        "time_in_force": "IMMEDIATE_OR_CANCEL",
    }
    row = detail(desk, desk.post(CREATE, order)["result"]["order_id"])
    assert (row["status"], row["reason"], row["cumulative_quantity"]) == ("CANCELED", 43004, "0")


def test_trigger_orders_stand_in_the_advanced_list_alone(desk: Desk, engine: Engine) -> None:
    for side, price in ((OrderSide.SELL, "50000"), (OrderSide.SELL, "70000"), (OrderSide.BUY, "70000")):
        spec = OrderSpec(
            symbol=BTC, side=side, quantity=Decimal("0.1"), trigger=Trigger(price=Decimal(price))
        )
        engine.place("cross", spec)
    assert desk.rows("private/get-open-orders") == []
    rows = desk.rows("private/advanced/get-open-orders")
    assert [(row["order_type"], row["ref_price"]) for row in rows] == [
        ("STOP_LOSS", "50000"),
        ("TAKE_PROFIT", "70000"),
        ("STOP_LOSS", "70000"),
    ]
    order_id = {"order_id": rows[0]["order_id"]}
    assert desk.ask("private/cancel-order", order_id).payload["code"] == 212
    assert desk.post("private/advanced/cancel-order", order_id)["code"] == 0
    assert len(engine.open_orders("cross")) == 2


def test_cancelling_all_leaves_trigger_orders_and_other_instruments(desk: Desk, engine: Engine) -> None:
    for symbol, price in ((BTC, "50000"), (ETH, "2500")):
        order = {"instrument_name": symbol, "side": "BUY", "type": "LIMIT", "price": price, "quantity": "0.1"}
        assert desk.post(CREATE, order)["code"] == 0
    stop = OrderSpec(
        symbol=BTC, side=OrderSide.SELL, quantity=Decimal("0.1"), trigger=Trigger(price=Decimal(50_000))
    )
    engine.place("cross", stop)
    assert "result" not in desk.post("private/cancel-all-orders", {"instrument_name": BTC})
    assert [order.symbol for order in engine.open_orders("cross")] == [ETH, BTC]


def test_history_is_final_orders_of_a_span_newest_first(desk: Desk) -> None:
    start = desk.wire.now_ms
    for _ in range(2):
        close(desk, quantity="0.1")
        desk.wait(2_000)
    rows = desk.rows("private/get-order-history", {"instrument_name": BTC})
    assert [row["create_time"] for row in rows] == [start + 2_000, start]
    for unit in ("", "000000"):
        desk.wait(1_100)
        since = {"start_time": f"{start + 1_000}{unit}", "limit": "100"}
        assert len(desk.rows("private/get-order-history", since)) == 1
    desk.wait(1_100)
    assert len(desk.rows("private/get-order-history", {"limit": "1"})) == 1
    desk.wait(1_100)
    assert desk.rows("private/get-order-history", {"instrument_name": ETH}) == []


def test_what_is_not_known_is_not_found_with_a_status_of_success(desk: Desk) -> None:
    answer = desk.ask("private/get-order-detail", {"order_id": "123"})
    assert (answer.payload["code"], answer.status) == (40401, 200)
    assert desk.post("private/get-order-detail", {})["code"] == 40004
