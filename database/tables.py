"""The tables of the history.

Every row carries the `event_id` by which it is known again when it is delivered twice, and the `sequence` of
the journal that sent it, which orders rows of one moment. Orders are the exception: one row per order, the
one with the highest sequence.

Nothing here is ever deleted by margind. Where disk space matters, drop old `margin_history` and `positions`
(TimescaleDB: `add_retention_policy`), never orders, events, alerts or audit.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.columns import Instant, Money, Words, json_object, new_metadata
from database.intent_columns import intent_columns

metadata = new_metadata()

margin_history = Table(
    "margin_history",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("time", Instant, primary_key=True),  # TimescaleDB: the partitioning column is part of every key
    Column("sequence", BigInteger, nullable=False),
    Column("account", Words, nullable=False),
    Column("broker", Words, nullable=False),
    Column("product", Words, nullable=False),
    Column("unit", Words, nullable=False),
    Column("currency", Words, nullable=False),
    Column("level", Words, nullable=False),
    Column("debit_balance", Money),
    Column("equity_balance", Money),
    Column("market_value", Money),
    Column("margin_ratio", Money),
    Column("initial_margin", Money),
    Column("maintenance_margin", Money),
    Column("available_margin", Money),
    Column("maintenance_excess", Money),
    Column("margin_utilization", Money),
    Column("maintenance_ratio", Money),
    Column("effective_leverage", Money),
    Column("interest_rate", Money),
    Column("daily_interest_cost", Money),
    Column("net_leverage", Money),
    Column("largest_underlying", Words),
    Column("underlying_leverage", Money),
    Index(None, "account", "time"),
)

positions = Table(
    "positions",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("time", Instant, nullable=False),
    Column("account", Words, nullable=False),
    Column("broker", Words, nullable=False),
    Column("product", Words, nullable=False),
    Column("unit", Words, nullable=False),
    Column("symbol", Words, nullable=False),
    Column("side", Words, nullable=False),
    Column("margin_mode", Words, nullable=False),
    Column("quantity", Money, nullable=False),
    Column("settle", Words, nullable=False),
    Column("entry_price", Money),
    Column("mark_price", Money),
    Column("notional", Money),
    Column("initial_margin", Money),
    Column("maintenance_margin", Money),
    Column("unrealized_pnl", Money),
    Column("leverage_setting", Money),
    Column("liquidation_price", Money),
    Index(None, "account", "time"),
)

orders = Table(
    "orders",
    metadata,
    Column("event_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    *intent_columns(Column("plan_id", Text)),
    Index(None, "account", "episode"),
    Index(None, "account", "created_at"),
)

events = Table(
    "events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("time", Instant, nullable=False),
    Column("kind", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("account", Words),
    Column("level", Words),
    Column("reason", Words),
    Column("episode", Integer),
    Column("step", Integer),
    Column("plan_id", Text),
    Column("detail", json_object(), nullable=False),
    Index(None, "time"),
    Index(None, "account", "time"),
    Index(None, "account", "episode"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("time", Instant, nullable=False),
    Column("kind", Words, nullable=False),
    Column("severity", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("account", Words),
    Column("episode", Integer),
    Column("detail", json_object(), nullable=False),
    Index(None, "time"),
    Index(None, "account", "time"),
    Index(None, "account", "episode"),
)

audit = Table(
    "audit",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("chain", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("time", Instant, nullable=False),
    Column("actor", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("account", Words),
    Column("detail", json_object(), nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("row_hash", Text, nullable=False),
    # Not unique: a journal restored from a backup forks its chain, and the check must find both branches.
    Index(None, "chain", "number"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("install_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("delivered_at", Instant, nullable=False),
)
