from typing import Any

import pytest

from brokers.sandbox.engine import Engine

Desk = Any
LATE, SOON = "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:01.000000Z"


def test_an_immediate_order_answers_with_its_executions(desk: Desk) -> None:
    status = desk.order(cliOrdId="mine")
    assert (status["status"], status["cliOrdId"]) == ("placed", "mine")
    (event,) = status["orderEvents"]
    assert (event["type"], event["amount"]) == ("EXECUTION", 0.1)
    assert event["orderPriorExecution"]["reduceOnly"] is True


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"orderType": "ioc", "limitPrice": "61000"}, "iocWouldNotExecute"),
        ({"side": "buy"}, "wouldNotReducePosition"),
        ({"symbol": "PF_SOLUSD"}, "wouldNotReducePosition"),
        ({"size": "0.00001"}, "invalidSize"),
        ({"size": "x"}, "invalidSize"),
        ({"side": "hold"}, "invalidSide"),
        ({"orderType": "lmt", "limitPrice": "60000.3"}, "invalidPrice"),
        ({"orderType": "stp"}, "invalidPrice"),
        ({"reduceOnly": "false", "side": "buy", "size": "100"}, "insufficientAvailableFunds"),
        ({"cliOrdId": "a" * 101}, "clientOrderIdTooLong"),
        ({"processBefore": LATE}, "wouldProcessAfterSpecifiedTime"),
    ],
)
def test_an_order_that_is_not_placed_is_a_success_with_a_status(
    desk: Desk, engine: Engine, params: dict[str, str], status: str
) -> None:
    before = engine.figures("flex").positions
    answer = desk.order(**params)
    assert answer["status"] == status
    assert "order_id" not in answer
    assert [row.quantity for row in engine.figures("flex").positions] == [row.quantity for row in before]


def test_too_large_a_reduction_is_trimmed(desk: Desk, engine: Engine) -> None:
    assert desk.order(size="7", processBefore=SOON)["status"] == "placed"
    assert engine.figures("flex").position("PF_XBTUSD") is None


def test_a_client_id_is_unique_for_ever(desk: Desk) -> None:
    assert desk.order(cliOrdId="mine")["status"] == "placed"
    assert desk.order(cliOrdId="mine")["status"] == "clientOrderIdAlreadyExist"


@pytest.mark.parametrize("word", ["IOC", "market", "fok", ""])
def test_order_types_are_kraken_s_own_words(desk: Desk, word: str) -> None:
    assert desk.order(orderType=word)["errors"] == [{"code": 11, "message": "invalid order type"}]


def test_a_contract_that_is_not_listed_is_an_error(desk: Desk) -> None:
    assert desk.order(symbol="PF_DOGEUSD")["error"] == "contractNotFound"


def test_resting_and_trigger_orders_stand_in_one_list(desk: Desk) -> None:
    desk.order(orderType="lmt", limitPrice="70000", cliOrdId="exit")
    desk.order(orderType="stp", stopPrice="40000")
    resting, stop = desk.get("openorders")["openOrders"]
    assert (resting["orderType"], resting["cliOrdId"], resting["unfilledSize"]) == ("lmt", "exit", 0.1)
    assert (stop["orderType"], stop["stopPrice"], stop["reduceOnly"]) == ("stop", 40_000, True)


def test_a_batch_sends_and_cancels_row_by_row(desk: Desk) -> None:
    first = desk.order(orderType="lmt", limitPrice="70000")["order_id"]
    row = {
        "order": "send",
        "order_tag": "7",
        "orderType": "lmt",
        "symbol": "PF_XBTUSD",
        "side": "sell",
        "size": 0.1,
        "limitPrice": 71000,
        "reduceOnly": True,
    }
    sent, gone, unknown = desk.batch(
        row, {"order": "cancel", "order_id": first}, {"order": "cancel", "order_id": "nobody"}
    )
    assert (sent["status"], sent["order_tag"]) == ("placed", "7")
    assert (gone["status"], gone["order_id"]) == ("cancelled", first)
    assert unknown["status"] == "notFound"
    filled = desk.order()["order_id"]
    assert desk.ask("POST", "cancelorder", order_id=filled)["cancelStatus"]["status"] == "filled"
    gone = desk.ask("POST", "cancelallorders")["cancelStatus"]
    assert [row["order_id"] for row in gone["cancelledOrders"]] == [sent["order_id"]]


def test_the_status_of_an_order_is_forgotten_after_five_seconds(desk: Desk, engine: Engine) -> None:
    desk.order(cliOrdId="done")
    desk.order(orderType="lmt", limitPrice="70000", cliOrdId="rests")

    def known() -> list[str]:
        rows = desk.ask("POST", "orders/status", cliOrdIds="done")["orders"]
        rows += desk.ask("POST", "orders/status", cliOrdIds="rests")["orders"]
        return [row["status"] for row in rows]

    assert known() == ["FULLY_EXECUTED", "ENTERED_BOOK"]
    engine.advance(engine.now_ms + 5_001)
    desk.gateway.advance()
    assert known() == ["ENTERED_BOOK"]
    (fill,) = desk.get("fills")["fills"]
    assert (fill["cliOrdId"], fill["size"]) == ("done", 0.1)
    history = desk.send(desk.sign("GET", "/api/history/v2/orders?tradeable=PF_XBTUSD")).payload
    events = [next(iter(element["event"])) for element in history["elements"]]
    assert events == ["OrderPlaced", "OrderFilled"]
