"""What giving back debt does for a unit, how much of it is needed, and whether debt is what endangers it.

Theory of operation. A debt requires margin like a position (Bybit, OKX and Binance portfolio margin count an
initial and a maintenance rate on what is borrowed), but no venue states that part by itself: it is what the
unit's figure holds beyond its positions. Giving back x out of the same currency's own balance takes x off the
balance and x off the debt: equity stays as it is, and the debt's requirement falls in proportion.

    beyond = used - sum of what closing every position would free          (unit's currency)
    freed(x) = beyond * x / D,      D = all that the unit owes, x <= D     (unit's currency)
    (used - freed(x)) / capacity <= target,  hence  x = (used - target * capacity) * D / beyond

`beyond` may also hold what resting orders and haircuts require, so x can come out too small, never more than
is owed or free; the account is measured after each repayment, and what is still missing is repaid next.

Source: derived here. That borrowings require margin of their own: Bybit help centre, "Initial Margin and
Maintenance Margin (Unified Trading Account)"; OKX, "Multi-currency margin mode"; Binance, "Portfolio Margin".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountId, AccountSnapshot, Measure
from brokers.numbers import ZERO, ceil_to_step, floor_to_step
from daemon.risk.debt import Debt, debts_of, owing, value_of
from daemon.risk.figures import percent
from daemon.risk.picture import DOLLARS, UnitPicture, picture, value
from daemon.risk.plan import Infeasible
from daemon.risk.policy import MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.relief import after_cut
from daemon.risk.shortfall import Shortfall, expected_ratio, shortfalls, when_flat

MATERIAL = Decimal("0.01")
"""Relief below this part of what is used is not worth the wait for it: fees and rounding make as much."""

CRUMB = Decimal("0.01")
"""No smaller part of a debt is given back, for the next tick would ask for as much again, and none is left
over: some venues refuse a repayment that leaves too little."""

CENT, GRAIN = Decimal("0.01"), Decimal("1e-8")
"""The finest amounts of dollars and of other currencies that are given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentPlan:
    """One repayment: what a cycle may send before it measures again. Amounts in `currency`.

    The expected ratios are the unit's after it, `None` where the measure is unknown or senseless.
    """

    account_id: AccountId
    unit: str
    currency: str
    amount: Decimal
    owed: Decimal
    as_of: datetime
    fetched_at: datetime
    expected_utilization: Decimal | None
    expected_maintenance: Decimal | None
    reaches_target: bool

    def __post_init__(self) -> None:
        """Refuse to give back nothing, or more than is owed."""
        if not ZERO < self.amount <= self.owed:
            raise ValueError(f"cannot repay {self.amount} of {self.owed} {self.currency}")


def freed_by(shortfall: Shortfall, worth: Decimal, owed: Decimal) -> Decimal:
    """Return the margin that giving back `worth` of `owed` frees, all in the unit's currency.

    beyond x worth / owed: a debt is responsible for what no position is, each part of it alike.
    """
    if owed <= 0:
        return ZERO
    return shortfall.beyond_positions * min(worth, owed) / owed


def after_repaying(shortfall: Shortfall, worth: Decimal, owed: Decimal) -> Shortfall:
    """Return what is left after giving back `worth` of `owed`: less used, the same capacity."""
    return replace(shortfall, usage=after_cut(shortfall.usage, freed_by(shortfall, worth, owed), ZERO))


def worth_to_repay(shortfall: Shortfall, owed: Decimal) -> Decimal:
    """Return how much of `owed` to give back so that the usage falls to its target, `owed` at most.

    (used - target x capacity) x owed / beyond, in the unit's currency; zero at or below target, and where
    nothing of the requirement is a debt's.
    """
    beyond = shortfall.beyond_positions
    if not shortfall.is_open or beyond <= 0:
        return ZERO
    excess = shortfall.usage.used - shortfall.target * shortfall.usage.capacity
    return min(excess * owed / beyond, owed)


