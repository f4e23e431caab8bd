"""The daily loss limit of one account: followed picture by picture, kept in the journal, held by latches.

A loss beyond the limit that two good pictures have shown latches a breaker on its unit. It holds over any
restart until the first good picture of the next UTC day, or until an operator clears the latch: what was
lost by then is forgiven, and the limit counts anew from there.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.models import AccountId, ContractKind, Side
from daemon.clock import Clock
from daemon.logs import logger
from daemon.risk.answer import BrokenLimit
from daemon.risk.assessment import Assessment
from daemon.risk.daily_loss import Breach
from daemon.risk.daybook import Coin, Day, Holding, Mark, Move, begin, follow, mark_of
from daemon.risk.figures import money
from daemon.risk.policy import MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.standing import Observation
from database.canonical import canonical_json
from database.daybooks import DaybookState
from database.journal import Journal
from database.records import Event, TransferState

BROKEN, DOUBTED = "daily_loss:", "daily_loss_in_doubt:"
"""Latches, by unit: the limit is broken beyond doubt; it is, if all that is in doubt was lost."""

SAVE_EVERY = timedelta(seconds=30)
"""A day is written down this often when nothing about it changes, so that a restart has little to explain."""

IN_SIGHT = timedelta(minutes=15)
"""A transfer of ours shows in a picture by then, or never."""


class Daybook:
    """One account's days."""

    def __init__(self, account: AccountId, policy: MarginPolicy, *, journal: Journal, clock: Clock) -> None:
        self._account = account
        self._policy = policy
        self._journal = journal
        self._clock = clock
        self._days = self._recall() if policy.daily_loss is not None else {}
        self._saved: dict[str, datetime] = {}
        self._unknown: set[str] = set()

    def broken(self) -> dict[str, BrokenLimit]:
        """Return what holds now, by unit; nothing where a breach only alarms."""
        limit = self._policy.daily_loss
        if limit is None or limit.breach is Breach.ALARM:
            return {}
        flatten = limit.breach is Breach.FLATTEN
        held = [name.removeprefix(BROKEN) for name in self._latches() if name.startswith(BROKEN)]
        return {
            unit: BrokenLimit(reason=Reason.DAILY_LOSS, flatten=flatten, detail=self._figures(unit))
            for unit in held
        }

    def follow(self, observation: Observation) -> None:
        """Take what a cycle saw into the days of its units, unless it may not be acted upon.

        Raises:
            JournalError: it could not be kept.
        """
        if self._policy.daily_loss is None or not isinstance(observation, Assessment):
            return
        for unit in observation.snapshot.units:
            judged = observation.unit(unit.key)
            if unit.parent is not None or judged is None or not judged.actionable:
                continue
            mark = mark_of(observation.snapshot, unit)
            if mark is None:
                self._tell_unknown(unit.key)
            else:
                self._take(unit.key, unit.currency, mark)

    def _take(self, unit: str, currency: str, mark: Mark) -> None:
        known = self._days.get(unit)
        if known is not None and mark.at <= known.last.at:
            return
        if known is None or mark.at.date() > known.date:
            self._keep(unit, begin(mark), clears=Reason.DAY_BEGAN)
            return
        if known.is_over and not self._latches() & {BROKEN + unit, DOUBTED + unit}:
            self._keep(unit, begin(mark), clears=Reason.OPERATOR_RESET)
            return
        day, move = follow(known, mark, self._transfers(currency))
        day = self._judge(day, known, currency)
        news = self._news(unit, currency, day, move)
        is_due = self._clock.now() - self._saved.get(unit, known.last.at) >= SAVE_EVERY
        self._days[unit] = day
        if news or is_due or day.over_since != known.over_since:
            self._keep(unit, day, news=news, latch=self._latch(unit, currency, day))

    def _judge(self, day: Day, known: Day, currency: str) -> Day:
        """Return `day` with what is known of its limit: beyond it, and confirmed by a mark not long ago."""
        allowed = self._allowed(day, currency)
        if allowed is None or day.loss < allowed:
            return replace(day, over_since=None)
        lapsed = day.last.at - known.last.at > self._policy.alarm_max_age
        since = day.last.at if lapsed or day.over_since is None else day.over_since
        waited = day.last.at - since >= self._policy.confirmation.critical_after
        return replace(day, over_since=since, is_over=day.is_over or (waited and since < day.last.at))

    def _allowed(self, day: Day, currency: str) -> Decimal | None:
        limit = self._policy.daily_loss
        return None if limit is None else limit.allows(day.base, currency)

    def _latch(self, unit: str, currency: str, day: Day) -> str | None:
        """Return the latch that is due; `None`: none, or it is set."""
        allowed = self._allowed(day, currency)
        if not day.is_over or day.over_since is None or allowed is None:
            return None
        is_proven = day.proven >= allowed and not day.is_mixed
        name = (BROKEN if is_proven else DOUBTED) + unit
        return None if self._latches() & {name, BROKEN + unit} else name

    def _news(self, unit: str, currency: str, day: Day, move: Move | None) -> list[Event]:
        news = []
        if move is not None:
            what = "in" if move.amount > 0 else "out"
            message = f"{money(abs(move.amount))} {currency} moved {what}: neither profit nor loss"
            if move.in_doubt:
                message = f"{money(abs(move.amount))} {currency} moved {what} beside trades: in doubt"
            detail = {"amount": str(move.amount), "in_doubt": move.in_doubt, "transfer": move.transfer}
            news.append(self._event("money_moved", unit, message, Reason.UNEXPLAINED, detail))
        name = self._latch(unit, currency, day)
        if name is not None:
            is_broken = name.startswith(BROKEN)
            reason = Reason.DAILY_LOSS if is_broken else Reason.DAILY_LOSS_IN_DOUBT
            message = self._sentence(day, currency)
            detail = {"loss": str(day.loss), "proven": str(day.proven), "moved": str(day.moved)}
            news.append(self._event(reason.value, unit, message, reason, detail))
            logger().critical(
                reason.value,
                account=self._account,
                unit=unit,
                why=message,
                next="holds until the next UTC day or an operator's reset" if is_broken else "look at it",
            )
        return news

    def _keep(
        self,
        unit: str,
        day: Day,
        *,
        news: list[Event] | None = None,
        latch: str | None = None,
        clears: Reason | None = None,
    ) -> None:
        """Write a day down with what it brings: events, a latch, or the end of those of the day before."""
        now = self._clock.now()
        with self._journal.transaction():
            state = canonical_json(_to_json(day))
            self._journal.daybooks.save(
                DaybookState(account=self._account, unit=unit, state=state, updated_at=now)
            )
            for event in news or ():
                self._journal.outbox.append(event)
            if latch is not None:
                reason = Reason.DAILY_LOSS if latch.startswith(BROKEN) else Reason.DAILY_LOSS_IN_DOUBT
                self._journal.latches.set(self._account, latch, now, reason=reason.value)
            if clears is not None:
                for name in (BROKEN + unit, DOUBTED + unit):
                    self._journal.latches.clear(self._account, name, now, reason=clears.value)
                message = f"{unit} begins with {money(day.began_with)}"
                self._journal.outbox.append(self._event("day_began", unit, message, clears, {}))
        self._days[unit], self._saved[unit] = day, now

    def _transfers(self, currency: str) -> dict[str, Decimal]:
        """Return our own transfers that may show by now, by id."""
        since = self._clock.now() - IN_SIGHT
        return {
            one.client_id: one.amount
            for one in self._journal.transfers.since(self._account, since)
            if one.state not in {TransferState.REJECTED, TransferState.ABSENT, TransferState.PLANNED}
            and currency in {one.currency, "USD"}
        }

    def _latches(self) -> frozenset[str]:
        return frozenset(latch.name for latch in self._journal.latches.of(self._account))

    def _figures(self, unit: str) -> str:
        day = self._days.get(unit)
        return "the day's loss limit is broken" if day is None else f"lost {money(day.loss)} today"

    def _sentence(self, day: Day, currency: str) -> str:
        allowed = self._allowed(day, currency)
        limit = "" if allowed is None else f", {money(allowed)} may be lost"
        doubt = f" ({money(day.doubt)} of it in doubt)" if day.doubt else ""
        mixed = "; isolated positions are not in it" if day.is_mixed else ""
        return f"lost {money(day.loss)} {currency}{doubt} since {money(day.base)}{limit}{mixed}"

    def _event(
        self, kind: str, unit: str, message: str, reason: Reason, detail: Mapping[str, object]
    ) -> Event:
        return Event(
            time=self._clock.now(),
            kind=kind,
            message=message,
            account=self._account,
            reason=reason.value,
            detail={"unit": unit, **detail},
        )

    def _tell_unknown(self, unit: str) -> None:
        if unit in self._unknown:
            return
        self._unknown.add(unit)
        message = "a price, a PnL or the market rules are missing: the day's loss is not measured"
        event = self._event("daily_loss_unknown", unit, message, Reason.DAILY_LOSS_UNKNOWN, {})
        with self._journal.transaction():
            self._journal.outbox.append(event)
        logger().error("daily_loss_unknown", account=self._account, unit=unit, why=message)

    def _recall(self) -> dict[str, Day]:
        days = {}
        for kept in self._journal.daybooks.of(self._account):
            try:
                days[kept.unit] = _from_json(json.loads(kept.state))
            except (ValueError, KeyError, TypeError, ArithmeticError) as error:
                logger().error("daybook_unreadable", account=self._account, unit=kept.unit, why=str(error))
        return days


