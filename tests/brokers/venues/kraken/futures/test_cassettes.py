"""The adapter against Kraken Futures' documented answers, through ccxt at the production host.

Sources: Kraken docs, Futures REST: "Get wallets" (cash and inverse wallets), "Get open positions", "Get open
orders", "Send order", "Check v3 API key"; the multi-collateral wallet is a demo account's in ccxt's static
tests.
"""

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from brokers.models import Side
from brokers.orders import OrderBook, Verdict

Fixture = Any  # the fixtures' types live in conftest
D = Decimal


async def test_wallets_from_connecting_to_reducing(
    at_home: Fixture, recorded: Fixture, tape: Fixture, own_order: Fixture
) -> None:
    with recorded("wallets"):
        broker = await at_home("kraken", "futures")
        snapshot = await broker.fetch_snapshot()
        orders = await broker.fetch_open_orders()
        permissions = await broker.fetch_permissions()
        report = await broker.submit(own_order(broker, snapshot.positions[0], "4000", "9494"))
    assert snapshot.findings == ()
    assert [unit.key for unit in snapshot.units] == ["fi_xbtusd", "flex"], "the cash wallet backs nothing"
    coin, flex = snapshot.units
    assert (coin.currency, coin.margin_equity, coin.initial_margin) == ("BTC", D("153.73891563"), 53)
    assert f"{coin.initial_margin / coin.margin_equity:.2%}" == "34.47%"
    assert f"{coin.maintenance_margin / coin.margin_equity:.2%}" == "15.45%"
    assert (flex.margin_equity, flex.initial_margin, flex.maintenance_margin) == (D("20498.278"), 0, 0)
    (held,) = snapshot.positions
    assert (held.symbol, held.side, held.quantity) == ("PI_XBTUSD", Side.SHORT, 10_000)
    assert held.notional == D(10_000) / D(9_400)
    assert [(order.symbol, order.book, order.is_protective) for order in orders] == [
        ("PI_XBTUSD", OrderBook.ACTIVE, False),
        ("PI_XBTUSD", OrderBook.TRIGGER, True),
    ]
    assert (permissions.can_trade, permissions.can_withdraw) == (True, False)
    form = {name: values[0] for name, values in parse_qs(tape.last("/sendorder")).items()}
    del form["processBefore"]
    assert form == {
        "orderType": "ioc",
        "symbol": "PI_XBTUSD",
        "side": "buy",
        "size": "4000",
        "limitPrice": "9494",
        "reduceOnly": "true",
        "cliOrdId": "0123456789abcdef0123456789abcdef",
    }
    # "placed", and a quarter of it executed: the status does not tell, the events do
    assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, None, D(1000))
    assert report.average_price == D("9400.5")
