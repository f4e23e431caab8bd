"""The checks an order must pass before the venue takes it."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import ContractKind, MarginMode, OrderSide, PositionMode, Side
from brokers.numbers import ZERO
from brokers.sandbox.account import Account, PositionKey
from brokers.sandbox.figures import ACCOUNT_POOL
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.lending import all_balances
from brokers.sandbox.margin import assess
from brokers.sandbox.orders import (
    Order,
    OrderSpec,
    OrderStatus,
    OrderType,
    Refusal,
    Rejection,
    TriggerDirection,
)
from brokers.sandbox.reservation import claim, claimed_notional, reserves
from brokers.sandbox.spec import DuplicateRule, MarginPool, OversizeRule
from brokers.sandbox.state import VenueState
from brokers.sandbox.trading import closing_side


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """An order that may enter, with what its words resolved to."""

    instrument: Instrument
    key: PositionKey
    quantity: Decimal
    reduce_only: bool


def admit(state: VenueState, account: Account, spec: OrderSpec) -> Admission:
    """Check an order against everything but margin, and resolve its margin mode, leg and quantity.

    Raises:
        Rejection: the first rule that it breaks.
    """
    instrument = state.instrument(spec.symbol)
    _check_identity(state, account, spec)
    if spec.symbol in state.controls.halted:
        raise Rejection(Refusal.HALTED, spec.symbol)
    key = (spec.symbol, _leg(account, spec), _mode(account, spec))
    if account.pool_of(instrument, key[1], key[2]) in account.liquidating:
        raise Rejection(Refusal.IN_LIQUIDATION, spec.symbol)
    reduce_only = spec.reduce_only or spec.close_position or _closes_leg(spec)
    _check_prices(state, instrument, spec)
    quantity = _quantity(state, account, instrument, spec, reduce_only=reduce_only)
    if account.orders.open_count >= state.rules.max_open_orders:
        raise Rejection(Refusal.TOO_MANY_ORDERS, f"{account.orders.open_count} are open")
    return Admission(instrument=instrument, key=key, quantity=quantity, reduce_only=reduce_only)


def check_margin(state: VenueState, account: Account, order: Order, price: Decimal) -> None:
    """Refuse an order that its pool cannot pay for at `price`, the average at which it would execute.

    It needs the initial margin by which the reservation of its position grows, the taker fee on that, and
    the loss at which it would start against mark. An order that only reduces needs nothing.

    On spot margin an order that may not borrow needs what it spends instead, and nothing else.

    Raises:
        Rejection: INSUFFICIENT_MARGIN, INSUFFICIENT_BALANCE.
    """
    if state.rules.lending is not None and not order.spec.borrows:
        _check_funds(state, account, order, price)
        return
    if order.reduce_only:
        return
    instrument = state.instrument(order.symbol)
    resting = [
        claim(other)
        for other in account.orders.open()
        if other.key == order.key and other.order_id != order.order_id and reserves(other, state.rules)
    ]
    claims = [*resting, (order.side, order.quantity - order.filled, price)]
    before = claimed_notional(resting, account, instrument, order.key)
    increase = claimed_notional(claims, account, instrument, order.key) - before
    if increase <= 0:
        return
    leverage = account.leverage(order.symbol, order.key[1])
    margin = state.rules.initial_margin(instrument, before + increase, leverage, order.margin_mode)
    margin -= state.rules.initial_margin(instrument, before, leverage, order.margin_mode)
    mark = state.market.mark(order.symbol)
    worse = price - mark if order.side is OrderSide.BUY else mark - price
    needed = margin + increase * (instrument.taker_fee + max(ZERO, worse) / price)
    headroom = settle_headroom(state, account, instrument)
    if needed > headroom:
        raise Rejection(Refusal.INSUFFICIENT_MARGIN, f"needs {needed:.8f}, has {headroom:.8f}")


def _check_funds(state: VenueState, account: Account, order: Order, price: Decimal) -> None:
    """Refuse an order that spends more than is free of the currency it spends."""
    instrument = state.instrument(order.symbol)
    sells = order.side is OrderSide.SELL
    currency = instrument.base if sells else instrument.settle
    spent = order.remaining if sells else order.remaining * price
    balances = all_balances(account, state.market.instruments)
    pool = account.pool_of(instrument, order.key[1], order.margin_mode)
    free = next((one.free for one in balances if (one.pool, one.currency) == (pool, currency)), ZERO)
    if spent > free:
        raise Rejection(Refusal.INSUFFICIENT_BALANCE, f"{free} {currency} free, {spent} needed")


def settle_headroom(state: VenueState, account: Account, instrument: Instrument) -> Decimal:
    """Return what the pool behind new margin of an instrument has left, in settle; may be negative."""
    pool = account.cross_pool(instrument)
    headroom = assess(account, state.market, state.rules).headroom.get(pool, ZERO)
    return headroom / state.market.usd(instrument.settle) if pool == ACCOUNT_POOL else headroom


def reducible(state: VenueState, account: Account, key: PositionKey, side: OrderSide) -> Decimal:
    """Return how much a reduce-only order on `side` could reduce now.

    Raises:
        Rejection: NO_POSITION or REDUCE_ONLY_WRONG_SIDE.
    """
    held = account.positions.get(key)
    if held is None:
        raise Rejection(Refusal.NO_POSITION, key[0])
    if side is not closing_side(held.quantity):
        raise Rejection(Refusal.REDUCE_ONLY_WRONG_SIDE, f"{key[0]} {held.side}")
    if state.rules.oversize_reduce is OversizeRule.CLIP:
        return abs(held.quantity)
    waiting = sum(
        (o.remaining for o in account.orders.open() if o.key == key and o.reduce_only and not _waits(o)), ZERO
    )
    return abs(held.quantity) - waiting


def _check_identity(state: VenueState, account: Account, spec: OrderSpec) -> None:
    if spec.deadline_ms is not None and state.now_ms > spec.deadline_ms:
        raise Rejection(Refusal.EXPIRED, f"{state.now_ms - spec.deadline_ms} ms late")
    if spec.client_id is None:
        return
    if state.rules.duplicate_client_ids is DuplicateRule.OPEN_ORDERS:
        used = account.orders.open_with_client_id(spec.client_id)
    else:
        used = account.orders.by_client_id(spec.client_id) is not None
    if used:
        raise Rejection(Refusal.DUPLICATE_CLIENT_ID, spec.client_id)


def _leg(account: Account, spec: OrderSpec) -> Side | None:
    hedged = account.spec.position_mode is PositionMode.HEDGE
    if hedged is (spec.position_side is None):
        raise Rejection(Refusal.WRONG_POSITION_SIDE, f"account is in {account.spec.position_mode} mode")
    return spec.position_side


def _mode(account: Account, spec: OrderSpec) -> MarginMode:
    mode = spec.margin_mode or account.margin_mode(spec.symbol)
    check_margin_mode(account, mode)
    return mode


def check_margin_mode(account: Account, mode: MarginMode) -> None:
    """Refuse a margin mode that the account does not have."""
    only_isolated = account.spec.margin_pool is MarginPool.ISOLATED_ONLY
    if mode is MarginMode.PORTFOLIO or (only_isolated and mode is not MarginMode.ISOLATED):
        raise Rejection(Refusal.MARGIN_MODE, str(mode))


def _closes_leg(spec: OrderSpec) -> bool:
    if spec.position_side is None:
        return False
    return (spec.position_side is Side.LONG) is (spec.side is OrderSide.SELL)


def _check_prices(state: VenueState, instrument: Instrument, spec: OrderSpec) -> None:
    if spec.trigger is not None:
        if spec.trigger.price <= 0:
            raise Rejection(Refusal.TRIGGER, str(spec.trigger.price))
        if spec.trigger.direction is not None and reached(state, spec):
            raise Rejection(Refusal.WOULD_TRIGGER, str(spec.trigger.price))
    if spec.type is OrderType.MARKET:
        return
    price = spec.price
    if price is None or price <= 0:
        raise Rejection(Refusal.PRICE, str(price))
    if not instrument.on_tick(price):
        raise Rejection(Refusal.TICK, f"{price} is not on {instrument.price_step}")
    mark = state.market.mark(spec.symbol)
    if instrument.price_band is not None and abs(price - mark) > mark * instrument.price_band:
        raise Rejection(Refusal.PRICE_BAND, f"{price} is too far from {mark}")


def reached(state: VenueState, spec: OrderSpec) -> bool:
    """Whether the trigger price of a stop order is reached now; without a trigger it is."""
    trigger = spec.trigger
    if trigger is None:
        return True
    watched = state.market.watched(spec.symbol, trigger.kind)
    if trigger.direction is TriggerDirection.RISES:
        return watched >= trigger.price
    return watched <= trigger.price


def _quantity(
    state: VenueState, account: Account, instrument: Instrument, spec: OrderSpec, *, reduce_only: bool
) -> Decimal:
    key = (spec.symbol, spec.position_side, _mode(account, spec))
    if spec.close_position:
        held = account.positions.get(key)
        if spec.trigger is not None:
            return abs(held.quantity) if held else ZERO
        most = reducible(state, account, key, spec.side)
        if most <= 0:
            raise Rejection(Refusal.REDUCE_ONLY_TOO_LARGE, "open orders close it already")
        return most
    quantity = spec.quantity
    if quantity is None or quantity <= 0:
        raise Rejection(Refusal.QUANTITY, str(quantity))
    _check_size(state, instrument, spec, quantity, reduce_only=reduce_only)
    if not reduce_only or spec.trigger is not None:
        return quantity
    most = reducible(state, account, key, spec.side)
    if quantity > most:
        if state.rules.oversize_reduce is OversizeRule.REJECT:
            raise Rejection(Refusal.REDUCE_ONLY_TOO_LARGE, f"{quantity} > {most}")
        return most
    return quantity


def _check_size(
    state: VenueState, instrument: Instrument, spec: OrderSpec, quantity: Decimal, *, reduce_only: bool
) -> None:
    if not instrument.on_lot(quantity):
        raise Rejection(Refusal.LOT, f"{quantity} is not on {instrument.lot_step}")
    if quantity < instrument.min_quantity:
        raise Rejection(Refusal.MIN_QUANTITY, f"{quantity} < {instrument.min_quantity}")
    market = spec.type is OrderType.MARKET
    most = instrument.max_market_quantity if market else instrument.max_limit_quantity
    if most is not None and quantity > most:
        raise Rejection(Refusal.MAX_QUANTITY, f"{quantity} > {most}")
    exempt = reduce_only and state.rules.reduce_only_exempt_from_minimum
    if instrument.min_notional is None or exempt:
        return
    price = spec.price or state.market.mark(spec.symbol)
    worth = quantity * price if instrument.kind is ContractKind.LINEAR else quantity
    if worth < instrument.min_notional:
        raise Rejection(Refusal.MIN_NOTIONAL, f"{worth} < {instrument.min_notional}")


def _waits(order: Order) -> bool:
    return order.status is OrderStatus.UNTRIGGERED
