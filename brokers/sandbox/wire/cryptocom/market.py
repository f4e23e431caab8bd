"""`public/*`: instruments, tickers, valuations and order book; every answer is dated by the venue's clock."""

from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from types import MappingProxyType
from typing import Any

from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.cryptocom.envelope import answer, figure, refuse, rejected

MOST_LEVELS = 50


class Market:
    """The public side of the wire. Everything the engine lists is a perpetual."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def instruments(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/get-instruments`."""
        del account
        rows = [self._instrument(instrument) for instrument in self._engine.instruments]
        return _dated(request, {"data": rows})

    def tickers(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/get-tickers`, for one instrument or all."""
        del account
        wanted = request.query.get("instrument_name")
        names = [self._named(request, wanted)] if wanted else [i.name for i in self._engine.instruments]
        return _dated(request, {"data": [self._ticker(name, request) for name in names]})

    def valuations(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/get-valuations`: the newest mark or index price."""
        del account
        name = self._named(request, request.query.get("instrument_name", ""))
        ticker = self._engine.ticker(name)
        values = {"mark_price": ticker.mark, "index_price": ticker.index, "funding_rate": ticker.funding_rate}
        value = values.get(request.query.get("valuation_type", ""))
        if value is None:
            raise refuse("40004", request)
        rows = [{"v": figure(value), "t": request.now_ms}]
        return _dated(request, {"data": rows, "instrument_name": name})

    def book(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/get-book`."""
        del account
        name = self._named(request, request.query.get("instrument_name", ""))
        asked = request.query.get("depth", str(MOST_LEVELS))
        if not asked.isdigit() or not 1 <= int(asked) <= MOST_LEVELS:
            raise refuse("40004", request)
        depth = self._engine.depth(name, int(asked))
        sides = {
            side: [[figure(price), figure(quantity), "1"] for price, quantity in levels]
            for side, levels in (("asks", depth.asks), ("bids", depth.bids))
        }
        row = {**sides, "t": request.now_ms}
        return _dated(request, {"depth": int(asked), "data": [row], "instrument_name": name})

    def _named(self, request: WireRequest, name: str) -> str:
        try:
            return self._engine.instrument(name).name
        except Rejection as rejection:
            raise rejected(rejection, request) from None

    def _ticker(self, name: str, request: WireRequest) -> dict[str, Any]:
        ticker = self._engine.ticker(name)
        return {
            "i": name,
            "h": figure(ticker.last),
            "l": figure(ticker.last),
            "a": figure(ticker.last),
            "v": "0",
            "vv": "0",
            "c": "0",
            "b": figure(ticker.bid),
            "k": figure(ticker.ask),
            "oi": "0",
            "t": request.now_ms,
        }

    def _instrument(self, instrument: Instrument) -> dict[str, Any]:
        return {
            "symbol": instrument.name,
            "inst_type": "PERPETUAL_SWAP",
            "display_name": f"{instrument.base}{instrument.quote} Perpetual",
            "base_ccy": instrument.base,
            "quote_ccy": instrument.quote,
            "quote_decimals": _decimals(instrument.price_step),
            "quantity_decimals": _decimals(instrument.lot_step),
            "price_tick_size": figure(instrument.price_step),
            "qty_tick_size": figure(instrument.lot_step),
            "max_leverage": figure(instrument.max_leverage),
            "tradable": instrument.name not in self._engine.controls.halted,
            "expiry_timestamp_ms": 0,
            "beta_product": False,
            "underlying_symbol": f"{instrument.base}{instrument.quote}-INDEX",
            "contract_size": "1",
            "margin_buy_enabled": False,
            "margin_sell_enabled": False,
        }


def date_headers(now_ms: int) -> Mapping[str, str]:
    """Return the `Date` header of an answer: the venue's clock, to the second."""
    return MappingProxyType({"Date": formatdate(now_ms // 1000, usegmt=True)})


def _dated(request: WireRequest, result: object) -> WireAnswer:
    return replace(answer(request, result), headers=date_headers(request.now_ms))


def _decimals(step: Any) -> int:  # noqa: ANN401 - Decimal's exponent has no plain type
    return max(0, -int(step.normalize().as_tuple().exponent))
