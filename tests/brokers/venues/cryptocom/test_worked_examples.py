"""Published figures, and what both measures make of them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, RiskUnit
from daemon.risk.margin import effective_leverage, maintenance_usage, utilization, worst_ratio

Row = dict[str, Any]
Snap = Callable[..., AccountSnapshot]


def measures(unit: RiskUnit) -> tuple[Decimal | None, Decimal | None]:
    """Utilization and maintenance ratio, as the daemon judges them."""
    used = utilization(unit.initial_margin, unit.available_margin, unit.margin_equity)
    kept = maintenance_usage(unit.maintenance_margin, unit.margin_equity, unit.venue_ratio)
    return worst_ratio(used), worst_ratio(kept)


def percent(ratio: Decimal | None) -> str:
    assert ratio is not None
    return f"{100 * ratio:.3f}"


def test_the_captured_live_account(snap: Snap, live: tuple[Row, Row]) -> None:
    balance, position = live
    snapshot = snap(balance, position)
    assert snapshot.findings == ()
    (unit,) = snapshot.units
    assert unit.margin_equity == Decimal("128.61024714")
    assert unit.initial_margin == Decimal("22.55184227")
    assert unit.available_margin == Decimal("106.05840487")
    assert unit.maintenance_margin == Decimal("11.27592113")
    assert tuple(map(percent, measures(unit))) == ("17.535", "8.768")


def test_the_documented_account(snap: Snap, documented: Row) -> None:
    btc = {
        "quantity": "-0.1984",
        "open_pos_cost": "-10159.352200",
        "open_position_pnl": "2.236145",
        "instrument_name": "BTCUSD-PERP",
    }
    snapshot = snap(documented, btc)
    assert snapshot.findings == ()
    (unit,) = snapshot.units
    figures = (unit.margin_equity, unit.initial_margin, unit.maintenance_margin, unit.available_margin)
    expected = ("7595.42571782", "2874.36673202", "1437.18336601", "4721.05898582")
    assert figures == tuple(map(Decimal, expected))
    assert tuple(map(percent, measures(unit))) == ("37.843", "18.922")


def test_the_captured_position_has_an_entry_and_no_margin_of_ccxts(snap: Snap, live: tuple[Row, Row]) -> None:
    balance, row = live
    (position,) = snap(balance, row).positions
    assert position.entry_price is not None
    assert round(position.entry_price, 3) == Decimal("65.993")
    assert (position.quantity, position.side.value) == (Decimal("4.7"), "long")
    assert position.unrealized_pnl == Decimal("14.72175")
    assert position.notional == Decimal("324.88845833")  # cost since entry + profit since entry
    assert position.initial_margin == Decimal("16.70615001")  # not the 330.598 of its cost
    assert position.maintenance_margin is not None
    assert round(position.maintenance_margin, 4) == Decimal("8.3531")


def test_leverage_is_the_notional_over_the_equity_and_not_the_venues_own_figure(
    snap: Snap, live: tuple[Row, Row]
) -> None:
    """Crypto.com states 3.399, its used position limit over the equity; its cost would give 2.611."""
    balance, row = live
    snapshot = snap(balance, row)
    equity, notional = snapshot.units[0].margin_equity, snapshot.positions[0].notional
    assert equity is not None
    assert notional is not None
    stated = (balance["used_position_limit"], balance["total_position_cost"])
    assert [f"{Decimal(figure) / equity:.3f}" for figure in stated] == ["3.399", "2.611"]
    assert f"{effective_leverage(notional, equity):.3f}" == "2.526"


@pytest.mark.parametrize(
    ("initial", "available", "shown"),
    [("128.61024714", "0", "100.000"), ("257.22049428", "-128.61024714", "200.000")],
)
def test_reduce_only_begins_at_100_percent_and_liquidation_at_200(
    snap: Snap, live: tuple[Row, Row], initial: str, available: str, shown: str
) -> None:
    balance, position = live
    maintenance = str(Decimal(initial) / 2)
    balance |= {
        "total_initial_margin": initial,
        "total_position_im": initial,
        "total_haircut": "0",
        "total_available_balance": available,
        "total_maintenance_margin": maintenance,
    }
    snapshot = snap(balance, position)
    assert snapshot.findings == ()
    used, kept = measures(snapshot.units[0])
    equity = snapshot.units[0].margin_equity
    assert equity is not None
    assert percent(Decimal(initial) / equity) == shown
    assert kept == Decimal(initial) / equity / 2
    assert used is not None
    assert used >= Decimal(initial) / equity
