"""Kraken spot, whose calls take turns, with every answer four seconds late: the account is cut even so."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import FaultKind
from tests.daemon.matrix.site import CATALOGUE, Site

pytestmark = pytest.mark.wire

D = Decimal


async def test_an_account_whose_answers_take_four_seconds_is_cut(watching: Callable[..., Any]) -> None:
    site = Site("slow", CATALOGUE["kraken spot"])
    async with watching([site]) as watch:
        site.fault(FaultKind.SLOW, path="/0/private/", ms=4_000)
        while site.utilization() < D("0.92"):
            site.drop(D("0.995"))
        await watch.until([site], watch.is_settled, within=120, why="cut to the target")
    assert site.held() < site.opened
    assert list(site.offences(flagged=True)) == []
