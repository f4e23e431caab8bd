"""Payloads as Crypto.com sends them: its documented samples, and answers captured for ccxt's tests."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountMode, AccountSnapshot, Position, PositionMode
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.venues.cryptocom.markets import read_instruments
from brokers.venues.cryptocom.snapshot import RawSnapshot, read_snapshot

NOW = datetime(2023, 6, 29, 5, 9, 12, tzinfo=UTC)
MODE = AccountMode(label="smart cross margin", margin_mode=None, position_mode=PositionMode.ONE_WAY)

Row = dict[str, Any]


def envelope(result: object = None, code: object = 0, **more: object) -> Row:
    payload: Row = {"id": 1688015952050, "method": "private/any", "code": code, **more}
    return payload if result is None else payload | {"result": result}


def listed(*rows: Row) -> Row:
    return envelope({"data": list(rows)})


def instrument(base: str, step: str, tick: str, **more: object) -> Row:
    """A row of `public/get-instruments`, after the documented RUNEUSD-PERP."""
    return {
        "symbol": f"{base}USD-PERP",
        "inst_type": "PERPETUAL_SWAP",
        "display_name": f"{base}USD Perpetual",
        "base_ccy": base,
        "quote_ccy": "USD",
        "quote_decimals": 3,
        "quantity_decimals": 1,
        "price_tick_size": tick,
        "qty_tick_size": step,
        "max_leverage": "50",
        "tradable": True,
        "expiry_timestamp_ms": 0,
        "beta_product": False,
        "underlying_symbol": f"{base}USD-INDEX",
        "contract_size": "1",
        "margin_buy_enabled": False,
        "margin_sell_enabled": False,
        **more,
    }


INSTRUMENTS = (
    instrument("BTC", "0.0001", "0.1"),
    instrument("LTC", "0.001", "0.001"),
    instrument("RUNE", "0.1", "0.001"),
)

LIVE_BALANCE = {
    "total_available_balance": "106.05840487",
    "total_margin_balance": "128.61024714",
    "total_initial_margin": "22.55184227",
    "total_position_im": "16.70615001",
    "total_haircut": "5.84569226",
    "total_maintenance_margin": "11.27592113",
    "total_position_cost": "335.768",
    "total_cash_balance": "143.04034396",
    "total_collateral_value": "126.19377168",
    "total_session_unrealized_pnl": "-1.645",
    "instrument_name": "USD",
    "total_session_realized_pnl": "0",
    "is_liquidating": False,
    "total_effective_leverage": "3.399024",
    "position_limit": "3000000",
    "used_position_limit": "437.14929558",
    "has_risk": True,
    "margin_score": "0",
    "position_balances": [],
}
"""Captured from a live account for ccxt's static tests; the available balance is its rule, E - IM."""

LIVE_POSITION = {
    "account_id": "ce075bef-b600-4277-bd6e-ff9007251e63",
    "quantity": "4.7",
    "cost": "330.598",
    "open_pos_cost": "310.16670833",
    "open_position_pnl": "14.72175",
    "session_pnl": "-1.645",
    "update_timestamp_ms": 1688015919091,
    "instrument_name": "LTCUSD-PERP",
    "type": "PERPETUAL_SWAP",
}

DOCUMENTED_BALANCE = {
    "total_available_balance": "4721.05898582",
    "total_margin_balance": "7595.42571782",
    "total_initial_margin": "2874.36673202",
    "total_position_im": "486.31273202",
    "total_haircut": "2388.054",
    "total_maintenance_margin": "1437.18336601",
    "total_position_cost": "14517.54641301",
    "total_cash_balance": "7890.00320721",
    "total_collateral_value": "7651.18811483",
    "total_session_unrealized_pnl": "-55.76239701",
    "instrument_name": "USD",
    "total_session_realized_pnl": "0.00000000",
    "is_liquidating": False,
    "total_effective_leverage": "1.90401230",
    "position_limit": "3000000.00000000",
    "used_position_limit": "40674.69622001",
    "total_isolated_cash_balance": "0.00000000",
    "isolated_positions": [],
    "position_balances": [
        {
            "instrument_name": "CRO",
            "quantity": "24422.72427884",
            "market_value": "4776.107959969951",
            "collateral_eligible": "true",
            "haircut": "0.5",
            "collateral_amount": "4537.302561971453",
            "max_withdrawal_balance": "24422.72427884",
            "reserved_qty": "0.00000000",
        },
        {
            "instrument_name": "USD",
            "quantity": "-113.5",
            "market_value": "-113.5",
            "collateral_eligible": True,
            "haircut": "0",
            "collateral_amount": "-113.5",
            "max_withdrawal_balance": "0",
            "reserved_qty": "0.00000000",
            "hourly_interest_rate": "0.00001",
        },
    ],
}
"""Exchange API v1, `private/user-balance`; the USD row is turned into a loan."""

