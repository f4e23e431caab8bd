"""Who may ask the Kraken Futures wire: signatures over raw bytes, nonces, permissions, budget."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.krakenfutures.gate import authent

Desk = Any
ACCOUNTS = "/derivatives/api/v3/accounts"
FILLS = "/derivatives/api/v3/fills?lastFillTime=2026-01-01T00%3A00%3A00Z"


def test_the_signature_is_that_of_the_documented_example() -> None:
    """The inputs stand in Kraken's guide ("Futures REST"); the result was published by another client."""
    documented = "rttp4AzwRfYEdQ7R7X8Z/04Y4TZPa97pqCypi3xXxAqftygftnI6H9yGV+OcUOOJeFtZkr8mVwbAndU3Kz4Q+eG="
    secret = base64.b64decode(documented)
    path = "/derivatives/api/v3/orderbook"
    assert authent(secret, b"symbol=fi_xbtusd_180615", "1415957147987", path) == (
        "DqUyz8Wh/72af7dimSXHw91IFxrAriTgVodyg2s67PU2mVStwLDQak+uIoCtfb43XONq0xVAp+vm5dqnhFAB1Q=="
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "wrong"},
        {"key": "nobody"},
        {"signed_query": "lastFillTime=2026-01-01T00:00:00Z"},
        {"signed_path": "/derivatives/api/v3/fills"},
    ],
)
def test_refused_at_the_gate(desk: Desk, changes: dict[str, str]) -> None:
    assert desk.send(desk.sign("GET", FILLS)).payload["result"] == "success"
    answer = desk.send(desk.sign("GET", FILLS, **changes))
    assert (answer.payload["error"], answer.status) == ("authenticationError", 401)


def test_the_body_signed_is_the_body_sent(desk: Desk) -> None:
    signed = desk.sign(
        "POST", "/derivatives/api/v3/batchorder", b'json={"batchOrder": [{"order": "cancel"}]}'
    )
    forged = WireRequest(
        method="POST",
        target=signed.target,
        headers=signed.headers,
        body=b'json={"batchOrder": [{"order": "send"}]}',
        now_ms=signed.now_ms,
    )
    assert desk.send(forged).payload["error"] == "authenticationError"


def test_a_nonce_may_be_left_out_and_must_rise_where_it_came(desk: Desk) -> None:
    said = [
        desk.send(desk.sign("GET", ACCOUNTS, nonce=nonce)).payload.get("error")
        for nonce in ("100", "100", "99", "101", "", "x")
    ]
    assert said == [None, "nonceDuplicate", "nonceBelowThreshold", None, None, "invalidArgument: nonce"]


def test_a_key_that_reads_may_not_trade_or_transfer(client: Callable[[str], Any]) -> None:
    reader = client("reader")
    assert reader.get("openpositions")["openPositions"] == []
    assert reader.ask("POST", "orders/status", cliOrdIds="a")["orders"] == []
    assert reader.order()["error"] == "permissionDenied"
    move = reader.ask("POST", "transfer", fromAccount="cash", toAccount="flex", unit="usd", amount="1")
    assert move["error"] == "permissionDenied"


def test_the_key_check_is_signed_with_its_whole_path(desk: Desk) -> None:
    path = "/api/auth/v1/api-keys/v3/check"
    assert desk.send(desk.sign("GET", path)).payload["permissions"] == {
        "general": "FULL_ACCESS",
        "transfer": "NO_ACCESS",
    }
    assert desk.send(desk.sign("GET", path, signed_path=path[4:])).status == 401


def test_the_budget_is_five_hundred_in_ten_seconds_and_public_calls_are_free(desk: Desk) -> None:
    tickers = WireRequest(
        method="GET", target="/derivatives/api/v3/tickers", headers={}, body=b"", now_ms=desk.wire.now_ms
    )
    for _ in range(250):
        assert "result" in desk.get("accounts")
        desk.send(tickers)
    answer = desk.send(desk.sign("GET", ACCOUNTS))
    assert (answer.payload["error"], answer.status) == ("apiLimitExceeded", 429)
