"""At which limit a reducing order goes: kind at first, and giving way as the account worsens.

Theory of operation. dYdX lets the price at which it closes an account's position fall behind the oracle by a
spread that grows with how far the account's collateral is below its maintenance requirement, and is whole
when nothing is left. Here the requirement is the one of the level at which de-levering begins, and the spread
is whole where the account is urgent, from where on orders go to market. A try that came to nothing widens it
as well. So an order stands off the mark by

    slippage x (tries + 1) + urgency x (max_slippage - slippage)

and never by more than `max_slippage`, the venue's price band, or the break-even: the bankruptcy price of
the position, its share of the equity given away whole. Closing there leaves the maintenance ratio as it was;
beyond it every fill brings liquidation nearer, and the venue's own would be no dearer to the owner. That
binds only while the maintenance ratio is above its target, and only prices: an order to market, the last
resort, takes what there is.

Where a fresh book is known and holds enough within that distance, the order asks no worse than the level that
completes it, and the slippage that every cut is reckoned to cost: by the time it arrives the book has moved.
Each try and each bit of urgency takes it as much further as it would have taken it without.

Source: dYdX v4 `protocol/x/clob/keeper/liquidations.go`, fillable price: (PNNV - ABR x SMMR x PMMR) / PS with
ABR = clamp(BA x (1 - TNC / TMMR), 0, 1).
"""

from decimal import Decimal

from brokers.models import ContractKind, MarketRules, Measure, OrderSide, Position, Side
from brokers.numbers import ONE, ZERO, ceil_to_step, floor_to_step
from brokers.order_book import OrderBook
from daemon.risk.assessment import UnitAssessment
from daemon.risk.depth import marketable_price
from daemon.risk.margin import Usage, direction
from daemon.risk.picture import UnitPicture, ValuedPosition
from daemon.risk.policy import Level, MarginPolicy, ReductionLimits
from daemon.risk.prices import bankruptcy_price_cross


def way_given(usage: Usage, begins_at: Decimal, adjustment: Decimal) -> Decimal:
    """Return which part of the spread is given, from 0 to 1.

    `adjustment` x (1 - capacity / requirement), where the requirement is used / `begins_at`: nothing as long
    as the capacity covers it, everything when none is left (and sooner with an adjustment above 1).
    """
    if not usage.exceeds(begins_at):
        return ZERO
    return min(max(adjustment * (ONE - begins_at * usage.capacity / usage.used), ZERO), ONE)


def fillable_price(side: Side, *, mark_price: Decimal, given: Decimal, spread: Decimal) -> Decimal:
    """Return the mark, worse for the owner of a `side` position by the part `given` of `spread`, in quote."""
    return mark_price - direction(side) * given * spread


def urgency(unit: UnitAssessment | None, policy: MarginPolicy) -> Decimal:
    """Return how far the worst measure is from where de-levering begins (0) to where it is urgent (1)."""
    given = ZERO
    for reading in unit.readings if unit is not None else ():
        ladder = policy.ladder(reading.measure)
        begins_at = ladder.threshold(policy.delevering_level or Level.LIQUIDATION)
        ends_at = policy.confirmation.urgent(reading.measure)
        if reading.urgent:
            return ONE
        if begins_at < ends_at:
            adjustment = ends_at / (ends_at - begins_at)
            given = max([given, *(way_given(usage, begins_at, adjustment) for usage in reading.usages)])
    return given


def allowed(limits: ReductionLimits, tries: int, given: Decimal) -> Decimal:
    """Return how far off the mark an order may go, as a fraction of it."""
    further = given * (limits.max_slippage - limits.slippage)
    return min(limits.slippage_at(tries) + further, limits.max_slippage)


def break_even(valued: ValuedPosition, unit: UnitPicture, policy: MarginPolicy) -> Decimal | None:
    """Return how far off the mark closing leaves the maintenance ratio as it is, as a fraction of the mark.

    The taker fee comes out of it. No nearer than `expected_slippage`, which every cut is reckoned to cost.
    `None`: the ratio is not above its target, no equity is left to share, another unit answers for the
    position, or a figure is missing.
    """
    position, equity = valued.position, unit.unit.margin_equity
    own, whole, notional = valued.margin(Measure.MAINTENANCE), unit.unit.maintenance_margin, valued.notional
    mark, target = position.mark_price, policy.target(Measure.MAINTENANCE)
    too_high = any(usage.exceeds(target) for usage in unit.usages(Measure.MAINTENANCE))
    if position.unit != unit.unit.key or not too_high:
        return None
    if not (mark and equity and own and whole and notional) or min(mark, equity, own, whole, notional) <= 0:
        return None
    price = bankruptcy_price_cross(
        position.side,
        quantity=notional / mark,
        mark_price=mark,
        margin_equity=equity - policy.limits.fee_rate * notional * whole / own,
        share=min(own / whole, ONE),
    )
    if position.kind is ContractKind.INVERSE:
        if price >= 2 * mark:
            return None
        price = mark * mark / (2 * mark - price)  # the same loss in coin, which is worth less as it falls
    distance = direction(position.side) * (mark - price) / mark
    return max(distance, policy.limits.expected_slippage)


def limit_price(
    position: Position,
    rules: MarketRules,
    limits: ReductionLimits,
    *,
    tries: int,
    given: Decimal = ZERO,
    bound: Decimal | None = None,
    book: OrderBook | None = None,
    quantity: Decimal | None = None,
) -> Decimal | None:
    """Return the worst price an order on `position` accepts; `None`: there is no mark to measure from.

    `given` is the `urgency`, `bound` the `break_even`. With a fresh `book` it is what `quantity` takes there,
    if that is allowed. Rounded to the price step on the side that fills, but never beyond band and bound.
    """
    mark, side = position.mark_price, position.closing_side
    if mark is None or mark <= 0:
        return None
    farthest = allowed(limits, tries, given)
    hard = min([one for one in (rules.price_band, bound) if one is not None], default=ONE)
    distance = min(farthest, hard)
    touch = None if book is None or quantity is None else marketable_price(book, side, quantity)
    if touch is not None:
        near = max(direction(position.side) * (mark - touch) / mark, ZERO)
        distance = min(distance, near + limits.expected_slippage + farthest - allowed(limits, 0, ZERO))
    price = fillable_price(position.side, mark_price=mark, given=distance, spread=mark)
    last, step = fillable_price(position.side, mark_price=mark, given=hard, spread=mark), rules.price_step
    if side is OrderSide.SELL:
        return max(floor_to_step(price, step), ceil_to_step(last, step), step)
    return min(ceil_to_step(price, step), max(floor_to_step(last, step), step))
