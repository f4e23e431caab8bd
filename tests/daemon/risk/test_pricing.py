import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import ContractKind, OrderSide, Side, Symbol
from brokers.order_book import OrderBook, PriceLevel
from daemon.risk.margin import Usage
from daemon.risk.picture import picture
from daemon.risk.policy import Action, Level, MarginPolicy, ReductionLimits
from daemon.risk.pricing import allowed, break_even, fillable_price, limit_price, urgency, way_given
from daemon.risk.reduction import ReductionPlan, plan_reduction
from tests.daemon.risk.conftest import NOON

D = Decimal
BUILD = Any
CASES = json.loads((Path(__file__).parent / "cases.json").read_text(), parse_float=Decimal, parse_int=Decimal)
LIMITS = ReductionLimits()


# --- the published formula


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case["category"] == "limit_price_for_forced_close"],
    ids=lambda case: case["id"],
)
def test_our_price_is_the_published_one(case: dict[str, Any]) -> None:
    i = case["inputs"]
    held, oracle = i["positions"][i["close"]], i["oracle"][i["close"]]
    maintenance = abs(held) * oracle * i["mmf"]
    equity = i["quote_balance"] + held * oracle
    price = fillable_price(
        Side.LONG if held > 0 else Side.SHORT,
        mark_price=oracle,
        given=way_given(Usage(used=maintenance, capacity=equity), D(1), i["bankruptcy_adjustment"]),
        spread=i["spread_to_mmr"] * maintenance / abs(held),
    )

    assert price == case["expected"]["fillable_price"]


# --- urgency


@pytest.mark.parametrize(
    ("used", "maintenance", "expected"),
    [
        ("0.90", "0.1", "0"),
        ("0.935", "0.1", "0.5187"),
        ("0.97", "0.1", "1"),
        ("0.5", "0.80", "0"),
        ("0.5", "0.85", "0.5294"),
        ("0.93", "0.85", "0.5294"),
        ("0.5", "0.90", "1"),
        ("0.5", "3", "1"),
    ],
)
def test_urgency_runs_from_where_de_levering_begins_to_the_urgent_ratio(
    *, build: BUILD, used: str, maintenance: str, expected: str
) -> None:
    unit = build.judge(build.levered(utilization=used, maintenance=maintenance)).unit("account")

    assert urgency(unit, MarginPolicy()).quantize(D("0.0001")) == D(expected)


def test_urgency_begins_at_the_level_that_de_levers(build: BUILD) -> None:
    policy = MarginPolicy(actions={Level.CRITICAL: (Action.REDUCE,)})
    unit = build.judge(build.levered(utilization="0.85"), policy).unit("account")

    # 0.97 / 0.17 of what 0.85 is beyond 0.80
    assert urgency(unit, policy) == D("0.97") / D("0.17") * (1 - D("0.80") / D("0.85"))
    assert urgency(unit, MarginPolicy()) == 0
    assert urgency(None, policy) == 0


# --- what is allowed


@pytest.mark.parametrize(
    ("tries", "given", "distance"),
    [
        (0, "0", "0.005"),
        (1, "0", "0.010"),
        (0, "0.5", "0.0175"),
        (1, "0.5", "0.0225"),
        (0, "1", "0.03"),
        (99, "0", "0.03"),
        (99, "1", "0.03"),
    ],
)
def test_tries_and_urgency_both_widen_up_to_the_cap(*, tries: int, given: str, distance: str) -> None:
    assert allowed(LIMITS, tries, D(given)) == D(distance)


# --- the break-even


def test_the_break_even_is_the_equity_share_less_the_fee(build: BUILD) -> None:
    # 50,000 long on 5,000 of equity, maintenance 4,500: 90 %; all of the equity is 10 % of the notional
    snapshot = build.book(5_000, [build.Row(maintenance="0.09")])
    (unit,) = picture(snapshot)

    found = break_even(unit.positions[0], unit, MarginPolicy())
    assert found == D("0.1") - LIMITS.fee_rate


def test_each_position_gives_away_its_share_by_the_maintenance_it_frees(build: BUILD) -> None:
    rows = [build.Row(maintenance="0.01"), build.Row(symbol="ETHUSDT", side=Side.SHORT, maintenance="0.03")]
    snapshot = build.book(2_500, rows)
    (unit,) = picture(snapshot)
    btc, eth = (break_even(valued, unit, MarginPolicy()) for valued in unit.positions)

    # 500 and 1,500 of 2,000 required: a quarter and three quarters of 2,500, over 50,000 each
    assert btc == D("0.0125") - LIMITS.fee_rate
    assert eth == D("0.0375") - LIMITS.fee_rate


