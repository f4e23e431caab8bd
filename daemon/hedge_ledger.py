"""What a hedge group must remember over a restart.

How large its legs were when it was last whole, and what was spent on repairing it.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.models import AccountId
from brokers.numbers import ZERO
from daemon.clock import Clock
from daemon.logs import logger
from daemon.risk.hedge_group import HedgeGroup, LegName
from daemon.risk.hedge_loss import LegSize, Sizes
from database.canonical import canonical_json
from database.journal import Journal
from database.records import AlarmState

BUDGET_LASTS = timedelta(hours=24)


class HedgeLedger:
    """One group's rows in the journal, kept under `hedge:` and its name: no account is called so."""

    def __init__(self, group: HedgeGroup, *, journal: Journal, clock: Clock) -> None:
        self._group = group
        self._journal = journal
        self._clock = clock
        self.baseline: Sizes | None = None
        self._spent: list[tuple[datetime, Decimal]] = []
        self._recall()

    def budget_left(self) -> Decimal:
        """Return how many coins may still be trimmed to repair the group."""
        since = self._clock.now() - BUDGET_LASTS
        self._spent = [(at, coins) for at, coins in self._spent if at > since]
        if self._group.repair_budget is None:
            return ZERO
        return self._group.repair_budget - sum((coins for _, coins in self._spent), ZERO)

    def spend(self, coins: Decimal) -> None:
        """Take `coins` from the budget, with the open transaction."""
        self._spent.append((self._clock.now(), coins))
        self._save()

    def give_back(self, coins: Decimal) -> None:
        """Return to the budget what an order did not fill; kept with the next row."""
        if coins > 0:
            self._spent.append((self._clock.now(), -coins))

    def keep(self, sizes: Sizes) -> None:
        """Remember the group as whole, if it is not remembered so already."""
        known = self.baseline
        if known is not None and {n: s.quantity for n, s in known.items()} == {
            n: s.quantity for n, s in sizes.items()
        }:
            return
        self.baseline = dict(sizes)
        with self._journal.transaction():
            self._save()

    def _save(self) -> None:
        state = {
            "baseline": None if self.baseline is None else _rows(self.baseline),
            "spent": [[at.isoformat(), str(coins)] for at, coins in self._spent],
        }
        row = AlarmState(account=self._key, state=canonical_json(state), updated_at=self._clock.now())
        self._journal.alarms.save(row)

    @property
    def _key(self) -> str:
        return f"hedge:{self._group.name}"

    def _recall(self) -> None:
        """Read what was kept; what cannot be read is forgotten: then the group must be seen whole first."""
        saved = self._journal.alarms.get(self._key)
        if saved is None:
            return
        try:
            state = json.loads(saved.state)
            spent = [(datetime.fromisoformat(at), Decimal(coins)) for at, coins in state["spent"]]
            baseline = None if state["baseline"] is None else _sizes(state["baseline"])
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            logger().error("hedge_unreadable", hedge=self._group.name, why=str(error))
            return
        self._spent = spent
        if baseline is not None and set(baseline) == set(self._group.legs):
            self.baseline = baseline


def _rows(sizes: Sizes) -> list[list[object]]:
    return [
        [name.account, name.symbol, name.is_balance, str(size.quantity), str(size.per_quantity)]
        for name, size in sizes.items()
    ]


def _sizes(rows: list[list[object]]) -> Mapping[LegName, LegSize]:
    return {
        LegName(account=AccountId(str(account)), symbol=str(symbol), is_balance=bool(is_balance)): LegSize(
            quantity=Decimal(str(quantity)), per_quantity=Decimal(str(each))
        )
        for account, symbol, is_balance, quantity, each in rows
    }
