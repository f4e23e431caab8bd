"""Who may ask the Crypto.com wire: signatures over the body as written, nonces, permissions, limits."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.cryptocom.wire import CryptocomWire

Desk = Any
BALANCE, CLOSE = "private/user-balance", "private/close-position"
WINDOW_MS = 60_000


def test_the_signature_covers_method_id_key_parameters_and_nonce(desk: Desk) -> None:
    params = {"instrument_name": "BTCUSD-PERP", "type": "MARKET", "quantity": "0.1"}
    assert desk.post(CLOSE, params)["code"] == 0


@pytest.mark.parametrize(
    ("changes", "code", "status"),
    [
        ({"secret": "wrong"}, 40101, 401),
        ({"sig": "00" * 32}, 40101, 401),
        ({"sig": None}, 40101, 401),
        ({"text": "instrument_nameETHUSD-PERP"}, 40101, 401),
        ({"api_key": "nobody"}, 40101, 401),
        ({"nonce": "soon"}, 40102, 400),
        ({"nonce": None}, 40102, 400),
    ],
)
def test_refused_at_the_gate(desk: Desk, changes: dict[str, Any], code: int, status: int) -> None:
    answer = desk.ask(BALANCE, **changes)
    assert (answer.payload["code"], answer.status) == (code, status)


def test_a_body_for_another_method_is_refused(desk: Desk) -> None:
    assert desk.send(BALANCE, desk.body("private/get-positions")).payload["code"] == 40003


@pytest.mark.parametrize(
    ("off_ms", "code"),
    [(-WINDOW_MS, 0), (WINDOW_MS, 0), (-WINDOW_MS - 1, 40102), (WINDOW_MS + 1, 40102)],
)
def test_a_nonce_may_be_sixty_seconds_off(desk: Desk, off_ms: int, code: int) -> None:
    assert desk.post(BALANCE, nonce=desk.wire.now_ms + off_ms)["code"] == code


def test_a_body_that_was_changed_on_the_way_is_not_the_one_that_was_signed(desk: Desk) -> None:
    signed = desk.body(CLOSE, {"instrument_name": "BTCUSD-PERP", "type": "MARKET", "quantity": "0.1"})
    assert desk.send(CLOSE, signed.replace(b'"0.1"', b'"0.9"')).payload["code"] == 40101
    assert desk.send(CLOSE, signed).payload["code"] == 0


def test_numbers_are_signed_as_they_are_written(desk: Desk) -> None:
    signed = desk.body("private/get-order-history", {"limit": 20}, text="limit20")
    assert desk.send("private/get-order-history", signed).payload["code"] == 0
    desk.wait(1_100)
    other = desk.body("private/get-order-history", {"limit": 2.0}, text="limit2")
    assert desk.send("private/get-order-history", other).payload["code"] == 40101


@pytest.mark.parametrize(("text", "code"), [("reduce_onlytrue", 0), ("reduce_onlyTrue", 40101)])
def test_a_boolean_is_signed_as_json_writes_it(desk: Desk, text: str, code: int) -> None:
    assert desk.post(BALANCE, {"reduce_only": True}, text=text)["code"] == code


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"b": "2", "a": "1"}, "a1b2"),
        ({"a": None, "b": "x"}, "abx"),
        ({"list": ["x", "y"]}, "listxy"),
        ({"orders": [{"q": "1", "p": "2"}, {"p": "3"}]}, "ordersp2q1p3"),
    ],
)
def test_the_parameter_string_is_keys_in_order_with_their_values(
    desk: Desk, params: dict[str, Any], text: str
) -> None:
    assert desk.post(BALANCE, params, text=text)["code"] == 0


def test_a_nonce_is_acted_upon_once(desk: Desk) -> None:
    signed = desk.body(CLOSE, {"instrument_name": "BTCUSD-PERP", "type": "MARKET", "quantity": "0.1"})
    assert desk.send(CLOSE, signed).payload["code"] == 0
    answer = desk.send(CLOSE, signed)
    assert (answer.payload["code"], answer.status) == (40006, 400)
    assert len(desk.wire.engine.orders("cross")) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"instrument_name=BTC"])
def test_a_body_that_is_no_object_is_refused(desk: Desk, body: bytes) -> None:
    assert desk.send(BALANCE, body).payload["code"] == 40003


def test_params_must_be_there_even_when_empty(desk: Desk) -> None:
    signed = json.loads(desk.body("private/get-positions", {}))
    del signed["params"]
    assert desk.send("private/get-positions", json.dumps(signed).encode()).payload["code"] == 40004


def test_a_key_that_only_reads_closes_nothing(client: Callable[[str], Desk]) -> None:
    reader = client("reader")
    assert reader.post(BALANCE)["code"] == 0
    params = {"instrument_name": "BTCUSD-PERP", "type": "MARKET"}
    assert reader.post(CLOSE, params)["code"] == 40101


@pytest.mark.parametrize(
    ("method", "limit", "window_ms"),
    [
        (BALANCE, 3, 100),
        ("private/get-positions", 3, 100),
        ("private/cancel-all-orders", 15, 100),
        ("private/get-order-history", 1, 1_000),
    ],
)
def test_each_method_has_a_limit_of_its_own(desk: Desk, method: str, limit: int, window_ms: int) -> None:
    for _ in range(limit):
        assert desk.post(method)["code"] == 0
    answer = desk.ask(method)
    assert (answer.payload["code"], answer.status) == (42901, 429)
    assert desk.post("private/get-accounts")["code"] == 0
    desk.wait(window_ms)
    assert desk.post(method)["code"] == 0


def test_limits_are_per_key(desk: Desk, client: Callable[[str], Desk]) -> None:
    for _ in range(4):
        desk.post(BALANCE)
    assert client("flat").post(BALANCE)["code"] == 0


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("not_found", 400, 40002),
        ("rate_limited", 429, 42901),
        ("revoked_key", 401, 40101),
        ("ban", 401, 40103),
        ("duplicate_code", 400, 204),
        ("reduce_only_rejected", 500, 201),
        ("server_error", 400, 50001),
    ],
)
def test_refusals_by_kind(engine: Engine, kind: str, status: int, code: int) -> None:
    answer = CryptocomWire(engine).refusal(kind)
    assert (answer.status, answer.payload["code"]) == (status, code)


def test_an_unknown_method_is_not_found(desk: Desk) -> None:
    assert desk.ask("private/nothing").payload["message"] == "METHOD_NOT_FOUND"
