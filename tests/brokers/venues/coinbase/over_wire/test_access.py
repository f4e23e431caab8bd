"""Tokens: what ccxt signs, what the venue lets in, and what the adapter makes of a refusal."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from brokers.errors import ClockRefused, KeyOrClockRefused, Unauthorized
from brokers.orders import ReduceOrder, Verdict
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire
from config.accounts import WITHDRAWAL_WORDS, AccountSettings
from daemon.vetting import objection_to

pytestmark = pytest.mark.wire

Open = Any  # the fixtures' types live in conftest
Claims = dict[str, Any]


@pytest.fixture
def tokens(wire: CoinbaseWire, monkeypatch: pytest.MonkeyPatch) -> list[tuple[WireRequest, Claims]]:
    """Every signed request that the venue gets, with the claims of its token."""
    seen: list[tuple[WireRequest, Claims]] = []
    admit = wire._gate.admit

    def note(request: WireRequest) -> str:
        part = request.headers["authorization"].removeprefix("Bearer ").split(".")[1]
        seen.append((request, json.loads(base64.urlsafe_b64decode(part + "=="))))
        return admit(request)

    monkeypatch.setattr(wire._gate, "admit", note)
    return seen


def another_key() -> str:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def test_every_request_is_signed_for_itself_by_the_venues_clock(
    server: SandboxServer, open_at: Open, tokens: list[tuple[WireRequest, Claims]]
) -> None:
    broker = await open_at(server)
    await broker.fetch_snapshot()
    await broker.fetch_open_orders()
    assert len(tokens) >= 5
    for request, claims in tokens:
        assert claims["uri"] == f"{request.method} http://{request.headers['host']}{request.path}"
        assert claims["nbf"] * 1000 <= request.now_ms < claims["exp"] * 1000
        assert claims["exp"] - claims["nbf"] <= 32
        assert (claims["sub"], claims["iss"]) == ("organizations/desk/apiKeys/futures", "coinbase-cloud")
    assert len({claims["uri"] for _, claims in tokens}) >= 4


async def test_an_orders_token_dies_with_its_deadline(
    server: SandboxServer,
    open_at: Open,
    reduce: Callable[..., ReduceOrder],
    tokens: list[tuple[WireRequest, Claims]],
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    order = reduce(broker, position, "10")
    assert (await broker.submit(order)).verdict is Verdict.ACCEPTED
    _, claims = tokens[-1]
    assert order.deadline.timestamp() - 1 < claims["exp"] <= order.deadline.timestamp()


async def test_an_order_that_arrives_after_its_deadline_is_not_taken(
    server: SandboxServer, open_at: Open, reduce: Callable[..., ReduceOrder], wire: CoinbaseWire
) -> None:
    broker = await open_at(server)
    [position] = (await broker.fetch_snapshot()).positions
    broker.transport.write_deadline_s = 0.3
    server.faults.set(Fault(kind=FaultKind.EXECUTED_LATE, ms=1_500, count=1))
    order = reduce(broker, position, "10", ttl_s=1.4)
    seen = len(server.received)
    assert (await broker.submit(order)).verdict in {Verdict.UNKNOWN, Verdict.REJECTED}
    assert server.received[seen][1].endswith("close_position")
    await asyncio.sleep(1.7)
    assert await broker.find_order(order.client_order_id, order.symbol) is None
    assert wire.engine.orders("futures") == ()


@pytest.mark.parametrize(
    "changes", [{"secret": another_key()}, {"api_key": "organizations/desk/apiKeys/nobody"}]
)
async def test_a_foreign_key_is_refused_for_the_key_not_the_clock(
    server: SandboxServer, open_at: Open, changes: dict[str, str]
) -> None:
    with pytest.raises(KeyOrClockRefused) as caught:
        await open_at(server, **changes)
    assert isinstance(caught.value, Unauthorized)
    assert not isinstance(caught.value, ClockRefused)
    assert "BEGIN" not in str(caught.value)


async def test_a_secret_that_is_no_key_is_refused_before_anything_is_sent(
    server: SandboxServer, open_at: Open
) -> None:
    with pytest.raises(Unauthorized, match="PEM"):
        await open_at(server, secret="bm90IGEga2V5IG9mIHRoaXMga2luZA==")
    assert server.received == []


async def test_line_ends_of_a_key_may_be_spelled_out(
    server: SandboxServer, open_at: Open, wire: CoinbaseWire
) -> None:
    secret = wire.engine.accounts["futures"].secret
    broker = await open_at(server, secret=secret.replace("\n", "\\n"))
    assert (await broker.fetch_snapshot()).findings == ()


async def test_a_jump_of_the_clock_is_no_fault_of_the_key(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server)
    server.faults.set(Fault(kind=FaultKind.CLOCK_SKEW, ms=-20_000))
    assert len((await broker.fetch_snapshot()).positions) == 1
    assert abs(broker.transport.clock_offset.offset_ms + 17_000) < 1_000


async def test_a_revoked_key_is_named_as_such_by_every_read(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server)
    server.faults.set(Fault(kind=FaultKind.REVOKED_KEY))
    with pytest.raises(Unauthorized):
        await broker.fetch_snapshot()


@pytest.mark.parametrize(
    ("name", "may"),
    [("futures", (True, True, False)), ("reader", (True, False, False)), ("sender", (True, True, True))],
)
async def test_a_key_that_transfers_is_one_that_withdraws(
    server: SandboxServer, open_at: Open, name: str, may: tuple[bool, ...]
) -> None:
    found = await (await open_at(server, name)).fetch_permissions()
    assert (found.can_read, found.can_trade, found.can_withdraw) == may
    assert found.can_transfer is found.can_withdraw
    assert found.ip_bound is None


async def test_a_key_without_the_trade_scope_is_refused_an_order(
    server: SandboxServer, open_at: Open, reduce: Callable[..., ReduceOrder]
) -> None:
    [position] = (await (await open_at(server)).fetch_snapshot()).positions
    reader = await open_at(server, "reader")
    report = await reader.submit(reduce(reader, position, "1"))
    assert (report.verdict, report.code) == (Verdict.REJECTED, "PERMISSION_DENIED")


async def test_a_transferring_key_is_refused_unless_the_account_says_so(
    server: SandboxServer, open_at: Open
) -> None:
    found = await (await open_at(server, "sender")).fetch_permissions()
    written = {"id": "main", "broker": "coinbase", "credentials": {"api_key": "env:K", "secret": "env:S"}}
    careful = AccountSettings.model_validate(written)
    bold = AccountSettings.model_validate({**written, "allow_withdrawal_key": WITHDRAWAL_WORDS})
    assert "can withdraw" in (objection_to(careful, found) or "")
    assert objection_to(bold, found) is None
