from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import AccountSnapshot, Measure, Side, UnitKind
from daemon.risk.exposure import Bound, ExposureLimits, Remedy
from daemon.risk.guard import ApprovedPlan, History, approve
from daemon.risk.leverage import Load
from daemon.risk.picture import picture
from daemon.risk.plan import Infeasible, ReductionPlan
from daemon.risk.policy import MarginPolicy, ReductionLimits
from daemon.risk.reason import Reason
from daemon.risk.trimming import plan_trim

D = Decimal
BUILD = Any
FREE = ReductionLimits(fee_rate=D(0), expected_slippage=D(0), step_fraction=D(1), positions_per_step=20)
"""No cost and no step: what is planned is the formula alone."""


def capped(cap: object = 5, limits: ReductionLimits = FREE, **symbols: str) -> MarginPolicy:
    caps = {symbol: D(own) for symbol, own in symbols.items()}
    exposure = ExposureLimits(over_cap=Remedy.TRIM, symbol_leverage=caps)
    return MarginPolicy(max_leverage=D(cap), exposure=exposure, limits=limits)


def load(
    build: BUILD, snapshot: AccountSnapshot, policy: MarginPolicy, bound: Bound = Bound.LEVERAGE
) -> Load:
    unit = build.judge(snapshot, policy).units[0]
    return next(one for one in unit.exposure.loads if one.bound is bound)


def plan(
    build: BUILD,
    snapshot: AccountSnapshot,
    policy: MarginPolicy,
    bound: Bound = Bound.LEVERAGE,
    *,
    excluded: Sequence[Any] = (),
) -> ReductionPlan | Infeasible:
    return plan_trim(load(build, snapshot, policy, bound), snapshot, policy, step=0, excluded=excluded)


def orders(found: ReductionPlan | Infeasible) -> list[tuple[str, Side, Decimal]]:
    assert isinstance(found, ReductionPlan), found
    return [(order.position.symbol, order.position.side, order.quantity) for order in found.orders]


def test_the_trim_ends_a_hair_below_where_the_breach_does(build: BUILD) -> None:
    # 50,000 over 8,000 is 6.25; the breach ends at 4.85, a hair below it is 4.8015: 38,412 of notional
    found = plan(build, build.book(8_000), capped())

    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.232"))]
    assert isinstance(found, ReductionPlan)
    assert found.reaches_target
    assert found.bound == "leverage|account|"


def test_cost_is_equity_and_makes_the_cut_larger(build: BUILD) -> None:
    costly = replace(FREE, fee_rate=D("0.006"), expected_slippage=D("0.004"))
    found = plan(build, build.book(8_000), capped(limits=costly))

    # (50,000 - 4.8015 x 8,000) / (1 - 4.8015 x 0.01) = 12,172.5
    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.244"))]


def test_one_order_takes_at_most_its_fraction_of_a_position(build: BUILD) -> None:
    found = plan(build, build.book(1_000), capped(limits=replace(FREE, step_fraction=D("0.25"))))

    assert orders(found) == [("BTCUSDT", Side.LONG, D("0.25"))]
    assert isinstance(found, ReductionPlan)
    assert not found.reaches_target


def test_what_frees_most_maintenance_margin_goes_first(build: BUILD) -> None:
    rows = [
        build.Row(maintenance="0.01"),
        build.Row(symbol="SOLUSDT", quantity="100", mark="100", entry="100", maintenance="0.05"),
    ]
    found = plan(build, build.book(12_000, rows), capped())

    # 60,000 of 57,618 at 4.8015: 2,382 of SOL, whose maintenance rate is five times that of BTC
    assert orders(found) == [("SOLUSDT", Side.LONG, D("23.82"))]


def test_a_hedge_is_cut_by_both_legs_alike_once_its_overhang_is_gone(build: BUILD) -> None:
    rows = [build.Row(hedged=True), build.Row(side=Side.SHORT, quantity="0.9", hedged=True)]
    alone = plan(build, build.book(19_000, rows), capped())
    assert orders(alone) == [("BTCUSDT", Side.LONG, D("0.076"))]  # 95,000 to 91,228.5

    even = plan(build, build.book(10_000, [rows[0], replace(rows[1], quantity="1")]), capped())
    assert orders(even) == [("BTCUSDT", Side.LONG, D("0.52")), ("BTCUSDT", Side.SHORT, D("0.52"))]
    assert isinstance(even, ReductionPlan)
    assert [order.group for order in even.orders] == [0, 0]


