"""Limits of size, each with each remedy, over a venue's own wire.

Every site holds one BTC and one ETH at Bybit, with nearly half of its equity in use; its owner leaves orders
of either kind resting.
"""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from brokers.sandbox.orders import OrderSpec, OrderType, TimeInForce
from daemon.flatten import latched_bounds, latched_units
from tests.daemon.matrix.site import CATALOGUE, Site

pytestmark = pytest.mark.wire

D = Decimal
REMEDIES = ("alarm", "cancel", "trim", "flatten")
ETH, SOL = "ETH-USDT", "SOL-USDT"
REASONS = {
    "position_notional": "position_over_limit",
    "underlying_share": "underlying_over_limit",
    "positions": "positions_over_limit",
}


class Limited(Site):
    """A site with one limit that is broken from the first moment."""

    def __init__(self, limit: str, remedy: str, label: str = "bybit unified") -> None:
        super().__init__(f"{limit}-{remedy}-{label[:3]}".replace("_", "-"), CATALOGUE[label])
        self.limit, self.remedy = limit, remedy
        self.engine.external_trade(self.name, self.venue.listed_as(ETH), OrderSide.BUY, D(1))
        equity = max(pool.equity for pool in self.engine.figures(self.name).pools)
        self.most = {
            "position_notional": (self.price * D("0.8")).quantize(D(1)),
            "underlying_share": (self.price * D("0.8") / equity).quantize(D("0.001")),
            "positions": D(1),
        }[limit]
        self.opening = self._rest(OrderSide.BUY, self.symbol, "0.1", "0.9")
        self.closing = self._rest(OrderSide.SELL, self.symbol, "0.1", "1.2")
        self.beginning = self._rest(OrderSide.BUY, self.venue.listed_as(SOL), "5", "0.9")

    def _rest(self, side: OrderSide, symbol: str, quantity: str, share: str) -> str:
        """Leave a limit order resting at a share of the price."""
        mark = self.engine.ticker(symbol).mark
        spec = OrderSpec(
            symbol=symbol,
            side=side,
            quantity=D(quantity),
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            price=(mark * D(share)).quantize(D(1)),
        )
        return self.engine.place(self.name, spec).order_id

    def settings(self) -> dict[str, Any]:
        own: Mapping[str, Any] = {"max": str(self.most), "then": self.remedy}
        if self.limit == "positions":
            own = {"max": int(self.most), "then": self.remedy}
        return {**super().settings(), "exposure": {self.limit: own}}

    def quantities(self) -> dict[str, Decimal]:
        """What is held, by the catalogue's name of the pair."""
        rows = self.engine.figures(self.name).positions
        return {self.venue.pair_of(row.symbol): row.quantity for row in rows}


async def test_each_limit_with_each_remedy(watching: Callable[..., Any]) -> None:
    cells = {(limit, remedy): Limited(limit, remedy) for limit in REASONS for remedy in REMEDIES}
    async with watching(cells.values()) as watch:
        await asyncio.sleep(45)
        for (limit, remedy), cell in cells.items():
            told = watch.tell(cell)
            assert [event.reason for event in watch.events(cell, "limit_exceeded")] == [REASONS[limit]], told
            held, resting = cell.quantities(), cell.resting()
            adding = cell.beginning if limit == "positions" else cell.opening
            assert (adding in resting) is (remedy == "alarm"), told
            assert {cell.closing, cell.stop} - resting == set() or held.get("BTC-USDT") is None, told
            assert {intent.reason for intent in watch.intents(cell)} <= {REASONS[limit], "flatten_latched"}
            assert bool(watch.events(cell, "limit_kept")) is (remedy in {"trim", "flatten"}), told
            assert not latched_bounds(watch.journal, cell.name)
            assert not latched_units(watch.journal, cell.name)
            assert not any(
                offence.startswith(("the venue", "an order")) for offence in cell.offences(flagged=True)
            )
            match remedy:
                case "alarm" | "cancel":
                    assert held == {"BTC-USDT": D(1), "ETH-USDT": D(1)}, told
                    assert cell.received() == [], told
                case "trim" if limit == "positions":
                    assert held == {"BTC-USDT": D(1)}, told
                case "trim":
                    assert held["ETH-USDT"] == 1, told
                    assert D("0.75") < held["BTC-USDT"] < D("0.8"), told
                case "flatten":
                    assert held == ({} if limit == "positions" else {"ETH-USDT": D(1)}), told


async def test_what_is_placed_again_is_cancelled_again(watching: Callable[..., Any]) -> None:
    cell = Limited("position_notional", "cancel")
    async with watching([cell]) as watch:
        for _ in range(6):
            await asyncio.sleep(20)
            assert cell.opening not in cell.resting(), watch.tell(cell)
            cell.opening = cell._rest(OrderSide.BUY, cell.symbol, "0.1", "0.9")
        assert len(watch.events(cell, "orders_cancelled")) >= 6
        assert cell.received() == []


@pytest.mark.parametrize("label", ["binance usdm", "kraken futures", "coinbase futures"])
async def test_other_venues_are_trimmed_and_closed_by_the_same_limits(
    watching: Callable[..., Any], label: str
) -> None:
    cells = [Limited("underlying_share", remedy, label) for remedy in ("trim", "flatten")]
    async with watching(cells) as watch:
        await watch.until(cells, lambda one: watch.events(one, "limit_kept"), within=60, why="kept")
        trimmed, closed = cells
        assert D("0.7") < trimmed.quantities()["BTC-USDT"] < D("0.8"), watch.tell(trimmed)
        assert closed.quantities() == {"ETH-USDT": D(1)}, watch.tell(closed)
