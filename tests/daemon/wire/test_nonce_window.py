"""A Crypto.com host that keeps a narrower nonce window than documented: margind finds it out, and acts."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.cryptocom.wire import CryptocomWire
from database.records import IntentState
from tests.daemon.matrix.site import CATALOGUE, Site

pytestmark = pytest.mark.wire

D = Decimal
CLOSE = "private/close-position"
WINDOW_MS, LIFE_MS = 30_000, 6_000


class Strict(CryptocomWire):
    """A host with a window of 30 s that remembers every nonce's age by its method."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, nonce_window_ms=WINDOW_MS)
        self.ages: list[tuple[str, int]] = []

    def authenticate(self, request: WireRequest) -> str:
        body = json.loads(request.body)
        self.ages.append((body["method"], request.now_ms - int(body["nonce"])))
        return super().authenticate(request)

    def of(self, method: str) -> list[int]:
        return [age for name, age in self.ages if name == method]


def fall(site: Site) -> None:
    """Let the market fall until 92 % of the account's equity is in use."""
    while site.utilization() < D("0.92"):
        site.drop(D("0.995"))


async def test_an_account_at_a_host_with_a_narrower_window_is_cut_all_the_same(
    watching: Callable[..., Any],
    log: Any,  # noqa: ANN401 - a stream
) -> None:
    site = Site("narrow", CATALOGUE["cryptocom exchange"])
    wire = Strict(site.engine)
    site.server = SandboxServer(wire)
    async with watching([site]) as watch:
        fall(site)
        await watch.until([site], watch.is_settled, within=40, why="cut to the target")
        states = [(one.state, one.code) for one in watch.intents(site)]
    refused, *taken = wire.of(CLOSE)
    assert refused > WINDOW_MS, "the first is dated by what is documented"
    assert taken, "and the next by what was found out"
    assert all(WINDOW_MS - LIFE_MS - 1_500 <= age <= WINDOW_MS for age in taken), taken
    assert states[0] == (IntentState.REJECTED, "40102")
    assert {state for state, _ in states[1:]} == {IntentState.FILLED}
    assert D("0.55") < site.utilization() <= D("0.60")
    assert list(site.offences(flagged=True)) == []
    assert log.getvalue().count("are refused, not 60 s") == 1


async def test_reads_that_decide_never_carry_a_dated_nonce(watching: Callable[..., Any]) -> None:
    site = Site("reads", CATALOGUE["cryptocom exchange"])
    wire = Strict(site.engine)
    site.server = SandboxServer(wire)
    async with watching([site]) as watch:
        fall(site)
        await watch.until([site], watch.is_settled, within=40, why="cut to the target")
    for method in ("private/get-open-orders", "private/get-order-detail", "private/user-balance"):
        ages = wire.of(method)
        assert ages, method
        assert all(abs(age) < 1_000 for age in ages), (method, ages)
