"""What a position is worth in coins of its base: the quantity that a hedge is measured in.

    linear    side x quantity x contract size
    inverse   side x quantity x contract size / mark
    balance   what is held of the coin, less what is owed
    option    the venue's own figure; without one it is not known

An inverse contract is a fixed sum of quote currency, so in coins it grows as the price falls and shrinks as
it rises: that change is nobody's trade. What it has gained or lost so far is coin of the account's balance,
which is a leg of its own where it is part of the hedge, and not in here.

Sources: contract specifications of Bybit (inverse perpetual: 1 USD), OKX (`ctVal`, `ctValCcy`), Binance
COIN-M (`contractSize`), Kraken (`PI_XBTUSD`: 1 USD), Deribit (delta of an inverse future: size / mark).
"""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import Collateral, ContractKind, MarketRules, Position
from brokers.numbers import ONE
from daemon.risk.margin import direction

ALIASES = {"XBT": "BTC", "XDG": "DOGE"}
"""Other names of one coin (Kraken's)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A signed amount of `base`. `per_quantity` > 0 is how much of it one unit of quantity is.

    `base` `None`: only the venue knows the instrument, and its figure is believed to be in the right coin.
    """

    base: str | None
    amount: Decimal
    per_quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownDelta:
    """Nobody can say, and why; not zero."""

    why: str


def coin(name: str) -> str:
    """Return the one name that a coin goes by here."""
    return ALIASES.get(name, name)


def position_delta(position: Position, rules: MarketRules | None) -> Delta | UnknownDelta:
    """Return the delta of a position by its market's rules.

    A venue's own figure counts before the contract; what only a venue can value (an option: no order can only
    reduce it) has no other.
    """
    base = coin(rules.base) if rules is not None else None
    if position.delta is not None:
        share = abs(position.delta) / position.quantity
        return Delta(base=base, amount=position.delta, per_quantity=share or ONE)
    if not position.reducible:
        return UnknownDelta(why=f"{position.symbol}: the venue states no delta")
    if rules is None:
        return UnknownDelta(why=f"{position.symbol}: no market rules")
    each = quantity_delta(rules, position.mark_price)
    if each is None:
        return UnknownDelta(why=f"{position.symbol}: no mark price")
    amount = position.quantity * rules.contract_size
    if rules.kind is ContractKind.INVERSE and position.mark_price:
        amount /= position.mark_price  # not times `each`, which is rounded
    return Delta(base=base, amount=direction(position.side) * amount, per_quantity=each)


def quantity_delta(rules: MarketRules, mark: Decimal | None) -> Decimal | None:
    """Return how much base one unit of quantity is, > 0; `None`: an inverse contract without a mark."""
    if rules.kind is ContractKind.LINEAR:
        return rules.contract_size
    return rules.contract_size / mark if mark is not None and mark > 0 else None


def balance_delta(coin_held: Collateral) -> Delta | UnknownDelta:
    """Return the delta of a balance: its equity, which is what is held less what is owed."""
    if coin_held.equity is None:
        return UnknownDelta(why=f"{coin_held.currency}: the balance is not known")
    return Delta(base=coin(coin_held.currency), amount=coin_held.equity, per_quantity=ONE)
