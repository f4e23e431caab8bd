from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot, ContractKind, FindingCode, MarginMode, Measure, Side, UnitKind

Row = dict[str, Any]
Make = Callable[..., Row]
See = Callable[..., AccountSnapshot]
D = Decimal


def position(symbol: str = "PF_XBTUSD", side: str = "long", size: float = 1, **more: object) -> Row:
    return {
        "side": side,
        "symbol": symbol,
        "price": 100000.0,
        "fillTime": "2025-11-16T10:00:00.000Z",
        "size": size,
        "unrealizedFunding": 0.0,
        "pnlCurrency": "USD",
        **more,
    }


def ticker(symbol: str, mark: object, *, suspended: bool = False) -> Row:
    return {"symbol": symbol, "markPrice": mark, "suspended": suspended}


def success(**parts: object) -> Row:
    return {"result": "success", **parts, "serverTime": "2025-11-17T00:34:37.524Z"}


def codes(snapshot: AccountSnapshot) -> list[FindingCode]:
    return [finding.code for finding in snapshot.findings]


# ---------------------------------------------------------------- positions


def test_a_linear_position_is_priced_by_its_ticker(see: See) -> None:
    snapshot = see(position())
    assert snapshot.findings == ()
    (held,) = snapshot.positions
    assert (held.symbol, held.unit, held.side, held.margin_mode) == (
        "PF_XBTUSD",
        "flex",
        Side.LONG,
        MarginMode.CROSS,
    )
    assert (held.quantity, held.notional, held.unrealized_pnl) == (1, 90_000, -10_000)
    assert (held.entry_price, held.leverage_setting, held.hedged) == (100_000, None, False)
    assert (snapshot.as_of.microsecond, (snapshot.fetched_at - snapshot.as_of).total_seconds()) == (
        524_000,
        0.476,
    )


@pytest.mark.parametrize("name", ["pf_xbtusd", "PF_XBTUSD"])
def test_a_contract_may_be_written_in_either_case(see: See, name: str) -> None:
    snapshot = see(position(name), tickers=(ticker(name.swapcase(), 90000),))
    assert [held.symbol for held in snapshot.positions] == ["PF_XBTUSD"]
    assert snapshot.findings == ()


def test_a_contract_keeps_the_spelling_of_the_list(see: See) -> None:
    (held,) = see(position("PF_AAPLXUSD"), tickers=(ticker("PF_AAPLxUSD", 300),)).positions
    assert held.symbol == "PF_AAPLxUSD"


def test_an_inverse_position_counts_dollars_and_is_worth_coin(see: See) -> None:
    wallet = {
        "type": "marginAccount",
        "currency": "xbt",
        "balances": {"xbt": 2.5},
        "auxiliary": {"usd": 0, "pv": 2.25, "pnl": -0.25, "af": 2.23, "funding": 0},
        "marginRequirements": {"im": 0.02, "mm": 0.01, "lt": 0.005, "tt": 0.004},
    }
    row = position("PI_XBTUSD", size=100_000, price=100_000.0, pnlCurrency="XBT")
    snapshot = see(row, wallets={"fi_xbtusd": wallet})
    assert snapshot.findings == ()
    (held,) = snapshot.positions
    assert (held.unit, held.settle, held.kind) == ("fi_xbtusd", "BTC", ContractKind.INVERSE)
    assert held.notional == D(100_000) / D(80_000)
    assert held.unrealized_pnl == D(1) - D("1.25")
    assert (held.initial_margin, held.maintenance_margin) == (D("0.02"), D("0.01"))
    unit = snapshot.unit("fi_xbtusd")
    assert (unit.kind, unit.currency, unit.wallet_balance) == (UnitKind.CURRENCY, "BTC", D("2.5"))
    assert (unit.margin_equity, unit.initial_margin, unit.available_margin) == (
        D("2.25"),
        D("0.02"),
        D("2.23"),
    )


