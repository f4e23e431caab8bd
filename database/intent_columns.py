"""The columns of an intent: the journal's intents and the history's orders have the same."""

from typing import Any

from sqlalchemy import Column, Integer, Text

from database.columns import Choice, Instant, Money, Words
from database.records import IntentKind, IntentState


def intent_columns(plan_id: Column[str]) -> tuple[Column[Any], ...]:
    """Return fresh columns, one per field of `Intent`; `plan_id` as each table can refer to it."""
    return (
        Column("intent_id", Text, primary_key=True),
        Column("account", Words, nullable=False),
        Column("symbol", Words, nullable=False),
        Column("side", Words, nullable=False),
        Column("margin_mode", Words, nullable=False),
        Column("episode", Integer, nullable=False),
        Column("step", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("kind", Choice(IntentKind), nullable=False),
        Column("reason", Words, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("quantity", Money),
        Column("quantity_before", Money),
        Column("limit_price", Money),
        Column("deadline", Instant),
        plan_id,
        Column("state", Choice(IntentState), nullable=False),
        Column("venue_order_id", Words),
        Column("filled", Money),
        Column("average_price", Money),
        Column("fee", Money),
        Column("slippage", Money),
        Column("code", Words),
        Column("message", Words),
        Column("sent_at", Instant),
        Column("settled_at", Instant),
    )
