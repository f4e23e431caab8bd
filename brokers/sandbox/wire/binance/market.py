"""Public endpoints: time, rules, prices, book."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.listing import Listing, bare, money, on_grid, size
from brokers.sandbox.wire.binance.parameters import Parameters

NEVER_DELIVERED_MS = 4_133_404_800_000
ONBOARDED_MS = 1_569_398_400_000


class MarketDesk:
    """Answer what needs no key."""

    def __init__(self, wire: Wire, listing: Listing, *, coin: bool = False) -> None:
        self._wire = wire
        self._coin = coin
        self._engine: Engine = wire.engine
        self._listing = listing

    def ping(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `ping`."""
        del request, account
        return WireAnswer(payload={})

    def time(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `time`."""
        del account
        return WireAnswer(payload={"serverTime": request.now_ms})

    def exchange_info(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `exchangeInfo`."""
        del account
        settled = sorted({self._listing.instrument(symbol).settle for symbol in self._listing.symbols})
        return WireAnswer(
            payload={
                "timezone": "UTC",
                "serverTime": request.now_ms,
                **({} if self._coin else {"futuresType": "U_MARGINED"}),
                "rateLimits": [
                    _limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
                    _limit("ORDERS", "MINUTE", 1, 1200),
                    _limit("ORDERS", "SECOND", 10, 300),
                ],
                "exchangeFilters": [],
                "assets": [{"asset": asset, "marginAvailable": True} for asset in settled],
                "symbols": [self._rules(symbol) for symbol in self._listing.symbols],
            }
        )

    def premium_index(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `premiumIndex`."""
        del account
        return self._each(request, self._premium_index)

    def book_ticker(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `ticker/bookTicker`."""
        del account
        return self._each(request, self._book_ticker)

    def price_ticker(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `ticker/price`."""
        del account
        return self._each(request, self._price_ticker)

    def _each(self, request: WireRequest, row: Callable[[str], dict[str, Any]]) -> WireAnswer:
        """Answer for one symbol with an object, for all with a list; COIN-M has a list for one, too."""
        symbol = Parameters(request).text("symbol")
        if symbol is not None and self._coin:
            return WireAnswer(payload=[row(symbol)])
        if symbol is not None:
            return WireAnswer(payload=row(symbol))
        return WireAnswer(payload=[row(one) for one in self._listing.symbols])

    def _premium_index(self, symbol: str) -> dict[str, Any]:
        ticker = self._engine.ticker(self._listing.instrument(symbol).name)
        return {
            "symbol": symbol,
            "markPrice": money(ticker.mark),
            "indexPrice": money(ticker.index),
            "estimatedSettlePrice": money(ticker.index),
            "lastFundingRate": money(ticker.funding_rate),
            "interestRate": "0.00010000",
            "nextFundingTime": self._wire.stamp(ticker.next_funding_ms),
            "time": self._wire.stamp(ticker.ms),
        }

    def _book_ticker(self, symbol: str) -> dict[str, Any]:
        instrument = self._listing.instrument(symbol)
        book = self._engine.depth(instrument.name, 1)
        (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
        return {
            "symbol": symbol,
            "bidPrice": _price(bid, instrument),
            "bidQty": size(bid_size, instrument),
            "askPrice": _price(ask, instrument),
            "askQty": size(ask_size, instrument),
            "time": self._wire.stamp(book.ms),
            "lastUpdateId": self._wire.stamp(book.ms),
        }

    def _price_ticker(self, symbol: str) -> dict[str, Any]:
        instrument = self._listing.instrument(symbol)
        ticker = self._engine.ticker(instrument.name)
        return {
            "symbol": symbol,
            "price": _price(ticker.last, instrument),
            "time": self._wire.stamp(ticker.ms),
        }

    def _status(self, one: Instrument, word: str) -> dict[str, Any]:
        if not self._coin:
            return {"status": word}
        return {"contractStatus": word, "contractSize": int(one.contract_size)}

    def _rules(self, symbol: str) -> dict[str, Any]:
        one = self._listing.instrument(symbol)
        halted = one.name in self._engine.controls.halted
        return {
            "symbol": symbol,
            "pair": one.base + one.quote,
            "contractType": "PERPETUAL",
            "deliveryDate": NEVER_DELIVERED_MS,
            "onboardDate": ONBOARDED_MS,
            **self._status(one, "PENDING_TRADING" if halted else "TRADING"),
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "baseAsset": one.base,
            "quoteAsset": one.quote,
            "marginAsset": one.settle,
            "pricePrecision": _places(one.price_step),
            "quantityPrecision": _places(one.to_contracts(one.lot_step)),
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "underlyingSubType": [],
            "triggerProtect": "0.0500",
            "liquidationFee": bare(one.liquidation_fee),
            "marketTakeBound": "0.05",
            "filters": _filters(one),
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
            "timeInForce": ["GTC", "IOC", "GTX"],
        }


def _filters(one: Instrument) -> list[dict[str, Any]]:
    largest = one.to_contracts(one.max_limit_quantity or one.from_contracts(Decimal(1_000_000)))
    at_market = largest if one.max_market_quantity is None else one.to_contracts(one.max_market_quantity)
    lot = {
        "stepSize": bare(one.to_contracts(one.lot_step)),
        "minQty": bare(one.to_contracts(one.min_quantity)),
    }
    rules: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": bare(one.price_step),
            "maxPrice": "4529764",
            "tickSize": bare(one.price_step),
        },
        {"filterType": "LOT_SIZE", "maxQty": bare(largest), **lot},
        {"filterType": "MARKET_LOT_SIZE", "maxQty": bare(at_market), **lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
    ]
    if one.min_notional is not None:
        rules.append({"filterType": "MIN_NOTIONAL", "notional": bare(one.min_notional)})
    if one.price_band is not None:
        band = {"multiplierUp": bare(1 + one.price_band), "multiplierDown": bare(1 - one.price_band)}
        rules.append({"filterType": "PERCENT_PRICE", "multiplierDecimal": "4", **band})
    return rules


def _limit(kind: str, interval: str, count: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _places(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _price(price: Decimal, one: Instrument) -> str:
    return on_grid(price, one.price_step)