def _to_json(day: Day) -> dict[str, object]:
    return {
        "date": day.date.isoformat(),
        "began_with": str(day.began_with),
        "moved": str(day.moved),
        "doubt": str(day.doubt),
        "is_mixed": day.is_mixed,
        "over_since": day.over_since.isoformat() if day.over_since else None,
        "is_over": day.is_over,
        "seen": sorted(day.seen),
        "last": {
            "at": day.last.at.isoformat(),
            "equity": str(day.last.equity),
            "pnl": str(day.last.pnl),
            "is_mixed": day.last.is_mixed,
            "holdings": {name: _holding_to_json(one) for name, one in day.last.holdings.items()},
            "coins": {name: [str(one.balance), str(one.price)] for name, one in day.last.coins.items()},
        },
    }


def _holding_to_json(one: Holding) -> dict[str, object]:
    figures = {name: str(getattr(one, name)) for name in FIGURES}
    entry = None if one.entry is None else str(one.entry)
    return {"kind": one.kind.value, "side": one.side.value, "entry": entry, **figures}


FIGURES = ("quantity", "price", "size", "rate", "pnl", "notional")


def _from_json(told: Mapping[str, Any]) -> Day:
    last, over = told["last"], told["over_since"]
    return Day(
        date=date.fromisoformat(told["date"]),
        began_with=Decimal(told["began_with"]),
        moved=Decimal(told["moved"]),
        doubt=Decimal(told["doubt"]),
        is_mixed=bool(told["is_mixed"]),
        over_since=datetime.fromisoformat(over) if over else None,
        is_over=bool(told["is_over"]),
        seen=frozenset(told["seen"]),
        last=Mark(
            at=datetime.fromisoformat(last["at"]),
            equity=Decimal(last["equity"]),
            pnl=Decimal(last["pnl"]),
            is_mixed=bool(last["is_mixed"]),
            holdings={name: _holding_from_json(one) for name, one in last["holdings"].items()},
            coins={
                name: Coin(balance=Decimal(balance), price=Decimal(price))
                for name, (balance, price) in last["coins"].items()
            },
        ),
    )


def _holding_from_json(told: Mapping[str, Any]) -> Holding:
    return Holding(
        kind=ContractKind(told["kind"]),
        side=Side(told["side"]),
        entry=None if told["entry"] is None else Decimal(told["entry"]),
        **{name: Decimal(told[name]) for name in FIGURES},
    )
