"""The first history: margin, positions, orders, events, alerts, audit, deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, String, Text

from database.columns import Instant, Money, Words, json_object

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("alerts", "audit", "deliveries", "events", "margin_history", "orders", "positions")


def upgrade() -> None:
    """Make every table; with TimescaleDB in the database, margin_history as a hypertable."""
    _create_alerts()
    _create_audit()
    _create_deliveries()
    _create_events()
    _create_margin_history()
    _create_orders()
    _create_positions()
    _seal_audit()
    _partition_margin_history()


def downgrade() -> None:
    """Drop all of it."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_audit_change()")


def _seal_audit() -> None:
    """Refuse changes to audit rows: no safeguard against an owner, but against a slip of the hand."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
        )


def _partition_margin_history() -> None:
    """Where the extension is installed later: SELECT create_hypertable(..., migrate_data => TRUE)."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    found = connection.execute(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")).scalar()
    if found:
        op.execute(
            "SELECT create_hypertable('margin_history', 'time', "
            "if_not_exists => TRUE, create_default_indexes => FALSE)"
        )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        Column("event_id", Text(), nullable=False),
        Column("sequence", BigInteger(), nullable=False),
        Column("time", Instant(), nullable=False),
        Column("kind", Words(), nullable=False),
        Column("severity", Words(), nullable=False),
        Column("status", Words(), nullable=False),
        Column("title", Words(), nullable=False),
        Column("message", Words(), nullable=False),
        Column("account", Words(), nullable=True),
        Column("episode", Integer(), nullable=True),
        Column("detail", json_object(), nullable=False),
        PrimaryKeyConstraint("event_id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_account_episode", "alerts", ["account", "episode"])
    op.create_index("ix_alerts_account_time", "alerts", ["account", "time"])
    op.create_index("ix_alerts_time", "alerts", ["time"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        Column("event_id", Text(), nullable=False),
        Column("sequence", BigInteger(), nullable=False),
        Column("chain", Text(), nullable=False),
        Column("number", BigInteger(), nullable=False),
        Column("time", Instant(), nullable=False),
        Column("actor", Words(), nullable=False),
        Column("action", Words(), nullable=False),
        Column("subject", Words(), nullable=False),
        Column("account", Words(), nullable=True),
        Column("detail", json_object(), nullable=False),
        Column("prev_hash", Text(), nullable=False),
        Column("row_hash", Text(), nullable=False),
        PrimaryKeyConstraint("event_id", name="pk_audit"),
    )
    op.create_index("ix_audit_chain_number", "audit", ["chain", "number"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        Column("install_id", Text(), nullable=False),
        Column("sequence", BigInteger(), nullable=False),
        Column("delivered_at", Instant(), nullable=False),
        PrimaryKeyConstraint("install_id", name="pk_deliveries"),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        Column("event_id", Text(), nullable=False),
        Column("sequence", BigInteger(), nullable=False),
        Column("time", Instant(), nullable=False),
        Column("kind", Words(), nullable=False),
        Column("message", Words(), nullable=False),
        Column("account", Words(), nullable=True),
        Column("level", Words(), nullable=True),
        Column("reason", Words(), nullable=True),
        Column("episode", Integer(), nullable=True),
        Column("step", Integer(), nullable=True),
        Column("plan_id", Text(), nullable=True),
        Column("detail", json_object(), nullable=False),
        PrimaryKeyConstraint("event_id", name="pk_events"),
    )
    op.create_index("ix_events_account_episode", "events", ["account", "episode"])
    op.create_index("ix_events_account_time", "events", ["account", "time"])
    op.create_index("ix_events_time", "events", ["time"])


def _create_margin_history() -> None:
    op.create_table(
        "margin_history",
        Column("event_id", Text(), nullable=False),
        Column("time", Instant(), nullable=False),
        Column("sequence", BigInteger(), nullable=False),
        Column("account", Words(), nullable=False),
        Column("broker", Words(), nullable=False),
        Column("product", Words(), nullable=False),
        Column("unit", Words(), nullable=False),
        Column("currency", Words(), nullable=False),
        Column("level", Words(), nullable=False),
        Column("debit_balance", Money(), nullable=True),
        Column("equity_balance", Money(), nullable=True),
        Column("market_value", Money(), nullable=True),
        Column("margin_ratio", Money(), nullable=True),
        Column("initial_margin", Money(), nullable=True),
        Column("maintenance_margin", Money(), nullable=True),
        Column("available_margin", Money(), nullable=True),
        Column("maintenance_excess", Money(), nullable=True),
        Column("margin_utilization", Money(), nullable=True),
        Column("maintenance_ratio", Money(), nullable=True),
        Column("effective_leverage", Money(), nullable=True),
        Column("interest_rate", Money(), nullable=True),
        Column("daily_interest_cost", Money(), nullable=True),
        PrimaryKeyConstraint("event_id", "time", name="pk_margin_history"),
    )
    op.create_index("ix_margin_history_account_time", "margin_history", ["account", "time"])


def _create_orders() -> None:
    op.create_table(
        "orders",
        Column("event_id", Text(), nullable=False),
        Column("sequence", BigInteger(), nullable=False),
        Column("intent_id", Text(), nullable=False),
        Column("account", Words(), nullable=False),
        Column("symbol", Words(), nullable=False),
        Column("side", Words(), nullable=False),
        Column("margin_mode", Words(), nullable=False),
        Column("episode", Integer(), nullable=False),
        Column("step", Integer(), nullable=False),
        Column("attempt", Integer(), nullable=False),
        Column("kind", String(16), nullable=False),
        Column("reason", Words(), nullable=False),
        Column("created_at", Instant(), nullable=False),
        Column("quantity", Money(), nullable=True),
        Column("quantity_before", Money(), nullable=True),
        Column("limit_price", Money(), nullable=True),
        Column("deadline", Instant(), nullable=True),
        Column("plan_id", Text(), nullable=True),
        Column("state", String(16), nullable=False),
        Column("venue_order_id", Words(), nullable=True),
        Column("filled", Money(), nullable=True),
        Column("average_price", Money(), nullable=True),
        Column("fee", Money(), nullable=True),
        Column("slippage", Money(), nullable=True),
        Column("code", Words(), nullable=True),
        Column("message", Words(), nullable=True),
        Column("sent_at", Instant(), nullable=True),
        Column("settled_at", Instant(), nullable=True),
        PrimaryKeyConstraint("intent_id", name="pk_orders"),
    )
    op.create_index("ix_orders_account_created_at", "orders", ["account", "created_at"])
    op.create_index("ix_orders_account_episode", "orders", ["account", "episode"])


def _create_positions() -> None:
    op.create_table(
        "positions",
        Column("event_id", Text(), nullable=False),
        Column("sequence", BigInteger(), nullable=False),
        Column("time", Instant(), nullable=False),
        Column("account", Words(), nullable=False),
        Column("broker", Words(), nullable=False),
        Column("product", Words(), nullable=False),
        Column("unit", Words(), nullable=False),
        Column("symbol", Words(), nullable=False),
        Column("side", Words(), nullable=False),
        Column("margin_mode", Words(), nullable=False),
        Column("quantity", Money(), nullable=False),
        Column("settle", Words(), nullable=False),
        Column("entry_price", Money(), nullable=True),
        Column("mark_price", Money(), nullable=True),
        Column("notional", Money(), nullable=True),
        Column("initial_margin", Money(), nullable=True),
        Column("maintenance_margin", Money(), nullable=True),
        Column("unrealized_pnl", Money(), nullable=True),
        Column("leverage_setting", Money(), nullable=True),
        Column("liquidation_price", Money(), nullable=True),
        PrimaryKeyConstraint("event_id", name="pk_positions"),
    )
    op.create_index("ix_positions_account_time", "positions", ["account", "time"])
