"""A second key for what protects, at any venue: which request carries which key, and what keys share."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from brokers.errors import BrokerError
from brokers.profile import BudgetScope, VenueProfile
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.transport import Transport

Venue = Any  # the loopback venue of conftest

pytestmark = pytest.mark.wire

READ, READ_PATH = "privateGetV5PositionList", "/v5/position/list"
WRITE, WRITE_PATH = "privatePostV5OrderCreate", "/v5/order/create"
SECOND = Credentials(api_key="SecondKey0042SecondKey", secret="SecondSecret0042SecondSecret")


@pytest.fixture
async def transport(spec: BrokerSpec, profile: VenueProfile) -> AsyncIterator[Transport]:
    transport = Transport(replace(spec, emergency=SECOND), profile)
    yield transport
    await transport.aclose()


async def test_writes_and_protective_reads_carry_the_emergency_key_and_polls_the_main_one(
    transport: Transport, spec: BrokerSpec, venue: Venue
) -> None:
    keys: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        keys.append((request.path, request.headers["X-BAPI-API-KEY"]))
        return web.json_response({"retCode": 0, "result": {}})

    venue.on(READ_PATH, handler)
    venue.on(WRITE_PATH, handler)
    await transport.read(READ)
    await transport.read_aside(READ)
    await transport.read(READ, protective=True)
    assert (await transport.write(WRITE, {"category": "linear"})).failure is None

    main = spec.credentials.api_key
    assert keys == [
        (READ_PATH, main),
        (READ_PATH, main),
        (READ_PATH, SECOND.api_key),
        (WRITE_PATH, SECOND.api_key),
    ]


async def test_no_refusal_repeats_a_secret_of_the_emergency_key(transport: Transport, venue: Venue) -> None:
    async def handler(request: web.Request) -> web.Response:
        told = f"{request.headers['X-BAPI-API-KEY']} {SECOND.secret}"
        return web.json_response({"retCode": 10003, "retMsg": told})

    venue.on(READ_PATH, handler)
    venue.on(WRITE_PATH, handler)
    with pytest.raises(BrokerError) as caught:
        await transport.read(READ, protective=True)
    reply = await transport.write(WRITE, {"category": "linear"})
    said = f"{caught.value} {reply.message} {reply.failure!r} {transport!r} {transport._emergency!r}"
    assert "0042" not in said
    assert "0042" not in repr(SECOND)


@pytest.mark.parametrize(("scope", "is_shared"), [(BudgetScope.ADDRESS, True), (BudgetScope.KEY, False)])
async def test_a_budget_is_shared_by_both_keys_where_the_venue_counts_by_address(
    spec: BrokerSpec, profile: VenueProfile, scope: BudgetScope, *, is_shared: bool
) -> None:
    counted = replace(profile, budget=replace(profile.budget, scope=scope))
    transport = Transport(replace(spec, emergency=SECOND), counted)
    assert (transport._polling.budget is transport._emergency.budget) is is_shared
    await transport.aclose()


async def test_both_pem_keys_of_a_coinbase_account_get_their_line_ends_back(spec: BrokerSpec) -> None:
    def spelled(name: str) -> Credentials:
        body = base64.b64encode(name.encode()).decode()
        return Credentials(api_key=name, secret=f"-----BEGIN EC PRIVATE KEY-----\\n{body}\\n-----END")

    broker = open_broker(
        replace(spec, broker="coinbase", product="spot", credentials=spelled("one"), emergency=spelled("two"))
    )
    built = broker.spec  # type: ignore[attr-defined]
    assert [key.api_key for key in built.keys] == ["one", "two"]
    assert [key.secret.count("\n") for key in built.keys] == [2, 2]
    await broker.aclose()
