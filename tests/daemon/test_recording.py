"""Snapshots, transitions and plans as rows; every expected figure is reckoned by hand."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import (
    AccountId,
    AccountMode,
    AccountSnapshot,
    Collateral,
    ContractKind,
    MarginMode,
    Measure,
    Position,
    RiskUnit,
    Side,
    Symbol,
    UnitKind,
)
from daemon.recording import (
    margin_samples,
    percent,
    plan_summary,
    position_samples,
    snapshot_summary,
    transition_event,
    transition_sentence,
)
from daemon.risk.assessment import assess
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.reduction import ReductionPlan, plan_reduction
from daemon.risk.standing import Transition, TransitionKind
from database.records import MarginSample, PositionSample

D = Decimal
NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)

POSITION = Position(
    symbol=Symbol("BTCUSDT"),
    unit="account",
    side=Side.LONG,
    quantity=D("0.5"),
    settle="USDT",
    kind=ContractKind.LINEAR,
    margin_mode=MarginMode.CROSS,
    hedged=False,
    entry_price=D(62_000),
    mark_price=D(60_000),
    notional=D(30_000),
    initial_margin=D(6_000),
    maintenance_margin=D(300),
    unrealized_pnl=D(-1_000),
    leverage_setting=D(5),
    liquidation_price=D(45_000),
)
ACCOUNT = RiskUnit(
    key="account",
    kind=UnitKind.ACCOUNT,
    currency="USD",
    margin_equity=D(8_000),
    initial_margin=D(6_400),
    maintenance_margin=D(400),
    available_margin=D(1_600),
    wallet_balance=D(9_000),
    unrealized_pnl=D(-1_000),
)


def coin(currency: str, **values: object) -> Collateral:
    """Describe one currency of the account."""
    return Collateral(**{"currency": currency, "wallet_balance": None, "equity": None} | values)


def snapshot(*collaterals: Collateral, unit: RiskUnit = ACCOUNT, **changes: object) -> AccountSnapshot:
    """One BTC long of 30,000 over 8,000 of equity, and whatever is owed."""
    values = {
        "account_id": AccountId("bybit-main"),
        "broker": "bybit",
        "product": "unified",
        "as_of": NOW,
        "fetched_at": NOW,
        "mode": AccountMode(label="regular", margin_mode=MarginMode.CROSS, position_mode=None),
        "units": (unit,),
        "positions": (replace(POSITION, unit=unit.key),),
        "collaterals": collaterals,
    }
    return AccountSnapshot(**values | changes)


def sample(*collaterals: Collateral, unit: RiskUnit = ACCOUNT) -> MarginSample:
    """The margin row of the one unit."""
    shown = snapshot(*collaterals, unit=unit)
    (row,) = margin_samples(shown, assess(shown, MarginPolicy(), NOW, None), NOW)
    return row


def test_a_unit_with_debt_fills_every_column() -> None:
    usdt = coin(
        "USDT", equity=D(-1_000), value=D(-999), debt=D(1_990), interest=D(10), interest_rate=D("0.073")
    )

    assert sample(usdt) == MarginSample(
        time=NOW,
        account="bybit-main",
        broker="bybit",
        product="unified",
        unit="account",
        currency="USD",
        level="critical",
        debit_balance=D(1_998),  # 2,000 USDT at 0.999
        equity_balance=D(8_000),
        market_value=D(29_970),  # 30,000 USDT at 0.999
        margin_ratio=D(8_000) / D(29_970),
        initial_margin=D(6_400),
        maintenance_margin=D(400),
        available_margin=D(1_600),
        maintenance_excess=D(7_600),  # 8,000 - 400
        margin_utilization=D("0.8"),  # 6,400 of 6,400 + 1,600
        maintenance_ratio=D("0.05"),  # 400 of 8,000
        effective_leverage=D("3.74625"),  # 29,970 over 8,000
        interest_rate=D("0.073"),
        daily_interest_cost=D("0.3996"),  # 1,998 x 7.3 % / 365
    )


def test_debts_in_several_currencies_add_up_and_their_rate_is_the_mean_by_what_is_owed() -> None:
    usdt = coin("USDT", equity=D(5_000), value=D(5_000), debt=D(1_000), interest_rate=D("0.10"))
    btc = coin("BTC", equity=D("-0.05"), value=D(-3_000), debt=D("0.05"), interest_rate=D("0.02"))
    row = sample(usdt, btc)

    assert row.debit_balance == 4_000
    assert row.interest_rate == D("0.04")  # (1,000 x 10 % + 3,000 x 2 %) / 4,000
    assert row.daily_interest_cost == D(160) / 365


@pytest.mark.parametrize(
    ("coins", "debit", "rate"),
    [
        ((), None, None),
        ((coin("USDT", equity=D(8_000)),), None, None),
        ((coin("USDT", debt=D(0), interest_rate=D("0.05")),), D(0), D("0.05")),
        ((coin("USDT", debt=D(50)),), D(50), None),
        ((coin("BTC", debt=D("0.05"), interest_rate=D("0.02")),), None, None),
        ((coin("BTC", equity=D(0), value=D(0), debt=D(0)), coin("USDC", debt=D(7))), D(7), None),
    ],
    ids=[
        "no-coins",
        "debt-not-shown",
        "no-debt",
        "no-rate",
        "worth-of-the-coin-unknown",
        "a-coin-without-debt-needs-no-worth",
    ],
)
def test_what_is_not_shown_is_missing_and_never_zero(
    coins: tuple[Collateral, ...], debit: Decimal | None, rate: Decimal | None
) -> None:
    row = sample(*coins)

    assert (row.debit_balance, row.interest_rate) == (debit, rate)
    assert row.daily_interest_cost == (None if debit is None or rate is None else 0)


def test_a_unit_of_one_currency_owes_only_what_is_owed_in_it() -> None:
    unit = replace(ACCOUNT, key="USDT", kind=UnitKind.CURRENCY, currency="USDT")
    row = sample(coin("BTC", debt=D(1)), coin("USDT", debt=D(12)), unit=unit)

    assert row.debit_balance == 12


def test_missing_figures_are_missing_in_the_row() -> None:
    unit = replace(ACCOUNT, margin_equity=None, maintenance_margin=None, available_margin=None)
    row = sample(unit=unit)

    assert (row.equity_balance, row.margin_ratio, row.maintenance_excess) == (None, None, None)
    assert (row.margin_utilization, row.maintenance_ratio, row.effective_leverage) == (None, None, None)


def test_an_account_without_positions_has_no_margin_ratio() -> None:
    shown = snapshot(positions=(), unit=replace(ACCOUNT, initial_margin=D(0), maintenance_margin=D(0)))
    (row,) = margin_samples(shown, assess(shown, MarginPolicy(), NOW, None), NOW)

    assert (row.market_value, row.margin_ratio) == (D(0), None)


def test_a_position_is_written_when_its_quantity_changes_and_when_it_is_gone() -> None:
    held: dict[Any, Decimal] = {}
    first = position_samples(snapshot(), held, NOW)
    assert position_samples(snapshot(), held, NOW) == ()
    moved = replace(POSITION, mark_price=D(59_000))
    assert position_samples(snapshot(positions=(moved,)), held, NOW) == ()
    cut = replace(POSITION, quantity=D("0.2"))
    second = position_samples(snapshot(positions=(cut,)), held, NOW)
    gone = position_samples(snapshot(positions=()), held, NOW)

    assert [row.quantity for row in (*first, *second, *gone)] == [D("0.5"), D("0.2"), D(0)]
    assert position_samples(snapshot(positions=()), held, NOW) == ()
    assert {(row.symbol, row.side, row.margin_mode) for row in gone} == {("BTCUSDT", "long", "cross")}


def test_a_position_row_carries_every_figure_the_venue_gave() -> None:
    (row,) = position_samples(snapshot(), {}, NOW)

    own = {"time", "account", "broker", "product"}
    for field in fields(PositionSample):
        if field.name not in own:
            assert getattr(row, field.name) == getattr(POSITION, field.name), field.name


def test_both_legs_of_a_hedge_have_their_own_rows() -> None:
    legs = (POSITION, replace(POSITION, side=Side.SHORT, quantity=D("0.1")))
    rows = position_samples(snapshot(positions=legs), {}, NOW)

    assert [(row.side, row.quantity) for row in rows] == [("long", D("0.5")), ("short", D("0.1"))]


TRANSITION = Transition(
    kind=TransitionKind.LEVEL_ROSE,
    reason=Reason.CRITICAL_REACHED,
    at=NOW,
    unit="account",
    before=Level.WARNING,
    after=Level.CRITICAL,
    measure=Measure.UTILIZATION,
    ratio=D("0.81234"),
    episode=3,
)


def test_a_transition_is_an_event_with_its_numbers() -> None:
    event = transition_event("bybit-main", TRANSITION)

    assert (event.time, event.kind, event.account, event.level, event.reason, event.episode) == (
        NOW,
        "level_rose",
        "bybit-main",
        "critical",
        "critical_reached",
        3,
    )
    assert event.detail == {
        "unit": "account",
        "before": "warning",
        "measure": "utilization",
        "ratio": "0.81234",
    }
    assert event.message == "level rose to CRITICAL account (utilization 81.2 %)"


def test_a_transition_without_figures_says_only_what_it_knows() -> None:
    bare = Transition(
        kind=TransitionKind.PROTECTION_LOST, reason=Reason.BANNED, at=NOW, detail="come back later"
    )

    assert transition_sentence(bare) == "protection lost: come back later"
    assert transition_event("a", bare).detail == {"detail": "come back later"}


@pytest.mark.parametrize(
    ("ratio", "text"), [(None, "-"), (D("0.9"), "90.0 %"), (D("12.3456"), "1234.6 %"), (D(0), "0.0 %")]
)
def test_ratios_are_shown_in_percent_and_the_unknown_as_a_dash(ratio: Decimal | None, text: str) -> None:
    assert percent(ratio) == text


def test_a_summary_of_what_was_seen_holds_no_decimals_only_text() -> None:
    shown = snapshot()
    summary = snapshot_summary(shown, assess(shown, MarginPolicy(), NOW, None))

    assert summary["units"][0]["utilization"] == "0.8"
    assert summary["positions"][0] == {
        "symbol": "BTCUSDT",
        "side": "long",
        "margin_mode": "cross",
        "quantity": "0.5",
        "mark_price": "60000",
        "notional": "30000",
    }
    assert summary["mode"] == "regular"
    assert_plain(summary)


def test_a_summary_of_a_plan_names_each_order_its_size_and_what_it_is_reckoned_to_bring(
    open_desk: Callable[..., Any],
) -> None:
    desk = open_desk()
    desk.fall_to("0.95")
    shown = desk.venue_snapshot()
    assessment = assess(shown, desk.policy, desk.venue.venue_now(), None)
    plan = plan_reduction(assessment, shown, "USDT", desk.policy, step=0)
    assert isinstance(plan, ReductionPlan)
    summary = plan_summary(plan)

    (order,) = summary["orders"]
    assert (order["symbol"], order["side"], order["of"]) == ("X-USDT", "sell", "500")
    assert D(order["quantity"]) == plan.orders[0].quantity
    assert D("0.59") < D(order["expected_utilization"]) <= D("0.60")
    assert summary["reaches_target"] is True
    ways = {way["name"]: way for way in summary["alternatives"]}
    assert next(iter(ways)) == "cheapest_relief"
    assert set(ways) == {"cheapest_relief", "largest_margin", "worst_pnl", "pro_rata", "X-USDT long"}
    assert ways["worst_pnl"] == {
        "name": "worst_pnl",
        "orders": 1,
        "cost": str(plan.alternatives[0].cost),
        "reaches": True,
    }
    assert_plain(summary)


def assert_plain(value: object) -> None:
    """Fail on anything that is not JSON by itself."""
    if isinstance(value, dict):
        for item in value.values():
            assert_plain(item)
    elif isinstance(value, list):
        for item in value:
            assert_plain(item)
    else:
        assert value is None or isinstance(value, (str, bool, int))
