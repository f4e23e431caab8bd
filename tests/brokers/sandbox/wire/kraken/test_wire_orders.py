from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.engine import Engine

Client = Any  # the fixture's type lives in conftest
D = Decimal
OWN = "0" * 31 + "1"


def deadline(engine: Engine, ms: int) -> str:
    """A deadline so many milliseconds from the venue's now."""
    return datetime.fromtimestamp((engine.now_ms + ms) / 1000, UTC).isoformat(timespec="milliseconds")


def test_a_reducing_order_answers_with_its_id_and_is_found_by_ours(desk: Client, engine: Engine) -> None:
    placed = desk.order(cl_ord_id=OWN, deadline=deadline(engine, 5000))
    (txid,) = placed["result"]["txid"]
    assert placed["result"]["descr"]["order"] == "sell 0.10000000 XBTUSD @ market with 10:1 leverage"
    closed = desk.ask("ClosedOrders", cl_ord_id=OWN)["result"]["closed"]
    assert list(closed) == [txid]
    assert (closed[txid]["status"], closed[txid]["vol_exec"], closed[txid]["cl_ord_id"]) == (
        "closed",
        "0.10000000",
        OWN,
    )
    assert desk.ask("OpenOrders", cl_ord_id=OWN)["result"]["open"] == {}
    assert desk.ask("ClosedOrders", cl_ord_id="other")["result"] == {"closed": {}, "count": 0}
    assert engine.figures("desk").position("XXBTZUSD").quantity == D("0.4")


def test_an_order_is_found_by_krakens_id_open_or_closed(desk: Client) -> None:
    (closed,) = desk.order()["result"]["txid"]
    (resting,) = desk.order(ordertype="limit", price="90000")["result"]["txid"]
    found = desk.ask("QueryOrders", txid=f"{closed},{resting}")["result"]
    assert {txid: row["status"] for txid, row in found.items()} == {closed: "closed", resting: "open"}
    assert desk.ask("QueryOrders", txid="ONONE")["error"] == ["EOrder:Unknown order"]
    assert desk.ask("QueryOrders")["error"] == ["EGeneral:Invalid arguments:txid"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"leverage": ""}, "EOrder:Insufficient funds"),
        ({"leverage": "11"}, "EGeneral:Invalid arguments:leverage"),
        ({"leverage": "2.5"}, "EGeneral:Invalid arguments:leverage"),
        ({"pair": "XBTJPY"}, "EQuery:Unknown asset pair"),
        ({"type": "buy"}, "EOrder:Reduce only:Cannot increase position"),
        ({"pair": "SOLUSD"}, "EOrder:Reduce only:No position exists"),
        ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
        ({"volume": "0.000000001"}, "EGeneral:Invalid arguments:volume"),
        ({"reduce_only": "True "}, "EGeneral:Invalid arguments:reduce_only"),
        ({"ordertype": "limit"}, "EOrder:Invalid price"),
        ({"ordertype": "limit", "price": "60000.05"}, "EOrder:Tick size check failed"),
        ({"ordertype": "iceberg"}, "EGeneral:Invalid arguments:ordertype"),
        ({"timeinforce": "ioc"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
    ],
)
def test_what_kraken_refuses_it_refuses_in_its_own_words(
    desk: Client, engine: Engine, changes: dict[str, str], error: str
) -> None:
    assert desk.order(**changes)["error"] == [error]
    assert engine.figures("desk").position("XXBTZUSD").quantity == D("0.5")


@pytest.mark.parametrize(
    ("ms", "error"),
    [
        (-1, "EService:Deadline elapsed"),
        (1900, "EGeneral:Invalid arguments:deadline"),
        (61_000, "EGeneral:Invalid arguments:deadline"),
        (2100, None),
        (59_000, None),
    ],
)
def test_a_deadline_lies_between_two_and_sixty_seconds_ahead(
    desk: Client, engine: Engine, ms: int, error: str | None
) -> None:
    assert desk.order(deadline=deadline(engine, ms))["error"] == ([] if error is None else [error])


def test_a_reduce_only_order_beyond_the_position_closes_it_and_no_more(desk: Client, engine: Engine) -> None:
    assert desk.order(volume="0.9")["error"] == []
    assert engine.figures("desk").position("XXBTZUSD") is None


def test_a_client_id_is_taken_only_while_its_order_is_open(desk: Client) -> None:
    resting = {"ordertype": "limit", "price": "70000", "cl_ord_id": OWN}
    assert desk.order(**resting)["error"] == []
    assert desk.order(cl_ord_id=OWN)["error"] == ["EOrder:Duplicate cl_ord_id"]
    assert desk.ask("CancelOrder", cl_ord_id=OWN)["result"] == {"count": 1, "pending": False}
    assert desk.order(cl_ord_id=OWN)["error"] == []


def test_stops_wait_as_their_owner_placed_them(desk: Client) -> None:
    stopped = desk.order(ordertype="stop-loss", price="50000")["result"]
    (stop,) = stopped["txid"]
    assert stopped["descr"]["order"] == "sell 0.10000000 XBTUSD @ stop loss 50000 with 10:1 leverage"
    (take,) = desk.order(ordertype="take-profit-limit", price="70000", price2="69900")["result"]["txid"]
    rows = desk.ask("OpenOrders")["result"]["open"]
    assert rows[stop]["descr"]["ordertype"] == "stop-loss"
    assert (rows[stop]["descr"]["price"], rows[stop]["reduce_only"]) == ("50000", True)
    assert (rows[take]["descr"]["price"], rows[take]["descr"]["price2"]) == ("70000", "69900")
    assert rows[stop]["status"] == "open"


def test_cancelling_counts_what_it_did(desk: Client) -> None:
    ids = [desk.order(ordertype="limit", price=str(70_000 + n))["result"]["txid"][0] for n in range(3)]
    assert desk.ask_json("CancelOrderBatch", orders=[ids[0], ids[1]])["result"] == {"count": 2}
    assert desk.ask_json("CancelOrderBatch", orders=[ids[0], ids[2]])["result"] == {"count": 1}
    assert desk.ask_json("CancelOrderBatch", orders=ids)["result"] == {"count": 0}
    assert desk.ask("CancelOrder", txid=ids[0])["error"] == ["EOrder:Unknown order"]
    assert desk.ask("CancelOrder")["error"] == ["EGeneral:Invalid arguments:txid"]
    assert desk.ask_json("CancelOrderBatch", orders=["O"] * 51)["error"] == [
        "EGeneral:Invalid arguments:orders"
    ]


def test_closed_orders_come_fifty_at_a_time_newest_first(desk: Client) -> None:
    desk.wire.gate.tier = type(desk.wire.gate.tier)(1e9, 1e9)
    for _ in range(55):
        assert desk.order(volume="0.001")["error"] == []
    first = desk.ask("ClosedOrders")["result"]
    rest = desk.ask("ClosedOrders", ofs="50")["result"]
    assert (len(first["closed"]), len(rest["closed"]), first["count"]) == (50, 5, 55)
    assert not first["closed"].keys() & rest["closed"].keys()
    assert max(first["closed"]) > max(rest["closed"])


def test_an_opening_order_needs_margin(client: Callable[[str], Client]) -> None:
    flat = client("flat")
    assert flat.order(type="buy", reduce_only="false", volume="4")["error"] == [
        "EOrder:Insufficient initial margin"
    ]
    assert flat.order(type="buy", reduce_only="false", volume="1")["error"] == []