def test_wallets_that_hold_nothing_and_the_cash_wallet_are_no_units(see: See, flex: Make) -> None:
    empty = {
        "type": "marginAccount",
        "currency": "eth",
        "balances": {"eth": 0.0},
        "auxiliary": {"usd": 0, "pv": 0.0, "pnl": 0.0, "af": 0.0},
        "marginRequirements": {"im": 0.0, "mm": 0.0},
    }
    snapshot = see(position(), wallets={"flex": flex(), "fi_ethusd": empty})
    assert [unit.key for unit in snapshot.units] == ["flex"]


def test_an_isolated_position_is_a_unit_of_its_own(see: See, flex: Make) -> None:
    row = position(size=0.1, maxFixedLeverage=5)
    wallet = flex(maintenanceMargin=100)
    snapshot = see(row, wallets={"flex": wallet})
    assert snapshot.findings == ()
    (held,) = snapshot.positions
    assert (held.margin_mode, held.unit, held.leverage_setting) == (
        MarginMode.ISOLATED,
        "isolated:PF_XBTUSD",
        5,
    )
    unit = snapshot.unit("isolated:PF_XBTUSD")
    assert (unit.initial_margin, unit.margin_equity, unit.maintenance_margin) == (2_000, 1_000, 100)
    assert (unit.measures, unit.parent) == (frozenset({Measure.MAINTENANCE}), "flex")
    assert snapshot.unit("flex").unrealized_pnl is None, "whether it holds the isolated one is not said"


def test_the_smaller_side_of_one_coin_requires_nothing(see: See, flex: Make) -> None:
    wallet = flex(initialMargin=2000, maintenanceMargin=1000)
    short = position("FF_XBTUSD_260327", "short", size=0.6)
    snapshot = see(position(), short, wallets={"flex": wallet})
    assert snapshot.findings == ()
    margins = {held.symbol: (held.initial_margin, held.maintenance_margin) for held in snapshot.positions}
    assert margins == {"PF_XBTUSD": (2000, 1000), "FF_XBTUSD_260327": (0, 0)}


def test_contracts_of_one_coin_and_wallet_hedge_each_other(see: See, flex: Make) -> None:
    rows = (
        position(),
        position("FF_XBTUSD_260327", "short", size=0.6),
        position("PF_LTCUSD", "short", price=70.0),
        position("PI_XBTUSD", "short", size=100),
        position("PF_NEWUSD"),
    )
    wallets = {"flex": flex(), "fi_xbtusd": {"type": "marginAccount"}}
    names = {held.symbol: held.netting for held in see(*rows, wallets=wallets).positions}
    assert names["PF_XBTUSD"] == names["FF_XBTUSD_260327"] == "flex:BTC:1"
    assert len(set(names.values())) == 4, "another coin, another wallet, and one without rules"
    assert names["PF_NEWUSD"] is None


def test_isolated_legs_do_not_net(see: See) -> None:
    short = position("FF_XBTUSD_260327", "short", size=0.6, maxFixedLeverage=2)
    held = {p.symbol: p.maintenance_margin for p in see(position(), short).positions}
    assert held == {"PF_XBTUSD": 1000, "FF_XBTUSD_260327": 600}


def test_margins_are_shares_of_what_the_wallet_states(see: See, flex: Make) -> None:
    """A retail client's schedule asks 25 times as much as the one that is listed."""
    wallet = flex(
        initialMargin=75_000,
        initialMarginWithOrders=75_000,
        maintenanceMargin=37_500,
        marginEquity=90_000,
        availableMargin=15_000,
    )
    held = see(position(), position("PF_LTCUSD", size=1000, price=50.0), wallets={"flex": wallet}).positions
    assert [p.initial_margin for p in held] == [50_000, 25_000]
    assert [p.maintenance_margin for p in held] == [25_000, 12_500]


