"""Kraken Futures' own samples, and figures published of it, read to what they come to by hand.

Sources: Kraken docs, Futures REST "Get wallets", WebSocket "Open positions"; the accounts answer of a demo
account in ccxt's static tests.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from brokers.models import AccountSnapshot, Measure, UnitKind

Row = dict[str, Any]
Make = Callable[..., Row]
See = Callable[..., AccountSnapshot]
D = Decimal


def position(symbol: str = "PF_XBTUSD", side: str = "long", size: float = 1, **more: object) -> Row:
    return {"side": side, "symbol": symbol, "price": 100000.0, "size": size, **more}


def ratio(part: Decimal | None, whole: Decimal | None) -> Decimal:
    assert part is not None
    assert whole is not None
    return part / whole


def test_utilization_and_maintenance_of_the_multi_collateral_wallet(see: See) -> None:
    wallet = {
        "type": "multiCollateralMarginAccount",
        "initialMargin": 4000,
        "initialMarginWithOrders": 4500,
        "maintenanceMargin": 2000,
        "collateralValue": 9927.51,
        "totalUnrealizedAsMargin": -501,
        "availableMargin": 4926.51,
        "marginEquity": 9426.51,
    }
    held = position(size=2)
    snapshot = see(held, wallets={"flex": wallet})
    assert snapshot.findings == ()
    unit = snapshot.unit("flex")
    assert (unit.kind, unit.currency, unit.measures) == (UnitKind.ACCOUNT, "USD", frozenset(Measure))
    assert round(ratio(unit.initial_margin, unit.margin_equity), 4) == D("0.4774")
    used, available = unit.initial_margin, unit.available_margin
    assert used is not None
    assert available is not None
    assert round(used / (used + available), 4) == D("0.4774")
    assert round(ratio(unit.maintenance_margin, unit.margin_equity), 4) == D("0.2122")
    (alone,) = snapshot.positions
    assert round(ratio(alone.initial_margin, unit.margin_equity), 4) == D("0.4243"), "without its orders"


def test_a_wallet_of_several_currencies_without_positions_uses_nothing(see: See) -> None:
    wallet = {
        "type": "multiCollateralMarginAccount",
        "currencies": {
            "USD": {"quantity": 4999.02353918, "value": 4999.02353918, "collateral": 4999.02353918},
            "XBT": {"quantity": 0.06616863739, "value": 5029.07, "collateral": 4928.49},
        },
        "balanceValue": 20916.93,
        "collateralValue": 20498.278,
        "initialMargin": 0,
        "initialMarginWithOrders": 0,
        "maintenanceMargin": 0,
        "totalUnrealized": 0,
        "totalUnrealizedAsMargin": 0,
        "marginEquity": 20498.278,
        "availableMargin": 20498.278,
    }
    snapshot = see(wallets={"flex": wallet})
    assert snapshot.findings == ()
    unit = snapshot.unit("flex")
    assert (unit.margin_equity, unit.initial_margin, unit.maintenance_margin) == (D("20498.278"), 0, 0)
    coins = {c.currency: (c.wallet_balance, c.value, c.debt) for c in snapshot.collaterals}
    assert coins["BTC"] == (D("0.06616863739"), D("5029.07"), None)


def test_margins_of_a_position_go_by_its_entry_price(see: See, flex: Make) -> None:
    wallet = flex(
        initialMargin=0.7053,
        initialMarginWithOrders=0.7053,
        maintenanceMargin=0.35265,
        marginEquity=100,
        availableMargin=99.2947,
    )
    snapshot = see(position("PF_LTCUSD", size=0.5, price=70.53), wallets={"flex": wallet})
    assert snapshot.findings == ()
    (held,) = snapshot.positions
    assert (held.initial_margin, held.maintenance_margin) == (D("0.7053"), D("0.35265"))
    assert (held.mark_price, held.notional) == (D("68.804"), D("34.402"))
    assert held.unrealized_pnl == D("0.5") * (D("68.804") - D("70.53"))


def test_what_an_inverse_wallet_holds_back_counts_as_used(see: See) -> None:
    """Kraken's documented sample: 153.74 of value, 52.8 required, 100.74 left, so 53 are spoken for."""
    wallet = {
        "type": "marginAccount",
        "currency": "xbt",
        "balances": {"xbt": "141.31756797"},
        "auxiliary": {"af": 100.73891563, "funding": 100.73891563, "pnl": 12.42134766, "pv": 153.73891563},
        "marginRequirements": {"im": 52.8, "lt": 39.6, "mm": 23.76, "tt": 15.84},
        "triggerEstimates": {"im": 3110, "lt": 2890, "mm": 3000, "tt": 2830},
    }
    row = position("PI_XBTUSD", "short", size=100_000_000, price=70_000.0)
    unit = see(row, wallets={"fi_xbtusd": wallet}).unit("fi_xbtusd")
    assert unit.initial_margin == D(53)
    assert unit.maintenance_margin == D("23.76")


def test_an_inverse_wallet_is_liquidated_where_its_requirement_meets_its_value(see: See) -> None:
    """Kraken's `lt` is above `mm` in its samples and no line of ours: the ratio is `mm` / `pv`."""
    wallet = {
        "type": "marginAccount",
        "currency": "xbt",
        "balances": {"xbt": 1.0},
        "auxiliary": {"usd": 0, "pv": 1.0, "pnl": 0.0, "af": -0.6, "funding": 0},
        "marginRequirements": {"im": 1.6, "mm": 0.8, "lt": 0.7, "tt": 0.6},
    }
    row = position("PI_XBTUSD", size=6_400_000, price=100_000.0)
    unit = see(row, wallets={"fi_xbtusd": wallet}).unit("fi_xbtusd")
    assert ratio(unit.maintenance_margin, unit.margin_equity) == D("0.8")
    assert ratio(unit.initial_margin, unit.margin_equity) == D("1.6"), (
        "twice as much, as in all of its samples"
    )
