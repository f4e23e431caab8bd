"""A picture that does not hold our own fills yet: what was sold is not sold again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountId, AccountSnapshot, OrderSide
from brokers.orders import OrderReport, ReduceOrder
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.mishaps import Fate
from brokers.sandbox.snapshot import snapshot_of
from daemon.catchup import PATIENCE_S, CatchUp
from database.records import Intent, IntentKind, IntentState

Desk = Any  # the fixture's type lives in conftest
D = Decimal
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Replica(SandboxBroker):
    """Reads the account as it was before the last order, freshly stamped, until the lag is over."""

    lag_ms = 0
    _before: AccountSnapshot | None = None
    _until_ms = 0

    async def submit(self, order: ReduceOrder) -> OrderReport:
        self._before = snapshot_of(self.engine, self._account, self.account_id, self.venue_now())
        self._until_ms = self.engine.now_ms + self.lag_ms
        return await super().submit(order)

    async def fetch_snapshot(self, *, protective: bool = False) -> AccountSnapshot:
        shown = await super().fetch_snapshot(protective=protective)
        if self._before is None or self.engine.now_ms > self._until_ms:
            return shown
        return replace(self._before, as_of=shown.as_of, fetched_at=shown.fetched_at)


@pytest.fixture
def lagging(open_desk: Callable[..., Desk], venue_of: Callable[..., Any]) -> Callable[[int], Desk]:
    """Open a desk whose venue's pictures lag behind its fills."""

    def open_(lag_ms: int) -> Desk:
        engine = venue_of()
        replica = Replica(engine, "desk")
        replica.lag_ms = lag_ms
        return open_desk(engine=engine, venue=replica)

    return open_


@pytest.mark.parametrize("lag_ms", [0, 300, 1500, 4000, 12_000])
@pytest.mark.parametrize("fate", [None, Fate.ANSWER_LOST])
async def test_a_fill_is_not_cut_again_from_a_picture_that_does_not_hold_it_yet(
    lagging: Callable[[int], Desk], lag_ms: int, fate: Fate | None
) -> None:
    desk = lagging(lag_ms)
    if fate is not None:
        desk.venue.mishaps.doom_write(fate)
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(30)

    assert len(desk.received()) == 1
    assert D("0.59") < desk.utilization() <= D("0.60")


async def test_a_restart_right_after_the_fill_does_not_forget_it(lagging: Callable[[int], Desk]) -> None:
    desk = lagging(3000)
    await desk.run()
    desk.fall_to("0.95")
    await desk.run()
    assert len(desk.received()) == 1
    desk.restart()
    await desk.watch(30)

    assert len(desk.received()) == 1
    assert D("0.59") < desk.utilization() <= D("0.60")


async def test_after_the_lag_the_next_step_is_taken(lagging: Callable[[int], Desk]) -> None:
    desk = lagging(1500)
    await desk.run()
    desk.fall_to("1.3")
    await desk.watch(30)

    assert len(desk.received()) == 2
    assert D("0.59") < desk.utilization() <= D("0.60")


async def test_somebody_elses_trade_is_believed_after_a_while(desk: Desk) -> None:
    await desk.run()
    desk.fall_to("0.95")
    await desk.watch(3)
    assert len(desk.received()) == 1
    desk.trade(OrderSide.BUY, 185)
    await desk.watch(PATIENCE_S + 10)
    assert len(desk.received()) > 1
    assert desk.utilization() <= desk.policy.utilization.liquidation


@pytest.mark.parametrize(
    ("shown", "behind"),
    [
        ("7.5", False),  # all of it
        ("7.5025", False),  # bought coins arrive less the venue's fee
        ("7.525", False),
        ("7.53", True),
        ("9", True),
        ("10", True),
    ],
)
def test_a_fill_may_lack_the_fee_that_was_taken_out_of_it_and_no_more(
    venue_of: Callable[..., Any],
    shown: str,
    behind: bool,  # noqa: FBT001
) -> None:
    snapshot = snapshot_of(venue_of(), "desk", AccountId("desk"), NOW)
    position = snapshot.positions[0]
    intent = Intent(
        intent_id="mg" + "0" * 30, account="desk", symbol=position.symbol, side=position.side,
        margin_mode=position.margin_mode, episode=1, step=0, attempt=1, kind=IntentKind.REDUCE, reason="x",
        created_at=NOW, quantity=D("2.5"), quantity_before=D(10), filled=D("2.5"), state=IntentState.FILLED,
    )  # fmt: skip
    caught = CatchUp()
    caught.note([intent], uptime=0)
    held = replace(snapshot, positions=(replace(position, quantity=D(shown)),))
    assert caught.is_behind(held, uptime=1) is behind
