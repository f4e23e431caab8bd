"""Who may ask the OKX wire: signatures over raw bytes, passphrase, timestamps, permissions, limits."""

from collections.abc import Callable
from typing import Any

import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.okx.wire import OkxWire

Desk = Any
BALANCE = "/api/v5/account/balance"


def test_signature_covers_path_query_and_body_as_sent(desk: Desk) -> None:
    assert desk.get("account/positions", instId="BTC-USDT-SWAP,ETH-USDT-SWAP")["code"] == "0"
    assert desk.post("trade/cancel-batch-orders", [{"instId": "BTC-USDT-SWAP", "ordId": "1"}])["code"] == "1"


@pytest.mark.parametrize(
    ("changes", "code", "status"),
    [
        ({"secret": "wrong"}, "50113", 401),
        ({"signed_target": "/api/v5/account/balance?ccy=BTC"}, "50113", 401),
        ({"passphrase": "wrong"}, "50105", 401),
        ({"key": "nobody"}, "50119", 200),
        ({"timestamp": "2025-12-31T23:59:29.999Z"}, "50102", 401),
        ({"timestamp": "2026-01-01T00:00:30.001Z"}, "50102", 401),
        ({"timestamp": "1767225600000"}, "50112", 401),
        ({"timestamp": "2026-01-01T00:00:00.000"}, "50112", 401),
    ],
)
def test_refused_at_the_gate(desk: Desk, changes: dict[str, str], code: str, status: int) -> None:
    answer = desk.send(desk.sign("GET", BALANCE, **changes))
    assert (answer.payload["code"], answer.status) == (code, status)


def test_timestamp_may_be_thirty_seconds_off(desk: Desk) -> None:
    for stamp in ("2025-12-31T23:59:30.000Z", "2026-01-01T00:00:30.000Z"):
        assert desk.send(desk.sign("GET", BALANCE, timestamp=stamp)).payload["code"] == "0"


def test_body_signed_is_the_body_sent(desk: Desk) -> None:
    signed = desk.sign("POST", "/api/v5/trade/cancel-algos", b'[{"instId": "a"}]')
    forged = WireRequest(
        method="POST",
        target=signed.target,
        headers=signed.headers,
        body=b'[{"instId": "b"}]',
        now_ms=signed.now_ms,
    )
    assert desk.send(forged).payload["code"] == "50113"


@pytest.mark.parametrize(
    ("header", "code"), [("key", "50103"), ("passphrase", "50104"), ("sign", "50106"), ("timestamp", "50107")]
)
def test_every_header_is_needed(desk: Desk, header: str, code: str) -> None:
    signed = desk.sign("GET", BALANCE)
    headers = {name: value for name, value in signed.headers.items() if name != f"ok-access-{header}"}
    request = WireRequest(method="GET", target=BALANCE, headers=headers, body=b"", now_ms=signed.now_ms)
    assert desk.send(request).payload["code"] == code


def test_read_only_key_reads_and_nothing_more(client: Callable[[str], Desk]) -> None:
    reader = client("reader")
    assert reader.get("account/balance")["code"] == "0"
    assert reader.order()["code"] == "50120"
    transfer = {"ccy": "USDT", "amt": "1", "from": "6", "to": "18"}
    assert reader.post("asset/transfer", transfer)["code"] == "50120"


def test_balance_is_limited_to_ten_in_two_seconds(desk: Desk, engine: Engine) -> None:
    for _ in range(10):
        assert desk.get("account/balance")["code"] == "0"
    answer = desk.send(desk.sign("GET", BALANCE))
    assert (answer.status, answer.payload["code"]) == (429, "50011")
    assert desk.get("account/positions")["code"] == "0"  # each endpoint counts by itself
    engine.advance(engine.now_ms + 2_000)
    desk.wire.now_ms = engine.now_ms
    assert desk.get("account/balance")["code"] == "0"


def test_limits_are_per_user(desk: Desk, client: Callable[[str], Desk]) -> None:
    for _ in range(11):
        desk.get("account/balance")
    assert client("hedge").get("account/balance")["code"] == "0"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate_limited", 429, "50011"),
        ("revoked_key", 200, "50119"),
        ("server_error", 500, "50026"),
        ("ban", 200, "50121"),
        ("not_found", 404, 404),
    ],
)
def test_refusals_by_kind(engine: Engine, kind: str, status: int, code: object) -> None:
    answer = OkxWire(engine).refusal(kind)
    assert (answer.status, answer.payload["code"]) == (status, code)


@pytest.mark.parametrize(("kind", "code"), [("duplicate_code", "51016"), ("reduce_only_rejected", "51169")])
def test_refusals_of_orders_stand_in_their_rows(engine: Engine, kind: str, code: str) -> None:
    payload = OkxWire(engine).refusal(kind).payload
    assert (payload["code"], payload["data"][0]["sCode"]) == ("1", code)


def test_unknown_path_is_not_found(desk: Desk) -> None:
    assert desk.send(desk.sign("GET", "/api/v5/account/nothing")).status == 404
