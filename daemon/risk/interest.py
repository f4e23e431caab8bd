"""What borrowed money costs."""

from decimal import ROUND_CEILING, Decimal

DAYS_PER_YEAR = Decimal(365)
HOURS_PER_DAY = Decimal(24)


def annual_rate(daily_rate: Decimal) -> Decimal:
    """Return the APR of a daily rate: simple, 365 days."""
    return daily_rate * DAYS_PER_YEAR


def daily_interest(principal: Decimal, apr: Decimal) -> Decimal:
    """Return what `principal` costs per day at `apr`, a fraction per year."""
    return principal * apr / DAYS_PER_YEAR


def hourly_interest(principal: Decimal, daily_rate: Decimal, hours: Decimal) -> Decimal:
    """Return interest charged by begun hours: principal x daily rate x ceil(hours) / 24.

    Source: Binance margin loans.
    """
    return principal * daily_rate * hours.to_integral_value(ROUND_CEILING) / HOURS_PER_DAY


def rollover_interest(
    principal: Decimal, rate: Decimal, hours: Decimal, period_hours: Decimal = Decimal(4)
) -> Decimal:
    """Return an opening fee and one rollover fee per begun period.

    principal x rate x (1 + ceil(hours / period)).

    Source: Kraken spot margin: the opening fee is charged once, the rollover fee every four hours.
    """
    periods = (hours / period_hours).to_integral_value(ROUND_CEILING)
    return principal * rate * (1 + periods)
