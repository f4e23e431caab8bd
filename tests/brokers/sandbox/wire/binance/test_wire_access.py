"""Who may ask the Binance wire: keys, signatures over raw bytes, timestamps, permissions, pace."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from brokers.sandbox.catalogue import venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.spec import AccountSpec
from brokers.sandbox.wire.base import WireRefusal, WireRequest
from brokers.sandbox.wire.binance.signature import authenticate
from brokers.sandbox.wire.binance.wire import BinanceWire

Client = Any
ACCOUNT = "/fapi/v3/account"


def test_the_venues_published_signature_is_accepted() -> None:
    # Source: Binance Open Platform, USD-M futures general info, HMAC SHA256 example.
    payload = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        "&recvWindow=5000&timestamp=1591702613943"
    )
    spec = AccountSpec(
        name="doc",
        api_key="dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83",
        secret="2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
        wallets={},
    )
    signature = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    request = WireRequest(
        method="POST",
        target=f"/fapi/v1/order?{payload}&signature={signature}",
        headers={"x-mbx-apikey": spec.api_key},
        body=b"",
        now_ms=1591702613943,
    )
    engine = Engine(venue([spec]))
    assert authenticate(engine, request).name == "doc"
    in_body = replace(
        request, target="/fapi/v1/order", body=f"{payload}&signature={signature.upper()}".encode()
    )
    assert authenticate(engine, in_body).name == "doc"
    reordered = replace(
        request, target=request.target.replace("quantity=1&price=9000", "price=9000&quantity=1")
    )
    with pytest.raises(WireRefusal) as refused:
        authenticate(engine, reordered)
    assert refused.value.answer.payload["code"] == -1022


@pytest.mark.parametrize(
    ("spoil", "status", "code"),
    [
        (lambda r: replace(r, headers={}), 401, -2014),
        (lambda r: replace(r, headers={"x-mbx-apikey": "nobody"}), 401, -2015),
        (lambda r: replace(r, target=r.target.partition("&signature")[0]), 400, -1102),
        (lambda r: replace(r, target=r.target.replace("timestamp", "Timestamp")), 400, -1022),
        (lambda r: replace(r, target=r.target[:-1] + "g"), 400, -1022),
        (lambda r: replace(r, now_ms=r.now_ms + 5001), 400, -1021),
        (lambda r: replace(r, now_ms=r.now_ms - 1000), 400, -1021),
        (lambda r: replace(r, target=r.target.replace("/account", "/acount")), 404, -5000),
    ],
)
def test_a_request_that_is_not_in_order_is_refused(
    desk: Client, spoil: Callable[[WireRequest], WireRequest], status: int, code: int
) -> None:
    answer = desk.send(spoil(desk.sign("GET", ACCOUNT, {})))
    assert (answer.status, answer.payload["code"]) == (status, code)


def test_the_timestamp_window_is_the_requests_own(desk: Client) -> None:
    late = desk.wire.now_ms - 8_000
    request = desk.sign("GET", ACCOUNT, {"recvWindow": 10_000}, timestamp=late)
    assert desk.send(request).status == 200
    wide = desk.sign("GET", ACCOUNT, {"recvWindow": 60_001})
    assert desk.send(wide).payload["code"] == -1131


def test_a_key_that_may_not_trade_reads_and_places_nothing(client: Callable[[str], Client]) -> None:
    reader = client("reader")
    assert "assets" in reader.ask("GET", ACCOUNT)
    assert reader.order()["code"] == -2015
    may = reader.ask("GET", "/sapi/v1/account/apiRestrictions")
    assert (may["enableFutures"], may["permitsUniversalTransfer"]) == (False, False)
    refused = reader.ask("POST", "/sapi/v1/asset/transfer", type="FUNDING_UMFUTURE", asset="USDT", amount=1)
    assert refused["code"] == -2015


def test_order_counts_are_told_and_limited(desk: Client) -> None:
    placed = desk.sign("POST", "/fapi/v1/order", {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET"})
    headers = {}
    for _ in range(300):
        headers = dict(desk.wire._orders._pace.count("single", placed.now_ms))
    assert headers == {"X-MBX-ORDER-COUNT-10S": "300", "X-MBX-ORDER-COUNT-1M": "300"}
    answer = desk.send(placed)
    assert (answer.status, answer.payload["code"]) == (429, -1015)


def test_used_weight_is_told_as_futures_hosts_do(desk: Client) -> None:
    desk.ask("GET", ACCOUNT)
    desk.public("/fapi/v1/ping")
    assert desk.gateway.usage_headers() == {"X-MBX-USED-WEIGHT-1M": "6"}


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate_limited", 429, -1003),
        ("ban", 418, -1003),
        ("revoked_key", 401, -2015),
        ("duplicate_code", 400, -4116),
        ("reduce_only_rejected", 400, -2022),
        ("not_found", 404, -5000),
        ("server_error", 500, -1000),
    ],
)
def test_the_venues_own_refusals(engine: Engine, kind: str, status: int, code: int) -> None:
    answer = BinanceWire(engine).refusal(kind)
    assert (answer.status, answer.payload["code"]) == (status, code)
    if status in {418, 429}:
        assert int(answer.headers["Retry-After"]) > 0
