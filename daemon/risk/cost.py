"""What it costs to cut a position now: the taker's fee, half the spread, and the depth that an order eats.

With a fresh order book every level is reckoned from the middle of the book on, up to the worst price that
the policy accepts: no limit goes further, and what lies behind the last level costs as much. Without a book
the policy's own figure holds: fee + expected slippage, per notional at mark.

Money is lost to the middle, not to the mark: what the mark is off the middle was lost before anybody traded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import ContractKind, MarketRules, OrderSide
from brokers.numbers import ONE, ZERO
from brokers.order_book import OrderBook
from daemon.risk.picture import ValuedPosition
from daemon.risk.policy import ReductionLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSlice:
    """Quantity of which each unit costs `rate` of equity, in the unit's currency."""

    width: Decimal
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingCost:
    """What cutting `valued` costs. `book`: fresh, `None` where none was read."""

    valued: ValuedPosition
    limits: ReductionLimits
    rules: MarketRules | None = None
    book: OrderBook | None = None

    def of(self, quantity: Decimal) -> Decimal:
        """Return the equity that cutting `quantity` costs, in the unit's currency."""
        total = ZERO
        for piece in self.slices():
            part = min(piece.width, quantity)
            total += part * piece.rate
            quantity -= part
            if quantity <= 0:
                break
        return total

    def slices(self) -> Iterator[CostSlice]:
        """Yield the position from the first unit cut to the last; the rate never falls."""
        rules, rate, middle = self.rules, self.valued.rate, self._middle()
        left = self.valued.position.quantity
        if rules is None or rate is None or self.book is None or middle is None:
            yield CostSlice(width=left, rate=self._by_policy)
            return
        most = self._most(middle, rules)
        for level in self.book.against(self.valued.position.closing_side):
            lost = _lost(rules, middle, level.price, self.limits.fee_rate)
            if lost >= most:
                break
            width = min(level.quantity, left)
            yield CostSlice(width=width, rate=lost * rate)
            left -= width
            if left <= 0:
                return
        yield CostSlice(width=left, rate=most * rate)

    def segments(self) -> Iterator[tuple[float, float]]:
        """Yield the same as (width, rate) in floats, for a search that reads many books."""
        rules, rate, middle = self.rules, self.valued.rate, self._middle()
        left = float(self.valued.position.quantity)
        if rules is None or rate is None or self.book is None or middle is None:
            yield left, float(self._by_policy)
            return
        size, inverse, in_unit = float(rules.contract_size), rules.kind is ContractKind.INVERSE, float(rate)
        fair, fee = size / float(middle) if inverse else size * float(middle), float(self.limits.fee_rate)
        most = float(self._most(middle, rules))
        for level in self.book.against(self.valued.position.closing_side):
            price, width = float(level.price), float(level.quantity)
            value = size / price if inverse else size * price
            lost = abs(value - fair) + fee * value
            if lost >= most:
                break
            yield min(width, left), lost * in_unit
            left -= width
            if left <= 0:
                return
        yield left, most * in_unit

    def _most(self, middle: Decimal, rules: MarketRules) -> Decimal:
        """Return what a unit loses at the worst price that the policy accepts, in settle currency."""
        selling = self.valued.position.closing_side is OrderSide.SELL
        away = -self.limits.max_slippage if selling else self.limits.max_slippage
        return _lost(rules, middle, middle * (ONE + away), self.limits.fee_rate)

    @property
    def _by_policy(self) -> Decimal:
        """What a unit costs by the policy's own figure; zero where its notional is not known."""
        return (self.valued.notional or ZERO) / self.valued.position.quantity * self.limits.cost_rate

    def _middle(self) -> Decimal | None:
        """Return what prices are measured from; of a one-sided book the better of its best and the mark."""
        if self.book is None:
            return None
        bid, ask = (side[0].price if side else None for side in (self.book.bids, self.book.asks))
        if bid is not None and ask is not None:
            return (bid + ask) / 2
        mark = self.valued.position.mark_price
        if mark is None or mark <= 0:
            return None
        if self.valued.position.closing_side is OrderSide.SELL:
            return mark if bid is None else max(bid, mark)
        return mark if ask is None else min(ask, mark)


def _lost(rules: MarketRules, middle: Decimal, price: Decimal, fee_rate: Decimal) -> Decimal:
    """Return what trading one unit at `price` loses against `middle`, fee included, in settle currency."""
    if rules.kind is ContractKind.INVERSE:
        value, fair = rules.contract_size / price, rules.contract_size / middle
    else:
        value, fair = rules.contract_size * price, rules.contract_size * middle
    return abs(value - fair) + fee_rate * value
