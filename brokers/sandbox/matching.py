"""Orders: taken in, executed against the book, triggered, cancelled."""

from dataclasses import replace
from decimal import Decimal

from brokers.models import OrderSide
from brokers.numbers import ZERO, floor_to_step
from brokers.sandbox.account import Account, PositionKey
from brokers.sandbox.admission import Admission, admit, check_margin, reached
from brokers.sandbox.book import Level
from brokers.sandbox.history import (
    Actor,
    CancelRefused,
    OrderCancelled,
    OrderPlaced,
    OrderRefused,
    OrderTriggered,
)
from brokers.sandbox.orders import (
    CancelReason,
    Order,
    OrderSpec,
    OrderStatus,
    OrderType,
    Refusal,
    Rejection,
    TimeInForce,
    Trigger,
    TriggerDirection,
)
from brokers.sandbox.state import VenueState
from brokers.sandbox.trading import Trade, book_trade, closing_side


def place_order(state: VenueState, account: Account, spec: OrderSpec) -> Order:
    """Take an order in and execute what executes at once; return it as it is then.

    Raises:
        Rejection: a rule of the venue; the refusal is in the journal and nothing else changed.
    """
    try:
        spec = _with_direction(state, spec)
        admission = admit(state, account, spec)
        order = _new_order(state, account, spec, admission)
        check_margin(state, account, order, _expected_price(state, order))
    except Rejection as refusal:
        state.journal.add(OrderRefused, account.name, spec=spec, reason=refusal.reason, detail=refusal.detail)
        raise
    account.orders.put(order)
    account.touch()
    state.journal.add(OrderPlaced, account.name, order=order)
    if order.status is OrderStatus.UNTRIGGERED:
        return order
    return _enter(state, account, order)


def cancel_order(
    state: VenueState, account: Account, *, order_id: str | None, client_id: str | None, symbol: str | None
) -> Order:
    """Cancel one open order by one of its ids.

    Raises:
        Rejection: ORDER_NOT_FOUND or ORDER_CLOSED.
    """
    order = find_order(account, order_id=order_id, client_id=client_id, symbol=symbol)
    if order is not None and order.is_open:
        return end_order(state, account, order, CancelReason.BY_USER)
    reason = Refusal.ORDER_NOT_FOUND if order is None else Refusal.ORDER_CLOSED
    state.journal.add(CancelRefused, account.name, order_id=order_id, client_id=client_id, reason=reason)
    raise Rejection(reason, order_id or client_id or "")


def find_order(
    account: Account, *, order_id: str | None, client_id: str | None, symbol: str | None
) -> Order | None:
    """Return one order by its id, or the latest with that client id."""
    if order_id is not None:
        order = account.orders.by_id(order_id)
        return None if order is None or (symbol is not None and order.symbol != symbol) else order
    return None if client_id is None else account.orders.by_client_id(client_id, symbol)


def end_order(state: VenueState, account: Account, order: Order, reason: CancelReason) -> Order:
    """Cancel what is left of an order."""
    ended = account.orders.put(
        replace(order, status=OrderStatus.CANCELLED, cancel_reason=reason, updated_ms=state.now_ms)
    )
    account.touch()
    state.journal.add(OrderCancelled, account.name, order=ended, reason=reason)
    return ended


def work_orders(state: VenueState, account: Account) -> None:
    """Trigger stop orders whose price is reached and fill resting orders that the price has crossed.

    When the account's timer has run out, all are cancelled first, and the timer is off.
    """
    if account.timer_ms is not None and account.timer_ms <= state.now_ms:
        account.timer_ms = None
        for order in account.orders.open():
            end_order(state, account, order, CancelReason.TIMER)
    for order in account.orders.open():
        current = account.orders.by_id(order.order_id)
        if current is None or not current.is_open or current.symbol in state.controls.halted:
            continue
        if current.status is OrderStatus.UNTRIGGERED:
            if reached(state, current.spec):
                _trigger(state, account, current)
        else:
            _fill_resting(state, account, current)


def sweep_reduce_only(state: VenueState, account: Account, key: PositionKey) -> None:
    """Cancel resting reduce-only orders that have nothing left to reduce."""
    held = account.positions.get(key)
    for order in account.orders.open():
        if order.key != key or not order.reduce_only or order.status is not OrderStatus.OPEN:
            continue
        if held is None or order.side is not closing_side(held.quantity):
            end_order(state, account, order, CancelReason.POSITION_GONE)


def _with_direction(state: VenueState, spec: OrderSpec) -> OrderSpec:
    """Give a trigger without a direction the one in which its price lies."""
    trigger = spec.trigger
    if trigger is None or trigger.direction is not None or spec.symbol not in state.market.instruments:
        return spec
    watched = state.market.watched(spec.symbol, trigger.kind)
    direction = TriggerDirection.RISES if trigger.price > watched else TriggerDirection.FALLS
    return replace(spec, trigger=Trigger(price=trigger.price, kind=trigger.kind, direction=direction))


def _new_order(state: VenueState, account: Account, spec: OrderSpec, admission: Admission) -> Order:
    return Order(
        order_id=state.next_id(),
        account=account.name,
        spec=spec,
        status=OrderStatus.OPEN if spec.trigger is None else OrderStatus.UNTRIGGERED,
        quantity=admission.quantity,
        margin_mode=admission.key[2],
        reduce_only=admission.reduce_only,
        created_ms=state.now_ms,
        updated_ms=state.now_ms,
    )


