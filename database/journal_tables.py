"""The tables of the local journal."""

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from database.columns import Choice, Instant, Money, Words, json_object, new_metadata
from database.intent_columns import intent_columns
from database.records import FINAL_STATES, OperatorOrderKind, PlanState, RowKind, TransferState
from database.repayment_records import RepaymentState

JOURNAL_SCHEMA = 4
"""Raised with every change of these tables; a file with a higher one is refused.

1: the first. 2: repayments. 3: shadows. 4: daybooks.
"""

OPEN_INTENT = f"state NOT IN ({', '.join(repr(state.value) for state in sorted(FINAL_STATES))})"
"""The condition of the partial index over open intents; a query must repeat it word by word to use it."""

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
"""As an upper bound: none."""

metadata = new_metadata()

install = Table(
    "install",
    metadata,
    Column("only", Integer, primary_key=True),
    Column("install_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("opened", Integer, nullable=False),
    Column("audit_count", Integer, nullable=False),
    Column("audit_hash", Text, nullable=False),
    Column("samples_dropped", Integer, nullable=False),
    CheckConstraint("only = 1", name="one_row"),
)

episodes = Table(
    "episodes",
    metadata,
    Column("account", Words, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("opened_at", Instant, nullable=False),
    Column("trigger", Words, nullable=False),
    Column("peak_level", Words, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("closed_at", Instant),
    Column("outcome", Words),
)
Index("one_open", episodes.c.account, unique=True, sqlite_where=episodes.c.closed_at.is_(None))

plans = Table(
    "plans",
    metadata,
    Column("plan_id", Text, primary_key=True),
    Column("account", Words, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("decision", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("mode", Words, nullable=False),
    Column("config_hash", Text, nullable=False),
    Column("state", Choice(PlanState), nullable=False),
    Column("episode", Integer),
    Column("step", Integer),
    Column("snapshot", json_object(), nullable=False),
    Column("plan", json_object(), nullable=False),
    Column("settled_at", Instant),
    Column("settled_by", Words),
    Index(None, "account", "decided_at"),
)

intents = Table(
    "intents",
    metadata,
    *intent_columns(Column("plan_id", Text, ForeignKey(plans.c.plan_id))),
    UniqueConstraint("account", "symbol", "side", "margin_mode", "episode", "step", "attempt"),
    Index(None, "account", "created_at"),
)
Index(
    "ix_intents_open",
    intents.c.account,
    intents.c.created_at,
    intents.c.intent_id,
    sqlite_where=text(OPEN_INTENT),
)

latches = Table(
    "latches",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("account", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("reason", Words, nullable=False),
    Column("cleared_at", Instant),
)
Index("one_set", latches.c.account, latches.c.name, unique=True, sqlite_where=latches.c.cleared_at.is_(None))

alarms = Table(
    "alarms",
    metadata,
    Column("account", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    Column("account", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

daybooks = Table(
    "daybooks",
    metadata,
    Column("account", Words, primary_key=True),
    Column("unit", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

transfers = Table(
    "transfers",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("account", Words, nullable=False),
    Column("currency", Words, nullable=False),
    Column("amount", Money, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("state", Choice(TransferState), nullable=False),
    Column("episode", Integer),
    Column("step", Integer),
    Column("transfer_id", Words),
    Column("code", Words),
    Column("message", Words),
    Column("settled_at", Instant),
    Index(None, "account", "created_at"),
)

repayments = Table(
    "repayments",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("account", Words, nullable=False),
    Column("unit", Words, nullable=False),
    Column("currency", Words, nullable=False),
    Column("amount", Money, nullable=False),
    Column("owed_before", Money, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("state", Choice(RepaymentState), nullable=False),
    Column("episode", Integer),
    Column("step", Integer),
    Column("repaid", Money),
    Column("code", Words),
    Column("message", Words),
    Column("settled_at", Instant),
    Index(None, "account", "created_at"),
)

operator_orders = Table(
    "operator_orders",
    metadata,
    Column("account", Words, primary_key=True),
    Column("kind", Choice(OperatorOrderKind), primary_key=True),
    Column("mode", Words, nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("actor", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("expires_at", Instant),
)

outbox = Table(
    "outbox",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("kind", Choice(RowKind), nullable=False),
    Column("account", Words),
    Column("at", Instant, nullable=False),
    Column("payload", Text, nullable=False),
    Column("is_sample", Boolean, nullable=False),
    Column("parked", Words),  # why the history refuses this row for good
    sqlite_autoincrement=True,  # a sequence number is never used twice, even after its row has gone
)
Index("ix_outbox_samples", outbox.c.sequence, sqlite_where=outbox.c.is_sample.is_(True))
