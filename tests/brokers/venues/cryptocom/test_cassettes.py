"""The adapter against Crypto.com's documented answers, through ccxt at the production host.

Source: Exchange API v1: `public/get-instruments`, `public/get-tickers`, `private/user-balance`,
`private/get-positions`, `private/get-open-orders`, `private/close-position`, `private/get-order-detail`.
"""

import json
from decimal import Decimal
from typing import Any

from brokers.models import Side
from brokers.orders import OrderState, Verdict

Fixture = Any  # the fixtures' types live in conftest
D = Decimal


async def test_a_smart_cross_account_from_connecting_to_closing(
    at_home: Fixture, recorded: Fixture, tape: Fixture, own_order: Fixture
) -> None:
    with recorded("smart_cross"):
        broker = await at_home("cryptocom", "exchange")
        snapshot = await broker.fetch_snapshot()
        orders = await broker.fetch_open_orders()
        report = await broker.submit(own_order(broker, snapshot.positions[0], "0.05"))
        found = await broker.find_order(report.client_order_id, report.symbol)
    assert snapshot.findings == ()
    (unit,) = snapshot.units
    assert f"{unit.initial_margin / unit.margin_equity:.3%}" == "37.843%"
    assert f"{unit.maintenance_margin / unit.margin_equity:.3%}" == "18.922%"
    (held,) = snapshot.positions
    assert (held.symbol, held.side, held.quantity) == ("BTCUSD-PERP", Side.SHORT, D("0.1984"))
    assert (f"{held.entry_price:.2f}", held.unrealized_pnl) == ("51206.41", D("-497.743736")), (
        "since entry, not since the last hour"
    )
    assert held.initial_margin == D("486.31273202")
    assert {row.currency: row.debt for row in snapshot.collaterals} == {"CRO": 0, "USD": D("113.5")}
    assert [(order.order_id, order.quantity, order.reduce_only) for order in orders] == [
        ("19848525", D("0.01"), False)
    ]
    sent = json.loads(tape.last("/private/close-position"))
    assert (sent["method"], sent["params"]) == (
        "private/close-position",
        {"instrument_name": "BTCUSD-PERP", "type": "MARKET", "quantity": "0.05"},
    )
    assert (report.verdict, report.order_id) == (Verdict.ACCEPTED, "1604719200000xxx")
    assert (found.state, found.filled, found.average_price) == (OrderState.FILLED, D("0.05"), D(51180))
