"""`public/*`: clock, assets, pairs, prices and the order book."""

from typing import Any

from brokers.numbers import plain
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.kraken.envelope import refusal_of, success, wrong
from brokers.sandbox.wire.kraken.pairs import (
    CODES,
    MARGIN_CALL,
    MARGIN_STOP,
    SHORT_CODES,
    USD,
    altname,
    leverages,
    named,
    wsname,
)

MOST_LEVELS = 500


def decimals_of(step: Any) -> int:  # noqa: ANN401 - a Decimal step
    """Return how many decimals a step has."""
    return max(0, -int(step.normalize().as_tuple().exponent))


class Market:
    """The public side of the wire."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def time(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `Time`, in whole seconds."""
        del account
        return success({"unixtime": request.now_ms // 1000, "rfc1123": ""})

    def status(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `SystemStatus`."""
        del request, account
        return success({"status": "online", "timestamp": ""})

    def assets(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `Assets`."""
        del request, account
        names = {pair.base for pair in self._engine.instruments} | {USD}
        return success(
            {
                CODES[name]: {
                    "aclass": "currency",
                    "altname": SHORT_CODES.get(name, name),
                    "collateral_value": float(self._engine.asset(name).collateral_ratio),
                    "decimals": 10,
                    "display_decimals": 5,
                    "status": "enabled",
                }
                for name in sorted(names)
            }
        )

    def pairs(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `AssetPairs`."""
        del account
        return success({pair.name: self._pair(pair) for pair in self._wanted(request)})

    def ticker(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `Ticker`."""
        del account
        rows = {}
        for pair in self._wanted(request):
            prices = self._engine.ticker(pair.name)
            rows[pair.name] = {
                "a": [plain(prices.ask), "1", "1.000"],
                "b": [plain(prices.bid), "1", "1.000"],
                "c": [plain(prices.last), "0.1"],
            }
        return success(rows)

    def depth(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `Depth`."""
        del account
        asked = request.query.get("count", "100")
        if not asked.isdigit() or not 1 <= int(asked) <= MOST_LEVELS:
            raise wrong("count")
        [pair, *_] = self._wanted(request)
        depth, second = self._engine.depth(pair.name, int(asked)), request.now_ms // 1000
        return success(
            {
                pair.name: {
                    side: [[plain(price), plain(quantity), second] for price, quantity in rows]
                    for side, rows in (("asks", depth.asks), ("bids", depth.bids))
                }
            }
        )

    def _wanted(self, request: WireRequest) -> list[Instrument]:
        listed, names = self._engine.instruments, request.query.get("pair", "")
        if not names:
            return list(listed)
        try:
            return [named(name, listed) for name in names.split(",")]
        except Rejection as rejection:
            raise refusal_of(rejection) from None

    def _pair(self, pair: Instrument) -> dict[str, Any]:
        halted = pair.name in self._engine.controls.halted
        return {
            "altname": altname(pair),
            "wsname": wsname(pair),
            "aclass_base": "currency",
            "base": CODES[pair.base],
            "aclass_quote": "currency",
            "quote": CODES[USD],
            "lot": "unit",
            "cost_decimals": 5,
            "pair_decimals": decimals_of(pair.price_step),
            "lot_decimals": decimals_of(pair.lot_step),
            "lot_multiplier": 1,
            "leverage_buy": leverages(pair),
            "leverage_sell": leverages(pair),
            "fees": [[0, float(pair.taker_fee * 100)]],
            "fees_maker": [[0, float(pair.maker_fee * 100)]],
            "fee_volume_currency": "ZUSD",
            "margin_call": MARGIN_CALL,
            "margin_stop": MARGIN_STOP,
            "ordermin": plain(pair.min_quantity),
            "costmin": plain(pair.min_notional) if pair.min_notional is not None else "0",
            "tick_size": plain(pair.price_step),
            "status": "cancel_only" if halted else "online",
        }
