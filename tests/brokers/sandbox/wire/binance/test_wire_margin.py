"""The margin wires by hand: what is lent and owed, who may ask, how they say no."""

import hashlib
import hmac
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from brokers.models import MarginMode, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.scenarios import calm
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, Permissions, SandboxSpec
from brokers.sandbox.venues import VENUES
from brokers.sandbox.wire.base import WireRefusal, WireRequest

D = Decimal
ORDER, ACCOUNT, REPAY = "/sapi/v1/margin/order", "/sapi/v1/margin/account", "/sapi/v1/margin/borrow-repay"
PAIRS = "/sapi/v1/margin/isolated/account"
SELL = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.25"}


class Client:
    """Sign requests and hand them to a wire."""

    def __init__(self, broker: str, *accounts: AccountSpec) -> None:
        venue = VENUES[broker]
        spec = SandboxSpec(
            instruments=venue.instruments,
            assets=venue.assets,
            accounts=accounts,
            rules=venue.rules,
            scenario=calm(noise=0.0),
        )
        self.engine = Engine(spec)
        self.wire = venue.build(self.engine, {"pro": "pro"})
        self.wire.now_ms = self.engine.now_ms

    def ask(self, method: str, path: str, name: str = "desk", secret: str = "", **params: Any) -> Any:  # noqa: ANN401
        fields = {**params, "timestamp": self.engine.now_ms, "recvWindow": 5000}
        text = urlencode(fields)
        signature = hmac.new((secret or name[::-1]).encode(), text.encode(), hashlib.sha256).hexdigest()
        request = WireRequest(
            method=method,
            target=f"{path}?{text}&signature={signature}",
            headers={"x-mbx-apikey": name},
            body=b"",
            now_ms=self.engine.now_ms,
        )
        route = next(r for r in self.wire.routes() if (r.method, r.path) == (method, path))
        account = self.wire.authenticate(request) if route.signed else ""
        return route.handler(request, account).payload

    def refused(self, *what: Any, **params: Any) -> tuple[int, str]:  # noqa: ANN401
        with pytest.raises(WireRefusal) as caught:
            self.ask(*what, **params)
        payload = caught.value.answer.payload
        return payload["code"], payload["msg"]


def account(name: str, quantity: str = "1", **more: Any) -> AccountSpec:  # noqa: ANN401
    side = Side.SHORT if quantity.startswith("-") else Side.LONG
    return AccountSpec(
        name=name,
        api_key=name,
        secret=name[::-1],
        wallets={"USDT": OpeningWallet(balance=D(20_000))},
        positions=(OpeningPosition(symbol="BTC-USDT", side=side, quantity=abs(D(quantity))),),
        **more,
    )


@pytest.fixture
def cross() -> Client:
    reader = account("reader", permissions=Permissions(can_trade=False))
    return Client(
        "binancemargin",
        account("desk"),
        account("short", "-1"),
        account("half", "0.5"),
        account("pro"),
        reader,
    )


def row(answer: dict[str, Any], asset: str) -> dict[str, Decimal]:
    found = next(one for one in answer["userAssets"] if one["asset"] == asset)
    return {name: D(value) for name, value in found.items() if name != "asset"}


def test_a_long_is_coins_and_a_debt(cross: Client) -> None:
    answer = cross.ask("GET", ACCOUNT)
    assert row(answer, "BTC") == {"borrowed": 0, "free": 1, "interest": 0, "locked": 0, "netAsset": 1}
    assert row(answer, "USDT")["borrowed"] == 40_000
    assert D(answer["marginLevel"]) == D("1.5")
    assert D(answer["totalNetAssetOfBtc"]) == pytest.approx(D(20_000) / 60_000, abs=D("1e-8"))


def test_a_short_is_money_and_coins_owed(cross: Client) -> None:
    answer = cross.ask("GET", ACCOUNT, "short")
    assert (row(answer, "BTC")["borrowed"], row(answer, "USDT")["free"]) == (1, 80_000)
    assert D(answer["marginLevel"]) == pytest.approx(D(80) / 60, abs=D("1e-8"))


def test_a_pro_account_states_another_level_and_is_liquidated_at_the_same_price(cross: Client) -> None:
    answer = cross.ask("GET", ACCOUNT, "pro")
    # 20,000 over a tenth of 40,000
    assert (answer["accountType"], D(answer["marginLevel"])) == ("MARGIN_2", 5)


@pytest.mark.parametrize(
    ("effect", "owed", "free"),
    [("AUTO_REPAY", 25_015, 0), ("", 40_000, 14_985), ("NO_SIDE_EFFECT", 40_000, 14_985)],
)
def test_only_an_order_that_repays_gives_the_debt_back(
    cross: Client, effect: str, owed: int, free: int
) -> None:
    params = {**SELL, **({"sideEffectType": effect} if effect else {})}
    answer = cross.ask("POST", ORDER, newOrderRespType="RESULT", **params)
    assert (answer["status"], answer["executedQty"]) == ("FILLED", "0.250")
    usdt = row(cross.ask("GET", ACCOUNT), "USDT")
    assert usdt["borrowed"] == pytest.approx(D(owed), abs=D(10))  # a spread of a few dollars
    assert usdt["free"] == pytest.approx(D(free), abs=D(10))


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"quantity": "1.1", "sideEffectType": "AUTO_REPAY"}, -2010, "insufficient balance"),
        ({"quantity": "1.1"}, -2010, "insufficient balance"),
        ({"side": "BUY", "sideEffectType": "AUTO_REPAY"}, -2010, "insufficient balance"),
        ({"quantity": "0.0001"}, -1013, "LOT_SIZE"),
        ({"sideEffectType": "AUTO_REPEL"}, -1102, ""),
        ({"symbol": "DOGEUSDT"}, -1121, "symbol"),
        ({"isIsolated": "TRUE"}, -3003, "does not exist"),
        ({"type": "TRAILING"}, -1116, "orderType"),
    ],
)
def test_what_cannot_be_paid_or_read_is_refused(
    cross: Client, change: dict[str, str], code: int, words: str
) -> None:
    got, message = cross.refused("POST", ORDER, **{**SELL, **change})
    assert got == code
    assert words in message


