from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Collateral, ContractKind, Measure
from daemon.risk.picture import picture, settle_rate

D = Decimal
BUILD = Any


@pytest.mark.parametrize(
    ("settle", "kind", "collateral", "rate"),
    [
        ("USD", ContractKind.LINEAR, None, "1"),
        ("USDT", ContractKind.LINEAR, None, "1"),
        ("USDT", ContractKind.LINEAR, ("100", "65"), "0.65"),
        ("BTC", ContractKind.INVERSE, ("2", "99000"), "49500"),
        ("BTC", ContractKind.INVERSE, ("0", "0"), "50000"),
        ("BTC", ContractKind.LINEAR, None, None),
        ("BNFCR", ContractKind.LINEAR, None, None),
    ],
    ids=["same", "dollars", "depegged", "stated", "by mark", "no rate", "unknown coin"],
)
def test_a_settle_currency_is_valued_by_what_is_known(
    *, build: BUILD, settle: str, kind: ContractKind, collateral: tuple[str, str] | None, rate: str | None
) -> None:
    position = build.Row().position(settle=settle, kind=kind)
    held = []
    if collateral is not None:
        equity, value = collateral
        held = [Collateral(currency=settle, wallet_balance=None, equity=D(equity), value=D(value))]

    assert settle_rate(position, "USD", held) == (None if rate is None else D(rate))
    assert settle_rate(position, "EUR", held) is None


def test_amounts_of_a_row_are_turned_into_the_units_currency(build: BUILD) -> None:
    row = build.Row().position(
        settle="BTC", kind=ContractKind.INVERSE, notional=D(2), maintenance_margin=D("0.1")
    )
    snapshot = build.snapshot(units=[build.unit(currency="USD")], positions=[row])
    (unit,) = picture(snapshot)
    (valued,) = unit.positions

    assert valued.notional == 100_000
    assert valued.margin(Measure.MAINTENANCE) == 5_000
    assert unit.positions_margin(Measure.MAINTENANCE) == 5_000


def test_a_sum_with_one_figure_missing_is_none(build: BUILD) -> None:
    snapshot = build.book(10_000, [build.Row(), build.Row(symbol="ETHUSDT", maintenance=None)])
    (unit,) = picture(snapshot)

    assert unit.positions_margin(Measure.MAINTENANCE) is None
    assert unit.positions_margin(Measure.UTILIZATION) == 10_000
    without_rate = replace(snapshot, units=(replace(snapshot.units[0], currency="EUR"),))
    assert picture(without_rate)[0].positions_margin(Measure.UTILIZATION) is None
