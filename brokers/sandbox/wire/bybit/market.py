"""Public endpoints: instruments, prices, book, risk limits, system status."""

from decimal import Decimal
from typing import Any

from brokers.models import ContractKind
from brokers.numbers import ONE, plain
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.bybit.listing import Listing, amount, on_grid
from brokers.sandbox.wire.bybit.pages import page_of
from brokers.sandbox.wire.bybit.parameters import Parameters

LAUNCHED_MS = 1_585_526_400_000
UNBOUNDED = Decimal(1_000_000_000)
LARGEST_TIER = Decimal(10)
"""The last tier's limit is so many times its floor."""

Result = dict[str, Any]


class MarketDesk:
    """Answer what needs no key."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._wire = wire
        self._engine: Engine = wire.engine
        self._listing = listing

    def status(self, asked: Parameters) -> Result:
        """Answer `system/status`: no maintenance."""
        del asked
        return {"list": []}

    def instruments(self, asked: Parameters) -> Result:
        """Answer `market/instruments-info`; nothing is listed as pre-launch, option or spot pair."""
        category = asked.category()
        rows = [] if asked.text("status") == "PreLaunch" else self._chosen(category, asked)
        page, cursor = page_of(
            [self._instrument(symbol, one) for symbol, one in rows], asked, default=500, most=1000
        )
        return {"category": category, "list": page, "nextPageCursor": cursor}

    def tickers(self, asked: Parameters) -> Result:
        """Answer `market/tickers`."""
        category = asked.category()
        rows = [self._ticker(symbol, one) for symbol, one in self._chosen(category, asked)]
        return {"category": category, "list": rows}

    def orderbook(self, asked: Parameters) -> Result:
        """Answer `market/orderbook`."""
        symbol = asked.required("symbol")
        one = self._listing.instrument(asked.category(), symbol)
        book = self._engine.depth(one.name, asked.integer("limit", 25))
        stamp = self._wire.stamp(book.ms)
        sides = {
            name: [[on_grid(price, one.price_step), on_grid(size, one.lot_step)] for price, size in side]
            for name, side in (("b", book.bids), ("a", book.asks))
        }
        return {"s": symbol, **sides, "ts": stamp, "u": stamp, "seq": stamp, "cts": stamp}

    def risk_limits(self, asked: Parameters) -> Result:
        """Answer `market/risk-limit`: rates as fractions, deductions in settle coin."""
        category = asked.category()
        rows = [row for symbol, one in self._chosen(category, asked) for row in _tiers(symbol, one)]
        return {"category": category, "list": rows, "nextPageCursor": ""}

    def _chosen(self, category: str, asked: Parameters) -> list[tuple[str, Instrument]]:
        symbol = asked.text("symbol")
        if symbol is not None:
            return [(symbol, self._listing.instrument(category, symbol))]
        base = asked.text("baseCoin")
        return [
            (symbol, one)
            for symbol, one in self._listing.of_category(category).items()
            if base in {None, one.base}
        ]

    def _instrument(self, symbol: str, one: Instrument) -> dict[str, Any]:
        linear = one.kind is ContractKind.LINEAR
        halted = one.name in self._engine.controls.halted
        largest = one.max_limit_quantity or UNBOUNDED
        lots = {
            "maxOrderQty": plain(largest),
            "minOrderQty": plain(one.min_quantity),
            "qtyStep": plain(one.lot_step),
            "postOnlyMaxOrderQty": plain(largest),
            "maxMktOrderQty": plain(one.max_market_quantity or largest),
            "minNotionalValue": plain(one.min_notional) if one.min_notional else "",
        }
        return {
            "symbol": symbol,
            "contractType": "LinearPerpetual" if linear else "InversePerpetual",
            "status": "Closed" if halted else "Trading",
            "baseCoin": one.base,
            "quoteCoin": one.quote,
            "settleCoin": one.settle,
            "launchTime": str(LAUNCHED_MS),
            "deliveryTime": "0",
            "deliveryFeeRate": "",
            "priceScale": str(_places(one.price_step)),
            "leverageFilter": {
                "minLeverage": "1",
                "maxLeverage": plain(one.max_leverage),
                "leverageStep": "0.01",
            },
            "priceFilter": {
                "minPrice": plain(one.price_step),
                "maxPrice": plain(UNBOUNDED),
                "tickSize": plain(one.price_step),
            },
            "lotSizeFilter": lots,
            "unifiedMarginTrade": True,
            "fundingInterval": one.funding_interval_ms // 60_000,
            "copyTrading": "none",
            "isPreListing": False,
            "preListingInfo": None,
        }

    def _ticker(self, symbol: str, one: Instrument) -> dict[str, Any]:
        ticker = self._engine.ticker(one.name)
        book = self._engine.depth(one.name, 1)
        (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
        return {
            "symbol": symbol,
            "lastPrice": on_grid(ticker.last, one.price_step),
            "indexPrice": amount(ticker.index),
            "markPrice": amount(ticker.mark),
            "fundingRate": plain(ticker.funding_rate),
            "nextFundingTime": str(self._wire.stamp(ticker.next_funding_ms)),
            "bid1Price": on_grid(bid, one.price_step),
            "bid1Size": on_grid(bid_size, one.lot_step),
            "ask1Price": on_grid(ask, one.price_step),
            "ask1Size": on_grid(ask_size, one.lot_step),
            "fundingIntervalHour": str(one.funding_interval_ms // 3_600_000),
        }


def _tiers(symbol: str, one: Instrument) -> list[dict[str, Any]]:
    rows = []
    for number, tier in enumerate(one.tiers, start=1):
        last = number == len(one.tiers)
        limit = max(tier.floor * LARGEST_TIER, UNBOUNDED) if last else one.tiers[number].floor
        leverage = one.max_leverage_at(tier.floor)
        rows.append(
            {
                "id": number,
                "symbol": symbol,
                "riskLimitValue": plain(limit),
                "maintenanceMargin": plain(tier.rate),
                "initialMargin": plain((ONE / leverage).quantize(Decimal("0.0001"))),
                "isLowestRisk": int(number == 1),
                "maxLeverage": f"{leverage:.2f}",
                "mmDeduction": plain(tier.deduction) if tier.deduction else "",
            }
        )
    return rows


def _places(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
