"""Every fault against the reads of every venue, while the account falls to LIQUIDATION.

The account is known to be CRITICAL when its answers are spoilt, so its reads are protective ones, and what it
shows meanwhile would call for an order at once.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import DEFORMED, GATEWAY, FaultKind
from daemon.risk.assessment import Protection
from daemon.risk.policy import Level
from daemon.risk.reason import Reason

pytestmark = pytest.mark.wire

Cell = Any  # the fixtures' types live in conftest
D = Decimal
KINDS = sorted(
    {*GATEWAY, *DEFORMED, FaultKind.TRUNCATED, FaultKind.HANG, FaultKind.BAN, FaultKind.REVOKED_KEY}
)

MALFORMED = {Reason.MALFORMED_ANSWER}
UNAVAILABLE = {Reason.VENUE_UNAVAILABLE}
REASONS: dict[FaultKind, set[Reason]] = {
    FaultKind.HTTP_500: UNAVAILABLE,
    FaultKind.HTTP_502_HTML: UNAVAILABLE,
    FaultKind.HTTP_503_HTML: UNAVAILABLE,
    FaultKind.HANG: UNAVAILABLE,
    FaultKind.HTTP_429_FOREIGN_JSON: {Reason.RATE_LIMITED},
    FaultKind.HTTP_429_PLAIN: {Reason.RATE_LIMITED},
    FaultKind.HTML_200: MALFORMED,
    FaultKind.NULL_BODY: MALFORMED,
    FaultKind.EMPTY_BODY: MALFORMED,
    FaultKind.TRUNCATED: MALFORMED,
    FaultKind.BAN: {Reason.BANNED, Reason.UNAUTHORIZED},  # OKX refuses the address as it refuses a key
    FaultKind.REVOKED_KEY: {Reason.UNAUTHORIZED},
    FaultKind.EMPTY_POSITIONS: {Reason.INCOMPLETE, Reason.INCONSISTENT},
    FaultKind.ZERO_EQUITY: {Reason.EQUITY_MISMATCH, Reason.EQUITY_BROKEN, Reason.INCONSISTENT},
    FaultKind.NAN: {Reason.FIELD_DAMAGED, *MALFORMED},
    FaultKind.MISSING_FIELD: {Reason.FIELD_MISSING, *MALFORMED},
    FaultKind.STALE_TIMESTAMP: {Reason.STALE, Reason.TORN, Reason.CLOCK_REFUSED},
}
"""Why protection is lost; the time call is put back along with the rest where all timestamps are."""

OLD_S = 6.0
"""What was last seen to change is by then older than what may be acted upon."""

AGAIN_S = 1.5


@pytest.mark.parametrize("broker", ["bybit", "binance", "okx"])
async def test_no_spoilt_picture_is_acted_on_each_is_told_and_the_cut_follows_when_it_clears(
    cell_of: Callable[..., Cell],
    watching: Callable[..., Any],
    broker: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("brokers.budget._PROBE_INTERVAL_S", AGAIN_S)  # half a minute, else
    faults = {cell_of(kind.value.replace("_", "-"), broker): kind for kind in KINDS}
    async with watching(faults) as watch:
        for cell in faults:
            cell.fall_to(88_000)
        await watch.until(
            faults, lambda cell: watch.outcome(cell).level is Level.CRITICAL, within=25, why="critical"
        )
        await asyncio.sleep(OLD_S)

        for cell, kind in faults.items():
            cell.fault(kind, writes=False)
            cell.fall_to(86_680)
        await watch.until(
            faults, lambda cell: watch.events(cell, "protection_lost"), within=30, why="protection lost"
        )
        await asyncio.sleep(AGAIN_S)  # a cycle or two more
        for cell, kind in faults.items():
            (lost,) = watch.events(cell, "protection_lost")
            assert lost.reason in REASONS[kind], watch.tell(cell)
            assert watch.outcome(cell).protection is Protection.UNPROTECTED, watch.tell(cell)
            assert cell.received() == [], watch.tell(cell)
            assert watch.intents(cell) == [], watch.tell(cell)
            assert cell.utilization() > D("0.94")

        for cell in faults:
            cell.heal()
        await watch.until(faults, watch.is_settled, within=50, why="cut to the target")
        for cell in faults:
            assert watch.events(cell, "protection_regained"), watch.tell(cell)
            assert D("0.595") < cell.utilization() <= D("0.60"), watch.tell(cell)
            cell.check_that_it_only_reduced()
