"""A ready market for demos, drills and tests: three contracts in USDT, their assets, and a venue around them.

The brackets of BTC-USDT are those Binance published for BTCUSDT in 2022; the other figures are the
sandbox's own.
"""

from collections.abc import Sequence
from decimal import Decimal

from brokers.sandbox.instrument import Instrument, maintenance_tiers
from brokers.sandbox.scenarios import Scenario, calm
from brokers.sandbox.spec import AccountSpec, Asset, BookShape, SandboxSpec, VenueRules

BTC_USDT = Instrument(
    name="BTC-USDT",
    base="BTC",
    settle="USDT",
    lot_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    price_step=Decimal("0.1"),
    max_market_quantity=Decimal(120),
    max_limit_quantity=Decimal(1000),
    min_notional=Decimal(5),
    max_leverage=Decimal(125),
    tiers=maintenance_tiers(
        ("0", "0.004"),
        ("50000", "0.005"),
        ("250000", "0.01"),
        ("1000000", "0.025"),
        ("7500000", "0.05"),
        ("40000000", "0.1"),
        ("100000000", "0.125"),
        ("200000000", "0.15"),
        ("400000000", "0.25"),
        ("600000000", "0.5"),
    ),
)

ETH_USDT = Instrument(
    name="ETH-USDT",
    base="ETH",
    settle="USDT",
    lot_step=Decimal("0.01"),
    min_quantity=Decimal("0.01"),
    price_step=Decimal("0.01"),
    max_market_quantity=Decimal(2000),
    max_limit_quantity=Decimal(10_000),
    min_notional=Decimal(5),
    max_leverage=Decimal(100),
    tiers=maintenance_tiers(
        ("0", "0.005"), ("50000", "0.0065"), ("500000", "0.01"), ("1500000", "0.02"), ("4000000", "0.05")
    ),
)

SOL_USDT = Instrument(
    name="SOL-USDT",
    base="SOL",
    settle="USDT",
    lot_step=Decimal("0.1"),
    min_quantity=Decimal("0.1"),
    price_step=Decimal("0.01"),
    max_market_quantity=Decimal(20_000),
    max_limit_quantity=Decimal(100_000),
    min_notional=Decimal(5),
    max_leverage=Decimal(50),
    tiers=maintenance_tiers(("0", "0.01"), ("50000", "0.02"), ("250000", "0.05"), ("1000000", "0.1")),
)

INSTRUMENTS = (BTC_USDT, ETH_USDT, SOL_USDT)

ASSETS = (
    Asset(name="BTC", usd_price=Decimal(60_000), collateral_ratio=Decimal("0.95")),
    Asset(name="ETH", usd_price=Decimal(3_000), collateral_ratio=Decimal("0.90")),
    Asset(name="SOL", usd_price=Decimal(150), collateral_ratio=Decimal("0.80")),
    Asset(name="USDC", usd_price=Decimal(1), stable=True),
    Asset(
        name="USDT",
        usd_price=Decimal(1),
        stable=True,
        borrow_apr=Decimal("0.08"),
        borrow_initial_rate=Decimal("0.1"),
        borrow_maintenance_rate=Decimal("0.04"),
    ),
)

DOLLAR = Asset(name="USD", usd_price=Decimal(1), stable=True)
"""For venues whose contracts settle in it."""


def venue(
    accounts: Sequence[AccountSpec],
    *,
    rules: VenueRules | None = None,
    scenario: Scenario | None = None,
    book: BookShape | None = None,
) -> SandboxSpec:
    """Return a venue that lists this market for `accounts`; by default calm, and with the default rules."""
    return SandboxSpec(
        instruments=INSTRUMENTS,
        assets=ASSETS,
        accounts=tuple(accounts),
        rules=rules or VenueRules(),
        book=book or BookShape(),
        scenario=scenario or calm(),
    )
