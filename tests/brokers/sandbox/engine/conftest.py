"""Venues for the engine's tests: X-USDT at 100, still prices and no fees, unless told otherwise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import MarginTier, OrderSide, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import OrderSpec, OrderType
from brokers.sandbox.scenarios import Scenario, calm
from brokers.sandbox.spec import (
    AccountSpec,
    Asset,
    BookShape,
    MarginPool,
    OpeningPosition,
    OpeningWallet,
    SandboxSpec,
    VenueRules,
)

D = Decimal

X_USDT = Instrument(
    name="X-USDT",
    base="X",
    settle="USDT",
    lot_step=D("0.01"),
    min_quantity=D("0.01"),
    price_step=D("0.01"),
    max_leverage=D(100),
    tiers=(MarginTier(floor=D(0), rate=D("0.01"), deduction=D(0)),),
    taker_fee=D(0),
    maker_fee=D(0),
    liquidation_fee=D(0),
    funding_rate=D(0),
)

ASSETS = (
    Asset(name="X", usd_price=D(100)),
    Asset(name="Y", usd_price=D(1000), collateral_ratio=D("0.9")),
    Asset(name="USDT", usd_price=D(1), stable=True),
    Asset(name="USDC", usd_price=D(1), stable=True),
)

TIGHT_BOOK = BookShape(
    half_spread=D("0.0001"), level_spacing=D("0.0001"), level_notional=D(1_000_000), levels=5
)

Build = Callable[..., Engine]


def build_engine(
    *,
    instruments: Sequence[Instrument] = (X_USDT,),
    assets: Sequence[Asset] = ASSETS,
    wallets: Mapping[str, Any] | None = None,
    positions: Sequence[OpeningPosition] = (),
    leverage: int = 10,
    pool: MarginPool = MarginPool.CURRENCY,
    rules: Mapping[str, Any] | None = None,
    scenario: Scenario | None = None,
    book: BookShape = TIGHT_BOOK,
    seed: int = 0,
    tick_ms: int = 250,
    instrument: Mapping[str, Any] | None = None,
    **account: Any,  # noqa: ANN401 - fields of whichever kind AccountSpec has
) -> Engine:
    """Return an engine with the one account `a`; `instrument` changes fields of every contract listed."""
    opened = {
        currency: wallet if isinstance(wallet, OpeningWallet) else OpeningWallet(balance=D(str(wallet)))
        for currency, wallet in (wallets or {"USDT": 10_000}).items()
    }
    spec = SandboxSpec(
        instruments=tuple(replace(i, **(instrument or {})) for i in instruments),
        assets=tuple(assets),
        accounts=(
            AccountSpec(
                name="a",
                api_key="key",
                secret="secret",
                wallets=opened,
                margin_pool=pool,
                default_leverage=D(leverage),
                positions=tuple(positions),
                **account,
            ),
        ),
        rules=VenueRules(**(rules or {})),
        book=book,
        scenario=scenario or calm(noise=0.0),
        tick_ms=tick_ms,
    )
    return Engine(spec, seed)


@pytest.fixture(scope="session")
def build() -> Build:
    """Build a venue."""
    return build_engine


@pytest.fixture(scope="session")
def x_usdt() -> Instrument:
    """The contract that `build` lists."""
    return X_USDT


@pytest.fixture(scope="session")
def long_x() -> Callable[..., OpeningPosition]:
    """Describe an opening long in X-USDT."""

    def describe(quantity: object, **more: Any) -> OpeningPosition:  # noqa: ANN401 - fields of the description
        return OpeningPosition(symbol="X-USDT", side=Side.LONG, quantity=D(str(quantity)), **more)

    return describe


@pytest.fixture(scope="session")
def short_x() -> Callable[..., OpeningPosition]:
    """Describe an opening short in X-USDT."""

    def describe(quantity: object, **more: Any) -> OpeningPosition:  # noqa: ANN401 - fields of the description
        return OpeningPosition(symbol="X-USDT", side=Side.SHORT, quantity=D(str(quantity)), **more)

    return describe


@pytest.fixture(scope="session")
def order() -> Callable[..., OrderSpec]:
    """Describe an order in X-USDT: `order("sell", 1, price=...)`; a price makes it a limit order."""

    def describe(side: str, quantity: object, **more: Any) -> OrderSpec:  # noqa: ANN401 - fields of the description
        if "price" in more:
            more["price"] = D(str(more["price"]))
            more.setdefault("type", OrderType.LIMIT)
        return OrderSpec(
            symbol=more.pop("symbol", "X-USDT"),
            side=OrderSide(side),
            quantity=None if quantity is None else D(str(quantity)),
            **more,
        )

    return describe
