"""Episodes: numbered per account, at most one open at a time."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select, update

from database.audit import AuditTrail
from database.errors import IllegalTransition, UnknownRecord
from database.journal_store import JournalStore
from database.journal_tables import END_OF_TIME, episodes
from database.outbox import Outbox
from database.records import Episode, Event

INSERT = insert(episodes)
ONE = select(episodes).where(
    episodes.c.account == bindparam("account"), episodes.c.number == bindparam("number")
)
OPEN = select(episodes).where(episodes.c.account == bindparam("account"), episodes.c.closed_at.is_(None))
LAST = select(func.max(episodes.c.number)).where(episodes.c.account == bindparam("account"))
NEWEST = select(func.max(episodes.c.opened_at)).where(episodes.c.account == bindparam("account"))
SINCE = select(func.count()).where(
    episodes.c.account == bindparam("account"),
    episodes.c.opened_at >= bindparam("since"),
    episodes.c.opened_at <= bindparam("until"),
)
CHANGE = (
    update(episodes)
    .where(episodes.c.account == bindparam("of_account"), episodes.c.number == bindparam("of_number"))
    .values(
        peak_level=bindparam("peak_level"),
        steps=bindparam("steps"),
        closed_at=bindparam("closed_at"),
        outcome=bindparam("outcome"),
    )
)


class Episodes:
    """Excursions of accounts, from trigger to target."""

    def __init__(self, store: JournalStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit

    def start(self, account: str, *, at: datetime, trigger: str, level: str) -> Episode:
        """Open the account's next episode.

        Raises:
            IllegalTransition: one is open already.
        """
        if self.current(account) is not None:
            raise IllegalTransition(f"{account}: an episode is open already")
        number = self.last_number(account) + 1
        episode = Episode(account=account, number=number, opened_at=at, trigger=trigger, peak_level=level)
        self._store.write(INSERT, episode.values())
        self._tell(episode, "episode_began", at, trigger)
        return episode

    def next_step(self, account: str) -> Episode:
        """Count one more step of the open episode; its number is `steps` of what is returned."""
        episode = self._current(account)
        return self._change(replace(episode, steps=episode.steps + 1))

    def raise_peak(self, account: str, level: str) -> Episode:
        """Note a new worst level of the open episode."""
        return self._change(replace(self._current(account), peak_level=level))

    def close(self, account: str, *, at: datetime, outcome: str) -> Episode:
        """Close the open episode with the reason for its end.

        Raises:
            UnknownRecord: none is open.
        """
        episode = self._change(replace(self._current(account), closed_at=at, outcome=outcome))
        self._tell(episode, "episode_ended", at, outcome)
        return episode

    def current(self, account: str) -> Episode | None:
        """Return the open episode of the account."""
        rows = self._store.known(episodes, OPEN, {"account": account})
        return Episode(**rows[0]) if rows else None

    def last_number(self, account: str) -> int:
        """Return the number of the account's newest episode; 0 if it never had one."""
        return int(next(iter(self._store.rows(LAST, {"account": account})[0].values())) or 0)

    def get(self, account: str, number: int) -> Episode | None:
        """Return one episode."""
        rows = self._store.rows(ONE, {"account": account, "number": number})
        return Episode(**rows[0]) if rows else None

    def count_since(self, account: str, since: datetime, *, until: datetime = END_OF_TIME) -> int:
        """Count the account's episodes that were opened from `since` to `until`."""
        newest = next(iter(self._store.known(episodes, NEWEST, {"account": account})[0].values()))
        if newest is None or newest < since:
            return 0
        asked = {"account": account, "since": since, "until": until}
        return int(next(iter(self._store.rows(SINCE, asked)[0].values())))

    def _current(self, account: str) -> Episode:
        episode = self.current(account)
        if episode is None:
            raise UnknownRecord(f"{account}: no episode is open")
        return episode

    def _change(self, episode: Episode) -> Episode:
        self._store.write(
            CHANGE,
            {
                "of_account": episode.account,
                "of_number": episode.number,
                "peak_level": episode.peak_level,
                "steps": episode.steps,
                "closed_at": episode.closed_at,
                "outcome": episode.outcome,
            },
        )
        return episode

    def _tell(self, episode: Episode, kind: str, at: datetime, reason: str) -> None:
        self._outbox.append(
            Event(
                time=at,
                kind=kind,
                message=f"episode {episode.number}: {reason}",
                account=episode.account,
                level=episode.peak_level,
                reason=reason,
                episode=episode.number,
                step=episode.steps,
            )
        )
        self._audit.append(
            at=at,
            action=kind,
            subject=f"{episode.account}/{episode.number}",
            account=episode.account,
            detail={"reason": reason, "peak_level": episode.peak_level, "steps": episode.steps},
        )
