"""Whether somebody else has changed a unit between two pictures: the venue, its owner, another bot."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import AccountSnapshot, Collateral, UnitKind
from brokers.numbers import ZERO

DEPOSIT = Decimal("0.02")
"""A wallet whose growth is worth this share of the margin equity has been paid into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a unit was in one good picture, in `currency`.

    `quantities` by symbol, side and margin mode; `wallets` are the account's, by currency, with that of an
    isolated position under the unit's own key.
    """

    unit: str
    currency: str
    is_isolated: bool
    equity: Decimal | None
    maintenance_margin: Decimal | None
    unrealized_pnl: Decimal | None
    quantities: Mapping[str, Decimal]
    wallets: Mapping[str, Decimal]


def holding(snapshot: AccountSnapshot, key: str) -> Holding:
    """Return what the unit named `key` is now."""
    unit = snapshot.unit(key)
    is_isolated = unit.kind is UnitKind.ISOLATED_POSITION
    pnls = [held.unrealized_pnl for held in snapshot.positions_of(key)]
    known = [pnl for pnl in pnls if pnl is not None]
    return Holding(
        unit=key,
        currency=unit.currency,
        is_isolated=is_isolated,
        equity=unit.margin_equity,
        maintenance_margin=unit.maintenance_margin,
        unrealized_pnl=sum(known, ZERO) if len(known) == len(pnls) else None,
        quantities=_quantities(snapshot, key),
        wallets=_wallets(snapshot, key if is_isolated else None),
    )


def shrank(before: Holding, snapshot: AccountSnapshot) -> bool:
    """Whether a position is smaller than it was, or gone."""
    present = _quantities(snapshot, before.unit)
    return any(present.get(name, ZERO) < quantity for name, quantity in before.quantities.items())


def was_taken(before: Holding, snapshot: AccountSnapshot) -> bool:
    """Whether what is left proves that the venue closed the positions that are missing.

    A venue liquidates where equity has fallen to the maintenance margin, so no more than that is left; who
    closes a position before keeps more. Of a unit that is gone itself its currency's wallet is what is left;
    where that is gone, too, nothing is. An isolated position leaves nothing but the wallet: there a close at
    the last picture would have left the unit's equity, a liquidation leaves less than half of it.
    """
    if not before.is_isolated:
        unit = next((unit for unit in snapshot.units if unit.key == before.unit), None)
        gone = _wallets(snapshot, None).get(before.currency, ZERO)
        left, needed = gone if unit is None else unit.margin_equity, before.maintenance_margin
        return left is not None and needed is not None and 0 < needed >= left
    was, now = before.wallets.get(before.currency), _wallets(snapshot, None).get(before.currency)
    if was is None or now is None or before.equity is None or before.unrealized_pnl is None:
        return False
    return now <= was + before.unrealized_pnl - before.equity / 2


def was_paid_into(before: Holding, snapshot: AccountSnapshot) -> bool:
    """Whether collateral has come in; of another currency than the unit's only where its value is stated."""
    if before.equity is None or before.equity <= 0:
        return False
    after = _wallets(snapshot, before.unit if before.is_isolated else None)
    rows = {row.currency: row for row in snapshot.collaterals}
    for name, amount in after.items():
        was = before.wallets.get(name)
        if was is None or amount <= was:
            continue
        own = name in {before.currency, before.unit}
        price = Decimal(1) if own else _price(rows.get(name))
        if price is not None and (amount - was) * price > DEPOSIT * before.equity:
            return True
    return False


def _price(row: Collateral | None) -> Decimal | None:
    if row is None or row.value is None or not row.equity or row.equity <= 0:
        return None
    return row.value / row.equity


def _quantities(snapshot: AccountSnapshot, key: str) -> dict[str, Decimal]:
    return {
        f"{held.symbol}:{held.side}:{held.margin_mode}": held.quantity
        for held in snapshot.positions
        if held.unit == key
    }


def _wallets(snapshot: AccountSnapshot, isolated: str | None) -> dict[str, Decimal]:
    found = {
        row.currency: row.wallet_balance for row in snapshot.collaterals if row.wallet_balance is not None
    }
    unit = next((unit for unit in snapshot.units if unit.key == isolated), None)
    if unit is not None and unit.wallet_balance is not None:
        found[unit.key] = unit.wallet_balance
    return found
