"""Orders at the Binance wire: what is taken, what is refused and by which code, and what is found again."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.engine import Engine

Client = Any


def test_a_market_order_answers_with_its_result_if_asked(desk: Client) -> None:
    acknowledged = desk.order(reduceOnly="true")
    assert (acknowledged["status"], acknowledged["executedQty"]) == ("NEW", "0.000")
    told = desk.order(reduceOnly="true", newOrderRespType="RESULT", newClientOrderId="ab" * 16)
    assert (told["status"], told["executedQty"], told["reduceOnly"]) == ("FILLED", "0.100", True)
    assert (told["clientOrderId"], told["side"], told["origQty"]) == ("ab" * 16, "SELL", "0.100")
    assert isinstance(told["orderId"], int)
    assert Decimal(told["avgPrice"]) > 0


def test_an_ioc_limit_that_meets_nothing_expires(desk: Client) -> None:
    row = desk.order(
        type="LIMIT", timeInForce="IOC", price="70000", reduceOnly="true", newOrderRespType="RESULT"
    )
    assert (row["status"], row["executedQty"], row["avgPrice"]) == ("EXPIRED", "0.000", "0.0")


def test_an_order_is_found_by_either_id_and_not_by_another(desk: Client) -> None:
    placed = desk.order(newClientOrderId="mine")
    for by in ({"orderId": placed["orderId"]}, {"origClientOrderId": "mine"}):
        assert desk.ask("GET", "/fapi/v1/order", symbol="BTCUSDT", **by)["status"] == "FILLED"
        assert desk.ask("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", **by)["code"] == -2013
    assert desk.ask("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="other")["code"] == -2013
    assert desk.ask("GET", "/fapi/v1/order", symbol="ETHUSDT", origClientOrderId="mine")["code"] == -2013
    assert desk.ask("GET", "/fapi/v1/order", symbol="BTCUSDT")["code"] == -1102
    assert [row["orderId"] for row in desk.ask("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")] == [
        placed["orderId"]
    ]


def test_a_client_id_is_taken_only_while_its_order_is_open(desk: Client) -> None:
    resting = {"type": "LIMIT", "timeInForce": "GTC", "price": "80000", "newClientOrderId": "mine"}
    first = desk.order(**resting)
    assert desk.order(**resting)["code"] == -4116
    desk.ask("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=first["orderId"])
    assert desk.order(**resting)["status"] == "NEW"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"quantity": None}, -4003),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "121"}, -4005),
        ({"quantity": "1e400"}, -1102),
        ({"side": "BUY", "reduceOnly": "true"}, -2022),
        ({"symbol": "ETHUSDT", "reduceOnly": "true"}, -2022),
        ({"positionSide": "LONG"}, -4061),
        ({"positionSide": "UP"}, -1130),
        ({"side": "UP"}, -1117),
        ({"type": "STOP_MARKET"}, -1116),
        ({"type": "LIMIT", "price": "1"}, -1102),
        ({"type": "LIMIT", "timeInForce": "DAY", "price": "70000"}, -1115),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "70000.01"}, -4014),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "-1"}, -4001),
        ({"symbol": None}, -1102),
        ({"symbol": "DOGEUSDT"}, -1121),
        ({"symbol": "SOLUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "10"}, -4164),
        ({"side": "BUY", "quantity": "100"}, -2019),
        ({"newClientOrderId": "a b"}, -4015),
        ({"newClientOrderId": "x" * 37}, -4015),
    ],
)
def test_orders_that_the_venue_refuses(desk: Client, params: dict[str, object], code: int) -> None:
    assert desk.order(**params)["code"] == code
    assert desk.ask("GET", "/fapi/v3/positionRisk")[0]["positionAmt"] == "1.000"


def test_in_hedge_mode_the_leg_must_be_named_and_reduce_only_must_not(
    client: Callable[[str], Client],
) -> None:
    hedge = client("hedge")
    assert hedge.order()["code"] == -4061
    assert hedge.order(positionSide="LONG", reduceOnly="true")["code"] == -1106
    assert hedge.order(positionSide="LONG", newOrderRespType="RESULT")["status"] == "FILLED"
    long, short = hedge.ask("GET", "/fapi/v3/positionRisk")
    assert (long["positionAmt"], short["positionAmt"]) == ("0.900", "-0.400")


def test_an_order_that_arrives_after_its_window_is_refused_by_the_engine(
    desk: Client, engine: Engine
) -> None:
    request = desk.sign(
        "POST",
        "/fapi/v1/order",
        {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.1", "recvWindow": 3000},
    )
    route = desk.gateway.route_of(request)
    engine.advance(engine.now_ms + 3001)
    desk.gateway.advance()
    answer = desk.gateway.act(request, route, "single")
    assert answer.payload["code"] == -5028
    assert engine.orders("single") == ()


def test_halted_symbols_refuse_orders(desk: Client, engine: Engine) -> None:
    engine.controls.halted.add("BTC-USDT")
    assert desk.order()["code"] == -4140


def test_cancelling_one_several_and_all(desk: Client) -> None:
    resting = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    ids = [desk.order(**resting, price=str(80_000 + n))["orderId"] for n in range(5)]
    assert len(desk.ask("GET", "/fapi/v1/openOrders")) == 5
    gone = desk.ask("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=ids[0])
    assert (gone["orderId"], gone["status"]) == (ids[0], "CANCELED")
    assert desk.ask("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=ids[0])["code"] == -2011
    rows = desk.ask("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderIdList=f"[{ids[0]},{ids[1]}]")
    assert rows[0] == {"code": -2011, "msg": "Unknown order sent."}
    assert rows[1]["status"] == "CANCELED"
    eleven = "[" + ",".join(["1"] * 11) + "]"
    assert desk.ask("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderIdList=eleven)["code"] == -1130
    assert desk.ask("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert desk.ask("GET", "/fapi/v1/openOrders", symbol="BTCUSDT") == []


def test_stops_rest_in_the_algo_book_only(desk: Client) -> None:
    stop = desk.stop(quantity="0.5", reduceOnly="true", clientAlgoId="guard")
    assert (stop["algoType"], stop["orderType"], stop["algoStatus"]) == ("CONDITIONAL", "STOP_MARKET", "NEW")
    assert desk.ask("GET", "/fapi/v1/openOrders") == []
    assert [row["algoId"] for row in desk.ask("GET", "/fapi/v1/openAlgoOrders")] == [stop["algoId"]]
    assert desk.ask("GET", "/fapi/v1/algoOrder", clientAlgoId="guard")["triggerPrice"] == "50000.0"
    assert desk.ask("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=stop["algoId"])["code"] == -2013
    assert desk.ask("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=stop["algoId"])["code"] == -2011
    desk.ask("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    assert len(desk.ask("GET", "/fapi/v1/openAlgoOrders", symbol="BTCUSDT")) == 1
    gone = desk.ask("DELETE", "/fapi/v1/algoOrder", algoId=stop["algoId"])
    assert gone == {"algoId": stop["algoId"], "clientAlgoId": "guard", "code": "200", "msg": "success"}
    assert desk.ask("DELETE", "/fapi/v1/algoOrder", algoId=stop["algoId"])["code"] == -2011


def test_a_stop_that_was_triggered_is_an_order_like_others(desk: Client, engine: Engine) -> None:
    stop = desk.stop(closePosition="true")
    assert (stop["closePosition"], stop["quantity"]) == (True, "0.000")
    engine.move_price("BTC", Decimal("0.8"))
    assert desk.ask("GET", "/fapi/v1/openAlgoOrders") == []
    assert desk.ask("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=stop["algoId"])["status"] == "FILLED"
    assert desk.ask("GET", "/fapi/v3/positionRisk") == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"triggerPrice": "70000", "quantity": "1"}, -2021),
        ({"quantity": "1", "closePosition": "true"}, -4137),
        ({"type": "TRAILING_STOP_MARKET", "quantity": "1"}, -1116),
        ({"triggerPrice": "", "quantity": "1"}, -1102),
        ({"algoType": "TWAP"}, -1130),
    ],
)
def test_stops_that_the_venue_refuses(desk: Client, params: dict[str, object], code: int) -> None:
    assert desk.stop(**params)["code"] == code


def test_every_algo_order_of_a_symbol_can_be_cancelled_at_once(desk: Client) -> None:
    desk.stop(quantity="0.5", reduceOnly="true")
    desk.stop(type="TAKE_PROFIT", triggerPrice="70000", price="70000", quantity="0.5", timeInForce="GTC")
    kinds = {row["orderType"] for row in desk.ask("GET", "/fapi/v1/openAlgoOrders")}
    assert kinds == {"STOP_MARKET", "TAKE_PROFIT"}
    assert desk.ask("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert desk.ask("GET", "/fapi/v1/openAlgoOrders") == []
