"""The adapter against Kraken's documented answers, through ccxt at the production host.

Source: Kraken docs, Spot REST: "Get Server Time", "Get Tradable Asset Pairs", "Get Trade Balance", "Get Open
Positions", "Get Open Orders", "Get API Key Info", "Add Order", "Query Orders Info".
"""

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from brokers.orders import OrderState, Verdict

Fixture = Any  # the fixtures' types live in conftest
D = Decimal


async def test_a_spot_margin_account_from_connecting_to_reducing(
    at_home: Fixture, recorded: Fixture, tape: Fixture, own_order: Fixture
) -> None:
    with recorded("spot_margin"):
        broker = await at_home("kraken", "spot")
        snapshot = await broker.fetch_snapshot()
        orders = await broker.fetch_open_orders()
        permissions = await broker.fetch_permissions()
        report = await broker.submit(own_order(broker, snapshot.positions[0], "0.2"))
        found = await broker.find_order(report.client_order_id, report.symbol)
        cancelled = await broker.cancel_orders([order for order in orders if not order.is_protective])
    assert snapshot.findings == ()
    (unit,) = snapshot.units
    assert (unit.margin_equity, unit.initial_margin) == (D("382.2032"), D("7.0354"))
    assert f"{unit.venue_ratio:.4%}" == "1.4726%"
    assert f"{unit.maintenance_margin / unit.margin_equity:.4%}" == "0.7363%"
    (held,) = snapshot.positions
    assert (held.symbol, held.quantity, f"{held.mark_price:.1f}") == ("XXBTZUSD", D("8.62212861"), "30015.5")
    rules = snapshot.markets[held.symbol]
    assert (rules.lot_step, rules.min_quantity, rules.price_step) == (D("1E-8"), D("0.0001"), D("0.1"))
    assert [(order.kind, order.quantity, order.is_protective) for order in orders] == [
        ("limit", D("0.875"), False),
        ("stop-loss", D("1.25"), True),
    ]
    assert (permissions.can_trade, permissions.can_withdraw, permissions.ip_bound) == (True, False, False)
    form = {name: values[0] for name, values in parse_qs(tape.last("/0/private/AddOrder")).items()}
    del form["nonce"], form["deadline"]
    assert form == {
        "pair": "XXBTZUSD",
        "type": "sell",
        "ordertype": "market",
        "volume": "0.2",
        "leverage": "5",
        "reduce_only": "true",
        "cl_ord_id": "0123456789abcdef0123456789abcdef",
    }
    assert (report.verdict, report.order_id, report.state) == (Verdict.ACCEPTED, "OU22CG-KLAF2-FWUDD7", None)
    assert (found.state, found.filled, found.average_price) == (OrderState.FILLED, D("0.2"), D("30010.5"))
    assert [row.verdict for row in cancelled] == [Verdict.ACCEPTED]
    assert parse_qs(tape.last("/0/private/CancelOrder"))["txid"] == ["OQCLML-BW3P3-BUCMWZ"]
