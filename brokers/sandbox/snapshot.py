"""The account statement in the words of the port: contracts, risk units, one snapshot."""

from datetime import datetime
from types import MappingProxyType

from brokers.models import (
    BOTH_MEASURES,
    AccountId,
    AccountMode,
    AccountSnapshot,
    Collateral,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Measure,
    Position,
    RiskUnit,
    Symbol,
    UnitKind,
)
from brokers.numbers import time_from_ms
from brokers.orders import OpenOrder, OrderBook
from brokers.sandbox.engine import Engine
from brokers.sandbox.figures import ACCOUNT_POOL, AccountFigures, CoinFigures, PoolFigures, PositionFigures
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Order, OrderStatus
from brokers.sandbox.spec import MarginPool

BROKER = "sandbox"
PRODUCT = "engine"


def market_rules(instrument: Instrument, *, reduce_only_exempt: bool) -> MarketRules:
    """Return what an order must respect, with quantities in contracts."""
    most_market, most_limit = instrument.max_market_quantity, instrument.max_limit_quantity
    return MarketRules(
        symbol=Symbol(instrument.name),
        base=instrument.base,
        quote=instrument.quote,
        settle=instrument.settle,
        kind=instrument.kind,
        contract_size=instrument.contract_size,
        lot_step=instrument.to_contracts(instrument.lot_step),
        min_quantity=instrument.to_contracts(instrument.min_quantity),
        price_step=instrument.price_step,
        max_market_quantity=None if most_market is None else instrument.to_contracts(most_market),
        max_limit_quantity=None if most_limit is None else instrument.to_contracts(most_limit),
        min_notional=instrument.min_notional,
        reduce_only_exempt_from_minimum=reduce_only_exempt,
        price_band=instrument.price_band,
    )


def snapshot_of(engine: Engine, account: str, account_id: AccountId, fetched_at: datetime) -> AccountSnapshot:
    """Return the account at this moment of the engine's clock, which is the snapshot's `as_of`."""
    figures = engine.figures(account)
    exempt = engine.spec.rules.reduce_only_exempt_from_minimum
    instruments = engine.instruments
    return AccountSnapshot(
        account_id=account_id,
        broker=BROKER,
        product=PRODUCT,
        as_of=time_from_ms(figures.ms),
        fetched_at=fetched_at,
        mode=account_mode(figures),
        units=tuple(_unit(pool, figures) for pool in figures.pools),
        positions=tuple(_position(row, engine.instrument(row.symbol)) for row in figures.positions),
        collaterals=tuple(_collateral(coin, engine, account) for coin in figures.coins),
        findings=tuple(
            Finding(
                code=FindingCode.VENUE_ACTING,
                detail="the venue is liquidating",
                unit=row.pool,
                symbol=Symbol(row.symbol),
            )
            for row in figures.positions
            if row.in_liquidation
        ),
        markets=MappingProxyType(
            {Symbol(i.name): market_rules(i, reduce_only_exempt=exempt) for i in instruments}
        ),
        tiers=MappingProxyType({Symbol(i.name): i.tiers for i in instruments}),
    )


def account_mode(figures: AccountFigures) -> AccountMode:
    """Return how the venue margins the account."""
    isolated = figures.margin_pool is MarginPool.ISOLATED_ONLY
    return AccountMode(
        label=figures.margin_pool.value,
        margin_mode=MarginMode.ISOLATED if isolated else None,
        position_mode=figures.position_mode,
    )


def open_order(order: Order, instrument: Instrument) -> OpenOrder:
    """Return an open order with what is left of it in contracts."""
    whole = order.spec.close_position
    waiting = order.status is OrderStatus.UNTRIGGERED
    return OpenOrder(
        order_id=order.order_id,
        client_order_id=order.client_id,
        symbol=Symbol(order.symbol),
        side=order.side,
        quantity=None if whole else instrument.to_contracts(order.remaining),
        price=order.spec.price,
        reduce_only=order.reduce_only,
        book=OrderBook.TRIGGER if waiting else OrderBook.ACTIVE,
        kind=order.spec.type.value,
    )


def _unit(pool: PoolFigures, figures: AccountFigures) -> RiskUnit:
    """Return a pool as a risk unit.

    An isolated position's margin is all used, so it has no utilization. Where positions can only be isolated
    the currency's own unit says how much of the wallet they and the orders tie up, and has no maintenance.
    """
    if pool.kind is UnitKind.ISOLATED_POSITION:
        return _isolated_unit(pool, figures)
    initial, equity = pool.initial_margin, pool.margin_balance
    measures = BOTH_MEASURES
    if pool.kind is UnitKind.CURRENCY:
        coin = figures.coin(pool.currency)
        crossed = any(row.pool == pool.key for row in figures.positions)
        if figures.margin_pool is MarginPool.ISOLATED_ONLY and coin is not None:
            initial += coin.isolated_wallet
            equity += coin.isolated_wallet
        if not crossed and pool.maintenance_margin == 0:
            measures = frozenset({Measure.UTILIZATION} if initial > 0 else ())
    return RiskUnit(
        key=pool.key,
        kind=pool.kind,
        currency=pool.currency,
        margin_equity=equity,
        initial_margin=initial,
        maintenance_margin=pool.maintenance_margin,
        available_margin=pool.available,
        wallet_balance=pool.wallet_balance,
        unrealized_pnl=pool.unrealized_pnl,
        venue_ratio=pool.ratio,
        measures=measures,
    )


def _isolated_unit(pool: PoolFigures, figures: AccountFigures) -> RiskUnit:
    return RiskUnit(
        key=pool.key,
        kind=pool.kind,
        currency=pool.currency,
        margin_equity=pool.margin_balance,
        initial_margin=pool.wallet_balance,
        maintenance_margin=pool.maintenance_margin,
        available_margin=None,
        wallet_balance=pool.wallet_balance,
        unrealized_pnl=pool.unrealized_pnl,
        venue_ratio=pool.ratio,
        measures=frozenset({Measure.MAINTENANCE}),
        parent=ACCOUNT_POOL if figures.pool(pool.currency) is None else pool.currency,
    )


def _position(row: PositionFigures, instrument: Instrument) -> Position:
    return Position(
        symbol=Symbol(row.symbol),
        unit=row.pool,
        side=row.side,
        quantity=instrument.to_contracts(row.quantity),
        settle=row.settle,
        kind=instrument.kind,
        margin_mode=row.margin_mode,
        hedged=row.position_side is not None,
        entry_price=row.entry_price,
        mark_price=row.mark_price,
        notional=row.notional,
        initial_margin=row.initial_margin,
        maintenance_margin=row.maintenance_margin,
        unrealized_pnl=row.unrealized_pnl,
        leverage_setting=row.leverage,
        liquidation_price=row.liquidation_price,
        updated_at=time_from_ms(row.updated_ms),
    )


def _collateral(coin: CoinFigures, engine: Engine, account: str) -> Collateral:
    return Collateral(
        currency=coin.currency,
        wallet_balance=coin.wallet_balance,
        equity=coin.equity,
        value=coin.usd_value,
        debt=coin.liability,
        interest=coin.interest,
        interest_rate=engine.asset(coin.currency).borrow_apr,
        repayable=engine.repayable(account, coin.currency),
    )
