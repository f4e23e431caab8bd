"""The adapters against Coinbase's documented answers, through ccxt at the production host.

Sources: Coinbase Advanced Trade API reference: "Get Server Time", "Get API Key Permissions", "List Accounts",
"List Public Products", "Get Futures Balance Summary", "List Futures Positions", "Close Position"; the futures
account's figures are a published capture of its `futures_balance_summary` channel.
"""

import json
from decimal import Decimal
from typing import Any

from brokers.models import Side, UnitKind
from brokers.orders import Verdict
from tests.brokers.conformance.cases import EC_SECRET

Fixture = Any  # the fixtures' types live in conftest
D = Decimal


async def test_a_futures_account_from_connecting_to_reducing(
    at_home: Fixture, recorded: Fixture, tape: Fixture, own_order: Fixture
) -> None:
    with recorded("futures"):
        broker = await at_home("coinbase", "futures", EC_SECRET)
        snapshot = await broker.fetch_snapshot()
        permissions = await broker.fetch_permissions()
        report = await broker.submit(own_order(broker, snapshot.positions[0], "1"))
    assert snapshot.findings == ()
    assert snapshot.mode.label == "US futures, default portfolio"
    (unit,) = snapshot.units
    assert f"{unit.initial_margin / unit.margin_equity:.2%}" == "29.60%", "the night's"
    assert f"{unit.maintenance_margin / unit.margin_equity:.2%}" == "26.05%"
    (held,) = snapshot.positions
    assert (held.side, held.quantity, held.notional) == (Side.LONG, 2, D("1422.90"))
    assert held.unrealized_pnl == D("3.3"), "and not the 33 of the sample"
    assert (permissions.can_trade, permissions.can_withdraw) == (True, False)
    assert json.loads(tape.last("/orders/close_position")) == {
        "client_order_id": "0123456789abcdef0123456789abcdef",
        "product_id": "BIT-26APR24-CDE",
        "size": "1",
    }
    assert (report.verdict, report.order_id) == (Verdict.ACCEPTED, "11111-00000-000000")


async def test_a_cash_account_is_read_to_its_last_page(at_home: Fixture, recorded: Fixture) -> None:
    with recorded("spot"):
        broker = await at_home("coinbase", "spot", EC_SECRET)
        snapshot = await broker.fetch_snapshot()
    assert snapshot.findings == ()
    (unit,) = snapshot.units
    held = D("2.46") * D("140.21") + D("100.5")
    assert (unit.kind, unit.margin_equity) == (UnitKind.CASH, held)
    assert {row.currency: row.wallet_balance for row in snapshot.collaterals} == {
        "BTC": D("2.46"),
        "USD": D("100.5"),
    }
