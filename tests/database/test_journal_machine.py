"""Any order of commits, failures, deliveries and crashes, against a model in plain Python.

A crash is the files copied as they lie on the disk while the journal is open, perhaps in the middle of a
transaction, and opened elsewhere.
"""

import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from database.audit import verify_chain
from database.errors import IllegalTransition, IntentExists
from database.ids import client_order_id
from database.journal import Journal
from database.payload import decode
from database.records import Event, Intent, IntentKind, IntentState, MarginSample, OutboxRow, RowKind
from tests.depth import examples

SAMPLE_LIMIT = 5
FILES = ("journal.db", "journal.db-wal", "journal.lock")


class JournalMachine(RuleBasedStateMachine):
    """What was committed is there, in order, whatever happens; what was not, is not."""

    intents = Bundle("intents")

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="margind-journal-"))
        self.lives = 0
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.state_dir = self.root / "0"
        self.journal = self.open()
        self.states: dict[str, IntentState] = {}
        self.sent_to_history: list[OutboxRow] = []
        self.acknowledged = 0
        self.events = 0
        self.samples = 0

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.journal.close()
            shutil.rmtree(self.root)

    def open(self) -> Journal:
        return Journal.open(self.state_dir, self.now, sample_limit=SAMPLE_LIMIT)

    def intent(self, number: int) -> Intent:
        return Intent(
            intent_id=client_order_id(
                self.journal.install.install_id,
                account="a",
                symbol="BTCUSDT",
                side="long",
                margin_mode="cross",
                episode=1,
                step=number,
                attempt=1,
            ),
            account="a",
            symbol="BTCUSDT",
            side="long",
            margin_mode="cross",
            episode=1,
            step=number,
            attempt=1,
            kind=IntentKind.REDUCE,
            reason="r",
            created_at=self.now,
            quantity=Decimal(number),
        )

    def tick(self) -> None:
        self.now += timedelta(milliseconds=1)

    @rule(target=intents, samples=st.integers(0, 3))
    def plan(self, samples: int) -> str:
        self.tick()
        made = self.intent(len(self.states) + 1)
        with self.journal.transaction():
            self.journal.intents.add(made)
            self.journal.outbox.append(Event(time=self.now, kind="transition", message="x"))
            for _ in range(samples):
                self.add_sample()
        self.states[made.intent_id] = IntentState.PLANNED
        self.events += 1
        self.samples += samples
        return made.intent_id

    def add_sample(self) -> None:
        self.journal.outbox.append(
            MarginSample(
                time=self.now, account="a", broker="b", product="p", unit="u", currency="USD", level="SAFE"
            )
        )

    @rule(intent_id=intents, state=st.sampled_from(IntentState))
    def advance(self, intent_id: str, state: IntentState) -> None:
        self.tick()
        with suppress(IllegalTransition), self.journal.transaction():
            self.journal.intents.advance(intent_id, state, self.now)
            self.states[intent_id] = state

    @rule(intent_id=intents)
    def plan_again(self, intent_id: str) -> None:
        found = self.journal.intents.get(intent_id)
        assert found is not None
        refused = False
        try:
            with self.journal.transaction():
                self.add_sample()
                self.journal.intents.add(self.intent(found.step))
        except IntentExists:
            refused = True
        assert refused

    @rule(crash=st.booleans())
    def fail_inside_a_transaction(self, crash: bool) -> None:  # noqa: FBT001 - drawn
        """An exception, or the end of the process, before the commit."""
        self.tick()
        with suppress(KeyError), self.journal.transaction():
            self.journal.intents.add(self.intent(len(self.states) + 1))
            self.add_sample()
            if crash:
                self.copy_files()
            raise KeyError
        if crash:
            self.continue_elsewhere()

    @rule(count=st.integers(1, 8), acknowledge=st.booleans())
    def deliver(self, count: int, acknowledge: bool) -> None:  # noqa: FBT001 - drawn
        """With or without a crash of the carrier between writing and acknowledging."""
        rows = self.journal.outbox.batch(count)
        self.sent_to_history.extend(rows)
        if rows and acknowledge:
            with self.journal.transaction():
                self.journal.outbox.acknowledge(rows[-1].sequence)
            self.acknowledged = rows[-1].sequence

    @rule()
    def crash(self) -> None:
        self.copy_files()
        self.continue_elsewhere()

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = self.open()

    @precondition(lambda self: self.lives < 20)
    @rule()
    def maintain(self) -> None:
        self.journal.maintain()

    def copy_files(self) -> None:
        self.lives += 1
        target = self.root / str(self.lives)
        target.mkdir()
        for name in FILES:
            shutil.copy(self.state_dir / name, target / name)

    def continue_elsewhere(self) -> None:
        self.journal.close()
        self.state_dir = self.root / str(self.lives)
        self.journal = self.open()

    @invariant()
    def every_intent_is_where_the_model_has_it(self) -> None:
        if not hasattr(self, "states"):
            return
        found = {intent_id: self.journal.intents.get(intent_id) for intent_id in self.states}
        assert {intent_id: intent and intent.state for intent_id, intent in found.items()} == self.states
        still_open = {intent_id for intent_id, state in self.states.items() if not state.is_final}
        assert {intent.intent_id for intent in self.journal.intents.open()} == still_open

    @invariant()
    def nothing_is_lost_between_journal_and_history(self) -> None:
        if not hasattr(self, "states"):
            return
        waiting = self.journal.outbox.batch(10_000)
        sequences = [row.sequence for row in waiting]
        assert sequences == sorted(set(sequences))
        assert all(sequence > self.acknowledged for sequence in sequences)
        known = {row.event_id: row for row in (*self.sent_to_history, *waiting)}
        rows = sorted(known.values(), key=lambda row: row.sequence)
        links = [decode(row.kind, row.payload) for row in rows if row.kind is RowKind.AUDIT]
        head = self.journal.audit.head
        assert verify_chain(head.chain, links, head).is_intact
        assert sum(row.kind is RowKind.EVENT for row in rows) == self.events
        last_told = {}
        for row in rows:
            if row.kind is RowKind.ORDER:
                order = decode(row.kind, row.payload)
                last_told[order.intent_id] = order.state
        assert last_told == self.states

    @invariant()
    def samples_are_bounded_and_counted(self) -> None:
        if not hasattr(self, "states"):
            return
        waiting = self.journal.outbox.batch(10_000)
        held = sum(row.kind.is_sample for row in waiting)
        gone = {row.event_id for row in self.sent_to_history if row.kind.is_sample}
        gone -= {row.event_id for row in waiting}
        assert held <= SAMPLE_LIMIT
        assert held + self.journal.outbox.status().samples_dropped + len(gone) >= self.samples


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=examples(20), stateful_step_count=20, deadline=None)
