"""`TradeBalance`, `OpenPositions`, `BalanceEx`, `GetApiKeyInfo`: the engine's account as Kraken prints it."""

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from hashlib import sha256
from typing import Any

from brokers.models import Side
from brokers.numbers import ZERO, floor_to_step, plain
from brokers.sandbox.figures import ACCOUNT_POOL, PositionFigures
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.kraken.envelope import PERMISSION_DENIED, figure, refuse, success
from brokers.sandbox.wire.kraken.gate import Gate, arguments
from brokers.sandbox.wire.kraken.pairs import CODES

FIRST_TRADE = Decimal("0.6")
"""The share of a position that its first opening trade had."""

CENT = Decimal("0.01")
TERMS = "0.0100% per 4 hours"
ROLLOVER_S = 4 * 3600

PERMISSIONS = {
    "can_read": ("query-funds", "query-open-trades", "query-closed-trades"),
    "can_trade": ("modify-trades", "close-trades"),
    "can_withdraw": ("withdraw-funds",),
}


class Statement:
    """The account's side of the wire."""

    def __init__(self, wire: Wire, gate: Gate) -> None:
        self._engine = wire.engine
        self._gate = gate
        self._wire = wire

    def trade_balance(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `TradeBalance`; without used margin there is no margin level."""
        del request
        figures = self._engine.figures(account)
        pool = figures.pool(ACCOUNT_POOL)
        if pool is None:
            raise refuse(PERMISSION_DENIED)  # no spot margin account
        equity, used = pool.margin_balance, pool.position_initial_margin
        gain = pool.unrealized_pnl
        entry = sum((position.entry_notional for position in figures.positions), ZERO)
        result = {
            "eb": figure(sum((coin.usd_value for coin in figures.coins), ZERO) - gain),
            "tb": figure(equity - gain),
            "m": figure(used),
            "uv": figure(pool.order_initial_margin),
            "n": figure(gain),
            "c": figure(entry),
            "v": figure(sum((position.notional for position in figures.positions), ZERO)),
            "e": figure(equity),
            "mf": figure(equity - used),
            "mfo": figure(max(ZERO, equity - used - pool.order_initial_margin)),
        }
        if used > 0:
            level = 100 * equity / used
            result["ml"] = figure(level.quantize(CENT, ROUND_FLOOR), 2)
        return success(result)

    def open_positions(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `OpenPositions`: a row for every opening trade, by its id."""
        asked = arguments(request)
        priced = str(asked.get("docalcs")).lower() == "true"
        rows: dict[str, dict[str, Any]] = {}
        for position in self._engine.figures(account).positions:
            for index, row in enumerate(self._rows(account, position, priced=priced)):
                rows[trade_id(f"{account} {position.symbol} {position.created_ms} {index}")] = row
        return success(list(rows.values()) if asked.get("consolidation") == "market" else rows)

    def _rows(self, account: str, position: PositionFigures, *, priced: bool) -> Iterator[dict[str, Any]]:
        """Print a position as two opening trades, of which the first has been closed in part."""
        step = self._engine.instrument(position.symbol).lot_step
        first = floor_to_step(position.quantity * FIRST_TRADE, step)
        closed = self._closed(account, position)
        for opened, gone, age in ((first, closed, 1), (position.quantity - first, ZERO, 0)):
            if opened > 0:
                yield self._row(position, opened, gone, age, priced=priced)

    def _row(
        self, position: PositionFigures, left: Decimal, closed: Decimal, age: int, *, priced: bool
    ) -> dict[str, Any]:
        volume = left + closed
        cost, value = volume * position.entry_price, left * position.mark_price
        gain = (value - left * position.entry_price) * (1 if position.side is Side.LONG else -1)
        second = self._wire.stamp(position.created_ms) / 1000 - age
        row = {
            "ordertxid": trade_id(f"order {position.symbol} {age}"),
            "posstatus": "open",
            "pair": position.symbol,
            "time": second,
            "type": "buy" if position.side is Side.LONG else "sell",
            "ordertype": "market",
            "cost": figure(cost, 5),
            "fee": figure(ZERO, 5),
            "vol": figure(volume, 8),
            "vol_closed": figure(closed, 8),
            "margin": figure(cost / position.leverage, 5),
            "terms": TERMS,
            "rollovertm": str(int(second) + ROLLOVER_S),
            "misc": "",
            "oflags": "",
        }
        if priced:
            row |= {"value": figure(value, 4), "net": f"{gain:+.4f}"}
        return row

    def _closed(self, account: str, position: PositionFigures) -> Decimal:
        """Return what was closed of a position since it was opened."""
        against = "sell" if position.side is Side.LONG else "buy"
        return sum(
            (
                fill.quantity
                for fill in self._engine.fills(account, symbol=position.symbol)
                if fill.ms >= position.created_ms and fill.side.value == against and fill.reduce_only
            ),
            ZERO,
        )

    def balances(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `BalanceEx`."""
        del request
        coins = self._engine.figures(account).coins
        return success(
            {
                CODES.get(coin.currency, coin.currency): {
                    "balance": plain(coin.wallet_balance),
                    "hold_trade": "0.0000",
                }
                for coin in coins
            }
        )

    def key(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GetApiKeyInfo`."""
        granted = self._gate.signer(request).permissions
        words = [word for name, words in PERMISSIONS.items() if getattr(granted, name) for word in words]
        return success(
            {
                "api_key_name": account,
                "nonce": str(arguments(request).get("nonce")),
                "nonce_window": 0,
                "permissions": words,
                "valid_until": "0",
                "query_from": "0",
                "query_to": "0",
                "ip_allowlist": ["127.0.0.1"] if granted.ip_bound else [],
            }
        )


def trade_id(name: str) -> str:
    """Return a transaction id in Kraken's form that stands for `name`."""
    digest = sha256(name.encode()).hexdigest().upper()
    return f"T{digest[:5]}-{digest[5:10]}-{digest[10:16]}"
