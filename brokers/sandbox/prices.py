"""What the venue publishes about an instrument: its prices and its order book."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import OrderSide
from brokers.sandbox.market import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """Prices of one instrument at one moment; `funding_rate` is the one due at `next_funding_ms`."""

    symbol: str
    ms: int
    last: Decimal
    mark: Decimal
    index: Decimal
    bid: Decimal
    ask: Decimal
    funding_rate: Decimal
    next_funding_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The order book: (price, quantity) from the best level outwards, in engine units."""

    symbol: str
    ms: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


def ticker(market: Market, symbol: str) -> Ticker:
    """Return the prices of a listed instrument now; contracts last traded at mark."""
    instrument = market.instruments[symbol]
    mark = market.mark(symbol)
    interval = instrument.funding_interval_ms
    return Ticker(
        symbol=symbol,
        ms=market.now_ms,
        last=mark,
        mark=mark,
        index=market.index(symbol),
        bid=market.books[symbol].best(OrderSide.SELL, mark),
        ask=market.books[symbol].best(OrderSide.BUY, mark),
        funding_rate=instrument.funding_rate,
        next_funding_ms=(market.now_ms // interval + 1) * interval,
    )


def depth(market: Market, symbol: str, levels: int, depth_factor: Decimal) -> Depth:
    """Return the best levels of a listed instrument's book now."""
    return Depth(
        symbol=symbol,
        ms=market.now_ms,
        bids=tuple(market.levels(symbol, OrderSide.SELL, depth_factor)[:levels]),
        asks=tuple(market.levels(symbol, OrderSide.BUY, depth_factor)[:levels]),
    )
