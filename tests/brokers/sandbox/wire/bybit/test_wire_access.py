"""Signatures over the raw bytes, the time window, permissions, limits and bans."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.gateway import Gateway
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.bybit.limits import EndpointLimits
from brokers.sandbox.wire.bybit.wire import BybitWire

Client = Any
SignIn = Callable[[str], Client]


def test_a_signed_read_is_answered_in_the_envelope(desk: Client) -> None:
    answer = desk.get("account/info")
    assert (answer["retCode"], answer["retMsg"], answer["retExtInfo"]) == (0, "OK", {})
    assert answer["time"] == desk.wire.now_ms
    assert answer["result"]["marginMode"] == "REGULAR_MARGIN"
    assert answer["result"]["unifiedMarginStatus"] == 5


def test_an_unknown_key_is_10003(desk: Client) -> None:
    assert replace(desk, name="nobody").get("account/info")["retCode"] == 10003


def test_a_wrong_secret_is_10004(desk: Client) -> None:
    request = desk.sign("GET", "account/info", {}, secret="wrong")
    assert desk.send(request).payload["retCode"] == 10004


def test_the_signature_covers_the_query_as_sent(desk: Client) -> None:
    request = desk.sign("GET", "position/list", {"category": "linear", "settleCoin": "USDT"})
    tampered = replace(request, target=request.target.replace("USDT", "USDC"))
    assert desk.send(request).payload["retCode"] == 0
    assert desk.send(tampered).payload["retCode"] == 10004


def test_the_signature_covers_the_body_as_sent(desk: Client) -> None:
    request = desk.sign("POST", "order/create", {"category": "linear", "qty": "0.1"})
    spaced = replace(request, body=request.body.replace(b'"0.1"', b' "0.1"'))
    assert desk.send(spaced).payload["retCode"] == 10004


def test_a_read_without_parameters_may_end_in_a_bare_question_mark(desk: Client) -> None:
    request = desk.sign("GET", "user/query-api", {})
    assert request.target.endswith("?")
    assert desk.send(request).payload["retCode"] == 0


@pytest.mark.parametrize(
    ("offset", "code"), [(-5000, 0), (-5001, 10002), (999, 0), (1000, 10002), (-90_000, 10002)]
)
def test_the_window_reaches_back_by_itself_and_a_second_ahead(desk: Client, offset: int, code: int) -> None:
    request = desk.sign("GET", "account/info", {}, timestamp=desk.wire.now_ms + offset)
    assert desk.send(request).payload["retCode"] == code


def test_a_narrow_window_is_honoured(desk: Client) -> None:
    request = desk.sign("GET", "account/info", {}, timestamp=desk.wire.now_ms - 3001, window=3000)
    assert desk.send(request).payload["retCode"] == 10002


def test_the_time_call_tells_the_clock_that_judges(desk: Client) -> None:
    request = WireRequest(method="GET", target="/v5/market/time", headers={}, body=b"", now_ms=1_234_567)
    answer = desk.send(request).payload
    assert (answer["time"], answer["result"]["timeNano"]) == (1_234_567, "1234567000000")


def test_a_read_only_key_may_read_but_not_write(client: SignIn) -> None:
    reader = client("reader")
    assert reader.get("account/info")["retCode"] == 0
    assert reader.order()["retCode"] == 10005
    assert reader.post("order/cancel-all", category="linear", settleCoin="USDT")["retCode"] == 10005
    funding = reader.get("asset/transfer/query-account-coins-balance", accountType="FUND", coin="USDT")
    assert funding["retCode"] == 10005


@pytest.mark.parametrize(
    ("name", "wallet", "ips", "read_only"),
    [
        ("cross", ["AccountTransfer"], ["127.0.0.1"], 0),
        ("thief", ["AccountTransfer", "Withdraw"], ["*"], 0),
        ("reader", [], ["127.0.0.1"], 1),
    ],
)
def test_a_key_tells_what_it_may_do(
    client: SignIn, name: str, wallet: list[str], ips: list[str], read_only: int
) -> None:
    result = client(name).get("user/query-api")["result"]
    assert (result["permissions"]["Wallet"], result["ips"], result["readOnly"]) == (wallet, ips, read_only)


def test_an_unknown_path_is_404(desk: Client) -> None:
    answer = desk.send(desk.sign("GET", "no/such/path", {}))
    assert (answer.status, answer.payload["retCode"]) == (404, 10017)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("ban", 403, 403),
        ("rate_limited", 200, 10006),
        ("revoked_key", 200, 10003),
        ("duplicate_code", 200, 110072),
        ("reduce_only_rejected", 200, 110017),
        ("server_error", 200, 10016),
    ],
)
def test_refusals_of_every_kind(desk: Client, kind: str, status: int, code: int) -> None:
    answer = desk.wire.refusal(kind)
    assert (answer.status, answer.payload["retCode"]) == (status, code)


def test_limits_are_per_key_and_endpoint_and_told_in_headers(client: SignIn, engine: Engine) -> None:
    now = [0.0]
    wire = BybitWire(engine, limits=EndpointLimits(lambda: now[0]))
    gateway = Gateway(wire, speed=0, clock=lambda: now[0])
    asking = {name: replace(client(name), wire=wire, gateway=gateway) for name in ("cross", "flat")}

    def ask(name: str = "cross") -> tuple[int, str, int]:
        answer = asking[name].send(asking[name].sign("GET", "user/query-api", {}))
        headers = answer.headers
        wait = int(headers["X-Bapi-Limit-Reset-Timestamp"]) - wire.now_ms
        return answer.payload["retCode"], headers["X-Bapi-Limit-Status"], wait

    assert [ask()[:2] for _ in range(10)] == [(0, str(left)) for left in range(9, -1, -1)]
    now[0] = 0.25
    assert ask() == (10006, "0", 750)
    assert ask("flat")[0] == 0
    now[0] = 1.0
    assert ask()[0] == 0


def test_an_address_that_asks_far_too_much_is_banned(desk: Client) -> None:
    answers = [desk.send(desk.sign("GET", "account/info", {})) for _ in range(1202)]
    assert answers[599].payload["retCode"] == 0
    assert answers[601].payload["retCode"] == 10006
    assert answers[-1].status == 403
