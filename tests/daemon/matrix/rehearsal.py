"""What a product's adapter asks its venue, and where its danger begins: found out in a calm run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from brokers.ccxt_broker import CcxtBroker
from brokers.numbers import floor_to_step
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.sandbox.spec import MarginPool
from brokers.sandbox.wire.base import Route, WireAnswer, WireRequest
from config.loader import parse
from config.resolution import resolve
from daemon.opening import guarded_of, open_accounts
from daemon.risk.policy import Level, MarginPolicy
from daemon.sight import look
from tests.daemon.matrix.site import Product, Site
from tests.daemon.wire.watch import configuration
from tests.hosts import forget_hosts

D = Decimal
STEP, SMALL_STEP = D("0.99"), D("0.998")
"""By how much a price falls between two looks; all the levels of an isolated position lie close together."""

PACE_S = 20.0
"""Between two looks; no venue is slower."""

ID, UNKNOWN_ID = ClientOrderId("a" * 32), ClientOrderId("b" * 32)


STARTING = ("time", "connect", "permissions")
"""What is asked before the first picture."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One endpoint as the adapter uses it; `role` is what for."""

    method: str
    path: str
    role: str
    writes: bool
    answers: tuple[Any, ...] = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        """How a report calls it."""
        return f"{self.role}: {self.method} {self.path}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is known of a product: its calls, and the factor by which a fall brings it beyond LIQUIDATION."""

    calls: tuple[Call, ...]
    danger: Decimal
    flagged: bool = True
    """Whether its orders carry a flag by which they can only reduce."""

    def of(self, role: str) -> tuple[Call, ...]:
        """Return the calls of one role."""
        return tuple(call for call in self.calls if call.role == role)


class _Listener:
    """Notes every answer of a site's venue."""

    def __init__(self, site: Site) -> None:
        self.role = ""
        self._calls: dict[tuple[str, str], tuple[set[str], bool, list[Any]]] = {}
        gateway = site.server._gateway
        self._handle, gateway._handle = gateway._handle, self._note

    def _note(self, request: WireRequest, route: Route, account: str) -> WireAnswer:
        answer = self._handle(request, route, account)
        roles, _, answers = self._calls.setdefault((route.method, route.path), (set(), route.writes, []))
        roles.add(self.role)
        answers.append(answer.payload)
        return answer

    def calls(self) -> Iterator[Call]:
        """Return what was asked, once for each role but those of a start, of which one stands for all."""
        for (method, path), (roles, writes, answers) in self._calls.items():
            starting = [role for role in STARTING if role in roles]
            for role in (*starting[:1], *sorted(roles.difference(STARTING, [""]))):
                yield Call(method=method, path=path, role=role, writes=writes, answers=tuple(answers))


async def rehearse(product: Product) -> Plan:
    """Use an account of the product in every way the daemon does, and let another fall until it would act."""
    site = Site("rehearsal", product)
    listener = _Listener(site)
    async with _opened(site) as (broker, _):
        for role, ask in _uses(broker, site, listener):
            listener.role = role
            await ask()
            while broker._aside:
                await asyncio.gather(*broker._aside)
    danger = await _danger_of(Site("falling", product)) if product.is_margined else D("0.8")
    flagged = all(spec.reduce_only for spec in site.received())
    return Plan(calls=tuple(listener.calls()), danger=danger, flagged=flagged)


async def _danger_of(site: Site) -> Decimal:
    """Return by which factor the price falls until the account is beyond LIQUIDATION."""
    danger, previous = D(1), None
    step = SMALL_STEP if site.product.pool is MarginPool.ISOLATED_ONLY else STEP
    async with _opened(site) as (broker, policy):
        await broker.connect()
        while previous is None or previous.level is not Level.LIQUIDATION:
            site.drop(step)
            danger *= step
            await asyncio.sleep(PACE_S)
            previous = (await look(broker, policy, previous, protective=True)).assessment
            assert previous is not None, site.product
            assert danger > D("0.5"), site.product
    return danger


@asynccontextmanager
async def _opened(site: Site) -> AsyncIterator[tuple[CcxtBroker, MarginPolicy]]:
    """Open a site's venue, and the adapter of its account with the policy it is guarded by."""
    forget_hosts()
    async with site.server:
        settings = parse(configuration([site], "/nowhere", {}), "margind.yaml")
        (account,) = open_accounts(settings, resolve(settings, dict(site.environment())))
        assert isinstance(account.broker, CcxtBroker)
        try:
            yield account.broker, guarded_of(settings, account).policy
        finally:
            await account.broker.aclose()


def _uses(
    broker: CcxtBroker, site: Site, listener: _Listener
) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
    """List what a daemon asks of an account, as role and question."""
    currency, now, can = site.venue.currency, broker.venue_now, broker.capabilities

    async def trade() -> None:
        listener.role = ""
        snapshot = await broker.fetch_snapshot()
        listener.role = "order"
        position = snapshot.positions[0]
        order = ReduceOrder(
            position=position,
            quantity=floor_to_step(position.quantity / 4, snapshot.markets[position.symbol].lot_step),
            client_order_id=ID,
            deadline=now() + can.order_time_to_live,
            limit_price=None,
        )
        await broker.submit(order)

    async def find() -> None:
        listener.role = ""
        symbol = (await broker.fetch_snapshot()).positions[0].symbol
        listener.role = "lookup"
        for client_id in (ID, UNKNOWN_ID):
            await broker.find_order(client_id, symbol)

    async def cancel() -> None:
        listener.role = ""
        orders = await broker.fetch_open_orders()
        listener.role = "cancel"
        await broker.cancel_orders(orders)

    uses: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("time", broker.measure_clock),
        ("connect", broker.connect),
        ("picture", broker.fetch_snapshot),
        ("picture", broker.fetch_snapshot),
    ]
    if can.key_permissions:
        uses.insert(2, ("permissions", broker.fetch_permissions))
    if not site.product.is_margined:
        return uses
    uses += [
        ("open orders", broker.fetch_open_orders),
        ("order", trade),
        ("lookup", find),
        ("cancel", cancel),
    ]
    if can.transfer_in:
        uses += [
            ("funds", lambda: broker.fetch_funding_balance(currency)),
            ("transfer", lambda: broker.transfer_in(currency, D(1), "c" * 32)),
            (
                "transfer lookup",
                lambda: broker.find_transfer("c" * 32, currency, D(1), now() - timedelta(seconds=5)),
            ),
        ]
    return uses
