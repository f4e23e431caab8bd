"""Accounts near liquidation, drawn at random: positions in coins of every liquidity, each with an order book.

A coin's spread is log-normal around 2 bp (one in ten below 0.5, one in ten above 8), from a coin that trades
in hundredths of a basis point to one that hardly trades. What its book holds within 1 % of the middle falls
as the spread rises: about 20 M at 0.2 bp, 1 M at 2 bp, 60 k at 20 bp, each a factor of two more or less.
Fifty levels a side, at gaps that widen away from the middle, and more in each the further it is away.

What is held of a coin is about 3 % of that, a factor of three more or less; one position in two is a
short. All coins moved together since they were bought (2 %), and each by itself, wider ones by more (3 % to
12 %): which of them lost has nothing to do with what they cost to trade, other than that small coins move
more. Leverage is what venues allow: up to 20 for the most liquid, 3 to 10 for others, maintenance margin a
third to two thirds of the initial one's. The account is at 90 % to 105 % of margin utilization.

None of these figures was fitted to what comes of them: they are rounded from what perpetuals on large venues
show on an ordinary day.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import log10
from random import Random
from types import MappingProxyType

from brokers.models import (
    AccountId,
    AccountMode,
    AccountSnapshot,
    ContractKind,
    MarginMode,
    MarketRules,
    Position,
    PositionMode,
    RiskUnit,
    Side,
    Symbol,
    UnitKind,
)
from brokers.order_book import OrderBook, PriceLevel

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)
LEVELS = 50
FURTHEST = 0.1
BASIS_POINT = 1e-4
UNIT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One account and the order books of all of its coins."""

    snapshot: AccountSnapshot
    books: MappingProxyType[Symbol, OrderBook]


def draw(seed: int, positions: int) -> Drawn:
    """Return the account of `seed`; the same one every time."""
    chance = Random(seed)
    market = chance.gauss(0, 0.02)
    drawn = [_coin(chance, f"C{number:03d}USDT", market) for number in range(positions)]
    rows = [row for row, _, _ in drawn]
    initial = sum((row.initial_margin or Decimal(0) for row in rows), Decimal(0))
    maintenance = sum((row.maintenance_margin or Decimal(0) for row in rows), Decimal(0))
    pnl = sum((row.unrealized_pnl or Decimal(0) for row in rows), Decimal(0))
    equity = _rounded(float(initial) / chance.uniform(0.90, 1.05), 8)
    unit = RiskUnit(
        key=UNIT,
        kind=UnitKind.ACCOUNT,
        currency="USDT",
        margin_equity=equity,
        initial_margin=initial,
        maintenance_margin=maintenance,
        available_margin=max(equity - initial, Decimal(0)),
        wallet_balance=equity - pnl,
        unrealized_pnl=pnl,
    )
    snapshot = AccountSnapshot(
        account_id=AccountId("bench"),
        broker="bybit",
        product="unified",
        as_of=NOON,
        fetched_at=NOON,
        mode=AccountMode(label="regular", margin_mode=MarginMode.CROSS, position_mode=PositionMode.ONE_WAY),
        units=(unit,),
        positions=tuple(rows),
        collaterals=(),
        findings=(),
        markets=MappingProxyType({rules.symbol: rules for _, rules, _ in drawn}),
        tiers=MappingProxyType({}),
    )
    return Drawn(snapshot=snapshot, books=MappingProxyType({book.symbol: book for _, _, book in drawn}))


def _coin(chance: Random, name: str, market: float) -> tuple[Position, MarketRules, OrderBook]:
    """Return a position, the rules of its market, and its book."""
    spread = 2 * 10 ** chance.gauss(0, 0.47)  # in basis points
    price = 10 ** chance.uniform(-2, 4.7)
    depth = 1e6 * (spread / 2) ** -1.25 * 2 ** chance.gauss(0, 1)
    held = 0.03 * depth * 3 ** chance.gauss(0, 1)
    side = chance.choice(list(Side))
    wide = min(max((log10(spread) + 0.7) / 2, 0.0), 1.0)  # 0: as liquid as can be, 1: hardly traded
    moved = market + chance.gauss(0, 0.03 + 0.09 * wide)
    leverage = chance.choice([20, 20, 10] if wide < 0.25 else [10, 10, 5, 5, 3])
    symbol, lot = Symbol(name), _lot(price)
    quantity = max(_whole(held / price, lot), lot)
    mark = _rounded(price, 6)
    notional = quantity * mark
    entry = _rounded(price / max(1 + moved, 0.5), 6)
    sign = 1 if side is Side.LONG else -1
    position = Position(
        symbol=symbol,
        unit=UNIT,
        side=side,
        quantity=quantity,
        settle="USDT",
        kind=ContractKind.LINEAR,
        margin_mode=MarginMode.CROSS,
        hedged=False,
        entry_price=entry,
        mark_price=mark,
        notional=notional,
        initial_margin=notional / leverage,
        maintenance_margin=notional / leverage * _rounded(chance.uniform(0.33, 0.67), 3),
        unrealized_pnl=sign * quantity * (mark - entry),
    )
    rules = MarketRules(
        symbol=symbol,
        base=name.removesuffix("USDT"),
        quote="USDT",
        settle="USDT",
        kind=ContractKind.LINEAR,
        contract_size=Decimal(1),
        lot_step=lot,
        min_quantity=lot,
        price_step=Decimal("1e-8"),
        min_notional=Decimal(5),
        reduce_only_exempt_from_minimum=True,
    )
    return position, rules, _book(chance, rules, price, spread * BASIS_POINT, depth)


def _book(chance: Random, rules: MarketRules, price: float, spread: float, depth: float) -> OrderBook:
    """Return fifty levels a side that hold about `depth` of notional within 1 % of the middle."""

    def levels(sign: int) -> tuple[PriceLevel, ...]:
        away, found, last = spread / 2, [], Decimal(0)
        for _ in range(LEVELS):
            gap = max(spread / 4, away / 12) * chance.expovariate(1)
            worth = depth * (gap + spread / 4) / 0.01 * 2 ** chance.gauss(0, 1)
            quantity = max(_whole(worth / price, rules.lot_step), rules.lot_step)
            level = _rounded(price * (1 + sign * away), 9)
            if away < FURTHEST and level != last:
                found.append(PriceLevel(price=level, quantity=quantity))
            last, away = level, away + gap
        return tuple(found)

    return OrderBook(symbol=rules.symbol, bids=levels(-1), asks=levels(1), as_of=NOON, fetched_at=NOON)


def _lot(price: float) -> Decimal:
    """Return a lot worth 0.1 to 1 in quote currency."""
    return Decimal(1).scaleb(-1 - int(log10(price) // 1))


def _whole(quantity: float, lot: Decimal) -> Decimal:
    return int(Decimal(quantity) / lot) * lot


def _rounded(value: float, digits: int) -> Decimal:
    """Return `value` with so many significant digits."""
    return Decimal(f"{value:.{digits}g}")
