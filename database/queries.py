"""Reads over the history, for people: margin over time, last events, the story of an episode, the audit."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Engine, RowMapping, Select, Table, and_, func, select

from database.audit import AuditHead, AuditVerdict, verify_chain
from database.engine import naming_failures
from database.payload import CLASSES
from database.records import (
    Alert,
    AuditEntry,
    Event,
    HistoryRow,
    Intent,
    MarginSample,
    PositionSample,
    RowKind,
)
from database.tables import alerts, audit, deliveries, events, margin_history, orders, positions

MANY = 10_000

Row = TypeVar("Row", bound=HistoryRow)


def margin_between(
    engine: Engine,
    account: str,
    since: datetime,
    until: datetime,
    *,
    unit: str | None = None,
    limit: int = MANY,
) -> tuple[MarginSample, ...]:
    """Return the account's margin samples from `since` up to but not including `until`, oldest first."""
    statement = _window(margin_history, account, since, until, limit)
    if unit is not None:
        statement = statement.where(margin_history.c.unit == unit)
    return _rows(engine, MarginSample, statement)


def positions_between(
    engine: Engine, account: str, since: datetime, until: datetime, *, limit: int = MANY
) -> tuple[PositionSample, ...]:
    """Return the account's position changes from `since` up to but not including `until`, oldest first."""
    return _rows(engine, PositionSample, _window(positions, account, since, until, limit))


def last_events(
    engine: Engine, count: int, *, account: str | None = None, kinds: Sequence[str] = ()
) -> tuple[Event, ...]:
    """Return the newest `count` events, oldest of them first."""
    statement = _newest(events, count, account)
    if kinds:
        statement = statement.where(events.c.kind.in_(kinds))
    return _rows(engine, Event, statement)[::-1]


def last_alerts(engine: Engine, count: int, *, account: str | None = None) -> tuple[Alert, ...]:
    """Return the newest `count` alerts, oldest of them first."""
    return _rows(engine, Alert, _newest(alerts, count, account))[::-1]


def last_orders(engine: Engine, count: int, *, account: str | None = None) -> tuple[Intent, ...]:
    """Return the newest `count` orders, oldest of them first."""
    statement = select(orders).order_by(orders.c.created_at.desc(), orders.c.sequence.desc()).limit(count)
    if account is not None:
        statement = statement.where(orders.c.account == account)
    return _rows(engine, Intent, statement)[::-1]


def orders_of_episode(engine: Engine, account: str, episode: int) -> tuple[Intent, ...]:
    """Return the orders of an episode, in the order in which they were journaled."""
    statement = (
        select(orders)
        .where(orders.c.account == account, orders.c.episode == episode)
        .order_by(orders.c.step, orders.c.created_at, orders.c.sequence)
    )
    return _rows(engine, Intent, statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One thing that happened in an episode: an event, an order, an alert, a margin or position sample."""

    time: datetime
    kind: RowKind
    row: HistoryRow


def episode_story(engine: Engine, account: str, episode: int) -> tuple[StoryLine, ...]:
    """Return all that is known of an episode, in order of time; empty if there is none.

    Events, orders and alerts that name the episode, and the account's margin and position samples from its
    first line to its last. An order stands where it was journaled, in its latest state.
    """
    with naming_failures(), engine.connect() as connection:
        told: list[tuple[datetime, int, StoryLine]] = []
        for kind, table, moment in (
            (RowKind.EVENT, events, events.c.time),
            (RowKind.ORDER, orders, orders.c.created_at),
            (RowKind.ALERT, alerts, alerts.c.time),
        ):
            statement = select(table).where(table.c.account == account, table.c.episode == episode)
            told += [_line(kind, row, moment.name) for row in connection.execute(statement).mappings()]
        if not told:
            return ()
        first, last = min(line[0] for line in told), max(line[0] for line in told)
        for kind, table in ((RowKind.MARGIN, margin_history), (RowKind.POSITION, positions)):
            statement = select(table).where(
                and_(table.c.account == account, table.c.time >= first, table.c.time <= last)
            )
            told += [_line(kind, row, "time") for row in connection.execute(statement).mappings()]
    told.sort(key=lambda line: line[:2])
    return tuple(line for _, _, line in told)


def audit_chains(engine: Engine) -> tuple[str, ...]:
    """Return the installs whose audit chains are in the history."""
    statement = select(audit.c.chain).group_by(audit.c.chain).order_by(func.min(audit.c.time))
    with naming_failures(), engine.connect() as connection:
        return tuple(connection.execute(statement).scalars())


def verify_audit(engine: Engine, chain: str, head: AuditHead | None = None) -> AuditVerdict:
    """Check one audit chain of the history from its first link on; see `database.audit.verify_chain`."""
    with closing(_audit_entries(engine, chain)) as entries:
        return verify_chain(chain, entries, head)


def last_delivery(engine: Engine, install_id: str) -> datetime | None:
    """Return when the carrier last brought something of that install; `None`: never."""
    statement = select(deliveries.c.delivered_at).where(deliveries.c.install_id == install_id)
    with naming_failures(), engine.connect() as connection:
        return connection.execute(statement).scalar()


def _audit_entries(engine: Engine, chain: str) -> Generator[AuditEntry]:
    statement = select(audit).where(audit.c.chain == chain).order_by(audit.c.number, audit.c.sequence)
    with (
        naming_failures(),
        engine.connect() as connection,
        connection.execution_options(yield_per=1000).execute(statement) as result,
    ):
        for row in result.mappings():
            yield _record(AuditEntry, row)


def _window(table: Table, account: str, since: datetime, until: datetime, limit: int) -> Select[Any]:
    return (
        select(table)
        .where(table.c.account == account, table.c.time >= since, table.c.time < until)
        .order_by(table.c.time, table.c.sequence)
        .limit(limit)
    )


def _newest(table: Table, count: int, account: str | None) -> Select[Any]:
    statement = select(table).order_by(table.c.time.desc(), table.c.sequence.desc()).limit(count)
    return statement if account is None else statement.where(table.c.account == account)


def _rows(engine: Engine, row_class: type[Row], statement: Select[Any]) -> tuple[Row, ...]:
    with naming_failures(), engine.connect() as connection:
        return tuple(_record(row_class, row) for row in connection.execute(statement).mappings())


def _record(row_class: type[Row], row: RowMapping) -> Row:
    return row_class(**{name: row[name] for name in row_class.__slots__})


def _line(kind: RowKind, row: RowMapping, moment: str) -> tuple[datetime, int, StoryLine]:
    time = row[moment]
    return time, row["sequence"], StoryLine(time=time, kind=kind, row=_record(CLASSES[kind], row))
