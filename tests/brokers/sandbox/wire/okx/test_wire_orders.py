"""Orders at the OKX wire: what is taken, what is refused and by which code, and what is found again."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.profile import Json
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import OrderRefused
from brokers.sandbox.orders import Refusal

Desk = Any
SignIn = Callable[[str], Desk]
OWN = "0123456789abcdef0123456789abcdef"


def size(desk: Desk, leg: str = "net", symbol: str = "BTC-USDT-SWAP") -> Decimal:
    rows = desk.get("account/positions", instId=symbol)["data"]
    return next((Decimal(row["pos"]) for row in rows if row["posSide"] == leg), Decimal(0))


def resting(desk: Desk, **more: object) -> Json:
    return desk.order(ordType="limit", side="buy", px="50000", sz="1", reduceOnly=False, **more)


def stop(desk: Desk, **more: object) -> Json:
    usual = {
        "instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "sell", "ordType": "conditional", "sz": "5",
        "slTriggerPx": "50000", "slOrdPx": "-1", "reduceOnly": True,
    }  # fmt: skip
    body = {key: value for key, value in {**usual, **more}.items() if value is not None}
    return desk.post("trade/order-algo", body)["data"][0]


def test_reduce_only_market_order_is_acknowledged_and_found_filled(desk: Desk) -> None:
    row = desk.order(clOrdId=OWN)
    assert (row["sCode"], row["clOrdId"]) == ("0", OWN)
    assert size(desk) == 90
    found = desk.row("trade/order", instId="BTC-USDT-SWAP", clOrdId=OWN)
    assert (found["ordId"], found["state"], found["accFillSz"], found["reduceOnly"]) == (
        row["ordId"],
        "filled",
        "10",
        "true",
    )
    assert Decimal(found["fee"]) < 0
    assert Decimal(found["avgPx"]) > 0
    assert desk.get("trade/orders-history", instType="SWAP")["data"][0]["ordId"] == row["ordId"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"clOrdId": "mrg-1"}, "51000"),
        ({"clOrdId": "a" * 33}, "51000"),
        ({"tdMode": "cash"}, "51000"),
        ({"side": "SELL"}, "51000"),
        ({"ordType": "fok"}, "51000"),
        ({"posSide": "long"}, "51000"),
        ({"sz": "x"}, "51000"),
        ({"sz": "0"}, "51000"),
        ({"sz": "0.05"}, "51121"),
        ({"sz": "100000"}, "51202"),
        ({"ordType": "limit", "px": "60000", "sz": "1000000"}, "51203"),
        ({"ordType": "limit"}, "51204"),
        ({"ordType": "ioc", "px": "60000.01"}, "51150"),
        ({"instId": "NO-USDT-SWAP"}, "51001"),
        ({"side": "buy"}, "51170"),
        ({"instId": "SOL-USDT-SWAP"}, "51169"),
        ({"tdMode": "isolated"}, "51169"),
        ({"reduceOnly": False, "side": "buy", "sz": "5000"}, "51008"),
    ],
)
def test_order_refusals(desk: Desk, changes: dict[str, object], code: str) -> None:
    row = desk.order(clOrdId=changes.pop("clOrdId", OWN), **changes)
    assert (row["sCode"], row["ordId"]) == (code, "")
    assert size(desk) == 100


def test_client_id_of_an_open_order_is_refused(desk: Desk) -> None:
    assert resting(desk, clOrdId=OWN)["sCode"] == "0"
    assert resting(desk, clOrdId=OWN)["sCode"] == "51016"


def test_client_id_is_free_again_after_the_fill_and_the_latest_is_found(desk: Desk) -> None:
    first, second = desk.order(clOrdId=OWN), desk.order(clOrdId=OWN)
    assert (first["sCode"], second["sCode"]) == ("0", "0")
    assert desk.row("trade/order", instId="BTC-USDT-SWAP", clOrdId=OWN)["ordId"] == second["ordId"]


def test_reduce_only_order_larger_than_the_position_ends_flat(desk: Desk) -> None:
    assert desk.order(sz="150")["sCode"] == "0"
    assert size(desk) == 0


def test_portfolio_account_does_not_heed_reduce_only(client: SignIn) -> None:
    desk = client("portfolio")
    desk.order(sz="110")
    assert size(desk) == -10


def test_leg_is_needed_in_long_short_mode_and_only_reduces(client: SignIn) -> None:
    desk = client("hedge")
    assert desk.order()["sCode"] == "51000"
    assert desk.order(posSide="long", reduceOnly=None)["sCode"] == "0"
    assert (size(desk, "long"), size(desk, "short")) == (90, 40)
    assert desk.order(posSide="short", side="buy", sz="100", reduceOnly=None)["sCode"] == "0"
    assert size(desk, "short") == 0


def test_isolated_position_is_reduced_in_its_own_mode(client: SignIn) -> None:
    desk = client("futures")
    symbol = "ETH-USDT-SWAP"
    assert desk.order(instId=symbol, side="buy", sz="10")["sCode"] == "51169"
    assert desk.order(instId=symbol, side="buy", sz="10", tdMode="isolated")["sCode"] == "0"
    assert size(desk, symbol=symbol) == -40


def test_order_after_its_expiry_is_discarded(desk: Desk, engine: Engine) -> None:
    late = desk.order(exp_time=str(engine.now_ms - 1))
    assert late["code"] == "50036"
    assert size(desk) == 100
    refused = [event for event in engine.history if isinstance(event, OrderRefused)]
    assert [event.reason for event in refused] == [Refusal.EXPIRED]
    assert desk.order(exp_time=str(engine.now_ms + 1))["sCode"] == "0"
    assert desk.order(exp_time="soon")["code"] == "51000"


def test_batch_tells_each_row_apart(desk: Desk) -> None:
    good = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "sell", "ordType": "market", "sz": "1"}
    payload = desk.post("trade/batch-orders", [good, {**good, "sz": "0.01"}])
    assert (payload["code"], [row["sCode"] for row in payload["data"]]) == ("2", ["0", "51121"])
    assert desk.post("trade/batch-orders", [{**good, "sz": "0.01"}])["code"] == "1"
    assert desk.post("trade/batch-orders", [good])["code"] == "0"
    assert desk.post("trade/batch-orders", [good] * 21)["code"] == "51111"


@pytest.mark.parametrize(
    ("body", "code"), [(b"", "50000"), (b"{", "50002"), (b"[]", "50002"), (b'"a"', "50002")]
)
def test_body_must_be_json(desk: Desk, body: bytes, code: str) -> None:
    assert desk.send(desk.sign("POST", "/api/v5/trade/order", body)).payload["code"] == code


def test_pending_orders_come_newest_first_in_pages(desk: Desk) -> None:
    ids = [resting(desk)["ordId"] for _ in range(5)]
    newest = desk.get("trade/orders-pending", limit="2")["data"]
    assert [row["ordId"] for row in newest] == [ids[4], ids[3]]
    rest = desk.get("trade/orders-pending", limit="2", after=ids[3])["data"]
    assert [row["ordId"] for row in rest] == [ids[2], ids[1]]
    assert (newest[0]["state"], newest[0]["px"], newest[0]["ordType"]) == ("live", "50000", "limit")
    assert desk.get("trade/orders-pending", instId="ETH-USDT-SWAP")["data"] == []
    assert desk.get("trade/orders-pending", ordType="post_only")["data"] == []
    assert desk.get("trade/orders-pending", limit="101")["code"] == "51000"


def test_cancelling_tells_each_row_apart(desk: Desk) -> None:
    order = resting(desk)["ordId"]
    rows = [{"instId": "BTC-USDT-SWAP", "ordId": order}, {"instId": "BTC-USDT-SWAP", "ordId": "77"}]
    payload = desk.post("trade/cancel-batch-orders", rows)
    assert (payload["code"], [row["sCode"] for row in payload["data"]]) == ("2", ["0", "51400"])
    again = desk.post("trade/cancel-batch-orders", rows[:1])
    assert (again["code"], again["data"][0]["sCode"]) == ("1", "51400")
    assert desk.post("trade/cancel-batch-orders", rows[:1] * 21)["code"] == "51406"
    assert (
        desk.post("trade/cancel-batch-orders", [{"instId": "BTC-USDT-SWAP"}])["data"][0]["sCode"] == "51003"
    )


def test_single_cancellation_by_client_id(desk: Desk) -> None:
    resting(desk, clOrdId=OWN)
    payload = desk.post("trade/cancel-order", {"instId": "BTC-USDT-SWAP", "clOrdId": OWN})
    assert payload["data"][0]["sCode"] == "0"
    assert desk.row("trade/order", instId="BTC-USDT-SWAP", clOrdId=OWN)["state"] == "canceled"


def test_cancelled_order_without_a_fill_is_forgotten_after_two_hours(desk: Desk, engine: Engine) -> None:
    order = resting(desk)["ordId"]
    desk.post("trade/cancel-order", {"instId": "BTC-USDT-SWAP", "ordId": order})
    engine.advance(engine.now_ms + 2 * 3_600_000 + 1)
    desk.wire.now_ms = engine.now_ms
    assert desk.get("trade/order", instId="BTC-USDT-SWAP", ordId=order)["code"] == "51603"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"instId": "BTC-USDT-SWAP", "clOrdId": OWN}, "51603"),
        ({"instId": "BTC-USDT-SWAP"}, "51003"),
        ({"instId": "NO-USDT-SWAP", "ordId": "1"}, "51001"),
        ({"ordId": "1"}, "50014"),
    ],
)
def test_order_not_found(desk: Desk, params: dict[str, str], code: str) -> None:
    assert desk.get("trade/order", **params)["code"] == code


def test_protective_stop_rests_in_its_own_book(desk: Desk) -> None:
    algo = stop(desk)["algoId"]
    assert desk.get("trade/orders-pending")["data"] == []
    (row,) = desk.get("trade/orders-algo-pending", ordType="conditional")["data"]
    assert (row["algoId"], row["slTriggerPx"], row["reduceOnly"], row["sz"]) == (algo, "50000", "true", "5")
    for other in ("oco", "trigger", "move_order_stop", "iceberg", "twap"):
        assert desk.get("trade/orders-algo-pending", ordType=other)["data"] == []
    assert desk.get("trade/orders-algo-pending")["code"] == "50014"
    assert desk.get("trade/orders-algo-pending", ordType="nothing")["code"] == "51000"


def test_stop_by_fraction_has_no_size(desk: Desk) -> None:
    assert stop(desk, sz=None, closeFraction="1")["sCode"] == "0"
    (row,) = desk.get("trade/orders-algo-pending", ordType="conditional,oco")["data"]
    assert (row["sz"], row["closeFraction"]) == ("", "1")


def test_trigger_order_that_may_open_is_listed_as_one(desk: Desk) -> None:
    algo = stop(
        desk,
        ordType="trigger",
        side="buy",
        triggerPx="70000",
        orderPx="-1",
        reduceOnly=None,
        sz="1",
        slOrdPx=None,
    )["algoId"]
    (row,) = desk.get("trade/orders-algo-pending", ordType="trigger")["data"]
    assert (row["algoId"], row["triggerPx"], row["ordPx"]) == (algo, "70000", "-1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ordType": "twap"}, "51000"),
        ({"slTriggerPx": "x"}, "51000"),
        ({"slOrdPx": None}, "51000"),
        ({"slTriggerPxType": "bid"}, "51000"),
        ({"algoClOrdId": "a-b"}, "51000"),
    ],
)
def test_algo_refusals(desk: Desk, changes: dict[str, object], code: str) -> None:
    assert stop(desk, **changes)["sCode"] == code


def test_algo_orders_are_cancelled_by_their_own_call(desk: Desk) -> None:
    algo = stop(desk)["algoId"]
    as_order = desk.post("trade/cancel-batch-orders", [{"instId": "BTC-USDT-SWAP", "ordId": algo}])
    assert as_order["data"][0]["sCode"] == "51400"
    rows = [{"instId": "BTC-USDT-SWAP", "algoId": algo}]
    assert desk.post("trade/cancel-algos", rows)["data"][0] == {
        "algoId": algo, "algoClOrdId": "", "clOrdId": "", "tag": "", "sCode": "0", "sMsg": "",
    }  # fmt: skip
    assert desk.post("trade/cancel-algos", rows)["data"][0]["sCode"] == "51400"
    assert desk.post("trade/cancel-algos", rows * 11)["code"] == "51406"


def test_triggered_stop_reduces(desk: Desk, engine: Engine) -> None:
    stop(desk, slTriggerPx="58000")
    engine.move_price("BTC", Decimal("0.95"))
    assert size(desk) == 95
    assert desk.get("trade/orders-algo-pending", ordType="conditional")["data"] == []


def test_close_position_takes_it_whole(client: SignIn) -> None:
    desk = client("hedge")
    body = {"instId": "BTC-USDT-SWAP", "mgnMode": "cross", "posSide": "long", "clOrdId": OWN}
    assert desk.post("trade/close-position", body)["data"] == [
        {"clOrdId": OWN, "instId": "BTC-USDT-SWAP", "posSide": "long", "tag": ""}
    ]
    assert (size(desk, "long"), size(desk, "short")) == (0, 40)
    assert desk.post("trade/close-position", body)["code"] == "51023"
    assert desk.post("trade/close-position", {**body, "clOrdId": "a-b"})["code"] == "51000"
    assert desk.post("trade/close-position", {**body, "mgnMode": "x"})["code"] == "51000"


def test_halted_instrument_takes_no_order(desk: Desk, engine: Engine) -> None:
    engine.controls.halted.add("BTC-USDT")
    assert desk.order()["sCode"] == "51022"
    rows = desk.public("public/instruments", instType="SWAP", instId="BTC-USDT-SWAP")["data"]
    assert rows[0]["state"] == "suspend"
