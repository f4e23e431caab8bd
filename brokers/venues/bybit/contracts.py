"""Bybit's contract names: which category an instrument is in, and what it settles in."""

import re
from enum import StrEnum

from brokers.models import ContractKind

OPTION = re.compile(r"^[A-Z0-9]+-\d{1,2}[A-Z]{3}\d{2}-[0-9.]+-[CP](-(?P<settle>[A-Z0-9]+))?$")
"""`BTC-27MAR26-100000-C` (settled in USDC) and `BTC-27MAR26-100000-C-USDT`."""

INVERSE = re.compile(r"^(?P<base>[A-Z0-9]+?)USD([FGHJKMNQUVXZ]\d{2})?$")
"""`BTCUSD` and the quarterly `BTCUSDH26`; `BTCUSDT` and `BTCPERP` are not inverse."""


STABLECOINS = frozenset({"USDT", "USDC"})
"""What linear contracts and options settle in; any other coin with a position has an inverse one."""


class Category(StrEnum):
    """The `category` parameter of every V5 call."""

    LINEAR = "linear"
    INVERSE = "inverse"
    OPTION = "option"
    SPOT = "spot"


def category_of(symbol: str) -> Category:
    """Tell a derivative's category by its name: options and inverse contracts have a form of their own."""
    if OPTION.match(symbol):
        return Category.OPTION
    return Category.INVERSE if INVERSE.match(symbol) else Category.LINEAR


def kind_of(category: Category) -> ContractKind:
    """Return how quantity and price make a notional; an option's value is quantity times mark price."""
    return ContractKind.INVERSE if category is Category.INVERSE else ContractKind.LINEAR


def settle_of(symbol: str, category: Category) -> str:
    """Return what a derivative settles in, by its name.

    Linear names end in `USDT`; the others (`BTCPERP`, `BTC-26DEC25`) settle in USDC.
    """
    if category is Category.OPTION:
        match = OPTION.match(symbol)
        return (match["settle"] if match else None) or "USDC"
    if category is Category.INVERSE:
        match = INVERSE.match(symbol)
        return match["base"] if match else symbol
    return "USDT" if "USDT" in symbol else "USDC"
