"""When the look comes due that proves that an order never arrived."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from daemon.settlement import Settlement
from database.records import Intent, IntentKind, IntentState

Desk = Any  # the fixture's type lives in conftest


async def test_the_look_that_proves_absence_is_known_in_advance_and_not_hurried_after_that(
    desk: Desk,
) -> None:
    settlement = Settlement(broker=desk.line, journal=desk.journal, clock=desk.clock)
    intent = Intent(
        intent_id="6d67" + "0" * 28,
        account=desk.account,
        symbol="X-USDT",
        side="long",
        margin_mode="cross",
        episode=1,
        step=0,
        attempt=1,
        kind=IntentKind.REDUCE,
        reason="above_target",
        created_at=desk.clock.now(),
        quantity=Decimal(100),
        quantity_before=Decimal(500),
        deadline=desk.venue.venue_now() + timedelta(seconds=5),
    )
    with desk.journal.transaction():
        desk.journal.intents.add(intent)
        for state in (IntentState.SENT, IntentState.UNKNOWN):
            desk.journal.intents.advance(intent.intent_id, state, desk.clock.now())
    assert settlement.proof_in_s() is None, "it has not been looked for yet"
    await settlement.settle()
    assert settlement.proof_in_s() == pytest.approx(6.5, abs=0.01)
    desk.clock.turn(5.5)
    assert settlement.proof_in_s() == pytest.approx(1, abs=0.01)
    desk.clock.turn(1.1)
    assert settlement.proof_in_s() is None, "a venue that does not answer is not asked in haste"