def test_of_a_capped_symbol_only_its_own_positions_are_cut(build: BUILD) -> None:
    rows = [build.Row(), build.Row(symbol="ETHUSDT", quantity="10", mark="4000", entry="4000")]
    policy = capped(10, ETHUSDT="2")
    snapshot = build.book(12_000, rows)

    # 40,000 over 12,000 is 3.33, above 2; to 1.9206: 23,047.2
    assert load(build, snapshot, policy, Bound.SYMBOL_LEVERAGE).subject == "ETHUSDT"
    found = plan(build, snapshot, policy, Bound.SYMBOL_LEVERAGE)
    assert orders(found) == [("ETHUSDT", Side.LONG, D("4.239"))]


def test_where_nothing_can_be_cut_it_says_why(build: BUILD) -> None:
    snapshot = build.book(8_000)
    key = snapshot.positions[0].key
    halted = plan(build, snapshot, capped(), excluded=[key])
    watched = build.book(8_000)
    watched = replace(watched, positions=(replace(watched.positions[0], reducible=False),))

    for found in (halted, plan(build, watched, capped())):
        assert isinstance(found, Infeasible)
        assert found.reason is Reason.NOTHING_ORDERABLE


def test_an_isolated_position_s_cap_is_alarmed_and_nothing_else(build: BUILD) -> None:
    policy, unit = (
        capped(),
        {"kind": UnitKind.ISOLATED_POSITION, "measures": frozenset({Measure.MAINTENANCE})},
    )

    assert load(build, build.book(8_000, unit=unit), policy).remedy is Remedy.ALARM
    assert load(build, build.book(8_000), policy).remedy is Remedy.TRIM


def test_a_cash_account_is_never_over_its_cap(build: BUILD) -> None:
    owned = build.unit(
        kind=UnitKind.CASH,
        measures=frozenset(),
        initial_margin=None,
        maintenance_margin=None,
        available_margin=None,
    )
    unit = build.judge(build.snapshot(units=[owned]), capped(1)).units[0]

    assert (unit.exposure.loads, unit.leverage) == ((), 0)


def test_beside_the_gross_leverage_stand_the_net_and_that_of_each_coin(build: BUILD) -> None:
    rows = [
        build.Row(hedged=True),
        build.Row(side=Side.SHORT, quantity="0.5", hedged=True),
        build.Row(symbol="ETHUSDT", quantity="10", mark="4000", entry="4000"),
    ]
    exposure = build.judge(build.book(20_000, rows)).units[0].exposure

    # 50,000 long and 25,000 short of BTC, 40,000 long of ETH
    assert (exposure.gross, exposure.leverage, exposure.net_leverage) == (115_000, D("5.75"), D("3.25"))
    assert [(one.coin, one.gross, one.net, one.leverage) for one in exposure.underlyings] == [
        ("BTC", 75_000, 25_000, D("3.75")),
        ("ETH", 40_000, 40_000, 2),
    ]


@pytest.mark.parametrize(
    ("notional", "equity", "cap", "over"),
    [
        # the decisions of a band that acts above 2.7: GaloyMoney/dealer, test/data/scenario_04.csv
        ("1000", "476.821", "2.7", False),
        ("1000", "420.0", "2.7", False),
        ("1000", "111.1111", "2.7", True),
        ("1000", "44.4444", "2.7", True),
        ("1000", "22.2222", "2.7", True),
        # wallet exposure of 3.5: enarjord/passivbot, docs/risk_management.md
        ("3500", "1000", "3.5", False),
        ("3500", "1000", "3.4", True),
        ("1", "0", "100", True),
        ("1", "-5", "100", True),
        ("0", "-5", "100", False),
    ],
)
def test_leverage_is_gross_notional_over_equity_whatever_the_equity(
    *, build: BUILD, notional: str, equity: str, cap: str, over: bool
) -> None:
    rows = [build.Row(quantity="1", mark=notional, entry=notional)] if notional != "0" else []
    loads = build.judge(build.book(equity, rows), capped(cap)).units[0].exposure.loads

    assert any(one.is_over for one in loads) is over