def test_an_inverse_contract_loses_coin_faster_as_the_price_falls(build: BUILD) -> None:
    def of(side: Side) -> Decimal:
        row = build.Row(side=side).position(
            kind=ContractKind.INVERSE,
            settle="BTC",
            quantity=D(50_000),
            notional=D(1),
            maintenance_margin=D("0.09"),
        )
        unit = build.unit(equity="0.1", currency="BTC", maintenance_margin=D("0.09"), initial_margin=D("0.1"))
        (found,) = picture(build.snapshot(units=[unit], positions=[row]))
        bound = break_even(found.positions[0], found, MarginPolicy())
        assert bound is not None
        return bound

    loss = D("0.1") - LIMITS.fee_rate  # in coin, of the notional
    assert of(Side.LONG).quantize(D("1e-12")) == (loss / (1 + loss)).quantize(D("1e-12"))
    assert of(Side.SHORT).quantize(D("1e-12")) == (loss / (1 - loss)).quantize(D("1e-12"))


def test_there_is_none_without_equity_figures_or_need(build: BUILD) -> None:
    policy = MarginPolicy()

    def found(snapshot: Any) -> Decimal | None:  # noqa: ANN401 - a snapshot
        (unit,) = picture(snapshot)
        return break_even(unit.positions[0], unit, policy)

    assert found(build.book(0, [build.Row()])) is None
    assert (
        found(build.book(2_600, [build.Row(maintenance=None)], unit={"maintenance_margin": D(2_500)})) is None
    )
    assert found(build.book(10_000, [build.Row()])) is None  # 25 %, below its target of 40 %
    assert found(build.book(2_600, [build.Row()])) is not None


def test_closing_at_the_break_even_leaves_the_ratio_as_it_is(build: BUILD) -> None:
    snapshot = build.book(2_600, [build.Row(quantity="0.8"), build.Row(symbol="ETHUSDT", quantity="0.2")])
    (unit,) = picture(snapshot)
    eth = unit.positions[1]
    bound = break_even(eth, unit, MarginPolicy())
    assert bound is not None
    cost = eth.notional * (bound + LIMITS.fee_rate)

    assert (D(2_500) - D(500)) / (D(2_600) - cost) == D(2_500) / D(2_600)


# --- the limit


@pytest.mark.parametrize(
    ("side", "tries", "price"),
    [
        (Side.LONG, 0, "49750.0"),
        (Side.SHORT, 0, "50250.0"),
        (Side.LONG, 1, "49500.0"),
        (Side.SHORT, 99, "51500.0"),
    ],
    ids=["sell below", "buy above", "wider each try", "never beyond the cap"],
)
def test_a_limit_lies_on_the_side_that_fills(*, build: BUILD, side: Side, tries: int, price: str) -> None:
    position = build.Row(side=side).position()

    assert limit_price(position, build.rules(), LIMITS, tries=tries) == D(price)


def test_a_limit_is_rounded_towards_filling_and_never_to_zero(build: BUILD) -> None:
    rules = build.rules(price_step=D(1))
    long, short = build.Row(mark="99.9").position(), build.Row(mark="99.9", side=Side.SHORT).position()

    assert limit_price(long, rules, LIMITS, tries=0) == 99
    assert limit_price(short, rules, LIMITS, tries=0) == 101
    assert limit_price(replace(long, mark_price=D("0.5")), rules, LIMITS, tries=0) == 1
    assert limit_price(replace(long, mark_price=None), rules, LIMITS, tries=0) is None


@pytest.mark.parametrize("name", ["price_band", "bound"])
@pytest.mark.parametrize(("side", "price"), [(Side.LONG, "49510"), (Side.SHORT, "50490")])
def test_band_and_break_even_bind_and_are_rounded_within(
    *, build: BUILD, name: str, side: Side, price: str
) -> None:
    hard = D("0.00990")  # 49,505 and 50,495
    rules = build.rules(price_step=D(10), price_band=hard if name == "price_band" else None)
    position = build.Row(side=side).position()

    bound = hard if name == "bound" else None
    assert limit_price(position, rules, LIMITS, tries=5, given=D(1), bound=bound) == D(price)


def book(*bids: tuple[str, str], asks: tuple[tuple[str, str], ...] = ()) -> OrderBook:
    levels = [tuple(PriceLevel(price=D(p), quantity=D(q)) for p, q in side) for side in (bids, asks)]
    return OrderBook(symbol=Symbol("BTCUSDT"), bids=levels[0], asks=levels[1], as_of=NOON, fetched_at=NOON)


DEEP = book(("49990", "0.5"), ("49950", "1"), ("49800", "3"))
FAR = book(("49700", "5"))
ABOVE = book(("50100", "5"))


@pytest.mark.parametrize(
    ("seen", "quantity", "tries", "given", "price"),
    [
        (DEEP, "0.5", 0, "0", "49965.0"),
        (DEEP, "1.5", 0, "0", "49925.0"),
        (DEEP, "1.5", 1, "0", "49675.0"),  # as much further as the second try goes
        (DEEP, "1.5", 0, "0.5", "49300.0"),
        (DEEP, "9", 0, "0", "49750.0"),  # the book does not hold it: what is allowed
        (FAR, "1", 0, "0", "49750.0"),  # beyond what is allowed
        (FAR, "1", 1, "0", "49500.0"),
        (ABOVE, "1", 0, "0", "49975.0"),  # never better than mark: it would miss a book that moves
    ],
)
def test_a_book_makes_the_first_price_kind(
    *, build: BUILD, seen: OrderBook, quantity: str, tries: int, given: str, price: str
) -> None:
    found = limit_price(
        build.Row().position(),
        build.rules(),
        LIMITS,
        tries=tries,
        given=D(given),
        book=seen,
        quantity=D(quantity),
    )

    assert found == D(price)


