"""What an account's debts cost: a figure for the history; nothing is judged by it, nothing waits for it."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from brokers.models import Collateral
from brokers.numbers import ONE, ZERO, NumberError, decimal_or_none

HOURS_PER_YEAR = Decimal(24 * 365)

ASK_EVERY_S = 3600.0
"""Venues set their rates by the hour."""

KEPT_S = 2 * ASK_EVERY_S
"""An older rate is not told: a debt that comes back after hours costs what it costs then."""


def apr_of_hourly(raw: object) -> Decimal | None:
    """Return the APR of an hourly rate as a venue sent it, a fraction: simple, 24 hours, 365 days.

    `None` for what is absent, damaged, negative, or as much as the whole debt in an hour.

    Source: Bybit docs, Get Collateral Info, `hourlyBorrowRate`; OKX docs, Get interest rate, `interestRate`.
    """
    try:
        rate = decimal_or_none(raw)
    except NumberError:
        return None
    return rate * HOURS_PER_YEAR if rate is not None and ZERO <= rate < ONE else None


class BorrowRates:
    """The APR of each currency as one account's venue last stated it, and when to ask again.

    Every `now` is in seconds of one steady clock. An answer without rates, or none, is an answer for the
    hour: what was known before is forgotten, and nobody asks again until then.
    """

    def __init__(self) -> None:
        self._rates: Mapping[str, Decimal] = MappingProxyType({})
        self._asked_at = float("-inf")
        self._learnt_at = float("-inf")

    def ask(self, collaterals: tuple[Collateral, ...], now: float) -> bool:
        """Tell whether to ask the venue now, and take it as asked: there is debt, and an hour has passed."""
        if now - self._asked_at < ASK_EVERY_S or not any(one.debt for one in collaterals):
            return False
        self._asked_at = now
        return True

    def take_back(self) -> None:
        """Count the last time as not asked: nothing was sent."""
        self._asked_at = float("-inf")

    def learn(self, rates: Mapping[str, Decimal], now: float) -> None:
        """Take what the venue stated; currencies it left out have no rate."""
        self._rates = dict(rates)
        self._learnt_at = now

    def told(self, collaterals: tuple[Collateral, ...], now: float) -> tuple[Collateral, ...]:
        """Return `collaterals` with the rate of each debt that has a known one."""
        if not self._rates or now - self._learnt_at >= KEPT_S:
            return collaterals
        return tuple(
            replace(one, interest_rate=self._rates[one.currency])
            if one.debt and one.interest_rate is None and one.currency in self._rates
            else one
            for one in collaterals
        )
