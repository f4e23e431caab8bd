from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import ContractKind, MarginMode, Side, Symbol
from daemon.risk.breakers import Conduct, Cut, Key, may_step, slippage_rate, tripped
from daemon.risk.margin import unrealized_pnl
from daemon.risk.policy import ReductionLimits
from daemon.risk.reason import Reason
from tests.daemon.risk.conftest import NOON

D = Decimal
BTC: Key = (Symbol("BTCUSDT"), Side.LONG, MarginMode.CROSS)
ETH: Key = (Symbol("ETHUSDT"), Side.SHORT, MarginMode.CROSS)
LIMITS = ReductionLimits()


def cut(
    before: str,
    filled: str | None,
    *,
    key: Key = BTC,
    ago: float = 0,
    took_hold: bool | None = None,
    slippage: str | None = None,
) -> Cut:
    return Cut(
        key=key,
        at=NOON - timedelta(seconds=ago),
        before=D(before),
        filled=None if filled is None else D(filled),
        took_hold=filled != "0" if took_hold is None else took_hold,
        slippage=None if slippage is None else D(slippage),
    )


def reasons(conduct: Conduct, held: dict[Key, str] | None = None) -> set[Reason]:
    known = None if held is None else {key: D(quantity) for key, quantity in held.items()}
    return {trip.reason for trip in tripped(conduct, known, LIMITS, NOON)}


@pytest.mark.parametrize(
    ("conduct", "reason"),
    [
        (Conduct(orders_last_minute=28), Reason.ORDER_BUDGET),
        (Conduct(orders_last_hour=358), Reason.HOUR_ORDER_BUDGET),
        (Conduct(cuts=(cut("1", "0"),) * 118), Reason.EPISODE_ORDER_BUDGET),
    ],
)
def test_a_budget_is_spent_when_a_step_no_longer_fits(conduct: Conduct, reason: Reason) -> None:
    assert reasons(conduct) == {reason}
    assert (
        reasons(
            Conduct(
                orders_last_minute=max(conduct.orders_last_minute - 1, 0),
                orders_last_hour=max(conduct.orders_last_hour - 1, 0),
                cuts=conduct.cuts[1:],
            )
        )
        == set()
    )


def test_more_closed_than_was_held_and_a_step_trips() -> None:
    half = cut("10", "5")

    assert reasons(Conduct(cuts=(half, half, half)), {BTC: "5"}) == set()
    assert reasons(Conduct(cuts=(half, half, half, cut("5", "0.1"))), {BTC: "4"}) == {Reason.REDUCED_BEYOND}
    other = cut("10", "5", key=ETH)
    assert reasons(Conduct(cuts=(half, half, other, other)), {BTC: "5", ETH: "5"}) == set()


@pytest.mark.parametrize(
    ("cuts", "held", "stuck"),
    [
        ([("10", "5"), ("10", "5")], "10", False),
        ([("10", "3"), ("10", "3"), ("10", "3")], "10", True),
        ([("10", "3"), ("10", "3"), ("10", "3")], "9", False),
        ([("10", "3"), ("12", "3"), ("14", "3")], "16", True),
        ([("10", "3"), ("7", "3"), ("7", "3"), ("7", "3")], "7", True),
        ([("10", "3"), ("7", "3"), ("7", "3"), ("4", "3")], "4", False),
        ([("10", None), ("10", None), ("10", None)], "10", True),
        ([("10", "0"), ("10", "0"), ("10", "0"), ("10", "0")], "10", False),
        ([("10", "3"), ("10", "0"), ("10", "3"), ("10", "0"), ("10", "3")], "10", True),
        ([("10", "3"), ("10", "3"), ("10", "3")], None, False),
        ([("10", "3"), ("10", "3"), ("10", "3"), ("10", "3")], None, True),
    ],
    ids=[
        "two steps",
        "three steps",
        "the third helped",
        "it grows",
        "after it fell",
        "it falls in between",
        "fills nobody knows",
        "nothing filled: no loop",
        "misses in between",
        "the last is not seen yet",
        "nor is it needed",
    ],
)
def test_exposure_that_does_not_fall_trips(
    cuts: list[tuple[str, str | None]], held: str | None, *, stuck: bool
) -> None:
    conduct = Conduct(cuts=tuple(cut(before, filled) for before, filled in cuts))
    found = reasons(conduct, None if held is None else {BTC: held})

    assert (Reason.NO_PROGRESS in found) is stuck


def test_a_position_that_is_gone_is_progress() -> None:
    assert reasons(Conduct(cuts=(cut("10", "3"),) * 3), {}) == set()


@pytest.mark.parametrize(
    ("slippage", "ago", "over"),
    [("0.03", 0, False), ("0.0301", 0, True), ("0.0301", 61, False), (None, 0, False), ("-0.5", 0, False)],
)
def test_a_fill_worse_than_the_cap_trips_for_a_minute(
    *, slippage: str | None, ago: float, over: bool
) -> None:
    conduct = Conduct(cuts=(cut("10", "3", ago=ago, slippage=slippage), cut("7", "3", slippage="0.001")))

    assert reasons(conduct, {BTC: "4"}) == ({Reason.SLIPPAGE_OVER_CAP} if over else set())


def test_three_venues_at_once_trip() -> None:
    assert reasons(Conduct(breaching=("bybit", "okx"))) == set()
    assert reasons(Conduct(breaching=("bybit", "okx", "kraken"))) == {Reason.COMMON_MODE}


def test_a_single_step_waits_for_the_one_before() -> None:
    assert may_step(Conduct(), NOON)
    assert not may_step(Conduct(cuts=(cut("1", "1", ago=1.9),)), NOON)
    assert may_step(Conduct(cuts=(cut("1", "1", ago=2),)), NOON)
    assert may_step(Conduct(cuts=(cut("1", "1", ago=-3_600),)), NOON)  # a wall clock that was set back


prices = st.integers(min_value=100, max_value=10**7).map(lambda n: D(n) / 100)


@given(
    kind=st.sampled_from(ContractKind),
    side=st.sampled_from(Side),
    mark=prices,
    worse=st.integers(min_value=-300, max_value=300).map(lambda n: D(n) / 10_000),
    filled=prices,
    size=st.sampled_from([D(1), D("0.01"), D(100)]),
)
def test_slippage_is_read_back_from_what_it_cost(
    *, kind: ContractKind, side: Side, mark: Decimal, worse: Decimal, filled: Decimal, size: Decimal
) -> None:
    average = mark * (1 - worse if side is Side.LONG else 1 + worse)
    cost = -unrealized_pnl(
        kind, side, quantity=filled, contract_size=size, entry_price=mark, mark_price=average
    )
    found = slippage_rate(kind, side, cost=cost, filled=filled, contract_size=size, average_price=average)

    assert abs(found - worse) < D("1e-18")
