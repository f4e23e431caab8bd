"""Trades that no order of the account asked for: another person's hand, and the venue's deleveraging."""

from decimal import Decimal

from brokers.models import MarginMode, OrderSide, PositionMode, Side
from brokers.numbers import ZERO, floor_to_step
from brokers.sandbox.account import Account
from brokers.sandbox.history import Actor
from brokers.sandbox.matching import sweep_reduce_only
from brokers.sandbox.orders import Fill, Refusal, Rejection
from brokers.sandbox.state import VenueState
from brokers.sandbox.trading import Trade, book_trade, closing_side, open_holding


def open_positions(state: VenueState, account: Account) -> None:
    """Give an account the positions of its specification."""
    for opening in account.spec.positions:
        instrument = state.instrument(opening.symbol)
        hedged = account.spec.position_mode is PositionMode.HEDGE
        mode = opening.margin_mode or account.margin_mode(opening.symbol)
        change = opening.quantity if opening.side is Side.LONG else -opening.quantity
        entry = opening.entry_price or state.market.mark(instrument.name)
        key = (instrument.name, opening.side if hedged else None, mode)
        holding = open_holding(state, account, key, change, entry)
        if opening.isolated_margin is not None and mode is MarginMode.ISOLATED:
            holding.isolated_wallet = opening.isolated_margin


def trade_externally(
    state: VenueState,
    account: Account,
    symbol: str,
    side: OrderSide,
    quantity: Decimal,
    *,
    price: Decimal | None,
    position_side: Side | None,
    margin_mode: MarginMode | None,
) -> Fill:
    """Trade as somebody else with access to the account, at `price` or mark, with the taker fee.

    Raises:
        Rejection: UNKNOWN_SYMBOL, QUANTITY, LOT, or WRONG_POSITION_SIDE when the leg does not fit the
        account.
    """
    instrument = state.instrument(symbol)
    if quantity <= 0:
        raise Rejection(Refusal.QUANTITY, str(quantity))
    if not instrument.on_lot(quantity):
        raise Rejection(Refusal.LOT, f"{quantity} is not on {instrument.lot_step}")
    key = (symbol, position_side, margin_mode or account.margin_mode(symbol))
    if (account.spec.position_mode is PositionMode.HEDGE) is (position_side is None):
        raise Rejection(Refusal.WRONG_POSITION_SIDE, f"account is in {account.spec.position_mode} mode")
    held = account.positions.get(key)
    closes = (position_side is Side.LONG) is (side is OrderSide.SELL)
    if position_side is not None and closes and (held is None or quantity > abs(held.quantity)):
        raise Rejection(Refusal.REDUCE_ONLY_TOO_LARGE, f"{quantity} of {position_side}")
    trade = Trade(
        key=key,
        side=side,
        quantity=quantity,
        price=price or state.market.mark(symbol),
        actor=Actor.EXTERNAL,
        fee_rate=instrument.taker_fee,
    )
    fill = book_trade(state, account, trade)
    sweep_reduce_only(state, account, key)
    return fill


def deleverage(
    state: VenueState, account: Account, symbol: str, fraction: Decimal, position_side: Side | None
) -> Fill | None:
    """Close `fraction` of a position at mark without a fee, as the venue; `None` if nothing is that large.

    Raises:
        Rejection: UNKNOWN_SYMBOL.
    """
    instrument = state.instrument(symbol)
    holdings = account.positions.values()
    found = next((h for h in holdings if h.instrument is instrument and h.leg is position_side), None)
    if found is None:
        return None
    quantity = floor_to_step(abs(found.quantity) * min(fraction, Decimal(1)), instrument.lot_step)
    if quantity <= 0:
        return None
    trade = Trade(
        key=found.key,
        side=closing_side(found.quantity),
        quantity=quantity,
        price=state.market.mark(symbol),
        actor=Actor.DELEVERAGING,
        fee_rate=ZERO,
        reduce_only=True,
    )
    fill = book_trade(state, account, trade)
    sweep_reduce_only(state, account, found.key)
    return fill


def deleverage_winners(state: VenueState, fraction: Decimal) -> None:
    """Close `fraction` of every position that is winning."""
    for account in state.accounts.values():
        for holding in list(account.positions.values()):
            mark = state.market.mark(holding.instrument.name)
            if holding.instrument.pnl(holding.quantity, holding.entry, mark) > 0:
                deleverage(state, account, holding.instrument.name, fraction, holding.leg)