def test_levels_are_needed_part_by_part(see: See, flex: Make) -> None:
    wallet = flex(
        initialMargin=60_000,
        initialMarginWithOrders=60_000,
        maintenanceMargin=30_000,
        marginEquity=300_000,
        availableMargin=240_000,
        balanceValue=500_000,
        totalUnrealized=-200_000,
    )
    snapshot = see(position(size=20), wallets={"flex": wallet})
    (held,) = snapshot.positions
    assert (held.initial_margin, held.maintenance_margin) == (60_000, 30_000)
    assert [(t.floor, t.rate, t.deduction) for t in snapshot.tiers["PF_XBTUSD"]] == [
        (0, D("0.01"), 0),
        (1_000_000, D("0.02"), 10_000),
    ]


# ---------------------------------------------------------------- what must be noticed


def test_an_answer_without_positions_is_unknown_and_not_flat(see: See) -> None:
    with pytest.raises(MalformedAnswer, match="openPositions"):
        see(positions=success())
    with pytest.raises(MalformedAnswer, match="tickers"):
        see(position(), tickers_answer=success())
    with pytest.raises(MalformedAnswer, match="accounts"):
        see(position(), accounts=success())


@pytest.mark.parametrize(
    "tickers",
    [
        (),
        (ticker("PF_XBTUSD", None),),
        (ticker("PF_XBTUSD", "NaN"),),
        (ticker("PF_XBTUSD", 0),),
        (ticker("PF_XBTUSD", 90000, suspended=True),),
    ],
)
def test_a_position_without_a_live_price_is_a_finding(see: See, tickers: tuple[Row, ...]) -> None:
    snapshot = see(position(), tickers=tickers)
    assert [(f.code, f.symbol) for f in snapshot.findings] == [(FindingCode.PRICE_UNKNOWN, "PF_XBTUSD")]
    (held,) = snapshot.positions
    assert (held.mark_price, held.notional, held.unrealized_pnl) == (None, None, None)
    assert snapshot.unit("flex").margin_equity == 10_000, "the wallet's own figures still stand"


def test_an_isolated_position_without_a_live_price_cannot_be_measured(see: See) -> None:
    snapshot = see(position(size=0.1, maxFixedLeverage=5), tickers=())
    assert snapshot.unit("isolated:PF_XBTUSD").margin_equity is None


@pytest.mark.parametrize(
    "changes",
    [
        {"availableMargin": 7000.0},
        {"marginEquity": 0.0},
        {"marginEquity": 10000.03},
        {"initialMarginWithOrders": 0.0},
    ],
)
def test_margins_that_contradict_one_another_are_found(
    see: See, flex: Make, changes: dict[str, float]
) -> None:
    snapshot = see(position(), wallets={"flex": flex(**changes)})
    assert set(codes(snapshot)) == {FindingCode.INCONSISTENT}
    assert "availableMargin" in snapshot.findings[0].detail


def test_available_margin_may_leave_orders_out_and_they_count_all_the_same(see: See, flex: Make) -> None:
    flat = flex()
    orders = 500
    wallet = flex(initialMarginWithOrders=flat["initialMargin"] + orders)
    wallet["availableMargin"] = wallet["marginEquity"] - wallet["initialMargin"]
    snapshot = see(position(), wallets={"flex": wallet})
    assert snapshot.findings == ()
    unit = snapshot.unit("flex")
    assert unit.available_margin == D(str(wallet["availableMargin"])) - orders


def test_available_margin_may_be_floored_at_zero(see: See, flex: Make) -> None:
    wallet = flex(marginEquity=2000.0, availableMargin=0.0)
    assert see(position(), wallets={"flex": wallet}).findings == ()


def test_a_torn_picture_is_found(see: See, flex: Make) -> None:
    assert codes(see()) == [FindingCode.INCONSISTENT], "a requirement, and no position"
    without = flex(maintenanceMargin=0.0)
    assert codes(see(position(), wallets={"flex": without})) == [FindingCode.INCONSISTENT]