def _expected_price(state: VenueState, order: Order) -> Decimal:
    """Return the average price at which an order would execute or rest."""
    spec = order.spec
    if spec.trigger is not None and not order.triggered:
        return spec.price or spec.trigger.price
    executions = _preview(state, order)
    quantity = sum((quantity for _, quantity in executions), ZERO)
    if quantity == 0:
        return spec.price or state.market.mark(order.symbol)
    worth = sum((price * quantity for price, quantity in executions), ZERO)
    if spec.price is not None and spec.time_in_force is not TimeInForce.IOC:
        worth += (order.remaining - quantity) * spec.price
        quantity = order.remaining
    return worth / quantity


def _preview(state: VenueState, order: Order) -> list[Level]:
    """Return the executions that the order would get from the book now, controls included."""
    levels = state.market.levels(order.symbol, order.side, state.controls.depth_factor)
    book = state.market.books[order.symbol]
    limit = order.spec.price if order.spec.type is OrderType.LIMIT else None
    executions = book.match(order.side, order.remaining, levels, limit)
    if state.controls.fill_fraction == 1:
        return executions
    possible = sum((quantity for _, quantity in executions), ZERO)
    step = state.instrument(order.symbol).lot_step
    allowed = floor_to_step(possible * state.controls.fill_fraction, step)
    return book.match(order.side, allowed, levels, limit)


def _enter(state: VenueState, account: Account, order: Order) -> Order:
    """Execute a live order as far as the book goes; what may not rest is cancelled."""
    spec = order.spec
    executions = _preview(state, order)
    if spec.type is OrderType.LIMIT and spec.time_in_force is TimeInForce.POST_ONLY:
        return end_order(state, account, order, CancelReason.WOULD_TAKE) if executions else order
    order = _execute(state, account, order, executions, maker=False)
    if order.status.is_final or (spec.type is OrderType.LIMIT and spec.time_in_force is TimeInForce.GTC):
        return order
    market = spec.type is OrderType.MARKET
    return end_order(
        state, account, order, CancelReason.NO_LIQUIDITY if market else CancelReason.IOC_REMAINDER
    )


def _execute(
    state: VenueState, account: Account, order: Order, executions: list[Level], *, maker: bool
) -> Order:
    for execution in executions:
        order = _fill_once(state, account, order, execution, maker=maker)
        if order.status.is_final:
            break
    if order.filled:
        sweep_reduce_only(state, account, order.key)
        order = account.orders.by_id(order.order_id) or order
    return order


def _fill_once(
    state: VenueState,
    account: Account,
    order: Order,
    execution: Level,
    *,
    maker: bool,
) -> Order:
    price, quantity = execution
    instrument = state.instrument(order.symbol)
    if order.reduce_only:
        held = account.positions.get(order.key)
        if held is None or order.side is not closing_side(held.quantity):
            return end_order(state, account, order, CancelReason.POSITION_GONE)
        quantity = min(quantity, abs(held.quantity))
    state.market.books[order.symbol].take(order.side, quantity, state.now_ms)
    fill = book_trade(
        state,
        account,
        Trade(
            key=order.key,
            side=order.side,
            quantity=quantity,
            price=price,
            actor=Actor.API,
            fee_rate=instrument.maker_fee if maker else instrument.taker_fee,
            maker=maker,
            reduce_only=order.reduce_only,
            order=order,
        ),
    )
    filled = order.filled + quantity
    average = price
    if order.average_price is not None:
        average = instrument.average_entry(order.filled, order.average_price, quantity, price)
    return account.orders.put(
        replace(
            order,
            filled=filled,
            average_price=average,
            status=OrderStatus.FILLED if filled == order.quantity else OrderStatus.OPEN,
            fee=order.fee + fill.fee,
            realized_pnl=order.realized_pnl + fill.realized_pnl,
            updated_ms=state.now_ms,
        )
    )


def _fill_resting(state: VenueState, account: Account, order: Order) -> None:
    """Fill a resting order at its own price, as far as the book on the other side has crossed it."""
    price = order.spec.price
    best = state.market.books[order.symbol].best(order.side, state.market.mark(order.symbol))
    if price is None or (best > price if order.side is OrderSide.BUY else best < price):
        return
    quantity = sum((quantity for _, quantity in _preview(state, order)), ZERO)
    if quantity:
        _execute(state, account, order, [(price, quantity)], maker=True)


def _trigger(state: VenueState, account: Account, order: Order) -> None:
    """Make a stop order live: what it could not do as a new order now, it does not do."""
    held = account.positions.get(order.key)
    quantity = order.quantity
    if order.spec.close_position:
        quantity = abs(held.quantity) if held else ZERO
    live = replace(order, status=OrderStatus.OPEN, triggered=True, quantity=quantity, updated_ms=state.now_ms)
    account.orders.put(live)
    account.touch()
    state.journal.add(OrderTriggered, account.name, order=live)
    if live.reduce_only and (held is None or live.side is not closing_side(held.quantity)):
        end_order(state, account, live, CancelReason.POSITION_GONE)
        return
    try:
        check_margin(state, account, live, _expected_price(state, live))
    except Rejection:
        end_order(state, account, live, CancelReason.TRIGGER_REFUSED)
        return
    _enter(state, account, live)
