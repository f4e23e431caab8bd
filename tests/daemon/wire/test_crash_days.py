"""A day that happened, over eight accounts at six venues: guarded by margind, and only watched."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.history import LiquidationStarted
from brokers.sandbox.presets import scenario
from daemon.risk.policy import Level
from daemon.shadow_report import scorecard
from database.records import TransferState
from tests.daemon.wire.danger import ACROSS, FUNDED, sites

pytestmark = pytest.mark.wire

Site = Any  # the fixtures' types live in conftest
D = Decimal

LASTS_S = 60
"""How long half an hour of that evening takes here: the fall is thirty times as fast."""

IN_USE = D("0.60")
"""Six times the equity is held: SAFE, and less than the fall away from liquidation."""


def equity(site: Site) -> Decimal:
    """What an account is worth in dollars, by its venue."""
    pools = site.engine.figures(site.name).pools
    return sum((pool.equity * site.engine.usd_price(pool.currency) for pool in pools), D(0))


def liquidations(site: Site) -> int:
    return sum(isinstance(event, LiquidationStarted) for event in site.engine.history)


async def test_on_2025_10_10_every_guarded_account_lives_and_every_other_is_liquidated(
    watching: Callable[..., Any],
) -> None:
    """BTC lost 16.9 % that evening, with a twentieth of the depth, answers late and transfers blocked."""
    day = scenario("crypto-2025-10-10", LASTS_S * 1000)
    guarded, alone = sites(calm=IN_USE), sites(calm=IN_USE, mode="observe")
    before = {label: equity(site) for label, site in guarded.items()}
    everyone = (*guarded.values(), *alone.values())
    async with watching(everyone, top_up={"max_per_day": {"USDT": "3000", "BTC": "0.05"}}) as watch:
        for site in everyone:
            site.engine.play(day)
        await watch.until(
            guarded.values(),
            lambda site: site.engine.now_ms > site.began_ms + LASTS_S * 1000 and watch.is_settled(site),
            within=LASTS_S + 60,
            why="through the day",
        )
        for label, site in guarded.items():
            assert watch.outcome(site).level <= Level.WARNING, watch.tell(site)
            assert list(site.offences(flagged=True)) == [], watch.tell(site)
            assert 0 < site.held() < site.opened, watch.tell(site)
            assert equity(site) > D("0.15") * before[label], watch.tell(site)
            assert equity(site) > equity(alone[label]), watch.tell(site)
            tried = {transfer.state for transfer in watch.transfers(site)}
            assert bool(tried) is (label in FUNDED), watch.tell(site)
            assert tried <= {TransferState.REJECTED, TransferState.UNKNOWN}, "none is believed to have come"
            assert site.moved() == []
        for site in alone.values():
            assert (site.received(), site.moved()) == ([], []), watch.tell(site)
            card = scorecard(watch.events(site))
            assert (card.false_acts, card.missed_acts) == (0, 0), (site.name, card)
            assert card.right_acts + card.running >= 1, (site.name, card)
        told = scorecard(event for site in alone.values() for event in watch.events(site))
        assert told.right_acts >= 6, told
        assert told.before_liquidation[0].total_seconds() > 1, told
    assert sum(map(liquidations, guarded.values())) == 0
    assert all(liquidations(site) for site in alone.values())
    kept = sum(map(equity, guarded.values())) / sum(before.values())
    left = sum(map(equity, alone.values())) / sum(before.values())
    assert kept > D("0.24")
    assert left < D("0.08"), "of what eight accounts had, a quarter is kept, and alone next to nothing"
    assert len(guarded) == len(ACROSS) == 8