fractions = st.integers(min_value=0, max_value=1000).map(lambda n: D(n) / 1000)
bounds = st.none() | st.integers(min_value=1, max_value=2000).map(lambda n: D(n) / 10_000)
books = st.none() | st.lists(
    st.integers(min_value=-300, max_value=2000), min_size=1, max_size=5, unique=True
).map(sorted)


@given(
    side=st.sampled_from(Side),
    mark=st.integers(min_value=1, max_value=10**7).map(lambda n: D(n) / 100),
    step=st.sampled_from([D("0.01"), D("0.1"), D("0.5"), D(1)]),
    tries=st.integers(min_value=0, max_value=9),
    urgent=fractions,
    more=st.tuples(st.integers(min_value=0, max_value=3), fractions),
    band=bounds,
    bound=bounds,
    distances=books,
    quantity=st.integers(min_value=1, max_value=8),
)
def test_a_limit_gives_way_monotonically_within_its_bounds(
    *,
    build: BUILD,
    side: Side,
    mark: Decimal,
    step: Decimal,
    tries: int,
    urgent: Decimal,
    more: tuple[int, Decimal],
    band: Decimal | None,
    bound: Decimal | None,
    distances: list[int] | None,
    quantity: int,
) -> None:
    position = build.Row(side=side, mark=str(mark)).position()
    rules = build.rules(price_step=step, price_band=band)
    sign = 1 if side is Side.LONG else -1
    seen = None
    if distances is not None:
        levels = tuple(
            PriceLevel(price=mark * (1 - sign * D(distance) / 10_000), quantity=D(2))
            for distance in distances
        )
        sides = (levels, ()) if side is Side.LONG else ((), levels)
        seen = OrderBook(symbol=Symbol("BTCUSDT"), bids=sides[0], asks=sides[1], as_of=NOON, fetched_at=NOON)

    def found(tries: int, given: Decimal) -> Decimal:
        price = limit_price(
            position,
            rules,
            LIMITS,
            tries=tries,
            given=given,
            bound=bound,
            book=seen,
            quantity=D(quantity),
        )
        assert price is not None
        return price

    price = found(tries, urgent)
    given_away = sign * (mark - price)
    hardest = min(one for one in (LIMITS.max_slippage, band, bound) if one is not None)
    assert price > 0
    assert price % step == 0
    # off the mark by no more than the bound, to the price step; never better than mark but by rounding
    assert -step < given_away < mark * hardest + step
    for hard in (band, bound):
        if hard is not None and mark * hard >= step:
            assert given_away <= mark * hard
    assert sign * (price - found(tries + more[0], min(urgent + more[1], D(1)))) >= 0


# --- a plan


def plan(build: BUILD, seen: OrderBook | None, *, used: str = "0.92", **rules: object) -> ReductionPlan:
    snapshot = build.levered(utilization=used, markets=[build.rules(**rules)])
    books = {} if seen is None else {Symbol("BTCUSDT"): seen}
    found = plan_reduction(build.judge(snapshot), snapshot, "account", MarginPolicy(), step=0, books=books)
    assert isinstance(found, ReductionPlan)
    return found


def test_a_plan_takes_what_the_book_holds(build: BUILD) -> None:
    (whole,) = plan(build, None).orders
    (thin,) = plan(build, book(("49990", "0.15"), ("49000", "9"))).orders
    (dry,) = plan(build, book(("40000", "9"))).orders
    (deep,) = plan(build, book(("49990", "9"))).orders

    assert D("0.3") < deep.quantity < whole.quantity  # a deep book costs less than the policy reckons with
    assert thin.quantity == D("0.15")
    assert thin.limit_price == deep.limit_price
    assert dry.quantity < whole.quantity
    assert dry.quantity >= whole.quantity / 4
    assert dry.position.closing_side is OrderSide.SELL


def test_where_it_is_urgent_depth_binds_nothing(build: BUILD) -> None:
    (whole,) = plan(build, None, used="0.98").orders
    (dry,) = plan(build, book(("40000", "9")), used="0.98").orders

    assert dry.quantity > whole.quantity  # it is reckoned to cost more, so more of it is needed
    assert dry.limit_price is None


def test_a_plan_prices_by_urgency(build: BUILD) -> None:
    (early,) = plan(build, None, used="0.9").orders
    (late,) = plan(build, None, used="0.935").orders

    assert early.limit_price == D("49750.0")
    assert late.limit_price is not None
    assert D("48500.0") < late.limit_price < D("49250.0")
