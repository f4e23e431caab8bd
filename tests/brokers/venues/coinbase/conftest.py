"""Payloads as Coinbase documents them, with the figures of a published capture of a futures account."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountMode, AccountSnapshot
from brokers.venues.coinbase.futures import RawFutures, read_snapshot
from brokers.venues.coinbase.products import market_rules

NOW = datetime(2024, 4, 1, 12, 0, 1, tzinfo=UTC)
ASKED_AT = datetime(2024, 4, 1, 12, 0, 0, tzinfo=UTC)

Row = dict[str, Any]


def usd(value: str) -> Row:
    return {"value": value, "currency": "USD"}


@pytest.fixture
def product() -> Row:
    """A dated contract as the product list shows it."""
    return {
        "product_id": "BIT-26APR24-CDE",
        "price": "71145",
        "base_increment": "1",
        "quote_increment": "5",
        "price_increment": "5",
        "base_min_size": "1",
        "base_max_size": "2000",
        "product_type": "FUTURE",
        "quote_currency_id": "USD",
        "base_currency_id": "",
        "trading_disabled": False,
        "future_product_details": {
            "venue": "cde",
            "contract_code": "BIT",
            "contract_expiry": "2024-04-26T15:00:00Z",
            "contract_size": "0.01",
            "contract_root_unit": "BTC",
            "contract_expiry_type": "EXPIRING",
        },
    }


@pytest.fixture
def position() -> Row:
    """Coinbase's sample of a position; its unrealized PnL does not follow from its prices."""
    return {
        "product_id": "BIT-26APR24-CDE",
        "expiration_time": "2024-04-26T15:00:00Z",
        "side": "LONG",
        "number_of_contracts": "2",
        "current_price": "71145",
        "avg_entry_price": "70980",
        "unrealized_pnl": "33",
        "daily_realized_pnl": "0",
    }


@pytest.fixture
def summary() -> Row:
    """A captured `fcm_balance_summary`, each amount wrapped as REST does."""
    return {
        "futures_buying_power": usd("4600.62"),
        "total_usd_balance": usd("5057.46"),
        "cbi_usd_balance": usd("4000"),
        "cfm_usd_balance": usd("1057.46"),
        "total_open_orders_hold_amount": usd("0"),
        "unrealized_pnl": usd("3.30"),
        "daily_realized_pnl": usd("0"),
        "initial_margin": usd("460.14"),
        "available_margin": usd("5060.76"),
        "liquidation_threshold": usd("345.11"),
        "liquidation_buffer_amount": usd("4715.66"),
        "liquidation_buffer_percentage": "1000",
        "intraday_margin_window_measure": {
            "margin_window_type": "FCM_MARGIN_WINDOW_TYPE_INTRADAY",
            "margin_level": "MARGIN_LEVEL_TYPE_BASE",
            "initial_margin": "460.14",
            "maintenance_margin": "345.11",
            "liquidation_buffer": "4715.66",
            "total_hold": "0",
            "futures_buying_power": "4600.62",
        },
        "overnight_margin_window_measure": {
            "margin_window_type": "FCM_MARGIN_WINDOW_TYPE_OVERNIGHT",
            "margin_level": "MARGIN_LEVEL_TYPE_BASE",
            "initial_margin": "1497.85",
            "maintenance_margin": "1318.11",
            "liquidation_buffer": "3742.65",
            "total_hold": "0",
            "futures_buying_power": "3562.91",
        },
    }


@pytest.fixture
def seen(product: Row, summary: Row, position: Row) -> Callable[..., AccountSnapshot]:
    """Read a picture of the account above, with other positions or another summary."""

    def read(**changes: Any) -> AccountSnapshot:  # noqa: ANN401 - raw JSON
        rows = changes.pop("positions", [position])
        raw = RawFutures(
            asked_at=ASKED_AT,
            summary={"balance_summary": {**summary, **changes}},
            positions={"positions": rows},
        )
        context = SnapshotContext(
            account_id=AccountId("desk"),
            broker="coinbase",
            product="futures",
            now=NOW,
            mode=AccountMode(label="US futures", margin_mode=None, position_mode=None),
            markets=market_rules([product]),
        )
        return read_snapshot(raw, context)

    return read


@pytest.fixture
def figure() -> Callable[[str], Decimal]:
    return Decimal
