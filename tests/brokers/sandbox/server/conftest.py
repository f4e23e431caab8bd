"""A small venue behind the sandbox server: one account, one read, one write, and the venue's time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import aiohttp
import pytest

from brokers.models import OrderSide, Side
from brokers.sandbox.catalogue import BTC_USDT, venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import OrderSpec
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet
from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRefusal, WireRequest


class SmallWire(Wire):
    """A venue without signatures: the key is the whole proof, `t` in the query the timestamp."""

    venue: ClassVar[str] = "small"
    budget_capacity: ClassVar[float] = 100
    budget_period_s: ClassVar[float] = 60

    def routes(self) -> Sequence[Route]:
        """List every endpoint."""
        return (
            Route(method="GET", path="/time", handler=self._time, signed=False),
            Route(method="GET", path="/positions", handler=self._positions, weight=2),
            Route(method="POST", path="/order", handler=self._order, writes=True),
        )

    def authenticate(self, request: WireRequest) -> str:
        """Take the key's account, if the timestamp is less than a second old."""
        account = self.engine.account_by_key(request.headers.get("key", ""))
        if account is None:
            raise WireRefusal(self.refusal("revoked_key"))
        sent = int(request.query.get("t", request.now_ms))
        if abs(request.now_ms - sent) > 1000:
            raise WireRefusal(WireAnswer(payload={"error": "timestamp"}, status=400))
        return account.name

    def refusal(self, kind: str) -> WireAnswer:
        """Name the kind."""
        status = {"ban": 418, "rate_limited": 429, "not_found": 404}.get(kind, 400)
        return WireAnswer(payload={"error": kind}, status=status)

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Say what was asked for."""
        return {**payload, "deformed": [kind, path]}

    def usage_headers(self, used: float) -> Mapping[str, str]:
        """Tell what is used."""
        return {"X-Used": str(round(used))}

    def _time(self, request: WireRequest, _account: str) -> WireAnswer:
        return WireAnswer(payload={"now": request.now_ms})

    def _positions(self, _request: WireRequest, account: str) -> WireAnswer:
        rows = self.engine.figures(account).positions
        return WireAnswer(payload={"rows": [[row.symbol, row.side, str(row.quantity)] for row in rows]})

    def _order(self, request: WireRequest, account: str) -> WireAnswer:
        order = self.engine.place(
            account,
            OrderSpec(
                symbol=BTC_USDT.name,
                side=OrderSide.SELL,
                quantity=Decimal(request.form["quantity"]),
                client_id=request.form.get("id"),
                reduce_only=True,
            ),
        )
        return WireAnswer(payload={"id": order.order_id, "filled": str(order.filled)}, headers={"X-Own": "1"})


@pytest.fixture
def engine() -> Engine:
    """A calm venue with one long position."""
    account = AccountSpec(
        name="desk",
        api_key="key-1",
        secret="secret-1",
        wallets={"USDT": OpeningWallet(balance=Decimal(20_000))},
        positions=(OpeningPosition(symbol=BTC_USDT.name, side=Side.LONG, quantity=Decimal("0.5")),),
    )
    return Engine(venue([account], scenario=calm(noise=0.0)))


@pytest.fixture
def wire(engine: Engine) -> Wire:
    """The small venue's wire."""
    return SmallWire(engine)


@pytest.fixture
async def server(wire: Wire) -> AsyncIterator[SandboxServer]:
    """The small venue on loopback."""
    async with SandboxServer(wire, scenarios={"calm": calm()}) as running:
        yield running


@pytest.fixture
async def client(server: SandboxServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the small venue, with the account's key."""
    async with aiohttp.ClientSession(server.url, headers={"Key": "key-1"}) as session:
        yield session
