"""Builders of consistent snapshots: every figure of a book follows from its rows, until a test bends one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

import pytest

from brokers.models import (
    AccountId,
    AccountMode,
    AccountSnapshot,
    Collateral,
    ContractKind,
    Finding,
    MarginMode,
    MarginTier,
    MarketRules,
    Position,
    PositionMode,
    RiskUnit,
    Side,
    Symbol,
    UnitKind,
)
from daemon.risk.alarm import Alarm, Blind, Transition, TransitionKind, advance
from daemon.risk.assessment import Assessment, assess
from daemon.risk.decision import Context, Decision, decide
from daemon.risk.policy import Level, MarginPolicy, Mode
from daemon.risk.reason import Reason

NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)
ZERO = Decimal(0)
TIMEOUT = Blind(reason=Reason.VENUE_UNAVAILABLE, detail="timeout after 4 s")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One position of a book: margins are rates of its notional."""

    symbol: str = "BTCUSDT"
    side: Side = Side.LONG
    quantity: str = "1"
    mark: str = "50000"
    entry: str = "50000"
    initial: str | None = "0.1"
    maintenance: str | None = "0.05"
    margin_mode: MarginMode = MarginMode.CROSS
    hedged: bool = False
    unit: str = "account"

    @property
    def notional(self) -> Decimal:
        return Decimal(self.quantity) * Decimal(self.mark)

    def margin(self, rate: str | None) -> Decimal | None:
        return None if rate is None else self.notional * Decimal(rate)

    @property
    def pnl(self) -> Decimal:
        sign = 1 if self.side is Side.LONG else -1
        return sign * Decimal(self.quantity) * (Decimal(self.mark) - Decimal(self.entry))

    def position(self, **changes: object) -> Position:
        position = Position(
            symbol=Symbol(self.symbol),
            unit=self.unit,
            side=self.side,
            quantity=Decimal(self.quantity),
            settle="USDT",
            kind=ContractKind.LINEAR,
            margin_mode=self.margin_mode,
            hedged=self.hedged,
            entry_price=Decimal(self.entry),
            mark_price=Decimal(self.mark),
            notional=self.notional,
            initial_margin=self.margin(self.initial),
            maintenance_margin=self.margin(self.maintenance),
            unrealized_pnl=self.pnl,
        )
        return replace(position, **changes)


