"""Balance, positions, accounts and the account's leverage, as Crypto.com prints them."""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from brokers.models import MarginMode, Side
from brokers.numbers import ZERO
from brokers.sandbox.figures import ACCOUNT_POOL, AccountFigures, CoinFigures, PoolFigures, PositionFigures
from brokers.sandbox.instrument import HOUR_MS
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.cryptocom.envelope import (
    answer,
    figure,
    needed,
    number,
    params_of,
    refuse,
    rejected,
)

USD = "USD"
LEVERAGES = (1, 100)
HOURS_PER_YEAR = 8760


class Sessions:
    """The mark at which each position was last settled: profit moves into the cash balance every hour.

    So what is unrealized of a session is not what is unrealized since entry.
    """

    def __init__(self) -> None:
        self._settled: dict[tuple[str, str, str], tuple[int, Decimal, Decimal]] = {}

    def mark_of(self, account: str, position: PositionFigures, now_ms: int) -> Decimal:
        """Return the price to which a position's profit is settled: entry until an hour has ended."""
        key, hour = (account, position.symbol, position.pool), now_ms // HOUR_MS
        kept = self._settled.get(key)
        if kept is None or kept[2] != position.entry_price:
            settled = position.entry_price
        else:
            settled = kept[1] if kept[0] == hour else position.mark_price
        self._settled[key] = (hour, settled, position.entry_price)
        return settled