SIDES = st.sampled_from([Side.LONG, Side.SHORT])
AMOUNTS = st.integers(min_value=1, max_value=5_000).map(lambda thousandths: str(D(thousandths) / 1000))
RATES = st.sampled_from(["0", "0.004", "0.01", "0.05"])
COINS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")


@st.composite
def books(draw: st.DrawFn) -> tuple[list[dict[str, Any]], int]:
    """Return up to six rows over three coins, hedged or not, and an equity."""
    keys = draw(st.lists(st.tuples(st.sampled_from(COINS), SIDES), min_size=1, max_size=6, unique=True))
    rows = [
        {
            "symbol": symbol,
            "side": side,
            "quantity": draw(AMOUNTS),
            "mark": "100",
            "entry": "100",
            "maintenance": draw(RATES),
            "hedged": True,
        }
        for symbol, side in keys
    ]
    return rows, draw(st.integers(min_value=1, max_value=400))


def net(positions: Sequence[Any], symbol: str) -> Decimal:
    return sum((q if row.side is Side.LONG else -q for row, q in positions if row.symbol == symbol), D(0))


@settings(max_examples=300)
@given(book=books(), costly=st.booleans(), whole=st.booleans())
def test_a_trim_only_reduces_and_ends_below_the_cap_or_says_why_not(
    *, build: BUILD, book: tuple[list[dict[str, Any]], int], costly: bool, whole: bool
) -> None:
    rows, equity = book
    limits = ReductionLimits() if costly else FREE
    policy = capped(2, replace(limits, step_fraction=D(1) if whole else D("0.5")))
    snapshot = build.book(equity, [build.Row(**row) for row in rows])
    assessment = build.judge(snapshot, policy)
    over = [one for one in assessment.units[0].exposure.loads if one.is_over]
    if not over:
        return
    found = plan_trim(over[0], snapshot, policy, step=0)
    if isinstance(found, Infeasible):
        assert found.detail
        return
    held = {row.key: row.quantity for row in snapshot.positions}
    left = dict(held)
    for order in found.orders:
        assert 0 < order.quantity <= left[order.position.key]
        left[order.position.key] -= order.quantity
    for symbol in {row.symbol for row in snapshot.positions}:
        before = net([(row, held[row.key]) for row in snapshot.positions], symbol)
        after = net([(row, left[row.key]) for row in snapshot.positions], symbol)
        assert abs(after) <= abs(before)
    gross = sum(100 * quantity for quantity in left.values())
    worth = equity - found.cost
    if found.reaches_target:
        assert gross == 0 or gross <= 2 * worth
    history = History(orders_last_minute=0, steps_in_episode=0)
    checked = approve(
        found,
        snapshot=snapshot,
        assessment=assessment,
        policy=replace(policy, limits=replace(policy.limits, orders_per_minute=600)),
        history=history,
        now=snapshot.fetched_at,
    )
    if isinstance(checked, ApprovedPlan):
        (before_use, *_) = picture(snapshot)[0].usages(Measure.MAINTENANCE)
        freed = sum(
            (order.quantity / order.position.quantity * (order.position.maintenance_margin or 0))
            for order in found.orders
        )
        assert before_use.used - freed <= before_use.used
    else:
        assert set(checked.reasons) <= {Reason.RISK_NOT_REDUCED, Reason.NOT_ACTIONABLE}, checked.objections


@settings(max_examples=100)
@given(book=books(), seed=st.randoms(use_true_random=False))
def test_the_order_of_positions_does_not_matter(
    *,
    build: BUILD,
    book: tuple[list[dict[str, Any]], int],
    seed: Any,  # noqa: ANN401 - hypothesis's
) -> None:
    rows, equity = book
    policy, built = capped(2), [build.Row(**row) for row in rows]
    found = []
    for _ in range(2):
        snapshot = build.book(equity, built)
        over = [one for one in build.judge(snapshot, policy).units[0].exposure.loads if one.is_over]
        found.append(plan_trim(over[0], snapshot, policy, step=0) if over else None)
        seed.shuffle(built)
    first, second = (
        sorted(orders(one)) if isinstance(one, ReductionPlan) else one and one.reason for one in found
    )
    assert first == second
