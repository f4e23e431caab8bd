import base64
from collections.abc import Callable
from typing import Any

import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.kraken.gate import INTERMEDIATE, PRO, STARTER, Tier, api_sign

Client = Any  # the fixture's type lives in conftest

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
"""The example in Kraken's documentation; no key of anybody."""


def test_the_signature_is_that_of_the_documentation() -> None:
    nonce = "1616492376594"
    body = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    assert api_sign(base64.b64decode(SECRET), "/0/private/AddOrder", nonce, body) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"key": "nobody"}, "EAPI:Invalid key"),
        ({"secret": "wrong"}, "EAPI:Invalid signature"),
        ({"path": "/0/private/BalanceEx"}, "EAPI:Invalid signature"),
    ],
)
def test_what_is_not_signed_by_the_account_is_refused(
    desk: Client, changes: dict[str, str], error: str
) -> None:
    request = desk.sign("TradeBalance", b"nonce=5", "5", **changes)
    assert desk.send(request) == {"error": [error]}


def test_the_signature_covers_the_body_as_it_came(desk: Client) -> None:
    request = desk.sign("TradeBalance", b"nonce=5&asset=ZUSD", "5")
    spoilt = type(request)(
        method="POST", target=request.target, headers=request.headers, body=b"asset=ZUSD&nonce=5", now_ms=0
    )
    assert desk.send(spoilt) == {"error": ["EAPI:Invalid signature"]}
    assert desk.send(request)["error"] == []


def test_the_nonce_is_the_one_in_the_body_and_must_rise(desk: Client) -> None:
    def with_nonce(nonce: int) -> list[str]:
        return desk.send(desk.sign("TradeBalance", f"nonce={nonce}".encode(), str(nonce)))["error"]

    assert with_nonce(7) == []
    assert with_nonce(7) == ["EAPI:Invalid nonce"]
    assert with_nonce(6) == ["EAPI:Invalid nonce"]
    assert with_nonce(8) == []
    assert desk.send(desk.sign("TradeBalance", b"asset=ZUSD", ""))["error"] == ["EAPI:Invalid nonce"]


def test_a_key_reads_or_trades_as_it_may(client: Callable[[str], Client]) -> None:
    reader = client("reader")
    assert reader.ask("OpenPositions")["error"] == []
    assert reader.order()["error"] == ["EGeneral:Permission denied"]
    assert reader.ask("GetApiKeyInfo")["result"]["permissions"] == [
        "query-funds",
        "query-open-trades",
        "query-closed-trades",
    ]
    info = client("rich").ask("GetApiKeyInfo")["result"]
    assert "withdraw-funds" in info["permissions"]
    assert info["ip_allowlist"] == []


@pytest.mark.parametrize("tier", [STARTER, INTERMEDIATE, PRO])
def test_calls_are_counted_and_the_count_falls_with_time(desk: Client, engine: Engine, tier: Tier) -> None:
    desk.wire.gate.tier = tier
    answers = [desk.ask("TradeBalance")["error"] for _ in range(int(tier.limit) + 1)]
    assert answers[:-1] == [[]] * int(tier.limit)
    assert answers[-1] == ["EAPI:Rate limit exceeded"]
    assert desk.order()["error"] == [], "orders do not count"
    assert desk.public("Time")["error"] == []
    engine.advance(engine.now_ms + round(2_100 / tier.decay))
    desk.gateway.wire.now_ms = engine.now_ms
    assert desk.ask("TradeBalance")["error"] == []
    assert desk.ask("TradeBalance")["error"] == ["EAPI:Rate limit exceeded"]


def test_an_unknown_method_is_refused(desk: Client) -> None:
    assert desk.public("Nothing") == {"error": ["EGeneral:Unknown method"]}
