"""Decisions and snapshots become rows: the one place where the core's values meet the database's."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountSnapshot, Collateral, Position, RiskUnit, Symbol, UnitKind
from brokers.numbers import ZERO
from brokers.order_book import NO_BOOKS, OrderBook
from daemon.risk.assessment import Assessment, UnitAssessment
from daemon.risk.picture import DOLLARS
from daemon.risk.reduction import ReductionPlan
from daemon.risk.repayment import RepaymentPlan
from daemon.risk.standing import Transition
from database.records import Event, MarginSample, PositionSample

DAYS_PER_YEAR = Decimal(365)
PositionKeyText = tuple[str, str, str]


def margin_samples(
    snapshot: AccountSnapshot, assessment: Assessment, now: datetime
) -> tuple[MarginSample, ...]:
    """Return one row per risk unit."""
    return tuple(
        _margin_sample(snapshot, unit, judged, now)
        for unit in snapshot.units
        if (judged := assessment.unit(unit.key)) is not None
    )


def _margin_sample(
    snapshot: AccountSnapshot, unit: RiskUnit, judged: UnitAssessment, now: datetime
) -> MarginSample:
    debt, rate = _debt_of(snapshot.collaterals, unit)
    equity, market_value = unit.margin_equity, judged.notional
    largest = next(iter(judged.exposure.underlyings), None)
    return MarginSample(
        time=now,
        account=snapshot.account_id,
        broker=snapshot.broker,
        product=snapshot.product,
        unit=unit.key,
        currency=unit.currency,
        level=judged.level.label,
        debit_balance=debt,
        equity_balance=equity,
        market_value=market_value,
        margin_ratio=equity / market_value if equity is not None and market_value else None,
        initial_margin=unit.initial_margin,
        maintenance_margin=unit.maintenance_margin,
        available_margin=unit.available_margin,
        maintenance_excess=judged.headroom,
        margin_utilization=judged.utilization,
        maintenance_ratio=judged.maintenance_ratio,
        effective_leverage=judged.leverage,
        interest_rate=rate,
        daily_interest_cost=debt * rate / DAYS_PER_YEAR if debt is not None and rate is not None else None,
        net_leverage=judged.exposure.net_leverage,
        largest_underlying=largest.coin if largest is not None else None,
        underlying_leverage=largest.leverage if largest is not None else None,
    )


def _debt_of(collaterals: Iterable[Collateral], unit: RiskUnit) -> tuple[Decimal | None, Decimal | None]:
    """Return what a unit owes in its own currency, interest included, and the yearly rate on all of it.

    An account's unit answers for debts in every currency, any other for those in its own. `None`: the venue
    shows none, or not what one of them is worth or costs.
    """
    whole = unit.kind is UnitKind.ACCOUNT
    owing = [c for c in collaterals if c.debt is not None and (whole or c.currency == unit.currency)]
    debts = [(owed, c.interest_rate) for c in owing if (owed := _owed(c, unit.currency)) is not None]
    if not debts or len(debts) < len(owing):
        return None, None
    total = sum((owed for owed, _ in debts), ZERO)
    costs = [owed * rate for owed, rate in debts if rate is not None and owed > 0]
    if total <= 0:
        return total, debts[0][1] if len(debts) == 1 else None
    complete = len(costs) == sum(owed > 0 for owed, _ in debts)
    return total, sum(costs, ZERO) / total if complete else None


def _owed(collateral: Collateral, currency: str) -> Decimal | None:
    """Return principal plus interest in `currency`; `None`: what it is worth there is not known."""
    owed = (collateral.debt or ZERO) + (collateral.interest or ZERO)
    if owed == 0 or collateral.currency == currency:
        return owed
    worth, equity = collateral.value, collateral.equity
    if worth and equity and worth / equity > 0:
        return owed * worth / equity
    return owed if {collateral.currency, currency} <= DOLLARS else None


def position_samples(
    snapshot: AccountSnapshot, before: dict[PositionKeyText, Decimal], now: datetime
) -> tuple[PositionSample, ...]:
    """Return a row for every position whose quantity changed, and update `before`; gone means quantity 0."""
    present = {_key(position): position for position in snapshot.positions}
    rows = [
        _position_sample(snapshot, position, now)
        for key, position in present.items()
        if before.get(key) != position.quantity
    ]
    rows += [
        PositionSample(
            time=now,
            account=snapshot.account_id,
            broker=snapshot.broker,
            product=snapshot.product,
            unit="",
            symbol=key[0],
            side=key[1],
            margin_mode=key[2],
            quantity=Decimal(0),
            settle="",
        )
        for key in before.keys() - present.keys()
    ]
    before.clear()
    before.update({key: position.quantity for key, position in present.items()})
    return tuple(rows)


def _key(position: Position) -> PositionKeyText:
    return (position.symbol, position.side.value, position.margin_mode.value)


def _position_sample(snapshot: AccountSnapshot, position: Position, now: datetime) -> PositionSample:
    return PositionSample(
        time=now,
        account=snapshot.account_id,
        broker=snapshot.broker,
        product=snapshot.product,
        unit=position.unit,
        symbol=position.symbol,
        side=position.side.value,
        margin_mode=position.margin_mode.value,
        quantity=position.quantity,
        settle=position.settle,
        entry_price=position.entry_price,
        mark_price=position.mark_price,
        notional=position.notional,
        initial_margin=position.initial_margin,
        maintenance_margin=position.maintenance_margin,
        unrealized_pnl=position.unrealized_pnl,
        leverage_setting=position.leverage_setting,
        liquidation_price=position.liquidation_price,
    )


def transition_event(account: str, transition: Transition) -> Event:
    """Return a change of standing as an event."""
    return Event(
        time=transition.at,
        kind=transition.kind.value,
        message=transition_sentence(transition),
        account=account,
        level=transition.after.label if transition.after is not None else None,
        reason=transition.reason.value,
        episode=transition.episode,
        detail={
            key: value
            for key, value in {
                "unit": transition.unit,
                "before": transition.before.label if transition.before is not None else None,
                "measure": transition.measure.value if transition.measure else None,
                "ratio": str(transition.ratio) if transition.ratio is not None else None,
                "detail": transition.detail or None,
            }.items()
            if value is not None
        },
    )


def repayment_summary(plan: RepaymentPlan) -> dict[str, object]:
    """Return a repayment as plain values for the journal."""
    return {
        "unit": plan.unit,
        "currency": plan.currency,
        "amount": str(plan.amount),
        "owed": str(plan.owed),
        "reaches_target": plan.reaches_target,
        "expected_utilization": _text(plan.expected_utilization),
        "expected_maintenance": _text(plan.expected_maintenance),
    }


def transition_sentence(transition: Transition) -> str:
    """Return a change of standing as one line for people."""
    where = f" {transition.unit}" if transition.unit else ""
    level = f" to {transition.after.label.upper()}" if transition.after is not None else ""
    figure = (
        f" ({transition.measure} {percent(transition.ratio)})"
        if transition.measure and transition.ratio is not None
        else ""
    )
    detail = f": {transition.detail}" if transition.detail else ""
    return f"{transition.kind.value.replace('_', ' ')}{level}{where}{figure}{detail}"


def percent(ratio: Decimal | None, *, cash: bool = False) -> str:
    """Return a ratio as people read it; a dash when it is unknown, n/a where a `cash` account has none."""
    if ratio is None:
        return "n/a" if cash else "-"
    return f"{ratio * 100:.1f} %"


def snapshot_summary(snapshot: AccountSnapshot, assessment: Assessment) -> dict[str, object]:
    """Return what a decision was made from, as plain values for the journal."""
    return {
        "as_of": snapshot.as_of.isoformat(),
        "fetched_at": snapshot.fetched_at.isoformat(),
        "mode": snapshot.mode.label,
        "gates": [f"{gate.reason.value}: {gate.detail}" for gate in assessment.gates],
        "units": [
            {
                "key": unit.key,
                "currency": unit.currency,
                "level": unit.level.label,
                "margin_equity": _text(unit.margin_equity),
                "initial_margin": _text(unit.initial_margin),
                "maintenance_margin": _text(unit.maintenance_margin),
                "available_margin": _text(unit.available_margin),
                "utilization": _text(unit.utilization),
                "maintenance_ratio": _text(unit.maintenance_ratio),
                "leverage": _text(unit.leverage),
                "net_leverage": _text(unit.exposure.net_leverage),
                "underlyings": {one.coin: _text(one.leverage) for one in unit.exposure.underlyings},
            }
            for unit in assessment.units
        ],
        "positions": [
            {
                "symbol": position.symbol,
                "side": position.side.value,
                "margin_mode": position.margin_mode.value,
                "quantity": str(position.quantity),
                "mark_price": _text(position.mark_price),
                "notional": _text(position.notional),
            }
            for position in snapshot.positions
        ],
    }


def position_row(position: Position) -> dict[str, object]:
    """Return which position it is, and how much of it there is, as plain values for the journal."""
    return {
        "symbol": position.symbol,
        "side": position.side.value,
        "margin_mode": position.margin_mode.value,
        "quantity": str(position.quantity),
    }


def plan_summary(plan: ReductionPlan, books: Mapping[Symbol, OrderBook] = NO_BOOKS) -> dict[str, object]:
    """Return a plan, and the best prices of the `books` it was made with, as plain values for the journal."""
    return {
        "unit": plan.unit,
        "action": plan.action.value,
        "cost": str(plan.cost),
        "reaches_target": plan.reaches_target,
        "orders": [
            {
                "symbol": order.position.symbol,
                "side": order.position.closing_side.value,
                "margin_mode": order.position.margin_mode.value,
                "quantity": str(order.quantity),
                "of": str(order.position.quantity),
                "limit_price": _text(order.limit_price),
                "cost": str(order.cost),
                "expected_utilization": _text(order.expected_utilization),
                "expected_maintenance": _text(order.expected_maintenance),
            }
            for order in plan.orders
        ],
        "bound": plan.bound,
        "dust": ["/".join(map(str, key)) for key in plan.dust],
        "notes": list(plan.notes),
        "alternatives": [
            {"name": one.name, "orders": one.orders, "cost": str(one.cost), "reaches": one.reaches}
            for one in plan.alternatives
        ],
        "books": [_book_row(book) for _, book in sorted(books.items())],
    }


def _book_row(book: OrderBook) -> dict[str, object]:
    bid, ask = (side[0] if side else None for side in (book.bids, book.asks))
    return {
        "symbol": book.symbol,
        "bid": _text(bid.price if bid else None),
        "bid_quantity": _text(bid.quantity if bid else None),
        "ask": _text(ask.price if ask else None),
        "ask_quantity": _text(ask.quantity if ask else None),
        "levels": [len(book.bids), len(book.asks)],
        "as_of": (book.as_of or book.fetched_at).isoformat(),
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
