"""Venues that keep no id of ours: they are told what an order was before it is asked for."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import MarginMode, OrderSide
from brokers.orders import SentOrder
from brokers.sandbox.broker import SandboxBroker
from daemon.settlement import Settlement
from database.records import Intent, IntentKind, IntentState

Desk = Any  # the fixture's type lives in conftest
D = Decimal


class Forgetful(SandboxBroker):
    """A venue that is told what an order was before it can be asked for it."""

    recalled: tuple[SentOrder, ...] = ()

    def recall(self, order: SentOrder) -> None:
        self.recalled += (order,)


@pytest.mark.parametrize(("side", "order_side"), [("long", OrderSide.SELL), ("short", OrderSide.BUY)])
async def test_before_an_order_is_looked_up_the_broker_is_told_what_it_was(
    desk: Desk, side: str, order_side: OrderSide
) -> None:
    broker = Forgetful(desk.engine, desk.account)
    intent = Intent(
        intent_id="6d69" + "0" * 28,
        account=desk.account,
        symbol="X-USDT",
        side=side,
        margin_mode="cross",
        episode=1,
        step=0,
        attempt=2,
        kind=IntentKind.REDUCE,
        reason="above_target",
        created_at=desk.clock.now(),
        quantity=D(100),
        quantity_before=D(500),
        deadline=desk.venue.venue_now() + timedelta(seconds=5),
        limit_price=D("9.5"),
        venue_order_id="77",
    )
    with desk.journal.transaction():
        desk.journal.intents.add(intent)
        desk.journal.intents.advance(intent.intent_id, IntentState.SENT, desk.clock.now())
    await Settlement(broker=broker, journal=desk.journal, clock=desk.clock).settle()

    (told,) = broker.recalled
    assert (told.client_order_id, told.symbol, told.side) == (intent.intent_id, "X-USDT", order_side)
    assert (told.quantity, told.limit_price, told.margin_mode) == (D(100), D("9.5"), MarginMode.CROSS)
    assert (told.deadline, told.order_id) == (intent.deadline, "77")
    assert told.sent_at == intent.deadline - broker.capabilities.order_time_to_live
