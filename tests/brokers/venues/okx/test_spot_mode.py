"""Account level 1: cash, or a debt that is liquidated as a whole."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.hooks import SnapshotContext
from brokers.models import AccountSnapshot, FindingCode, Measure, UnitKind
from brokers.venues.okx.account import AccountLevel, level_of

Row = dict[str, Any]
Parse = Callable[..., AccountSnapshot]


@pytest.fixture
def spot_row(pooled_row: Row) -> Row:
    """What OKX fills in spot mode, by its table of applicable fields; the figures are the pooled sample's."""
    blank = ("availEq", "upl", "isoEq", "notionalUsdForSwap", "notionalUsdForFutures")
    account = pooled_row | dict.fromkeys(blank, "")
    account["notionalUsdForBorrow"] = "12"
    detail = account["details"][0]
    return account | {"details": [detail | {"availEq": "", "isoEq": "", "crossLiab": "12", "twap": "0"}]}


@pytest.fixture
def cash_row(spot_row: Row) -> Row:
    """The same account before it borrowed."""
    figures = ("imr", "mmr", "borrowFroz", "ordFroz", "notionalUsd", "notionalUsdForBorrow")
    detail = spot_row["details"][0] | {"liab": "0", "crossLiab": "", "interest": "0"}
    return spot_row | dict.fromkeys(figures, "0") | {"mgnRatio": "", "details": [detail]}


@pytest.mark.parametrize(
    ("stated", "label"),
    [
        (True, "spot mode, borrowing"),
        ("true", "spot mode, borrowing"),
        (False, "spot mode"),
        ("false", "spot mode"),
        (None, "spot mode, borrowing"),
    ],
)
def test_spot_mode_says_whether_it_may_borrow(
    context_of: Callable[..., SnapshotContext], stated: object, label: str
) -> None:
    mode = context_of("1", enableSpotBorrow=stated).mode
    assert (mode.label, level_of(mode)) == (label, AccountLevel.SPOT)


@pytest.mark.parametrize("borrows", [True, False])
def test_a_debt_makes_it_a_unit_with_the_venues_ratio(parse: Parse, spot_row: Row, *, borrows: bool) -> None:
    snapshot = parse(spot_row, level="1", enableSpotBorrow=borrows)
    (unit,) = snapshot.units
    assert (unit.key, unit.kind, unit.currency) == ("account", UnitKind.ACCOUNT, "USD")
    assert unit.measures == frozenset(Measure)
    assert unit.margin_equity == Decimal("152550.80919105993")
    assert (unit.initial_margin, unit.available_margin) == (Decimal("101.55251216636945"), None)
    assert unit.venue_ratio == 1 / Decimal("15986.632239614408")
    (usdt,) = snapshot.collaterals
    assert (usdt.debt, usdt.interest) == (12, Decimal("0.1"))
    assert (snapshot.positions, snapshot.findings) == ((), ())


@pytest.mark.parametrize("borrows", [True, False, None])
def test_without_a_debt_it_is_cash(parse: Parse, cash_row: Row, borrows: object) -> None:
    snapshot = parse(cash_row, level="1", enableSpotBorrow=borrows)
    (unit,) = snapshot.units
    assert (unit.key, unit.kind, unit.measures) == ("account", UnitKind.CASH, frozenset())
    assert unit.margin_equity == Decimal("43749372.50896299")
    assert snapshot.findings == ()


def test_cash_needs_none_of_the_totals(parse: Parse, futures_row: Row) -> None:
    snapshot = parse(futures_row | {"details": []}, level="1", enableSpotBorrow=False)
    assert [unit.kind for unit in snapshot.units] == [UnitKind.CASH]
    assert snapshot.findings == ()


@pytest.mark.parametrize("name", ["liab", "crossLiab", "interest"])
@pytest.mark.parametrize("figure", ["0.5", "-0.5", "NaN"])
def test_whatever_may_be_owed_is_judged_as_a_debt(
    parse: Parse, cash_row: Row, name: str, figure: str
) -> None:
    cash_row["details"][0][name] = figure
    (unit,) = parse(cash_row, level="1", enableSpotBorrow=False).units
    assert unit.kind is UnitKind.ACCOUNT


@pytest.mark.parametrize("name", ["adjEq", "imr", "mmr"])
def test_a_debt_without_the_totals_is_no_safe_account(parse: Parse, spot_row: Row, name: str) -> None:
    snapshot = parse(spot_row | {name: ""}, level="1", enableSpotBorrow=True)
    assert FindingCode.TOTALS_MISSING in {finding.code for finding in snapshot.findings}


def test_a_ratio_alone_is_a_requirement(parse: Parse, cash_row: Row) -> None:
    (unit,) = parse(cash_row | {"mgnRatio": "1.25"}, level="1").units
    assert (unit.kind, unit.venue_ratio) == (UnitKind.ACCOUNT, Decimal("0.8"))
