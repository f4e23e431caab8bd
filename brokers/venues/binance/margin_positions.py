"""What a margin account holds and owes -> positions: leverage is a debt against an asset.

A long is a coin held while its quote currency is owed: it is sold, and the proceeds repay. A short is a coin
owed while its quote currency is held: it is bought back, and repays itself. Amounts of one asset are netted
first: what is owed and free in the same asset needs no trade.

Orders are bound twice. A position holds no more than what is held (long) or owed (short), rounded down to
lots. And its market rules, of this picture alone, allow no order larger than what is free, nor one that sells
more than the debt needs, so that no order can leave a debt behind or take on one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from brokers.models import (
    ContractKind,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Position,
    Side,
    Symbol,
)
from brokers.numbers import ONE, ZERO, ceil_to_step, floor_to_step
from brokers.venues.binance.margin_amounts import Amounts
from brokers.venues.binance.margin_markets import DOLLARS, Prices, in_usdt, pairs_between

FEE = Decimal("0.002")
"""What a sale may lose to the fee; the regular one is 0.1 %."""

CUSHION = Decimal("0.05")
"""Share of the cash that buying back leaves alone: prices move, and a limit lies above the mark."""


LEAST_DEBT = Decimal(5)
"""In USDT: what a debt must be worth to be told of; the least order of most pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The margin levels of a unit: below `initial` nothing more is lent, at `liquidation` it is liquidated.

    `initial` `None`: not known.
    """

    initial: Decimal | None
    liquidation: Decimal

    def initial_margin(self, debt: Decimal) -> Decimal | None:
        """Return the equity that `debt` takes to be lent; `None`: not known."""
        return None if self.initial is None else debt * (self.initial - ONE)

    def maintenance_margin(self, debt: Decimal) -> Decimal:
        """Return the equity with which `debt` is liquidated."""
        return debt * (self.liquidation - ONE)


@dataclass(slots=True)
class Book:
    """Positions, and the rules that bind their orders in this picture."""

    positions: list[Position] = field(default_factory=list)
    rules: dict[Symbol, MarketRules] = field(default_factory=dict)

    def add(self, position: Position, rules: MarketRules, most: Decimal) -> None:
        """Take in a position of which one order may trade `most`."""
        self.positions.append(position)
        self.rules[rules.symbol] = replace(
            rules,
            max_market_quantity=_least(rules.max_market_quantity, most),
            max_limit_quantity=_least(rules.max_limit_quantity, most),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What positions of one unit are built with, and the `book` that takes them.

    `levels` `None`: what a debt requires is not known.
    """

    unit: str
    mode: MarginMode
    levels: Levels | None
    markets: Mapping[Symbol, MarketRules]
    prices: Prices
    findings: list[Finding]
    book: Book

    def long(self, rules: MarketRules, base: Amounts, *, needs: Decimal, share: Decimal) -> Decimal:
        """Add the long of `base`; return how much of the debt an order on it can repay.

        `needs` is what its orders may repay, `share` its part of the debt; all in quote.
        """
        price = self.prices.get(rules.symbol)
        quantity = floor_to_step(base.net, rules.lot_step)
        if not self._counts(rules, quantity, price):
            return ZERO
        free = floor_to_step(max(min(base.free, base.net), ZERO), rules.lot_step)
        if price is None:
            self.book.add(self._position(rules, Side.LONG, quantity, None, share), rules, free)
            return ZERO
        needed = ceil_to_step(max(needs, ZERO) / price / (ONE - FEE), rules.lot_step)
        most = min(free, needed)
        self.book.add(self._position(rules, Side.LONG, quantity, price, share), rules, most)
        return most * price * (ONE - FEE)

    def short(self, rules: MarketRules, base: Amounts, cash: Decimal) -> None:
        """Add the short of `base`, which is owed, to be bought with `cash` of the quote currency."""
        price = self.prices.get(rules.symbol)
        quantity = floor_to_step(-base.net, rules.lot_step)
        if not self._counts(rules, quantity, price):
            return
        most = quantity
        share = ZERO
        if price is not None:
            most = min(quantity, floor_to_step(cash * (ONE - CUSHION) / price, rules.lot_step))
            share = -base.net * price
        self.book.add(self._position(rules, Side.SHORT, quantity, price, share), rules, max(most, ZERO))

    def _counts(self, rules: MarketRules, quantity: Decimal, price: Decimal | None) -> bool:
        """Whether there is enough to be ordered; less than that is a debt and no position."""
        if quantity < max(rules.min_quantity, rules.lot_step):
            return False
        return price is None or not _is_trifle(rules, quantity * price)

    def _position(
        self, rules: MarketRules, side: Side, quantity: Decimal, price: Decimal | None, share: Decimal
    ) -> Position:
        """Build the row; the venue knows no entry price, so there is no profit to state."""
        if price is None:
            detail = f"no price of {rules.symbol}"
            self.findings.append(
                Finding(code=FindingCode.PRICE_UNKNOWN, detail=detail, unit=self.unit, symbol=rules.symbol)
            )
        levels = self.levels if price is not None else None
        return Position(
            symbol=rules.symbol,
            unit=self.unit,
            side=side,
            quantity=quantity,
            settle=rules.quote,
            kind=ContractKind.LINEAR,
            margin_mode=self.mode,
            hedged=False,
            entry_price=None,
            mark_price=price,
            notional=None if price is None else quantity * price,
            initial_margin=None if levels is None else levels.initial_margin(share),
            maintenance_margin=None if levels is None else levels.maintenance_margin(share),
            unrealized_pnl=None,
        )