def plan_repayment(snapshot: AccountSnapshot, unit: str, policy: MarginPolicy) -> RepaymentPlan | Infeasible:
    """Plan the next repayment of `unit`: of the debt that most can be given back of, as much as is needed.

    A debt of unknown worth is given back as far as it can be.

    Raises:
        ValueError: `unit` is not in `snapshot`.
    """
    found = next((seen for seen in picture(snapshot) if seen.unit.key == unit), None)
    if found is None:
        raise ValueError(f"cannot plan to repay for the unit {unit!r}")
    debts = debts_of(found.unit, snapshot)
    state = shortfalls(found, snapshot, policy)
    obstacle = _obstacle(debts, state)
    if obstacle is not None:
        return Infeasible(unit=unit, reason=obstacle[0], detail=obstacle[1])
    owed = value_of(debts)
    debt, amount = debts[0], _grains(debts[0].within_reach, debts[0].currency)
    if owed is not None and debt.rate is not None:
        needed = max((worth_to_repay(left, owed) for left in state), default=ZERO)
        crumb = CRUMB * debt.owed
        wanted = ceil_to_step(max(needed / debt.rate, crumb), _grain(debt.currency))
        amount = min(wanted if debt.owed - wanted >= crumb else debt.owed, amount)
        state = tuple(after_repaying(left, amount * debt.rate, owed) for left in state)
    return RepaymentPlan(
        account_id=snapshot.account_id,
        unit=unit,
        currency=debt.currency,
        amount=amount,
        owed=debt.owed,
        as_of=snapshot.as_of,
        fetched_at=snapshot.fetched_at,
        expected_utilization=expected_ratio(state, Measure.UTILIZATION),
        expected_maintenance=expected_ratio(state, Measure.MAINTENANCE),
        reaches_target=not any(left.is_open for left in state),
    )


def debt_drives(unit: UnitPicture, snapshot: AccountSnapshot, policy: MarginPolicy) -> str | None:
    """Return in words why debt, not positions, keeps `unit` above a target; `None`: it does not.

    It does where the unit owes, and even with every position closed the measure would stay above its target.
    """
    debts = debts_of(unit.unit, snapshot)
    if not debts:
        return None
    under = value(snapshot.positions_under(unit.unit.key), unit.unit, snapshot)
    missed = []
    for shortfall in shortfalls(unit, snapshot, policy):
        positions = under if shortfall.measure is Measure.UTILIZATION else unit.positions
        flat = when_flat(shortfall, positions, policy)
        if shortfall.is_open and flat.exceeds(shortfall.target):
            missed.append((shortfall.measure, flat.ratio, shortfall.target))
    if not missed:
        return None
    measure, ratio, target = max(missed, key=lambda row: row[1] / row[2])
    return f"{measure} {percent(ratio)} even flat, target {percent(target)}; {owing(debts)}"


def _obstacle(debts: tuple[Debt, ...], state: Sequence[Shortfall]) -> tuple[Reason, str] | None:
    """Return why nothing is to be given back; `None`: something is."""
    if not debts:
        return Reason.NOTHING_TO_REPAY, "nothing is owed"
    if not any(left.is_open for left in state):
        return Reason.TARGET_REACHED, "every measure is at or below its target"
    if all(debt.repayable is None for debt in debts):
        return Reason.REPAY_NOT_OFFERED, f"{owing(debts)}, and no call gives it back"
    if _grains(debts[0].within_reach, debts[0].currency) <= 0:
        return Reason.NOTHING_TO_REPAY, owing(debts)
    owed = value_of(debts)
    if owed is None:
        return None
    worth = sum((debt.within_reach * (debt.rate or ZERO) for debt in debts), ZERO)
    if any(left.is_open and freed_by(left, worth, owed) > MATERIAL * left.usage.used for left in state):
        return None
    return Reason.REPAYING_CANNOT_HELP, f"{owing(debts)}; giving that back would free next to nothing"


def _grain(currency: str) -> Decimal:
    return CENT if currency in DOLLARS else GRAIN


def _grains(amount: Decimal, currency: str) -> Decimal:
    return floor_to_step(amount, _grain(currency))
