"""A trade's effect on an account: position, wallet, isolated margin, fee."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import MarginMode, OrderSide
from brokers.numbers import ZERO
from brokers.sandbox.account import Account, Holding, PositionKey
from brokers.sandbox.history import Actor, Filled, LedgerKind
from brokers.sandbox.lending import give_back, keep_loans
from brokers.sandbox.orders import Fill, Order
from brokers.sandbox.state import VenueState


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One execution to be booked. `quantity` > 0; `order` is `None` when no order asked for it."""

    key: PositionKey
    side: OrderSide
    quantity: Decimal
    price: Decimal
    actor: Actor
    fee_rate: Decimal
    fee_kind: LedgerKind = LedgerKind.FEE
    maker: bool = False
    reduce_only: bool = False
    order: Order | None = None


def signed(side: OrderSide, quantity: Decimal) -> Decimal:
    """Return `quantity` with the sign of its side: buy > 0."""
    return quantity if side is OrderSide.BUY else -quantity


def opposite(side: OrderSide) -> OrderSide:
    """Return the other side."""
    return OrderSide.SELL if side is OrderSide.BUY else OrderSide.BUY


def closing_side(quantity: Decimal) -> OrderSide:
    """Return the order side that reduces a signed position."""
    return OrderSide.SELL if quantity > 0 else OrderSide.BUY


def book_trade(state: VenueState, account: Account, trade: Trade) -> Fill:
    """Book a trade: realized PnL and fee go to the wallet, the position nets, and the journal learns of it.

    What reduces a position realizes PnL at its average entry and returns its share of isolated margin; what
    is left over opens the other side. Only an increase changes the average entry.
    """
    instrument = state.instrument(trade.key[0])
    wallet = account.wallet(instrument.settle, state.now_ms)
    spec = trade.order.spec if trade.order is not None and state.rules.lending is not None else None
    if spec is not None and not spec.repays:
        keep_loans(account, instrument.settle, state.now_ms)
    change = signed(trade.side, trade.quantity)
    fee = instrument.notional(trade.quantity, trade.price) * trade.fee_rate
    wallet.change(trade.fee_kind, -fee, state.now_ms)
    held = account.positions.get(trade.key)
    realized = ZERO
    if held is not None and held.quantity * change < 0:
        closed = min(trade.quantity, abs(held.quantity))
        realized = _reduce(state, account, held, closed, price=trade.price, fee=fee * closed / trade.quantity)
        change = signed(trade.side, trade.quantity - closed)
    if change:
        _increase(state, account, trade.key, change, trade.price)
    if spec is not None and spec.repays:
        give_back(account, (instrument.base, instrument.settle), state.now_ms)
    fill = _fill(state, account, trade, fee, realized)
    account.fills.append(fill)
    state.journal.add(Filled, account.name, fill=fill, actor=trade.actor)
    account.touch()
    return fill


def open_holding(
    state: VenueState, account: Account, key: PositionKey, change: Decimal, price: Decimal
) -> Holding:
    """Add a signed `change` to a position at `price`, without a fee and without a trace in the journal."""
    account.wallet(state.instrument(key[0]).settle, state.now_ms)
    account.touch()
    return _increase(state, account, key, change, price)


def _increase(
    state: VenueState,
    account: Account,
    key: PositionKey,
    change: Decimal,
    price: Decimal,
) -> Holding:
    instrument = state.instrument(key[0])
    held = account.positions.get(key)
    if held is None:
        held = Holding(
            instrument=instrument,
            leg=key[1],
            mode=key[2],
            quantity=change,
            entry=price,
            created_ms=state.now_ms,
        )
        account.positions[key] = held
    else:
        held.entry = instrument.average_entry(held.quantity, held.entry, change, price)
        held.quantity += change
    if held.mode is MarginMode.ISOLATED:
        margin = instrument.notional(abs(change), price) / account.leverage(instrument.name, held.leg)
        held.isolated_wallet += margin
    held.updated_ms = state.now_ms
    return held


def _reduce(
    state: VenueState, account: Account, held: Holding, closed: Decimal, *, price: Decimal, fee: Decimal
) -> Decimal:
    """Close part of a position and return its realized PnL; an isolated loss stays with the position.

    What a loss exceeds the returned margin by comes out of the position's remaining margin, and when that
    is gone too the venue bears it.
    """
    instrument = held.instrument
    wallet = account.wallet(instrument.settle, state.now_ms)
    size = abs(held.quantity)
    part = closed if held.quantity > 0 else -closed
    realized = instrument.pnl(part, held.entry, price)
    wallet.change(LedgerKind.REALIZED_PNL, realized, state.now_ms)
    if held.mode is MarginMode.ISOLATED and state.rules.lending is not None:
        held.isolated_wallet += realized - fee
        if closed == size and held.isolated_wallet < 0:
            wallet.change(LedgerKind.INSURANCE, -held.isolated_wallet, state.now_ms)
    elif held.mode is MarginMode.ISOLATED:
        released = held.isolated_wallet * closed / size
        held.isolated_wallet -= released
        deficit = fee - realized - released
        if deficit > 0:
            taken = min(deficit, held.isolated_wallet)
            held.isolated_wallet -= taken
            wallet.change(LedgerKind.INSURANCE, deficit - taken, state.now_ms)
    held.quantity -= part
    held.realized += realized
    held.updated_ms = state.now_ms
    if held.quantity == 0:
        del account.positions[held.key]
    return realized


def _fill(state: VenueState, account: Account, trade: Trade, fee: Decimal, realized: Decimal) -> Fill:
    return Fill(
        fill_id=state.next_id(),
        order_id=trade.order.order_id if trade.order else None,
        client_id=trade.order.client_id if trade.order else None,
        account=account.name,
        symbol=trade.key[0],
        side=trade.side,
        quantity=trade.quantity,
        price=trade.price,
        fee=fee,
        realized_pnl=realized,
        maker=trade.maker,
        reduce_only=trade.reduce_only,
        position_side=trade.key[1],
        ms=state.now_ms,
    )