def match_all(desk: Desk, amounts: Mapping[str, Amounts]) -> None:
    """Match every asset that is owed with what is held and could repay it.

    A dollar debt is repaid by selling any coin that trades in it: all of them are its longs, and share it by
    worth. Another debt is bought back with one currency, dollars before coins: a short. What trades in
    nothing that is held stays a debt, and a finding names the pair that it would take.
    """
    held = [one for one in amounts.values() if one.net > ZERO]
    for debt in [one for one in amounts.values() if one.net < ZERO]:
        longs = [
            (rules, one) for one in held for rules in pairs_between(one.asset, [debt.asset], desk.markets)
        ]
        if longs and debt.asset in DOLLARS:
            add_longs(desk, longs, -debt.net)
        else:
            _add_best(desk, debt, longs, held)


Way = tuple[MarketRules, Amounts]
"""A pair by which a debt can be repaid, and the asset that is spent."""


def add_longs(desk: Desk, longs: Sequence[Way], debt: Decimal) -> None:
    """Add every long that could repay `debt`; together their orders sell no more than that needs."""

    def worth(way: Way) -> Decimal:
        rules, base = way
        return floor_to_step(base.net, rules.lot_step) * desk.prices.get(rules.symbol, ZERO)

    whole, left = sum(map(worth, longs), ZERO), debt
    for way in sorted(longs, key=worth, reverse=True):
        rules, base = way
        if _is_trifle(rules, debt):
            continue
        share = debt * worth(way) / whole if whole > ZERO else ZERO
        left -= desk.long(rules, base, needs=left, share=share)


def _add_best(desk: Desk, debt: Amounts, longs: Sequence[Way], held: Sequence[Amounts]) -> None:
    """Add the one position that is best to repay `debt` with: by dollars, else by what is worth most."""
    shorts = [(rules, one) for one in held for rules in pairs_between(debt.asset, [one.asset], desk.markets)]

    def rank(way: Way) -> tuple[bool, Decimal]:
        one = way[1]
        return (one.asset in DOLLARS, one.net * (in_usdt(one.asset, desk.prices) or ZERO))

    ways = [*shorts, *longs]
    if not ways:
        _tell_unmatched(desk, debt, held)
        return
    rules, other = max(ways, key=rank)
    if rules.base == debt.asset:
        desk.short(rules, debt, other.free)
    else:
        add_longs(desk, [(rules, other)], -debt.net)


def _tell_unmatched(desk: Desk, debt: Amounts, held: Sequence[Amounts]) -> None:
    """Find a debt worth an order that nothing can be traded for; of dollars a coin would be sold first."""
    price = in_usdt(debt.asset, desk.prices)
    if not held or (price is not None and -debt.net * price < LEAST_DEBT):
        return
    owes_dollars = debt.asset in DOLLARS

    def rank(one: Amounts) -> tuple[bool, Decimal]:
        return (
            (one.asset in DOLLARS) is not owes_dollars,
            one.net * (in_usdt(one.asset, desk.prices) or ZERO),
        )

    other = max(held, key=rank).asset
    symbol = Symbol(other + debt.asset if owes_dollars else debt.asset + other)
    detail = f"{-debt.net} {debt.asset} are owed, and nothing that is held is known to trade in it"
    desk.findings.append(
        Finding(code=FindingCode.SYMBOL_UNKNOWN, detail=detail, unit=desk.unit, symbol=symbol)
    )


def _is_trifle(rules: MarketRules, worth: Decimal) -> bool:
    return rules.min_notional is not None and worth < rules.min_notional


def _least(stated: Decimal | None, most: Decimal) -> Decimal:
    return most if stated is None else min(stated, most)
