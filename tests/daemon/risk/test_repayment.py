"""What giving back debt frees, how much of it is needed, and when debt is what endangers a unit."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, Collateral, UnitKind
from daemon.risk.debt import debts_of
from daemon.risk.picture import picture
from daemon.risk.plan import Infeasible
from daemon.risk.policy import MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.reduction import plan_reduction
from daemon.risk.repayment import (
    RepaymentPlan,
    after_repaying,
    debt_drives,
    freed_by,
    plan_repayment,
    worth_to_repay,
)
from daemon.risk.shortfall import shortfalls

D = Decimal
BUILD = Any
POLICY = MarginPolicy()


def owed(debt: object, repayable: object | None = None, currency: str = "USDT", **more: object) -> Collateral:
    free = None if repayable is None else D(str(repayable))
    row = Collateral(currency=currency, wallet_balance=free, equity=None, debt=D(str(debt)), repayable=free)
    return replace(row, **more)


def indebted(build: BUILD, *rows: Collateral, maintenance: object = 8_500, **changes: Any) -> AccountSnapshot:  # noqa: ANN401
    """10,000 of equity over a BTC long that needs 500 of maintenance; the rest of it is the debts'."""
    requirement = D(str(maintenance))
    return build.levered(
        utilization="0.1",
        maintenance="0.05",
        unit={"maintenance_margin": requirement, **changes},
        collaterals=rows,
    )


def planned(snapshot: AccountSnapshot) -> RepaymentPlan:
    found = plan_repayment(snapshot, "account", POLICY)
    assert isinstance(found, RepaymentPlan), found
    return found


def obstacle(snapshot: AccountSnapshot) -> Reason:
    found = plan_repayment(snapshot, "account", POLICY)
    assert isinstance(found, Infeasible), found
    return found.reason


def test_as_much_is_given_back_as_brings_the_measure_to_its_target(build: BUILD) -> None:
    # 8,000 of 8,500 are the debt's, 4,500 too many: 4,500 / 8,000 of 160,000
    plan = planned(indebted(build, owed(160_000, 200_000)))

    assert (plan.currency, plan.amount, plan.owed) == ("USDT", D(90_000), D(160_000))
    assert plan.expected_maintenance == D("0.4")
    assert plan.expected_utilization == D("0.1")
    assert plan.reaches_target


@pytest.mark.parametrize(("free", "amount"), [("50000.019", "50000.01"), ("1777.01", "1777.01")])
def test_no_more_is_given_back_than_is_free(build: BUILD, free: str, amount: str) -> None:
    plan = planned(indebted(build, owed(160_000, free)))

    assert plan.amount == D(amount)
    assert not plan.reaches_target
    assert plan.expected_maintenance is not None
    assert D("0.4") < plan.expected_maintenance < D("0.85")


def test_interest_is_given_back_with_the_principal(build: BUILD) -> None:
    row = owed(100, 1_000, interest=D("0.5"))
    plan = planned(indebted(build, row, maintenance=9_900, margin_equity=D(10_000)))
    assert (plan.owed, plan.amount) == (D("100.5"), D("63.08"))  # 5,900 / 9,400 of it, cents rounded up


def test_a_debt_in_coin_is_reckoned_at_what_the_coin_is_worth(build: BUILD) -> None:
    coin = owed("3.2", 4, "BTC", equity=D(-3), value=D(-150_000))
    plan = planned(indebted(build, coin))
    assert (plan.currency, plan.amount) == ("BTC", D("1.8"))  # 90,000 dollars


def test_a_coin_without_a_stated_value_is_priced_by_its_contract(build: BUILD) -> None:
    plan = planned(indebted(build, owed("3.2", 4, "BTC")))
    assert plan.amount == D("1.8")


def test_a_debt_nobody_can_price_is_given_back_as_far_as_it_can_be(build: BUILD) -> None:
    plan = planned(indebted(build, owed(300, 20, "XYZ")))
    assert (plan.currency, plan.amount) == ("XYZ", D(20))
    assert not plan.reaches_target


