"""The spot host's public side: clock, pairs, prices.

Source: Binance docs, spot "General endpoints", "Market data endpoints"; margin "Query Margin PriceIndex".
"""

import json
from decimal import Decimal
from typing import Any

from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.listing import Listing, bare, money, on_grid
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import refuse

ORDER_TYPES = [
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
]  # fmt: skip

LARGEST, LEAST = Decimal(9000), Decimal(5)


class SpotMarketDesk:
    """Answer what anybody may ask."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._wire = wire
        self._engine = wire.engine
        self._listing = listing

    def ping(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /api/v3/ping`."""
        del request, account
        return WireAnswer(payload={})

    def time(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /api/v3/time`."""
        del account
        return WireAnswer(payload={"serverTime": request.now_ms})

    def exchange_info(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /api/v3/exchangeInfo`."""
        del account
        weight = {
            "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000,
        }  # fmt: skip
        return WireAnswer(
            payload={
                "timezone": "UTC",
                "serverTime": request.now_ms,
                "rateLimits": [weight],
                "exchangeFilters": [],
                "symbols": [self._pair(symbol) for symbol in self._listing.symbols],
            }
        )

    def price(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /api/v3/ticker/price`: of one symbol, of several, or of all."""
        del account
        asked = Parameters(request)
        one, several = asked.text("symbol"), asked.text("symbols")
        if one is not None:
            return WireAnswer(payload=self._price(one))
        symbols = list(self._listing.symbols) if several is None else _listed(several)
        return WireAnswer(payload=[self._price(symbol) for symbol in symbols])

    def price_index(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/margin/priceIndex`."""
        del account
        symbol = Parameters(request).required("symbol")
        ticker = self._engine.ticker(self._listing.instrument(symbol).name)
        moment = self._wire.stamp(ticker.ms)
        return WireAnswer(payload={"calcTime": moment, "price": money(ticker.mark), "symbol": symbol})

    def _price(self, symbol: str) -> dict[str, Any]:
        one = self._listing.instrument(symbol)
        return {"symbol": symbol, "price": on_grid(self._engine.ticker(one.name).last, one.price_step)}

    def _pair(self, symbol: str) -> dict[str, Any]:
        one = self._listing.instrument(symbol)
        return {
            "symbol": symbol,
            "status": "BREAK" if one.name in self._engine.controls.halted else "TRADING",
            "baseAsset": one.base,
            "baseAssetPrecision": 8,
            "quoteAsset": one.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ORDER_TYPES,
            "icebergAllowed": True,
            "ocoAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": True,
            "filters": _filters(one),
            "permissions": [],
        }


def _filters(one: Instrument) -> list[dict[str, Any]]:
    lot = {"minQty": bare(one.min_quantity), "stepSize": bare(one.lot_step)}
    largest = one.max_limit_quantity or LARGEST
    at_market = one.max_market_quantity or largest
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": bare(one.price_step),
            "maxPrice": "1000000.00",
            "tickSize": bare(one.price_step),
        },
        {"filterType": "LOT_SIZE", "maxQty": bare(largest), **lot},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": bare(at_market),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": bare(one.min_notional or LEAST),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]


def _listed(text: str) -> list[str]:
    try:
        symbols = json.loads(text)
    except ValueError:
        raise refuse(-1130) from None
    if not isinstance(symbols, list) or not all(isinstance(one, str) for one in symbols):
        raise refuse(-1130)
    return symbols