ISOLATED_BALANCE = {
    "isolation_id": "19848526",
    "leverage": "10",
    "isolation_type": "ISOLATED_MARGIN",
    "total_available_balance": "7.86716704",
    "total_margin_balance": "8.96326705",
    "total_initial_margin": "1.09620001",
    "total_position_im": "1.09620001",
    "total_haircut": "0",
    "total_maintenance_margin": "0.54810001",
    "total_position_cost": "10.959",
    "total_cash_balance": "8.96326705",
    "instrument_name": "USD",
    "is_liquidating": False,
    "position_balances": [],
}
"""After the isolated position of `private/get-subaccount-balances`, its figures made to agree."""

Snap = Callable[..., AccountSnapshot]


@pytest.fixture
def answer() -> Callable[..., Row]:
    return listed


@pytest.fixture
def live() -> tuple[Row, Row]:
    """The captured balance and position."""
    return deepcopy(LIVE_BALANCE), deepcopy(LIVE_POSITION)


@pytest.fixture
def documented() -> Row:
    return deepcopy(DOCUMENTED_BALANCE)


@pytest.fixture
def isolated() -> Row:
    return deepcopy(ISOLATED_BALANCE)


@pytest.fixture
def instruments() -> tuple[Row, ...]:
    return deepcopy(INSTRUMENTS)


@pytest.fixture
def snap() -> Snap:
    """Read a snapshot from a balance row, position rows and ticker rows."""

    def read(balance: Row, *positions: Row, tickers: tuple[Row, ...] = ()) -> AccountSnapshot:
        context = SnapshotContext(
            account_id=AccountId("desk"),
            broker="cryptocom",
            product="exchange",
            now=NOW,
            mode=MODE,
            markets=MappingProxyType(read_instruments(listed(*INSTRUMENTS))),
        )
        raw = RawSnapshot(
            balance=listed(balance),
            positions=listed(*positions),
            tickers=tuple(listed(row) for row in tickers),
            asked_at=NOW,
        )
        return read_snapshot(raw, context, NOW)

    return read


@pytest.fixture
def closing(snap: Snap, live: tuple[Row, Row]) -> Callable[..., ReduceOrder]:
    """Build an order that closes part of the captured position."""
    position = snap(*live).positions[0]
    assert isinstance(position, Position)

    def build(quantity: str = "1.5", number: int = 1, **more: object) -> ReduceOrder:
        usual: dict[str, object] = {
            "client_order_id": ClientOrderId(f"{number:032x}"),
            "deadline": NOW + timedelta(seconds=10),
        }
        return ReduceOrder(position=position, quantity=Decimal(quantity), **{**usual, **more})

    return build


def order_row(**more: object) -> Row:
    """A row of `private/get-order-history`, after the documented one."""
    return {
        "account_id": "52e7c00f-1324-5a6z-bfgt-de445bde21a5",
        "order_id": "18342500",
        "client_oid": "1613571154800",
        "order_type": "MARKET",
        "time_in_force": "GOOD_TILL_CANCEL",
        "side": "SELL",
        "exec_inst": [],
        "quantity": "1.5",
        "limit_price": "0",
        "order_value": "103.5",
        "avg_price": "69.01",
        "cumulative_quantity": "1.5",
        "cumulative_value": "103.515",
        "cumulative_fee": "0.0414",
        "status": "FILLED",
        "instrument_name": "LTCUSD-PERP",
        "fee_instrument_name": "USD",
        "create_time": round(NOW.timestamp() * 1000) + 40,
        "update_time": round(NOW.timestamp() * 1000) + 41,
        **more,
    }


@pytest.fixture
def row() -> Callable[..., Row]:
    return order_row


@pytest.fixture
def now() -> datetime:
    return NOW