def test_an_order_that_may_borrow_goes_through_as_far_as_the_venue_lends(cross: Client) -> None:
    buys = {**SELL, "side": "BUY", "quantity": "0.01", "sideEffectType": "MARGIN_BUY"}
    cross.ask("POST", ORDER, "half", **buys)
    assert row(cross.ask("GET", ACCOUNT, "half"), "USDT")["borrowed"] > 10_500
    assert cross.refused("POST", ORDER, **buys)[0] == -3006


def test_an_id_in_use_is_a_duplicate_by_its_words(cross: Client) -> None:
    waits = {**SELL, "type": "LIMIT", "timeInForce": "GTC", "price": "70000", "newClientOrderId": "mine"}
    cross.ask("POST", ORDER, **waits)
    assert cross.refused("POST", ORDER, **waits) == (-2010, "Duplicate order sent.")


@pytest.mark.parametrize(
    ("side", "kind", "price"),
    [("SELL", "STOP_LOSS", "50000"), ("SELL", "TAKE_PROFIT", "70000"), ("SELL", "STOP_LOSS_LIMIT", "50000")],
)
def test_a_stop_locks_what_it_would_sell(cross: Client, side: str, kind: str, price: str) -> None:
    limited = {"price": price, "timeInForce": "GTC"} if kind.endswith("LIMIT") else {}
    cross.ask("POST", ORDER, **{**SELL, "side": side, "type": kind, "stopPrice": price, **limited})
    [order] = cross.ask("GET", "/sapi/v1/margin/openOrders")
    assert (order["type"], order["isWorking"], D(order["stopPrice"])) == (kind, False, D(price))
    btc = row(cross.ask("GET", ACCOUNT), "BTC")
    assert (btc["locked"], btc["free"]) == (D("0.25"), D("0.75"))


def test_a_repayment_takes_what_is_free_and_owed(cross: Client) -> None:
    cross.ask("POST", ORDER, **SELL)
    free = row(cross.ask("GET", ACCOUNT), "USDT")["free"]
    assert cross.refused("POST", REPAY, asset="USDT", amount="41000", type="REPAY")[0] == -3015
    assert cross.refused("POST", REPAY, asset="USDT", amount="20000", type="REPAY")[0] == -3041
    assert cross.refused("POST", REPAY, asset="USDT", amount="1", type="BORROW")[0] == -1130
    done = cross.ask("POST", REPAY, asset="USDT", amount="10000", type="REPAY")
    assert row(cross.ask("GET", ACCOUNT), "USDT")["free"] == free - 10_000
    records = cross.ask("GET", REPAY, type="REPAY", asset="USDT")
    assert [(one["txId"], D(one["amount"])) for one in records["rows"]] == [(done["tranId"], 10_000)]


def test_who_may_ask(cross: Client) -> None:
    assert cross.refused("GET", ACCOUNT, secret="wrong")[0] == -1022
    assert cross.refused("GET", ACCOUNT, "nobody")[0] == -2015
    assert cross.refused("POST", ORDER, "reader", **SELL)[0] == -2015
    assert cross.ask("GET", ACCOUNT, "reader")["created"] is True


def test_an_isolated_pair_keeps_its_margin_when_a_part_of_it_is_sold() -> None:
    pledged = OpeningPosition(symbol="BTC-USDT", side=Side.LONG, quantity=D(1), isolated_margin=D(20_000))
    pool = VENUES["binanceisolated"].pools["isolated_pairs"]
    spec = AccountSpec(
        name="desk", api_key="desk", secret="ksed", wallets={"USDT": OpeningWallet(balance=D(20_000))},
        margin_pool=pool, margin_mode=MarginMode.ISOLATED, positions=(pledged,),
    )  # fmt: skip
    client = Client("binanceisolated", spec)
    before = next(one for one in client.ask("GET", PAIRS)["assets"] if one["symbol"] == "BTCUSDT")
    assert (D(before["marginLevel"]), before["marginRatio"]) == (D("1.5"), "3")
    # 1.18 x 40,000
    assert D(before["liquidatePrice"]) == 47_200
    client.ask("POST", ORDER, **SELL, isIsolated="TRUE", sideEffectType="AUTO_REPAY")
    after = next(one for one in client.ask("GET", PAIRS)["assets"] if one["symbol"] == "BTCUSDT")
    assert D(after["quoteAsset"]["borrowed"]) == pytest.approx(D(25_015), abs=D(10))
    assert D(after["marginLevel"]) > D("1.79")
    assert client.refused("POST", ORDER, **SELL)[0] == -3003