class Statement:
    """The account's side of the wire."""

    def __init__(self, wire: Wire) -> None:
        self._engine = wire.engine
        self._wire = wire
        self._sessions = Sessions()

    # ------------------------------------------------------------------ private/user-balance

    def balance(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/user-balance`: one row, with the isolated positions' rows inside."""
        figures = self._engine.figures(account)
        cross = [p for p in figures.positions if p.margin_mode is not MarginMode.ISOLATED]
        isolated = [p for p in figures.positions if p.margin_mode is MarginMode.ISOLATED]
        pool = figures.pool(ACCOUNT_POOL)
        if pool is None:
            raise refuse("50001", request)
        settled = self._settled_pnl(account, cross)
        coins = [c for c in figures.coins if c.cross_wallet or c.liability or c.currency == USD]
        row = self._totals(pool, cross, settled, account)
        row |= {
            "position_balances": [
                self._coin(coin, settled if coin.currency == USD else ZERO) for coin in coins
            ],
            "total_isolated_cash_balance": figure(sum((p.isolated_wallet for p in isolated), ZERO)),
            "isolated_positions": [self._isolated(p, figures, account) for p in isolated],
        }
        return answer(request, {"data": [row]})

    def _totals(
        self, pool: PoolFigures, positions: list[PositionFigures], settled: Decimal, account: str
    ) -> dict[str, Any]:
        margined = pool.position_initial_margin + pool.order_initial_margin + pool.debt_initial_margin
        exposure = sum((p.notional for p in positions), ZERO)
        leverage = exposure / pool.margin_balance if pool.margin_balance > 0 else ZERO
        return {
            "total_available_balance": figure(pool.margin_balance - pool.initial_margin),
            "total_margin_balance": figure(pool.margin_balance),
            "total_initial_margin": figure(pool.initial_margin),
            "total_position_im": figure(margined),
            "total_haircut": figure(pool.haircut_margin),
            "total_maintenance_margin": figure(pool.maintenance_margin),
            "total_position_cost": figure(exposure),
            "total_cash_balance": figure(pool.wallet_balance + settled),
            "total_collateral_value": figure(pool.margin_balance - pool.unrealized_pnl + settled),
            "total_session_unrealized_pnl": figure(pool.unrealized_pnl - settled),
            "instrument_name": USD,
            "total_session_realized_pnl": "0.00000000",
            "is_liquidating": any(p.in_liquidation for p in positions),
            "total_effective_leverage": figure(leverage),
            "position_limit": "3000000.00000000",
            "used_position_limit": figure(exposure),
            "has_risk": bool(positions),
            "margin_score": "0",
            "account": account_uuid(account),
        }

    def _isolated(self, position: PositionFigures, figures: AccountFigures, account: str) -> dict[str, Any]:
        pool = figures.pool(position.pool)
        if pool is None:
            raise KeyError(position.pool)
        settled = self._settled_pnl(account, [position])
        return {
            "isolation_id": isolation_id(account, position),
            "isolation_type": "ISOLATED_MARGIN",
            "leverage": figure(position.leverage),
            **self._totals(pool, [position], settled, account),
            "position_balances": [],
        }

    def _coin(self, coin: CoinFigures, settled: Decimal) -> dict[str, Any]:
        hourly = self._engine.asset(coin.currency).borrow_apr / HOURS_PER_YEAR
        quantity = coin.cross_wallet - coin.borrowed - coin.interest + settled
        value = quantity * coin.usd_price
        return {
            "instrument_name": coin.currency,
            "quantity": figure(quantity),
            "market_value": figure(value),
            "collateral_eligible": "true",
            "haircut": figure(1 - coin.collateral_ratio),
            "collateral_amount": figure(value * coin.collateral_ratio if value > 0 else value),
            "max_withdrawal_balance": figure(coin.transferable),
            "reserved_qty": "0.00000000",
            "hourly_interest_rate": f"{hourly:.12f}",
        }

    def _settled_pnl(self, account: str, positions: Iterable[PositionFigures]) -> Decimal:
        """Return what of the positions' profit the hourly settlements have moved into cash."""
        return sum((self._settlement(account, p) for p in positions), ZERO)

    def _settlement(self, account: str, position: PositionFigures) -> Decimal:
        settled = self._sessions.mark_of(account, position, self._wire.now_ms)
        return position.signed_quantity * (settled - position.entry_price)

    # ------------------------------------------------------------------ private/get-positions

    def positions(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/get-positions`; what was traded and is flat now comes as a row of quantity 0."""
        wanted = params_of(request).get("instrument_name")
        figures = self._engine.figures(account)
        rows = [self._position(position, account) for position in figures.positions]
        held = {position.symbol for position in figures.positions}
        traded = {fill.symbol for fill in self._engine.fills(account)}
        rows += [self._flat(symbol, account) for symbol in sorted(traded - held)]
        return answer(request, {"data": [r for r in rows if wanted in (None, "", r["instrument_name"])]})

    def _position(self, position: PositionFigures, account: str) -> dict[str, Any]:
        quantity = position.signed_quantity
        settled = self._sessions.mark_of(account, position, self._wire.now_ms)
        row = self._flat(position.symbol, account) | {
            "quantity": figure(quantity),
            "cost": figure(quantity * settled),
            "open_position_pnl": figure(position.unrealized_pnl),
            "open_pos_cost": figure(quantity * position.entry_price),
            "session_pnl": figure(quantity * (position.mark_price - settled)),
            "update_timestamp_ms": self._wire.stamp(position.updated_ms),
        }
        if position.margin_mode is MarginMode.ISOLATED:
            row |= {"isolation_id": isolation_id(account, position), "isolation_type": "ISOLATED_MARGIN"}
        return row

    def _flat(self, symbol: str, account: str) -> dict[str, Any]:
        zeros = dict.fromkeys(
            ("quantity", "cost", "open_position_pnl", "open_pos_cost", "session_pnl"), "0.0"
        )
        return {
            "account_id": account_uuid(account),
            **zeros,
            "update_timestamp_ms": self._wire.now_ms,
            "instrument_name": symbol,
            "type": "PERPETUAL_SWAP",
        }

    # ------------------------------------------------------------------ account

    def accounts(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/get-accounts`: the key's own account, which has no sub-accounts."""
        own = {"uuid": account_uuid(account), "hierarchy": "MASTER"}
        master = {**own, "master_account_uuid": own["uuid"], "enabled": True, "tradable": True}
        return answer(request, {"this_account": own, "master_account": master, "sub_account_list": []})

    def set_leverage(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `private/change-account-leverage`: it holds for every product, up to the product's own."""
        params = params_of(request)
        if needed(params, "account_id", request) != account_uuid(account):
            raise refuse("401", request)
        leverage = number(needed(params, "leverage", request))
        lowest, highest = LEVERAGES
        if leverage is None or leverage != int(leverage) or not lowest <= leverage <= highest:
            raise refuse("226", request)
        try:
            for instrument in self._engine.instruments:
                capped = min(leverage, instrument.max_leverage)
                self._engine.set_leverage(account, instrument.name, capped)
        except Rejection as rejection:
            raise rejected(rejection, request) from None
        return answer(request)


def account_uuid(account: str) -> str:
    """Return the UUID that stands for an account."""
    return str(UUID(bytes=sha256(account.encode()).digest()[:16]))


def isolation_id(account: str, position: PositionFigures) -> str:
    """Return the long number that names an isolated position."""
    return _number_of(f"{account} {position.symbol} {position.side is Side.LONG}")


def _number_of(name: str) -> str:
    return str(int.from_bytes(sha256(name.encode()).digest()[:7]))
