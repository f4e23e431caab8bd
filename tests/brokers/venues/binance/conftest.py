"""Payloads as Binance documents them, readers over them, and the adapter over the sandbox's wire."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountSnapshot, MarginMode, Position, PositionMode, Side
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.registry import BrokerSpec, Credentials
from brokers.sandbox.catalogue import venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, Permissions
from brokers.sandbox.wire.binance.rules import RULES
from brokers.sandbox.wire.binance.wire import BinanceWire
from brokers.venues.binance.markets import read_usdm_markets
from brokers.venues.binance.positions import Rows
from brokers.venues.binance.snapshot import RawPicture, mode_of, parse_snapshot, split_account
from brokers.venues.binance.usdm import UsdmBroker

FOLDER = Path(__file__).parent / "payloads"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def payload() -> Callable[[str], Any]:
    """Load one payload afresh, so that a test may spoil it."""
    return lambda name: json.loads((FOLDER / f"{name}.json").read_text())


@pytest.fixture
def usdm(payload: Callable[[str], Any]) -> Callable[..., AccountSnapshot]:
    """Make a snapshot out of an account and a positionRisk payload."""

    def snapshot(
        account: object, risk: Rows, *, multi_assets: bool = False, dual_side: bool = False, **more: object
    ) -> AccountSnapshot:
        totals, assets, listed = split_account(account)
        mode = mode_of(multi_assets=multi_assets, dual_side=dual_side)
        raw = RawPicture(
            account=totals, assets=assets, account_positions=listed, risk=risk, as_of=NOW, mode=mode, **more
        )
        context = SnapshotContext(
            account_id=AccountId("desk"),
            broker="binance",
            product="usdm",
            now=NOW,
            mode=mode,
            markets=read_usdm_markets(payload("exchange_info")),
        )
        return parse_snapshot(raw, context)

    return snapshot


def position(symbol: str, side: Side, quantity: str, mode: MarginMode | None = None) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=Decimal(quantity), margin_mode=mode)


def account(name: str, **more: object) -> AccountSpec:
    settings: dict[str, Any] = {"margin_pool": MarginPool.CURRENCY, **more}
    return AccountSpec(
        name=name,
        api_key=f"{name}-key",
        secret=f"{name}-secret",
        wallets={
            "USDT": OpeningWallet(balance=Decimal(20_000)),
            "BTC": OpeningWallet(balance=Decimal("0.1")),
        },
        funding={"USDT": Decimal(1_000)},
        **settings,
    )


LONG, SHORT = Side.LONG, Side.SHORT
ACCOUNTS = (
    account("single", positions=(position("BTC-USDT", LONG, "1"),)),
    account("multi", margin_pool=MarginPool.ACCOUNT, positions=(position("ETH-USDT", SHORT, "10"),)),
    account(
        "hedge",
        position_mode=PositionMode.HEDGE,
        positions=(position("BTC-USDT", LONG, "1"), position("BTC-USDT", SHORT, "0.4")),
    ),
    account(
        "isolated",
        positions=(
            position("BTC-USDT", LONG, "0.5"),
            position("ETH-USDT", SHORT, "5", MarginMode.ISOLATED),
        ),
    ),
    account("flat", permissions=Permissions(can_withdraw=True, ip_bound=False)),
)


@dataclass
class Venue:
    """A Binance on loopback, and adapters to its accounts."""

    server: SandboxServer
    engine: Engine
    open: AsyncExitStack

    async def broker(self, name: str, *, connect: bool = True, **more: object) -> UsdmBroker:
        """Open an account; it is closed with the test."""
        keys = Credentials(api_key=f"{name}-key", secret=f"{name}-secret")
        spec = BrokerSpec(
            **{
                "account_id": AccountId(name),
                "broker": "binance",
                "product": "usdm",
                "credentials": keys,
                "endpoint": self.server.url,
                **more,
            }
        )
        broker = UsdmBroker(spec)
        self.open.push_async_callback(broker.aclose)
        if connect:
            await broker.connect()
        return broker

    def paths(self, method: str | None = None) -> list[str]:
        """Return what was asked for, in order."""
        return [path for sent, path, _ in self.server.received if method in {None, sent}]


@pytest.fixture
async def binance() -> AsyncIterator[Venue]:
    """A calm venue whose clock is the wall's and whose market stands still unless a test moves it."""
    spec = replace(venue(ACCOUNTS, rules=RULES), start_ms=time.time_ns() // 1_000_000)
    engine = Engine(spec)
    async with AsyncExitStack() as stack, SandboxServer(BinanceWire(engine)) as server:
        yield Venue(server, engine, stack)
        await stack.aclose()


@pytest.fixture
def reducing() -> Callable[..., ReduceOrder]:
    """Make an order that reduces a position."""

    def make(
        broker: UsdmBroker, held: Position, quantity: str, *, number: int = 1, price: str | None = None
    ) -> ReduceOrder:
        return ReduceOrder(
            position=held,
            quantity=Decimal(quantity),
            client_order_id=ClientOrderId(f"{number:032x}"),
            deadline=broker.venue_now() + timedelta(seconds=3),
            limit_price=None if price is None else Decimal(price),
        )

    return make