def test_of_several_debts_the_one_that_most_can_be_given_back_of_goes_first(build: BUILD) -> None:
    plan = planned(indebted(build, owed(100_000, 10), owed(50_000, 20_000, "USDC"), owed(9, 0, "BTC")))
    assert (plan.currency, plan.amount) == ("USDC", D(20_000))


@pytest.mark.parametrize(
    ("rows", "maintenance", "reason"),
    [
        ((), 8_500, Reason.NOTHING_TO_REPAY),
        ((owed(0, 100),), 8_500, Reason.NOTHING_TO_REPAY),
        ((owed(160_000, 0),), 8_500, Reason.NOTHING_TO_REPAY),
        ((owed(160_000, "0.009"),), 8_500, Reason.NOTHING_TO_REPAY),
        ((owed(160_000, "0.02"),), 8_500, Reason.REPAYING_CANNOT_HELP),
        ((owed(160_000, None),), 8_500, Reason.REPAY_NOT_OFFERED),
        ((owed(160_000, 100),), 4_000, Reason.TARGET_REACHED),
        ((owed(160_000, 100),), 500, Reason.TARGET_REACHED),
    ],
)
def test_why_nothing_is_given_back(
    build: BUILD, rows: tuple[Collateral, ...], maintenance: int, reason: Reason
) -> None:
    assert obstacle(indebted(build, *rows, maintenance=maintenance)) is reason


def test_no_crumb_of_a_debt_is_left_over(build: BUILD) -> None:
    # 5,960 of 5,980 too many: 99.7 % of it are needed
    snapshot = indebted(build, owed(6_000, 9_000), maintenance=6_480, margin_equity=D(1_300))
    assert planned(snapshot).amount == 6_000


def test_what_frees_next_to_nothing_is_not_worth_the_wait_for_it(build: BUILD) -> None:
    # 8,000 of 8,500 are the debt's; a ninetieth of it frees 89, a hundredth part of what is used is 85
    assert obstacle(indebted(build, owed(160_000, 1_600))) is Reason.REPAYING_CANNOT_HELP
    assert planned(indebted(build, owed(160_000, 1_800))).amount == 1_800


def test_a_debt_that_requires_nothing_is_left_alone(build: BUILD) -> None:
    # all of the 9,000 initial margin is the position's
    snapshot = build.levered(utilization="0.9", collaterals=[owed(500, 500)])
    assert obstacle(snapshot) is Reason.REPAYING_CANNOT_HELP


def test_positions_without_margins_share_the_requirement_with_the_debt(build: BUILD) -> None:
    snapshot = build.levered(maintenance="0.9", collaterals=[owed(50_000, 50_000)])
    bare = replace(snapshot.positions[0], maintenance_margin=None)
    [unit] = picture(replace(snapshot, positions=(bare,)))
    of_maintenance = shortfalls(unit, replace(snapshot, positions=(bare,)), POLICY)[-1]
    assert of_maintenance.beyond_positions == 4_500  # 50,000 of notional, 50,000 of debt


def test_debt_drives_the_risk_where_even_flat_the_target_is_missed(build: BUILD) -> None:
    driven = indebted(build, owed(160_000, 3_000))
    [unit] = picture(driven)
    assert (
        debt_drives(unit, driven, POLICY)
        == "maintenance 80.4 % even flat, target 40 %; owes 160000 USDT, of which 3000 could be repaid"
    )

    helped = indebted(build, owed(160_000, 3_000), maintenance=4_300)
    assert debt_drives(picture(helped)[0], helped, POLICY) is None
    free = indebted(build)
    assert debt_drives(picture(free)[0], free, POLICY) is None


@pytest.mark.parametrize(
    ("rows", "reason"),
    [((owed(160_000, 0),), Reason.DEBT_DRIVES_RISK), ((), Reason.REDUCING_CANNOT_HELP)],
)
def test_a_plan_to_reduce_says_whether_it_is_debt_that_it_cannot_help(
    build: BUILD, rows: tuple[Collateral, ...], reason: Reason
) -> None:
    snapshot = indebted(build, *rows, maintenance=9_500)
    found = plan_reduction(build.judge(snapshot), snapshot, "account", POLICY, step=0)
    assert isinstance(found, Infeasible)
    assert found.reason is reason
    assert ("owes 160000 USDT" in found.detail) is bool(rows)


