"""Orders on the wire: taking, refusing, listing, cancelling, leverage, transfers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.engine import Engine

Client = Any
Json = dict[str, Any]
SignIn = Callable[[str], Client]

UUID = "42c0cfb0-6bca-c242-bc76-4e6df6cbcb16"


def look_up(desk: Client, client_id: str) -> Json:
    (row,) = desk.get("order/realtime", category="linear", orderLinkId=client_id)["result"]["list"]
    return row


def test_an_order_is_acknowledged_with_two_ids_and_nothing_else(desk: Client) -> None:
    answer = desk.order(reduceOnly=True, orderLinkId="a-1")
    assert set(answer["result"]) == {"orderId", "orderLinkId"}
    row = look_up(desk, "a-1")
    assert (row["orderStatus"], row["cumExecQty"], row["leavesQty"]) == ("Filled", "0.100", "0.000")
    assert Decimal(row["avgPrice"]) > 59_000
    assert list(row["cumFeeDetail"]) == ["USDT"]


def test_a_client_id_is_used_up_for_ever(desk: Client) -> None:
    assert desk.order(reduceOnly=True, orderLinkId="a-1")["retCode"] == 0
    again = desk.order(reduceOnly=True, orderLinkId="a-1")
    assert (again["retCode"], again["retMsg"]) == (110072, "OrderLinkedID is duplicate")


def test_reduce_only_on_a_flat_position_is_110017(client: SignIn) -> None:
    assert client("flat").order(reduceOnly=True)["retCode"] == 110017


def test_reduce_only_on_the_positions_own_side_is_110017(desk: Client) -> None:
    assert desk.order(side="Buy", reduceOnly=True)["retCode"] == 110017


def test_reduce_only_beyond_the_position_closes_it_and_no_more(desk: Client, engine: Engine) -> None:
    assert desk.order(qty="5", reduceOnly=True)["retCode"] == 0
    assert engine.figures("cross").positions == ()


def test_quantity_zero_with_close_on_trigger_closes_everything(desk: Client, engine: Engine) -> None:
    assert desk.order(qty="0", reduceOnly=True, closeOnTrigger=True)["retCode"] == 0
    assert engine.figures("cross").positions == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"category": None}, 10001),
        ({"category": "inverse"}, 10001),
        ({"symbol": "NOPE"}, 10001),
        ({"side": "sell"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"qty": None}, 10001),
        ({"qty": "0"}, 10001),
        ({"qty": "0.00015"}, 10001),
        ({"qty": "1e99"}, 10001),
        ({"qty": 0.1}, 10001),
        ({"qty": "500"}, 10001),
        ({"orderType": "Limit"}, 10001),
        ({"orderType": "Limit", "price": "60000.05"}, 10001),
        ({"timeInForce": "DAY"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"orderLinkId": "x" * 37}, 10001),
        ({"reduceOnly": "true"}, 10001),
        ({"qty": "100", "side": "Buy"}, 110007),
        ({"orderType": "Limit", "price": "100", "qty": "0.001", "side": "Buy"}, 110094),
        ({"triggerPrice": "50000"}, 10001),
        ({"triggerPrice": "70000", "triggerDirection": 2}, 110093),
        ({"triggerPrice": "50000", "triggerDirection": 1}, 110092),
    ],
)
def test_refused_orders(desk: Client, engine: Engine, change: Json, code: int) -> None:
    assert desk.order(**change)["retCode"] == code
    assert engine.figures("cross").positions[0].quantity == 1


def test_halted_symbols_take_no_orders(desk: Client, engine: Engine) -> None:
    engine.controls.halted.add("BTC-USDT")
    assert desk.order(reduceOnly=True)["retCode"] == 110066


@pytest.mark.parametrize(("index", "code"), [(0, 10001), (1, 0), (2, 110017)])
def test_hedge_mode_needs_the_leg_that_is_meant(client: SignIn, index: int, code: int) -> None:
    assert client("hedge").order(positionIdx=index, reduceOnly=True)["retCode"] == code


def test_an_ioc_limit_takes_what_is_there_and_is_cancelled(desk: Client, engine: Engine) -> None:
    engine.controls.fill_fraction = Decimal("0.3")
    desk.order(orderType="Limit", price="59000", timeInForce="IOC", reduceOnly=True, orderLinkId="a-1")
    row = look_up(desk, "a-1")
    assert (row["orderStatus"], row["cumExecQty"], row["rejectReason"]) == (
        "Cancelled",
        "0.030",
        "EC_NoImmediateQtyToFill",
    )


def test_open_orders_by_kind_and_settle_coin(client: SignIn) -> None:
    desk = client("wide")
    desk.order(side="Buy", orderType="Limit", price="50000", orderLinkId="rest")
    desk.order(triggerPrice="50000", triggerDirection=2, triggerBy="MarkPrice", reduceOnly=True)
    desk.order(symbol="ETHPERP", side="Buy", orderType="Limit", price="2000")
    desk.order(category="inverse", symbol="BTCUSD", side="Sell", orderType="Limit", price="70000", qty="100")

    def count(**asked: object) -> int:
        return len(desk.get("order/realtime", **asked)["result"]["list"])

    assert count(category="linear", settleCoin="USDT") == 2
    assert count(category="linear", settleCoin="USDT", orderFilter="Order") == 1
    assert count(category="linear", settleCoin="USDT", orderFilter="StopOrder") == 1
    assert count(category="linear", settleCoin="USDC") == 1
    assert count(category="inverse") == 1
    assert count(category="inverse", settleCoin="USDT") == 0
    assert count(category="spot") == 0
    assert desk.get("order/realtime", category="linear")["retCode"] == 10001


def test_a_stop_waits_reduce_only(desk: Client) -> None:
    desk.order(qty="1", triggerPrice="50000", triggerDirection=2, reduceOnly=True, orderLinkId="stop")
    row = look_up(desk, "stop")
    assert (row["orderStatus"], row["stopOrderType"], row["reduceOnly"], row["triggerBy"]) == (
        "Untriggered",
        "Stop",
        True,
        "LastPrice",
    )


def test_open_orders_in_pages(desk: Client) -> None:
    for number in range(3):
        desk.order(side="Buy", orderType="Limit", price=f"{50_000 + number}", qty="0.001")
    asked = {"category": "linear", "settleCoin": "USDT", "limit": 2}
    first = desk.get("order/realtime", **asked)["result"]
    rest = desk.get("order/realtime", **asked, cursor="page_args=2&")["result"]
    assert [row["price"] for row in (*first["list"], *rest["list"])] == ["50002.0", "50001.0", "50000.0"]


def test_a_cancelled_order_is_found_by_its_id_and_in_the_history(desk: Client) -> None:
    desk.order(side="Buy", orderType="Limit", price="50000", orderLinkId="rest")
    answer = desk.post("order/cancel", category="linear", symbol="BTCUSDT", orderLinkId="rest")
    assert answer["result"]["orderLinkId"] == "rest"
    assert look_up(desk, "rest")["orderStatus"] == "Cancelled"
    (row,) = desk.get("order/history", category="linear", orderLinkId="rest")["result"]["list"]
    assert (row["cancelType"], row["leavesQty"]) == ("CancelByUser", "0.000")


@pytest.mark.parametrize("ids", [{"orderId": "999"}, {"orderLinkId": "nobody"}])
def test_cancelling_what_is_not_there_is_110001(desk: Client, ids: Json) -> None:
    assert desk.post("order/cancel", category="linear", symbol="BTCUSDT", **ids)["retCode"] == 110001


def test_cancelling_needs_an_id(desk: Client) -> None:
    assert desk.post("order/cancel", category="linear", symbol="BTCUSDT")["retCode"] == 10001


def test_a_batch_succeeds_as_a_whole_and_tells_each_fate_apart(desk: Client) -> None:
    order = desk.order(side="Buy", orderType="Limit", price="50000")["result"]
    request = [{"symbol": "BTCUSDT", "orderId": order["orderId"]}, {"symbol": "BTCUSDT", "orderId": "999"}]
    answer = desk.post("order/cancel-batch", category="linear", request=request)
    assert answer["retCode"] == 0
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 110001]
    assert [row["orderId"] for row in answer["result"]["list"]] == [order["orderId"], ""]


def test_cancel_all_takes_conditional_orders_along(desk: Client) -> None:
    desk.order(side="Buy", orderType="Limit", price="50000")
    desk.order(triggerPrice="50000", triggerDirection=2, reduceOnly=True)
    answer = desk.post("order/cancel-all", category="linear", settleCoin="USDT")
    assert len(answer["result"]["list"]) == 2
    assert desk.post("order/cancel-all", category="linear")["retCode"] == 10001


def test_leverage(desk: Client) -> None:
    asked = {"category": "linear", "symbol": "BTCUSDT"}
    assert desk.post("position/set-leverage", **asked, buyLeverage="5", sellLeverage="5")["retCode"] == 0
    assert desk.post("position/set-leverage", **asked, buyLeverage="5", sellLeverage="5")["retCode"] == 110043
    assert desk.post("position/set-leverage", **asked, buyLeverage="5", sellLeverage="6")["retCode"] == 10001
    assert (
        desk.post("position/set-leverage", **asked, buyLeverage="500", sellLeverage="500")["retCode"] == 10001
    )
    assert desk.positions()[0]["leverage"] == "5"


def test_a_transfer_works_once(desk: Client, engine: Engine) -> None:
    asked = {"transferId": UUID, "coin": "USDT", "amount": "400.5"}
    ways = {"fromAccountType": "FUND", "toAccountType": "UNIFIED"}
    assert desk.post("asset/transfer/inter-transfer", **asked, **ways)["result"] == {
        "transferId": UUID,
        "status": "SUCCESS",
    }
    assert desk.post("asset/transfer/inter-transfer", **asked, **ways)["retCode"] == 131214
    assert engine.funding_balance("cross", "USDT") == Decimal("599.5")
    (row,) = desk.get("asset/transfer/query-inter-transfer-list", transferId=UUID)["result"]["list"]
    assert (row["amount"], row["fromAccountType"], row["status"]) == ("400.5", "FUND", "SUCCESS")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": "5000"}, 131212),
        ({"amount": "0"}, 131215),
        ({"transferId": "not-a-uuid"}, 131203),
        ({"coin": "XYZ"}, 131203),
        ({"fromAccountType": "SPOT"}, 10001),
    ],
)
def test_refused_transfers(desk: Client, change: Json, code: int) -> None:
    usual = {
        "transferId": UUID,
        "coin": "USDT",
        "amount": "1",
        "fromAccountType": "FUND",
        "toAccountType": "UNIFIED",
    }
    assert desk.post("asset/transfer/inter-transfer", **{**usual, **change})["retCode"] == code


def test_a_funding_wallet_without_a_coin_says_zero(desk: Client) -> None:
    answer = desk.get("asset/transfer/query-account-coins-balance", accountType="FUND", coin="USDC")
    assert answer["result"]["balance"] == [
        {"coin": "USDC", "walletBalance": "0", "transferBalance": "0", "bonus": ""}
    ]
