"""What an account is told of itself: its key, its wallets, its margin, its futures positions."""

from decimal import Decimal
from typing import Any

from brokers.models import Side
from brokers.numbers import ONE, ZERO
from brokers.sandbox.figures import AccountFigures, PoolFigures, PositionFigures
from brokers.sandbox.orders import Refusal
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRefusal, WireRequest
from brokers.sandbox.wire.coinbase.answers import error, figure, moment, money
from brokers.sandbox.wire.coinbase.listing import EXPIRY_TIME, Listing
from brokers.sandbox.wire.coinbase.market import INTRADAY_SHARE

POOL = "USD"
"""The engine's pool behind every futures position."""

HOUR_MS = 3_600_000
BUFFER_CAP = Decimal(1000)
PAGE = 49
"""Wallets of a page when no limit is asked for."""


class Statement:
    """The account's side of the wire.

    The engine requires the night's margin. By day (`intraday`) Coinbase asks for less, and states both.
    """

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._wire = wire
        self._engine = wire.engine
        self._listing = listing
        self.intraday = False

    def key_permissions(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `brokerage/key_permissions`; its "transfer" is what withdraws."""
        del request
        granted = self._engine.accounts[account].permissions
        return WireAnswer(
            payload={
                "can_view": granted.can_read,
                "can_trade": granted.can_trade,
                "can_transfer": granted.can_withdraw,
                "portfolio_uuid": f"portfolio-{account}",
                "portfolio_type": "DEFAULT",
            }
        )

    # ------------------------------------------------------------------ wallets

    def accounts(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `brokerage/accounts`, page by page; the cursor is the number of wallets told already."""
        figures = self._engine.figures(account)
        query = request.query
        limit, cursor = query.get("limit") or str(PAGE), query.get("cursor") or "0"
        if not (limit.isdigit() and cursor.isdigit() and int(limit) > 0):
            raise WireRefusal(error(400, "INVALID_ARGUMENT", str(Refusal.QUANTITY)))
        start, end = int(cursor), int(cursor) + int(limit)
        rows = [
            {
                "uuid": f"{account}-{coin.currency}",
                "name": f"{coin.currency} Wallet",
                "currency": coin.currency,
                "available_balance": money(coin.wallet_balance, coin.currency),
                "hold": money(ZERO, coin.currency),
                "default": True,
                "active": True,
                "type": "ACCOUNT_TYPE_FIAT" if coin.currency == "USD" else "ACCOUNT_TYPE_CRYPTO",
                "ready": True,
                "updated_at": moment(self._wire.stamp(coin.updated_ms)),
            }
            for coin in figures.coins
        ]
        page, more = rows[start:end], end < len(rows)
        return WireAnswer(
            payload={
                "accounts": page,
                "has_next": more,
                "cursor": str(end) if more else "",
                "size": len(page),
            }
        )

    # ------------------------------------------------------------------ futures

    def balance_summary(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `cfm/balance_summary`."""
        del request
        pool = self._pool(self._engine.figures(account))
        night = _requirement(pool, ONE)
        day = _requirement(pool, INTRADAY_SHARE)
        used, threshold = day if self.intraday else night
        equity = pool.margin_balance - pool.order_initial_margin
        room = used - threshold
        percentage = min((equity - threshold) / room * 100, BUFFER_CAP) if room > 0 else BUFFER_CAP
        summary = {
            "futures_buying_power": money(max(equity - used, ZERO)),
            "total_usd_balance": money(pool.wallet_balance),
            "cbi_usd_balance": money(ZERO),
            "cfm_usd_balance": money(pool.wallet_balance),
            "total_open_orders_hold_amount": money(pool.order_initial_margin),
            "unrealized_pnl": money(pool.unrealized_pnl),
            "daily_realized_pnl": money(ZERO),
            "initial_margin": money(used),
            "available_margin": money(equity),
            "liquidation_threshold": money(threshold),
            "liquidation_buffer_amount": money(equity - threshold),
            "liquidation_buffer_percentage": figure(percentage.quantize(Decimal("0.01"))),
            "intraday_margin_window_measure": _window("INTRADAY", day, equity, pool),
            "overnight_margin_window_measure": _window("OVERNIGHT", night, equity, pool),
        }
        return WireAnswer(payload={"balance_summary": summary})

    def positions(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `cfm/positions`."""
        del request
        rows = [self._position(position) for position in self._engine.figures(account).positions]
        return WireAnswer(payload={"positions": rows})

    def margin_window(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `cfm/intraday/current_margin_window`."""
        del account
        kind = "INTRADAY" if self.intraday else "OVERNIGHT"
        return WireAnswer(
            payload={
                "margin_window": {
                    "margin_window_type": f"FCM_MARGIN_WINDOW_TYPE_{kind}",
                    "end_time": moment(request.now_ms + HOUR_MS),
                },
                "is_intraday_margin_killswitch_enabled": False,
                "is_intraday_margin_enrollment_killswitch_enabled": False,
            }
        )

    @staticmethod
    def _pool(figures: AccountFigures) -> PoolFigures:
        pool = figures.pool(POOL)
        if pool is None:
            raise WireRefusal(error(404, "NOT_FOUND", "no futures account"))
        return pool

    def _position(self, position: PositionFigures) -> dict[str, Any]:
        contract = self._listing.of(position.symbol)
        return {
            "product_id": contract.product_id,
            "expiration_time": EXPIRY_TIME,
            "side": "LONG" if position.side is Side.LONG else "SHORT",
            "number_of_contracts": figure(contract.contracts(position.quantity)),
            "current_price": figure(position.mark_price),
            "avg_entry_price": figure(position.entry_price),
            "unrealized_pnl": figure(position.unrealized_pnl),
            "daily_realized_pnl": figure(position.realized_pnl),
        }


def _requirement(pool: PoolFigures, share: Decimal) -> tuple[Decimal, Decimal]:
    return pool.position_initial_margin * share, pool.maintenance_margin * share


def _window(
    kind: str, requirement: tuple[Decimal, Decimal], equity: Decimal, pool: PoolFigures
) -> dict[str, str]:
    """Return one window's measure; its figures are bare, without a currency."""
    initial, maintenance = requirement
    level = "BASE"
    if maintenance > 0 and equity <= initial:
        level = "LIQUIDATION" if equity <= maintenance else "WARNING"
    return {
        "margin_window_type": f"FCM_MARGIN_WINDOW_TYPE_{kind}",
        "margin_level": f"MARGIN_LEVEL_TYPE_{level}",
        "initial_margin": figure(initial),
        "maintenance_margin": figure(maintenance),
        "liquidation_buffer": figure(equity - maintenance),
        "total_hold": figure(pool.order_initial_margin),
        "futures_buying_power": figure(max(equity - initial, ZERO)),
    }
