"""What a unit holds beside its margin equity, and how that stands to the bounds of the policy.

Effective leverage is gross notional / margin equity, whatever leverage the venue was set to: long and short
both count. Net leverage is |longs - shorts| / margin equity. Of a position whose notional is unknown nothing
is counted, so that a sum says "at least this much".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, Symbol, UnitKind
from brokers.numbers import ONE, ZERO
from daemon.risk.exposure import Bound, Remedy
from daemon.risk.margin import Usage, direction, effective_leverage
from daemon.risk.picture import PositionKey, UnitPicture, ValuedPosition
from daemon.risk.policy import MarginPolicy

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
        return f"{self.bound}/{self.unit}/{self.subject}"

    @property
    def is_over(self) -> bool:
        """Whether the bound is broken."""
        return self.usage.exceeds(self.cap)

    @property
    def is_held(self) -> bool:
        """Whether a breach that has begun lasts."""
        return self.usage.exceeds(self.released_at)

    def __str__(self) -> str:
        known = self.usage.capacity > 0
        ratio = f"{self.usage.ratio:.2f}" if known else "beyond measure"
        about = f" in {self.subject}" if self.subject else ""
        return f"effective leverage {ratio}{about}, cap {self.cap.normalize():f}"


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
        loads=tuple(load for load in _loads(unit, policy) if load.is_held),
    )


def coin_of(valued: ValuedPosition, snapshot: AccountSnapshot) -> str:
    """Return the coin that a position is in; without market rules its symbol stands for it."""
    rules = snapshot.markets.get(valued.position.symbol)
    return rules.base if rules is not None else valued.position.symbol


def _loads(unit: UnitPicture, policy: MarginPolicy) -> Iterator[Load]:
    """Yield every leverage cap of a unit; without a margin equity nobody can tell.

    Of an isolated position a part takes its share of the margin along, so that no trim lowers its leverage:
    there a cap is alarmed, and nothing else.
    """
    equity = unit.unit.margin_equity
    if equity is None:
        return
    isolated = unit.unit.kind is UnitKind.ISOLATED_POSITION
    remedy = Remedy.ALARM if isolated else policy.exposure.over_cap

    def load(bound: Bound, cap: Decimal, subject: str, members: Sequence[ValuedPosition]) -> Load:
        released_at = cap * (ONE - policy.hysteresis)
        return Load(
            bound=bound,
            unit=unit.unit.key,
            subject=subject,
            usage=Usage(used=_gross(members), capacity=equity),
            cap=cap,
            released_at=released_at,
            target=released_at * (ONE - HAIR),
            remedy=remedy,
            members=frozenset(valued.position.key for valued in members),
        )

    if policy.max_leverage is not None:
        yield load(Bound.LEVERAGE, policy.max_leverage, "", unit.positions)
    for symbol, cap in policy.exposure.symbol_leverage.items():
        yield load(Bound.SYMBOL_LEVERAGE, cap, symbol, _in(unit.positions, symbol))


def _in(positions: Iterable[ValuedPosition], symbol: Symbol) -> tuple[ValuedPosition, ...]:
    return tuple(valued for valued in positions if valued.position.symbol == symbol)


def _gross(positions: Iterable[ValuedPosition]) -> Decimal:
    return sum((valued.notional or ZERO for valued in positions), ZERO)


def _net(positions: Iterable[ValuedPosition]) -> Decimal:
    return sum((direction(one.position.side) * (one.notional or ZERO) for one in positions), ZERO)
