"""The generated order book of one instrument: how much is there, at what price, and what was taken of it."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TypeAlias

from brokers.models import ContractKind, OrderSide
from brokers.numbers import ONE, ZERO, floor_to_step
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.spec import BookShape

Level: TypeAlias = tuple[Decimal, Decimal]
"""A price and the quantity that can be had there, in engine units."""


class Book:
    """Both sides of one instrument's book around a middle price that the caller knows.

    What a taker took is missing from the best levels of that side and grows back linearly within the shape's
    `recovery_ms`.
    """

    __slots__ = ("_instrument", "_shape", "_taken")

    def __init__(self, instrument: Instrument, shape: BookShape) -> None:
        self._instrument = instrument
        self._shape = shape
        self._taken: dict[OrderSide, tuple[Decimal, int]] = {}

    def best(self, taker: OrderSide, middle: Decimal) -> Decimal:
        """Return the best price for a taker: the lowest ask for a buyer, the highest bid for a seller."""
        return self._price(taker, middle, 0)

    def levels(
        self, taker: OrderSide, middle: Decimal, now_ms: int, depth_factor: Decimal = ONE
    ) -> list[Level]:
        """Return what a taker on that side would meet, best level first, without what is taken."""
        missing = self._missing(taker, now_ms)
        found = []
        for number in range(self._shape.levels):
            price = self._price(taker, middle, number)
            quantity = self._quantity(price, depth_factor)
            used = min(missing, quantity)
            missing -= used
            if quantity > used:
                found.append((price, quantity - used))
        return found

    def match(
        self,
        taker: OrderSide,
        quantity: Decimal,
        levels: list[Level],
        limit: Decimal | None = None,
    ) -> list[Level]:
        """Return the executions that `quantity` would get from `levels`, none worse than `limit`."""
        executions = []
        for price, there in levels:
            if quantity <= 0 or (limit is not None and _worse(taker, price, limit)):
                break
            taken = min(quantity, there)
            executions.append((price, taken))
            quantity -= taken
        return executions

    def take(self, taker: OrderSide, quantity: Decimal, now_ms: int) -> None:
        """Remove `quantity` from the best levels."""
        self._taken[taker] = (self._missing(taker, now_ms) + quantity, now_ms)

    def _missing(self, taker: OrderSide, now_ms: int) -> Decimal:
        taken, since = self._taken.get(taker, (ZERO, 0))
        if taken == 0:
            return ZERO
        left = self._shape.recovery_ms - (now_ms - since)
        if left <= 0:
            del self._taken[taker]
            return ZERO
        return floor_to_step(taken * left / self._shape.recovery_ms, self._instrument.lot_step)

    def _price(self, taker: OrderSide, middle: Decimal, number: int) -> Decimal:
        distance = self._shape.half_spread + number * self._shape.level_spacing
        step = self._instrument.price_step
        if taker is OrderSide.BUY:
            return max(ONE, (middle * (1 + distance) / step).to_integral_value(ROUND_CEILING)) * step
        return max(ONE, (middle * (1 - distance) / step).to_integral_value(ROUND_FLOOR)) * step

    def _quantity(self, price: Decimal, depth_factor: Decimal) -> Decimal:
        worth = self._shape.level_notional * depth_factor
        amount = worth / price if self._instrument.kind is ContractKind.LINEAR else worth
        return floor_to_step(amount, self._instrument.lot_step)


def _worse(taker: OrderSide, price: Decimal, limit: Decimal) -> bool:
    return price > limit if taker is OrderSide.BUY else price < limit
