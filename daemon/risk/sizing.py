"""How large a reducing order may be at the venue: whole lots, no dust left behind."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import ContractKind, MarketRules, Position
from brokers.numbers import ceil_to_step, floor_to_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Lots:
    """The bounds of one order on `position`. `most` caps the quantity (a hedge, or the whole position)."""

    position: Position
    rules: MarketRules
    most: Decimal
    market: bool

    @property
    def least(self) -> Decimal:
        """The smallest quantity the venue takes; orders that reduce may be exempt down to one lot."""
        rules = self.rules
        if rules.reduce_only_exempt_from_minimum:
            return rules.lot_step
        least = max(rules.min_quantity, rules.lot_step)
        worth = _worth_in_quote(self.position, rules)
        if rules.min_notional is not None and worth is not None and worth > 0:
            least = max(least, rules.min_notional / worth)
        return ceil_to_step(least, rules.lot_step)

    @property
    def is_dust(self) -> bool:
        """Whether even the whole position is too small to order."""
        return self.position.quantity < self.least and not self.rules.reduce_only_exempt_from_minimum

    @property
    def largest(self) -> Decimal:
        """The largest quantity of one order."""
        rules, most = self.rules, self.most
        if most < self.position.quantity:
            most = floor_to_step(most, rules.lot_step)
        cap = rules.max_market_quantity if self.market else rules.max_limit_quantity
        return most if cap is None else min(most, floor_to_step(cap, rules.lot_step))

    def quantity(self, wanted: Decimal, fraction: Decimal) -> Decimal | None:
        """Return the order that takes at least `wanted`, as far as the bounds allow; `None`: none can.

        Rounded up to whole lots, at most `fraction` of the position unless what then remained were dust: the
        whole position is taken in its place. Never more than `most` or than the venue takes at once.
        """
        step, total = self.rules.lot_step, self.position.quantity
        if self.is_dust or self.most <= 0:
            return None
        least = min(self.least, total)
        share = max(floor_to_step(total * fraction, step), least)
        quantity = min(max(ceil_to_step(wanted, step), least), share)
        if self._leaves_dust(quantity) and self.most == total:
            quantity = total
        if quantity > self.largest:
            quantity = self.largest
            if self._leaves_dust(quantity) and self.most == total:
                quantity = floor_to_step(total - self.least, step)
        return quantity if quantity >= least else None

    def _leaves_dust(self, quantity: Decimal) -> bool:
        """Whether `quantity` would leave a remainder that cannot be ordered any more."""
        return 0 < self.position.quantity - quantity < self.least


def _worth_in_quote(position: Position, rules: MarketRules) -> Decimal | None:
    """Return what one unit of quantity is worth in quote currency; `None`: no mark."""
    if rules.kind is ContractKind.INVERSE:
        return rules.contract_size
    mark = position.mark_price
    return rules.contract_size * mark if mark is not None else None