def test_a_requirement_may_follow_the_price(see: See, flex: Make) -> None:
    """A long from 100,000 at 80,000: 1,000 by its entry, 800 by its mark, and less is of another moment."""
    fallen = (ticker("PF_XBTUSD", 80000),)
    for maintenance, found in ((1000.0, []), (800.0, []), (700.0, [FindingCode.INCONSISTENT])):
        snapshot = see(position(), wallets={"flex": flex(maintenanceMargin=maintenance)}, tickers=fallen)
        assert codes(snapshot) == found
    short = position("FF_XBTUSD_260327", "short", size=0.9)
    both = (*fallen, ticker("FF_XBTUSD_260327", 80000))
    assert (
        see(position(), short, wallets={"flex": flex(maintenanceMargin=800.0)}, tickers=both).findings == ()
    )


def test_without_prices_the_wallet_is_judged_and_nothing_is_priced(see: See) -> None:
    snapshot = see(position(), tickers_answer=None)
    assert codes(snapshot) == [FindingCode.PRICE_UNKNOWN]
    assert snapshot.unit("flex").margin_equity == 10_000


@pytest.mark.parametrize(
    "name", ["marginEquity", "initialMarginWithOrders", "maintenanceMargin", "availableMargin"]
)
@pytest.mark.parametrize("damage", ["NaN", None, "", "1,000"])
def test_a_damaged_total_is_found_and_never_zero(see: See, flex: Make, name: str, damage: object) -> None:
    snapshot = see(position(), wallets={"flex": flex(**{name: damage})})
    assert snapshot.findings
    fields = {
        "marginEquity": "margin_equity",
        "initialMarginWithOrders": "initial_margin",
        "maintenanceMargin": "maintenance_margin",
        "availableMargin": "available_margin",
    }
    assert getattr(snapshot.unit("flex"), fields[name]) is None


def test_positions_of_a_wallet_that_is_not_listed_are_found(see: See) -> None:
    snapshot = see(position("PI_XBTUSD", size=100), wallets={})
    assert FindingCode.TOTALS_MISSING in codes(snapshot)
    assert snapshot.unit("fi_xbtusd").margin_equity is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "PF_NEWUSD"}, FindingCode.SYMBOL_UNKNOWN),
        ({"size": "NaN"}, FindingCode.FIELD_DAMAGED),
        ({"size": None}, FindingCode.FIELD_MISSING),
        ({"side": "both"}, FindingCode.FIELD_DAMAGED),
        ({"size": -1}, FindingCode.FIELD_DAMAGED),
        ({"price": None}, FindingCode.FIELD_MISSING),
        ({"maxFixedLeverage": 0}, FindingCode.FIELD_DAMAGED),
    ],
)
def test_a_damaged_row_is_found(see: See, changes: dict[str, object], code: FindingCode) -> None:
    assert code in codes(see(position(**changes)))


def test_two_rows_of_one_contract_are_found(see: See) -> None:
    snapshot = see(position(), position("pf_xbtusd"))
    assert FindingCode.INCONSISTENT in codes(snapshot)
    assert len(snapshot.positions) == 1


def test_the_oldest_answer_dates_the_picture(see: See, flex: Make) -> None:
    old = success(accounts={"flex": flex()}) | {"serverTime": "2025-11-17T00:24:37.524Z"}
    snapshot = see(position(), accounts=old)
    assert (snapshot.fetched_at - snapshot.as_of).total_seconds() == 600.476
    assert codes(snapshot) == [FindingCode.INCONSISTENT], "a stale copy among fresh answers"
    slow = success(accounts={"flex": flex()}) | {"serverTime": "2025-11-17T00:34:32.600Z"}
    assert see(position(), accounts=slow).findings == ()
    undated = success(accounts={"flex": flex()})
    del undated["serverTime"]
    assert codes(see(position(), accounts=undated)) == [FindingCode.TIME_MISSING]
    prices = {"result": "success", "tickers": [ticker("PF_XBTUSD", 90000)]}
    assert see(position(), tickers_answer=prices).findings == ()
