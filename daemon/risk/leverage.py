"""What a unit holds beside its margin equity, and how that stands to the bounds of the policy.

Effective leverage is gross notional / margin equity, whatever leverage the venue was set to: long and short
both count. Net leverage is |longs - shorts| / margin equity. Of a position whose notional is unknown nothing
is counted, so that a sum says "at least this much".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from brokers.models import AccountSnapshot, Position, UnitKind
from brokers.numbers import ONE, ZERO
from daemon.risk.exposure import CAPS, Bound, Remedy
from daemon.risk.figures import money, percent
from daemon.risk.margin import Usage, direction, effective_leverage
from daemon.risk.picture import PositionKey, UnitPicture, ValuedPosition, picture
from daemon.risk.policy import Action, MarginPolicy

ACTIONS: Mapping[Remedy, tuple[Action, ...]] = MappingProxyType(
    {
        Remedy.ALARM: (),
        Remedy.CANCEL: (Action.CANCEL_ORDERS,),
        Remedy.TRIM: (Action.CANCEL_ORDERS, Action.REDUCE),
        Remedy.FLATTEN: (Action.CANCEL_ORDERS, Action.FLATTEN),
    }
)
"""What each remedy of a limit does, mildest first."""

HAIR = Decimal("0.01")
"""A trim ends this share below where its breach does: rounding and the next tick do not begin another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One bound and how much stands against it: `usage` is what `cap` bounds the ratio of.

    `subject` is the symbol it is about, "" for the unit as a whole. A breach begins above `cap` and ends at
    or below `released_at`; a trim aims at `target`. Only `members` count, and only cutting them helps.
    """

    bound: Bound
    unit: str
    subject: str
    usage: Usage
    cap: Decimal
    released_at: Decimal
    target: Decimal
    remedy: Remedy
    members: frozenset[PositionKey]

    @property
    def key(self) -> str:
        """What names it within its account."""
        return f"{self.bound}|{self.unit}|{self.subject}"

    @property
    def is_over(self) -> bool:
        """Whether the bound is broken."""
        return self.usage.exceeds(self.cap)

    @property
    def is_held(self) -> bool:
        """Whether a breach that has begun lasts."""
        return self.usage.exceeds(self.released_at)

    @property
    def actions(self) -> tuple[Action, ...]:
        """What its remedy does, mildest first; for a leverage cap nobody's orders are cancelled."""
        actions = ACTIONS[self.remedy]
        if self.bound in CAPS:
            return tuple(action for action in actions if action is not Action.CANCEL_ORDERS)
        return actions

    def __str__(self) -> str:
        used, cap = self.usage.used, self.cap
        known = self.usage.capacity > 0
        match self.bound:
            case Bound.LEVERAGE | Bound.SYMBOL_LEVERAGE:
                about = f" in {self.subject}" if self.subject else ""
                ratio = f"{self.usage.ratio:.2f}" if known else "beyond measure"
                return f"effective leverage {ratio}{about}, cap {cap.normalize():f}"
            case Bound.POSITION_NOTIONAL:
                return f"{self.subject} of {money(used)}, limit {money(cap)}"
            case Bound.UNDERLYING_SHARE:
                share = percent(self.usage.ratio) if known else "beyond measure"
                return f"{self.subject} at {share} of the margin equity, limit {percent(cap)}"
            case Bound.POSITIONS:
                return f"{used} positions, limit {cap.normalize():f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Underlying:
    """One coin of a unit, in the unit's currency. `net` is longs less shorts; `leverage` that of `gross`."""

    coin: str
    gross: Decimal
    net: Decimal
    leverage: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What a unit holds. `gross` and both leverages are `None` where a position's notional is unknown.

    `underlyings` stand largest first. `loads` are the bounds that are broken, or were and may still be.
    """

    gross: Decimal | None
    leverage: Decimal | None
    net_leverage: Decimal | None
    underlyings: tuple[Underlying, ...]
    loads: tuple[Load, ...]


def exposure_of(unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy) -> Exposure:
    """Return what `unit` holds and how it stands to its bounds."""
    equity = unit.unit.margin_equity
    complete = all(valued.notional is not None for valued in unit.positions)
    gross, net = _gross(unit.positions), _net(unit.positions)

    def leverage(notional: Decimal) -> Decimal | None:
        return effective_leverage(notional, equity) if complete and equity is not None else None

    coins: dict[str, list[ValuedPosition]] = {}
    for valued in unit.positions:
        coins.setdefault(coin_of(valued, snapshot), []).append(valued)
    underlyings = (
        Underlying(coin=coin, gross=_gross(held), net=_net(held), leverage=leverage(_gross(held)))
        for coin, held in coins.items()
    )
    return Exposure(
        gross=gross if complete else None,
        leverage=leverage(gross),
        net_leverage=leverage(abs(net)),
        underlyings=tuple(sorted(underlyings, key=lambda one: (-one.gross, one.coin))),
        loads=tuple(load for load in _loads(unit, snapshot, policy) if load.is_held),
    )


def coin_of(valued: ValuedPosition, snapshot: AccountSnapshot) -> str:
    """Return the coin that a position is in; without market rules its symbol stands for it."""
    rules = snapshot.markets.get(valued.position.symbol)
    return rules.base if rules is not None else valued.position.symbol


def members_of(
    bound: Bound, subject: str, unit: UnitPicture, snapshot: AccountSnapshot
) -> tuple[ValuedPosition, ...]:
    """Return the positions of `unit` that count towards a bound."""
    match bound:
        case Bound.LEVERAGE | Bound.POSITIONS:
            return unit.positions
        case Bound.SYMBOL_LEVERAGE | Bound.POSITION_NOTIONAL:
            return tuple(one for one in unit.positions if one.position.symbol == subject)
        case Bound.UNDERLYING_SHARE:
            return tuple(one for one in unit.positions if coin_of(one, snapshot) == subject)


def unit_of(key: str) -> str:
    """Return the unit of the load named `key`."""
    return key.split("|")[1]


def positions_bounded(key: str, snapshot: AccountSnapshot) -> tuple[ValuedPosition, ...]:
    """Return the positions that count towards the load named `key`, whether or not it is broken."""
    bound, unit, subject = key.split("|")
    found = next((seen for seen in picture(snapshot) if seen.unit.key == unit), None)
    return members_of(Bound(bound), subject, found, snapshot) if found is not None else ()


def _loads(unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy) -> Iterator[Load]:
    """Yield everything that is bounded of a unit; what is bounded by its equity only where that is known.

    Of an isolated position a part takes its share of the margin along, so that no trim lowers its leverage:
    there a cap is alarmed, and nothing else.
    """
    equity, limits = unit.unit.margin_equity, policy.exposure
    isolated = unit.unit.kind is UnitKind.ISOLATED_POSITION

    def load(bound: Bound, subject: str, cap: Decimal | None, capacity: Decimal | None) -> Iterator[Load]:
        if cap is None or capacity is None:
            return
        members = members_of(bound, subject, unit, snapshot)
        counted = bound is Bound.POSITIONS
        used = Decimal(len(snapshot.positions)) if counted else _gross(members)
        released_at = cap if counted else cap * (ONE - policy.hysteresis)
        remedy = limits.over_cap if bound in CAPS else getattr(limits, bound.value).remedy
        yield Load(
            bound=bound,
            unit=unit.unit.key,
            subject=subject,
            usage=Usage(used=used, capacity=capacity),
            cap=cap,
            released_at=released_at,
            target=cap if counted else released_at * (ONE - HAIR),
            remedy=Remedy.ALARM if isolated and bound in CAPS else remedy,
            members=frozenset(valued.position.key for valued in members),
        )

    symbols = dict.fromkeys(valued.position.symbol for valued in unit.positions)
    coins = dict.fromkeys(coin_of(valued, snapshot) for valued in unit.positions)
    yield from load(Bound.LEVERAGE, "", policy.max_leverage, equity)
    for symbol in symbols:
        yield from load(Bound.SYMBOL_LEVERAGE, symbol, limits.symbol_leverage.get(symbol), equity)
        yield from load(Bound.POSITION_NOTIONAL, symbol, limits.position_notional.of(symbol), ONE)
    for coin in coins:
        yield from load(Bound.UNDERLYING_SHARE, coin, limits.underlying_share.most, equity)
    if unit.positions and _smallest(snapshot.positions).unit == unit.unit.key:
        yield from load(Bound.POSITIONS, "", limits.positions.most, ONE)


def _smallest(positions: Sequence[Position]) -> Position:
    """Return the position of the smallest notional: its unit is where their number is brought down."""
    return min(positions, key=lambda one: (one.notional or ZERO, one.key))


def _gross(positions: Iterable[ValuedPosition]) -> Decimal:
    return sum((valued.notional or ZERO for valued in positions), ZERO)


def _net(positions: Iterable[ValuedPosition]) -> Decimal:
    return sum((direction(one.position.side) * (one.notional or ZERO) for one in positions), ZERO)
