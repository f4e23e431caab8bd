"""What a risk unit owes, valued in the unit's currency."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, Collateral, Position, RiskUnit, UnitKind
from brokers.numbers import ZERO
from daemon.risk.figures import money
from daemon.risk.picture import DOLLARS, rate_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One currency that a unit owes. `owed` > 0 and `repayable` in it, `rate` what one of it is worth.

    `repayable` `None`: no call gives it back, or nobody knows how much could be. `rate` `None`: not known.
    """

    currency: str
    owed: Decimal
    repayable: Decimal | None
    rate: Decimal | None

    @property
    def value(self) -> Decimal | None:
        """What is owed, in the unit's currency."""
        return None if self.rate is None else self.owed * self.rate

    @property
    def within_reach(self) -> Decimal:
        """How much of it can be given back now: never more than is owed, nor than is free."""
        return max(min(self.owed, self.repayable or ZERO), ZERO)


def debts_of(unit: RiskUnit, snapshot: AccountSnapshot) -> tuple[Debt, ...]:
    """Return what `unit` owes, the most within reach first; what is of unknown worth stands last."""
    found = [
        Debt(
            currency=row.currency,
            owed=row.owed,
            repayable=row.repayable,
            rate=_worth(row.currency, unit.currency, snapshot),
        )
        for row in snapshot.collaterals
        if row.owed is not None and row.owed > 0 and owner_of(row, snapshot) == unit.key
    ]
    reach = {debt.currency: (debt.within_reach * (debt.rate or ZERO), debt.within_reach) for debt in found}
    return tuple(sorted(found, key=lambda debt: reach[debt.currency], reverse=True))


def owner_of(row: Collateral, snapshot: AccountSnapshot) -> str | None:
    """Return the key of the unit that owns a collateral; `None`: none of them does.

    The one it names; else the account's own unit, else that of the currency.
    """
    if row.unit is not None:
        return row.unit
    account = next((unit for unit in snapshot.units if unit.kind is UnitKind.ACCOUNT), None)
    if account is not None:
        return account.key
    same = (
        unit
        for unit in snapshot.units
        if unit.kind in {UnitKind.CURRENCY, UnitKind.CASH} and unit.currency == row.currency
    )
    return next((unit.key for unit in same), None)


def owed_in(snapshot: AccountSnapshot, unit: str, currency: str) -> Decimal | None:
    """Return what `unit` owes of one currency; `None`: the picture has no row that says."""
    rows = (row for row in snapshot.collaterals if row.currency == currency)
    return next((row.owed for row in rows if owner_of(row, snapshot) == unit), None)


def value_of(debts: tuple[Debt, ...]) -> Decimal | None:
    """Return what all of `debts` are worth, in the unit's currency; `None` unless every one is known."""
    values = [debt.value for debt in debts]
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if len(known) == len(values) else None


def owing(debts: tuple[Debt, ...]) -> str:
    """Return what is owed in words: `owes 5010 USDT, of which 3000 could be repaid`."""
    parts = []
    for debt in debts:
        free = "" if debt.repayable is None else f", of which {money(debt.within_reach)} could be repaid"
        parts.append(f"{money(debt.owed)} {debt.currency}{free}")
    return f"owes {'; '.join(parts)}"


def _worth(owed: str, currency: str, snapshot: AccountSnapshot) -> Decimal | None:
    """Return the rate of a currency, in dollars also by the mark of a contract on it."""
    rate = rate_of(owed, currency, snapshot.collaterals)
    if rate is not None or currency not in DOLLARS:
        return rate
    return next((p.mark_price for p in snapshot.positions if _prices(p, owed, snapshot)), None)


def _prices(position: Position, currency: str, snapshot: AccountSnapshot) -> bool:
    """Whether the position's mark is the price of `currency` in dollars."""
    rules = snapshot.markets.get(position.symbol)
    priced = position.mark_price is not None and position.mark_price > 0
    return priced and rules is not None and rules.base == currency and rules.quote in DOLLARS