def test_the_picture_of_a_unit_in_trouble_notes_that_debt_drives_it(build: BUILD) -> None:
    [unit] = build.judge(indebted(build, owed(160_000, 0))).units
    assert [debt.owed for debt in unit.debts] == [160_000]
    assert unit.debt_drives is not None
    assert unit.actionable
    [calm] = build.judge(indebted(build, owed(160_000, 0), maintenance=4_500)).units
    assert calm.debt_drives is None


def test_a_debt_is_its_units_own(build: BUILD) -> None:
    cross = build.unit("account")
    pair = build.unit("BTCUSDT", kind=UnitKind.ISOLATED_POSITION)
    rows = [owed(10, 5), owed(20, 5, unit="BTCUSDT"), owed(30, 5, "BTC", unit="account")]
    snapshot = build.snapshot(units=[cross, pair], collaterals=rows)
    assert [(debt.currency, debt.owed) for debt in debts_of(cross, snapshot)] == [("USDT", 10), ("BTC", 30)]
    assert [(debt.currency, debt.owed) for debt in debts_of(pair, snapshot)] == [("USDT", 20)]


def test_without_an_account_unit_a_debt_is_its_currencys(build: BUILD) -> None:
    units = [build.unit(currency, kind=UnitKind.CURRENCY, currency=currency) for currency in ("USDT", "BTC")]
    snapshot = build.snapshot(units=units, collaterals=[owed(10, 5), owed(30, 5, "BTC"), owed(1, 1, "ETH")])
    assert [[debt.owed for debt in debts_of(unit, snapshot)] for unit in units] == [[D(10)], [D(30)]]


amounts = st.decimals(min_value=0, max_value=1_000_000, places=3)


@given(
    debt=amounts,
    interest=amounts,
    free=st.none() | amounts,
    other=amounts,
    maintenance=st.decimals(min_value=0, max_value=50_000, places=2),
    initial=st.decimals(min_value=0, max_value=50_000, places=2),
    price=st.none() | st.decimals(min_value="0.001", max_value=100_000, places=3),
)
def test_never_more_than_owed_or_free_and_no_measure_gets_worse(
    build: BUILD,
    *,
    debt: Decimal,
    interest: Decimal,
    free: Decimal | None,
    other: Decimal,
    maintenance: Decimal,
    initial: Decimal,
    price: Decimal | None,
) -> None:
    coin = owed(debt, free, "COIN", interest=interest)
    if price is not None:
        coin = replace(coin, equity=D(2), value=2 * price)
    snapshot = indebted(
        build,
        coin,
        owed(other, other),
        maintenance=maintenance,
        initial_margin=initial,
        available_margin=D(0),
    )
    found = plan_repayment(snapshot, "account", POLICY)
    if isinstance(found, Infeasible):
        return
    [row] = [row for row in snapshot.collaterals if row.currency == found.currency]
    assert 0 < found.amount <= row.owed
    assert found.amount <= row.repayable
    before = build.judge(snapshot).units[0]
    assert found.expected_maintenance <= before.maintenance_ratio
    assert found.expected_utilization <= before.utilization


@given(
    beyond=st.decimals(min_value=1, max_value=9_000, places=2),
    debt=st.decimals(min_value=1, max_value=1_000_000, places=2),
    share=st.decimals(min_value=0, max_value=2, places=3),
)
def test_what_is_freed_rises_with_what_is_given_back_and_ends_at_the_debts_requirement(
    build: BUILD, beyond: Decimal, debt: Decimal, share: Decimal
) -> None:
    snapshot = indebted(build, owed(debt, debt), maintenance=500 + beyond)
    [unit] = picture(snapshot)
    left = shortfalls(unit, snapshot, POLICY)[-1]
    assert abs(left.beyond_positions - beyond) < D("1e-15")
    assert freed_by(left, debt * share, debt) <= freed_by(left, debt * share + 1, debt) <= beyond + D("1e-15")
    needed = worth_to_repay(left, debt)
    assert 0 <= needed <= debt
    after = after_repaying(left, needed, debt)
    if 0 < needed < debt:
        assert abs(after.usage.ratio - left.target) < D("1e-12")
