"""Accounts beyond their leverage cap, brought back to just below it over each venue's own wire.

A site holds one BTC and has nearly half of its equity in use: no level is near, only the cap is broken.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from brokers.sandbox.wire.coinbase.listing import EXPIRY, ROOTS
from daemon.risk.policy import Level
from tests.daemon.matrix.site import CATALOGUE, Site

pytestmark = pytest.mark.wire

D = Decimal
Cell = Any  # the fixtures' types live in conftest
VENUES = ("bybit unified", "binance usdm", "kraken futures", "coinbase futures")

SYMBOLS = {
    "bybit": "BTCUSDT",
    "binance": "BTCUSDT",
    "kraken": "PF_XBTUSD",
    "coinbase": f"{ROOTS['BTC']}-{EXPIRY}-CDE",
}


class Capped(Site):
    """A site whose cap is a share of the leverage it begins with; `more` is laid over its settings."""

    def __init__(self, name: str, label: str, share: str = "0.8", **more: Any) -> None:  # noqa: ANN401
        super().__init__(name, CATALOGUE[label])
        self.cap = (self.leverage() * D(share)).quantize(D("0.01"))
        self.more = more

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "max_leverage": str(self.cap), "over_cap": "reduce", **self.more}

    def leverage(self) -> Decimal:
        """Gross notional over margin equity, as the venue reckons it now, in dollars."""
        figures = self.engine.figures(self.name)
        pool = max(figures.pools, key=lambda one: one.initial_margin)
        worth = sum((row.quantity for row in figures.positions), D(0)) * self.price
        return worth / pool.equity


def trimmed(cell: Capped) -> bool:
    return cell.leverage() <= cell.cap


async def test_over_the_cap_every_venue_is_reduced_to_just_below_it_and_no_further(
    watching: Callable[..., Any],
) -> None:
    cells = [Capped(label.replace(" ", "-"), label) for label in VENUES]
    async with watching(cells) as watch:
        await watch.until(
            cells, lambda one: watch.events(one, "leverage_within_cap"), within=60, why="within the cap"
        )
        orders = {cell.name: len(cell.received()) for cell in cells}
        await asyncio.sleep(20)
        for cell in cells:
            told = [event.kind for event in watch.events(cell) if event.kind.startswith("leverage")]
            assert told == ["leverage_over_cap", "leverage_within_cap"], watch.tell(cell)
            assert D("0.94") * cell.cap < cell.leverage() <= D("0.97") * cell.cap, watch.tell(cell)
            assert list(cell.offences(flagged=True)) == []
            assert len(cell.received()) == orders[cell.name], "it went on beyond the cap"
            assert {intent.reason for intent in watch.intents(cell)} == {"leverage_over_cap"}
            assert watch.journal.episodes.last_number(cell.name) == 0
            assert watch.outcome(cell).level is Level.SAFE


async def test_where_it_is_only_to_be_alarmed_nothing_is_sent(watching: Callable[..., Any]) -> None:
    cells = [
        Capped("alarmed", "bybit unified", over_cap="alarm"),
        Capped("observed", "bybit unified", mode="observe"),
        Capped("advised", "bybit unified", mode="advise"),
    ]
    async with watching(cells) as watch:
        await asyncio.sleep(10)
        assert [len(watch.events(cell, "leverage_over_cap")) for cell in cells] == [1, 1, 1]
        assert [cell.received() for cell in cells] == [[], [], []]
        assert [watch.outcome(cell).reason.value for cell in cells] == [
            "calm",
            "observe_mode",
            "leverage_over_cap",
        ]
        (plan,) = watch.journal.plans.waiting("advised")
        assert (plan.decision, plan.reason) == ("reduce", "leverage_over_cap")


class AtCoinbase(Site):
    """A site with nothing said of its leverage: the broker's cap of 1 holds."""

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "over_cap": "reduce"}


async def test_coinbase_s_cap_of_one_cuts_its_futures_and_leaves_its_cash_account_alone(
    watching: Callable[..., Any],
) -> None:
    futures = AtCoinbase("futures", CATALOGUE["coinbase futures"])
    spot = AtCoinbase("spot", CATALOGUE["coinbase spot"])
    async with watching([futures, spot]) as watch:
        await watch.until(
            [futures], lambda one: watch.events(one, "leverage_within_cap"), within=60, why="within the cap"
        )
        figures = futures.engine.figures("futures")
        worth = sum((row.quantity for row in figures.positions), D(0)) * futures.price
        assert D("0.94") < worth / max(pool.equity for pool in figures.pools) <= D("0.97")
        cash = watch.outcome(spot)
        assert (cash.cash, cash.leverage, cash.reason.value) == (True, 0, "calm")
        assert watch.events(spot, "leverage_over_cap") == []
        assert spot.received() == []


async def test_a_cap_lowered_with_a_restart_is_kept_from_then_on(watching: Callable[..., Any]) -> None:
    cells = [Capped(label.replace(" ", "-"), label, share="1.5") for label in VENUES[:3]]
    async with watching(cells):
        await asyncio.sleep(10)
    assert [cell.received() for cell in cells] == [[], [], []]
    for cell in cells:
        cell.cap = (cell.cap / 2).quantize(D("0.01"))
    async with watching(cells) as watch:
        await asyncio.sleep(30)
        for cell in cells:
            assert trimmed(cell), watch.tell(cell)
            ids = [spec.client_id for spec in cell.received()]
            assert len(set(ids)) == len(ids) > 0


async def test_what_an_outsider_opens_over_the_cap_the_next_cycles_take_back(
    watching: Callable[..., Any],
) -> None:
    cells = [Capped(f"{label}-opened".replace(" ", "-"), label, share="1.1") for label in VENUES]
    async with watching(cells) as watch:
        await asyncio.sleep(5)
        assert all(cell.received() == [] for cell in cells)
        for cell in cells:
            cell.engine.external_trade(cell.name, cell.symbol, OrderSide.BUY, D("0.3"))
            assert not trimmed(cell)
        await asyncio.sleep(4)
        for cell in cells:
            assert trimmed(cell), watch.tell(cell)
            assert cell.received()
            assert not any(offence.startswith("the venue") for offence in cell.offences(flagged=True))


async def test_a_cap_of_one_symbol_cuts_that_symbol_alone(watching: Callable[..., Any]) -> None:
    cells = [Capped(label.replace(" ", "-"), label, share="2") for label in VENUES]
    for cell in cells:
        other = cell.venue.listed_as("ETH-USDT")
        cell.engine.external_trade(cell.name, other, OrderSide.BUY, D(1))
        cell.more["symbols"] = {SYMBOLS[cell.broker]: {"max_leverage": str(cell.cap / 4)}}
    async with watching(cells) as watch:
        await asyncio.sleep(30)
        for cell in cells:
            cut = {intent.symbol for intent in watch.intents(cell)}
            assert cut == {SYMBOLS[cell.broker]}, watch.tell(cell)
            assert watch.events(cell, "leverage_within_cap"), watch.tell(cell)
            held = {row.symbol: row.quantity for row in cell.engine.figures(cell.name).positions}
            assert held[cell.venue.listed_as("ETH-USDT")] == 1
            assert held[cell.symbol] < 1
