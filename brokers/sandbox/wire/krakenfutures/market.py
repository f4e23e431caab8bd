"""The public side: contracts with their margin schedules, and prices."""

from typing import Any

from brokers.models import ContractKind
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.krakenfutures.contracts import code_of
from brokers.sandbox.wire.krakenfutures.envelope import figure, iso, needed, refuse, success

OPENED = "2022-03-22T13:18:45Z"


class Market:
    """Everything that takes no signature."""

    def __init__(self, wire: Wire) -> None:
        self._engine: Engine = wire.engine

    def instruments(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `instruments`."""
        del account
        rows = [self._instrument(instrument) for instrument in self._engine.instruments]
        return success(request.now_ms, instruments=rows)

    def tickers(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `tickers`."""
        del account
        rows = [self._ticker(instrument, request) for instrument in self._engine.instruments]
        return success(request.now_ms, tickers=rows)

    def orderbook(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `orderbook`."""
        del account
        name = needed(request.query, "symbol", request).upper()
        if name not in {instrument.name for instrument in self._engine.instruments}:
            raise refuse("contractNotFound", request)
        depth = self._engine.depth(name)
        book = {
            side: [[figure(price), figure(quantity)] for price, quantity in levels]
            for side, levels in (("bids", depth.bids), ("asks", depth.asks))
        }
        return success(request.now_ms, orderBook=book)

    def _instrument(self, instrument: Instrument) -> dict[str, Any]:
        linear = instrument.kind is ContractKind.LINEAR
        factor = self._engine.spec.rules.initial_over_maintenance or 2
        return {
            "symbol": instrument.name,
            "type": "flexible_futures" if linear else "futures_inverse",
            "tickSize": figure(instrument.price_step),
            "contractSize": figure(instrument.contract_size),
            "tradeable": instrument.name not in self._engine.controls.halted,
            "openingDate": OPENED,
            "marginLevels": [
                {
                    "numNonContractUnits" if linear else "contracts": figure(tier.floor),
                    "initialMargin": figure(tier.rate * factor),
                    "maintenanceMargin": figure(tier.rate),
                }
                for tier in instrument.tiers
            ],
            "contractValueTradePrecision": -(instrument.lot_step.normalize().adjusted()),
            "postOnly": False,
            "base": instrument.base,
            "quote": instrument.quote,
            "pair": f"{code_of(instrument.base)}:{instrument.quote}",
        }

    def _ticker(self, instrument: Instrument, request: WireRequest) -> dict[str, Any]:
        ticker = self._engine.ticker(instrument.name)
        return {
            "symbol": instrument.name,
            "last": figure(ticker.last),
            "lastTime": iso(request.now_ms),
            "lastSize": 1,
            "tag": "perpetual",
            "pair": f"{code_of(instrument.base)}:{instrument.quote}",
            "markPrice": figure(ticker.mark),
            "indexPrice": figure(ticker.index),
            "bid": figure(ticker.bid),
            "bidSize": 100,
            "ask": figure(ticker.ask),
            "askSize": 100,
            "fundingRate": figure(ticker.funding_rate * ticker.mark),
            "suspended": instrument.name in self._engine.controls.halted,
            "postOnly": False,
        }