class Build:
    """Everything a test of the pure floor starts from."""

    NOON = NOON
    Row = Row

    @staticmethod
    def at(seconds: float) -> datetime:
        return NOON + timedelta(seconds=seconds)

    @staticmethod
    def rules(symbol: str = "BTCUSDT", **changes: object) -> MarketRules:
        rules = MarketRules(
            symbol=Symbol(symbol),
            base=symbol.removesuffix("USDT"),
            quote="USDT",
            settle="USDT",
            kind=ContractKind.LINEAR,
            contract_size=Decimal(1),
            lot_step=Decimal("0.001"),
            min_quantity=Decimal("0.001"),
            price_step=Decimal("0.1"),
        )
        return replace(rules, **changes)

    @staticmethod
    def unit(key: str = "account", *, equity: object = "10000", **changes: object) -> RiskUnit:
        worth = Decimal(str(equity))
        unit = RiskUnit(
            key=key,
            kind=UnitKind.ACCOUNT,
            currency="USDT",
            margin_equity=worth,
            initial_margin=ZERO,
            maintenance_margin=ZERO,
            available_margin=worth,
        )
        return replace(unit, **changes)

    @classmethod
    def snapshot(
        cls,
        *,
        units: Iterable[RiskUnit] | None = None,
        positions: Iterable[Position] = (),
        seconds: float = 0,
        age: float = 0.2,
        markets: Iterable[MarketRules] | None = None,
        collaterals: Iterable[Collateral] = (),
        findings: Iterable[Finding] = (),
        tiers: dict[str, tuple[MarginTier, ...]] | None = None,
        mode: AccountMode | None = None,
    ) -> AccountSnapshot:
        positions = tuple(positions)
        if markets is None:
            markets = [cls.rules(symbol) for symbol in {position.symbol for position in positions}]
        return AccountSnapshot(
            account_id=AccountId("bybit-main"),
            broker="bybit",
            product="unified",
            as_of=cls.at(seconds - age),
            fetched_at=cls.at(seconds),
            mode=mode
            or AccountMode(label="regular", margin_mode=MarginMode.CROSS, position_mode=PositionMode.ONE_WAY),
            units=tuple(units) if units is not None else (cls.unit(),),
            positions=positions,
            collaterals=tuple(collaterals),
            findings=tuple(findings),
            markets=MappingProxyType({rule.symbol: rule for rule in markets}),
            tiers=MappingProxyType({Symbol(key): value for key, value in (tiers or {}).items()}),
        )

    @classmethod
    def book(cls, equity: object, rows: Iterable[Row] = (Row(),), **changes: object) -> AccountSnapshot:
        """A cross account with `equity` and `rows`; unit figures are the sums over them."""
        rows = tuple(rows)
        worth = Decimal(str(equity))
        initial = sum((row.margin(row.initial) or ZERO for row in rows), ZERO)
        pnl = sum((row.pnl for row in rows), ZERO)
        unit = cls.unit(
            equity=worth,
            initial_margin=initial,
            maintenance_margin=sum((row.margin(row.maintenance) or ZERO for row in rows), ZERO),
            available_margin=max(worth - initial, ZERO),
            wallet_balance=worth - pnl,
            unrealized_pnl=pnl,
        )
        unit = replace(unit, **changes.pop("unit", {}))
        return cls.snapshot(units=[unit], positions=[row.position() for row in rows], **changes)

    @classmethod
    def levered(
        cls, *, utilization: object = "0.1", maintenance: object = "0.1", **changes: object
    ) -> AccountSnapshot:
        """One BTC long over 10,000 of equity with exactly these two ratios."""
        row = Row(initial=str(Decimal(str(utilization)) / 5), maintenance=str(Decimal(str(maintenance)) / 5))
        return cls.book(10_000, [row], **changes)

    @staticmethod
    def judge(
        snapshot: AccountSnapshot,
        policy: MarginPolicy | None = None,
        *,
        previous: Assessment | None = None,
        now: datetime | None = None,
    ) -> Assessment:
        return assess(snapshot, policy or MarginPolicy(), now or snapshot.fetched_at, previous)

    @staticmethod
    def watch(policy: MarginPolicy | None = None) -> "Watch":
        return Watch(policy)


class Watch:
    """An account under watch: shows pictures one after the other and keeps what came of them."""

    def __init__(self, policy: MarginPolicy | None = None) -> None:
        self.policy = policy or MarginPolicy()
        self.alarm = Alarm.begin(AccountId("bybit-main"), Build.at(0))
        self.assessment: Assessment | None = None
        self.transitions: tuple[Transition, ...] = ()
        self.seen = False
        self.flattening: frozenset[str] = frozenset()

    def show(self, snapshot: AccountSnapshot) -> "Watch":
        self.seen = True
        self.assessment = Build.judge(snapshot, self.policy, previous=self.assessment)
        self.alarm, self.transitions = advance(
            self.alarm, self.assessment, self.policy, snapshot.fetched_at, flattening=self.flattening
        )
        return self

    def levered(self, utilization: object, seconds: float, **changes: object) -> "Watch":
        return self.show(Build.levered(utilization=utilization, seconds=seconds, **changes))

    def blind(self, seconds: float) -> "Watch":
        self.seen = False
        self.alarm, self.transitions = advance(self.alarm, TIMEOUT, self.policy, Build.at(seconds))
        return self

    @property
    def kinds(self) -> list[TransitionKind]:
        return [transition.kind for transition in self.transitions]

    @property
    def level(self) -> Level:
        return self.alarm.level

    @property
    def confirmed(self) -> Level:
        return self.alarm.units[0].confirmed

    def decide(self, mode: Mode = Mode.ENFORCE, **context: object) -> Decision:
        observation = self.assessment if self.seen else TIMEOUT
        return decide(self.alarm, observation, self.policy, mode, Context(**context))


def _agree(found: object, expected: object, tolerance: Decimal) -> bool:
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        return all(_agree(found[key], value, tolerance) for key, value in expected.items())
    if isinstance(expected, Decimal) and not isinstance(found, bool):
        assert isinstance(found, Decimal | int)
        return abs(found - expected) <= max(tolerance * abs(expected), Decimal("1e-24"))
    return found == expected


@pytest.fixture(scope="session")
def build() -> type[Build]:
    return Build


@pytest.fixture(scope="session")
def agree() -> Callable[[object, object, Decimal], bool]:
    """Whether figures, or tables of them, agree within a relative tolerance."""
    return _agree
