"""The documented samples and worked examples of OKX account payloads, to the published digit."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, UnitKind

Row = dict[str, Any]
Parse = Callable[..., AccountSnapshot]


def percent(value: Decimal | None, places: int) -> str:
    assert value is not None
    return f"{value * 100:.{places}f}"


def utilization(snapshot: AccountSnapshot) -> Decimal:
    unit = snapshot.unit("account")
    assert unit.initial_margin is not None
    assert unit.available_margin is not None
    return unit.initial_margin / (unit.initial_margin + unit.available_margin)


def test_documented_account_sample_gives_its_published_ratios(parse: Parse, pooled_row: Row) -> None:
    # Source: ccxt static balance test; figures by hand from it.
    snapshot = parse(pooled_row)
    unit = snapshot.unit("account")
    assert (unit.kind, unit.currency) == (UnitKind.ACCOUNT, "USD")
    assert percent(utilization(snapshot), 4) == "0.0672"
    assert unit.initial_margin is not None
    assert unit.margin_equity is not None
    assert unit.maintenance_margin is not None
    assert percent(unit.initial_margin / unit.margin_equity, 4) == "0.0666"
    assert percent(unit.venue_ratio, 6) == "0.006255"
    assert percent(unit.maintenance_margin / unit.margin_equity, 6) == "0.005948"
    assert snapshot.findings == ()


def test_documented_account_push_gives_its_published_ratios(parse: Parse, pooled_row: Row) -> None:
    # Source: OKX docs, websocket account channel sample.
    row = {
        **pooled_row,
        "adjEq": "100942.133",
        "imr": "2480.142",
        "availEq": "98461.991",
        "mmr": "52.196",
        "mgnRatio": "1814.592",
    }
    snapshot = parse(row)
    unit = snapshot.unit("account")
    assert percent(utilization(snapshot), 3) == "2.457"
    assert percent(unit.venue_ratio, 4) == "0.0551"
    assert unit.maintenance_margin is not None
    assert unit.margin_equity is not None
    assert percent(unit.maintenance_margin / unit.margin_equity, 4) == "0.0517"


def test_documented_position_sample_shows_its_leverage(parse: Parse, pooled_row: Row) -> None:
    # Source: ccxt static positions test.
    row = {
        "instId": "LTC-USDT-SWAP",
        "instType": "SWAP",
        "pos": "1",
        "posSide": "long",
        "mgnMode": "cross",
        "ccy": "USDT",
        "lever": "3",
        "imr": "0.0227466666666667",
        "mmr": "0.00044356",
        "notionalUsd": "0.0682283992",
        "markPx": "0.06824",
        "mgnRatio": "141687115.05",
    }
    snapshot = parse(pooled_row, row)
    (position,) = snapshot.positions
    assert position.notional is not None
    assert position.initial_margin is not None
    assert position.leverage_setting == 3
    assert f"{position.notional / position.initial_margin:.3f}" == "3.000"
    assert f"{position.notional / Decimal(row['imr']):.4f}" == "2.9995", "published: dollars over tethers"
    assert snapshot.findings == ()


@pytest.mark.parametrize(
    ("stated", "turned"),
    [
        *(("1.25", "0.8"), ("1", "1"), ("0.5", "2"), ("134", "0.00746")),
        *(("1.4286", "0.69999"), ("1.1111", "0.90001")),  # where 70 and 90 % begin
        *(("3", "0.33333"), ("14.2", "0.07042")),  # where OKX warns; ccxt's position sample
    ],
)
def test_margin_ratio_is_turned_so_that_one_is_liquidation(
    parse: Parse, pooled_row: Row, stated: str, turned: str
) -> None:
    """OKX docs, `mgnRatio`: equity over maintenance margin and liquidation fees; it liquidates at 100 %."""
    ratio = parse({**pooled_row, "mgnRatio": stated}).unit("account").venue_ratio
    assert ratio is not None
    assert round(ratio, 5) == Decimal(turned)


@pytest.mark.parametrize(
    ("equity", "maintenance", "ratio", "required", "left_out"),
    [
        ("152550.80919105993", "9.073149592403611", "15986.632239614408", "9.5424", "1365.50"),
        ("100942.133", "52.196", "1814.592", "55.6280", "-0.00"),
    ],
    ids=["balance", "push"],
)
def test_the_venues_ratio_holds_the_fee_and_so_is_the_worse_of_the_two(
    parse: Parse,
    pooled_row: Row,
    *,
    equity: str,
    maintenance: str,
    ratio: str,
    required: str,
    left_out: str,
) -> None:
    """What `mgnRatio` divides by is more than `mmr`; what is not available is `imr`, or more."""
    row = {**pooled_row, "adjEq": equity, "mmr": maintenance, "mgnRatio": ratio}
    if left_out == "-0.00":
        row |= {"imr": "2480.142", "availEq": "98461.991"}
    unit = parse(row).unit("account")
    assert None not in (unit.venue_ratio, unit.margin_equity, unit.maintenance_margin)
    assert f"{unit.venue_ratio * unit.margin_equity:.4f}" == required
    assert unit.venue_ratio * unit.margin_equity > unit.maintenance_margin
    restricted = unit.margin_equity - unit.initial_margin - unit.available_margin
    assert abs(restricted - Decimal(left_out)) < Decimal("0.01")
