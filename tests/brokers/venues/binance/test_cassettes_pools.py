"""COIN-M and portfolio margin against documented answers, through ccxt at the production hosts.

Sources: Binance docs, COIN-M "Account Information", "Position Information", "New Order"; Portfolio Margin
"Account Information", "Account Balance", "UM Position Information"; the position is of ccxt's static tests.
"""

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from brokers.models import Side
from brokers.orders import OrderState, Verdict

Fixture = Any  # the fixtures' types live in conftest
D = Decimal


async def test_a_coin_margined_account_from_connecting_to_reducing(
    at_home: Fixture, recorded: Fixture, tape: Fixture, own_order: Fixture
) -> None:
    with recorded("coinm"):
        broker = await at_home("binance", "coinm")
        snapshot = await broker.fetch_snapshot()
        orders = await broker.fetch_open_orders()
        report = await broker.submit(own_order(broker, snapshot.positions[0], "1"))
    assert (snapshot.findings, orders) == ((), ())
    (unit,) = snapshot.units
    assert (unit.key, unit.margin_equity) == ("BTC", D("0.00034318"))
    (held,) = snapshot.positions
    assert (held.side, held.quantity, held.notional) == (Side.SHORT, 3, D("0.00439662"))
    assert (held.initial_margin, held.maintenance_margin) == (D("0.00021983"), D("0.0000175865"))
    rules = snapshot.markets[held.symbol]
    assert round(held.quantity * rules.contract_size / held.mark_price, 8) == held.notional
    form = {name: values[0] for name, values in parse_qs(tape.last("/dapi/v1/order")).items()}
    asked = {name: form[name] for name in ("symbol", "side", "type", "quantity", "reduceOnly")}
    assert asked == {
        "symbol": "BTCUSD_PERP",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "1",
        "reduceOnly": "true",
    }
    assert (report.verdict, report.state, report.filled) == (Verdict.ACCEPTED, OrderState.FILLED, 1)


async def test_a_portfolio_account_is_judged_by_its_unimmr(at_home: Fixture, recorded: Fixture) -> None:
    with recorded("portfolio"):
        broker = await at_home("binance", "portfolio")
        snapshot = await broker.fetch_snapshot()
    assert snapshot.findings == ()
    (unit,) = snapshot.units
    assert (unit.margin_equity, unit.available_margin) == (D("122607.35137903"), None)
    assert unit.venue_ratio == D("1.05") / D("5167.92171923")
    assert f"{unit.maintenance_margin / unit.margin_equity * D('1.05'):.8f}" == f"{unit.venue_ratio:.8f}"
    (held,) = snapshot.positions
    assert (held.symbol, held.quantity, held.maintenance_margin) == ("BTCUSDT", D("0.009"), D("23.72469206"))
