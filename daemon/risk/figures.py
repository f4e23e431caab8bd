"""Figures as people read them in a sentence."""

from decimal import Decimal

from brokers.numbers import ONE


def percent(ratio: Decimal) -> str:
    """Return a ratio in percent, to one decimal place where it is not whole: `63.6 %`, `70 %`."""
    return f"{_plain(f'{ratio * 100:.1f}')} %"


def money(amount: Decimal) -> str:
    """Return an amount to at most two decimal places, one below 1 (coins) to four significant digits."""
    if amount != 0 and abs(amount) < ONE:
        return _plain(f"{Decimal(f'{amount:.3e}'):f}")
    return _plain(f"{amount:.2f}")


def _plain(text: str) -> str:
    """Return a number without the zeros that end its decimal places."""
    return text.rstrip("0").rstrip(".") if "." in text else text
