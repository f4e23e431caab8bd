"""What the demo's verdict is made of: tables with both outcomes, and endings from a real venue's books."""

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from brokers.models import OrderSide
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Wallet
from brokers.sandbox.orders import OrderSpec
from brokers.sandbox.printing import to_json
from daemon.demo.verdict import AccountVerdict, Ending, Summary, ending, print_verdicts
from daemon.risk.scorecard import tally
from database.records import Event, Intent, IntentKind, IntentState

Setting = Any
D = Decimal
NAME = "desk"
STARTED = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
GOOD = {"protection": "protected", "level": "safe"}


def made_ending(**changes: Setting) -> Ending:
    values = {"equity_before": D(10_000), "equity_after": D(7_000), "moved_in": D(0), "fees": D(0)}
    return Ending(**{**values, "liquidations": 0, **changes})


def order(number: int = 1, **changes: Setting) -> Intent:
    values = {
        "intent_id": f"{number:032x}",
        "account": NAME,
        "symbol": "BTCUSDT",
        "side": "long",
        "margin_mode": "cross",
        "episode": 1,
        "step": number,
        "attempt": 1,
        "kind": IntentKind.REDUCE,
        "reason": "above_target",
        "created_at": STARTED + timedelta(seconds=number),
        "quantity": D("0.5"),
        "quantity_before": D(2),
        "state": IntentState.FILLED,
        "filled": D("0.5"),
        "average_price": D(90_000),
        "slippage": D("12.5"),
    }
    return Intent(**{**values, **changes})


def verdict(**changes: Setting) -> AccountVerdict:
    values = {
        "account": NAME,
        "alone": made_ending(equity_after=D(0), liquidations=1),
        "guarded": made_ending(),
        "orders": (order(),),
        "last": GOOD,
    }
    return AccountVerdict(**{**values, **changes})


# ------------------------------------------------------------------------------------------------ protected


@pytest.mark.parametrize(
    ("liquidations", "last", "expected"),
    [
        (0, {"protection": "protected", "level": "safe"}, True),
        (0, {"protection": "protected", "level": "warning"}, True),
        (0, {"protection": "protected", "level": "critical"}, False),
        (0, {"protection": "protected", "level": "liquidation"}, False),
        (0, {"protection": "unprotected", "level": "safe"}, False),
        (0, {"protection": "unprotected", "level": "liquidation"}, False),
        (0, {"level": "safe"}, False),
        (0, {"protection": "protected"}, False),
        (0, {}, False),
        (1, {"protection": "protected", "level": "safe"}, False),
        (2, {"protection": "protected", "level": "warning"}, False),
    ],
)
def test_protected_is_never_liquidated_seen_to_the_end_and_out_of_danger(
    liquidations: int, last: Mapping[str, str], *, expected: bool
) -> None:
    guarded = made_ending(liquidations=liquidations)
    assert verdict(guarded=guarded, last=last).is_protected is expected


def test_what_happens_to_the_account_left_alone_is_no_part_of_the_verdict() -> None:
    assert verdict(alone=made_ending(liquidations=0)).is_protected
    assert not verdict(alone=made_ending(), guarded=made_ending(liquidations=1)).is_protected


# ---------------------------------------------------------------------------------------------------- costs


@pytest.mark.parametrize(
    ("before", "after", "moved_in", "lost"),
    [
        (D(10_000), D(7_000), D(0), D(3_000)),
        (D(10_000), D(8_000), D(1_000), D(3_000)),
        (D(10_000), D(11_500), D(0), D(-1_500)),
        (D(10_000), D(11_000), D(1_000), D(0)),
        (D(10_000), D(-50), D(0), D(10_050)),
    ],
)
def test_lost_counts_what_was_moved_in(
    before: Decimal, after: Decimal, moved_in: Decimal, lost: Decimal
) -> None:
    assert made_ending(equity_before=before, equity_after=after, moved_in=moved_in).lost == lost


@pytest.mark.parametrize(
    ("slippages", "fees", "slippage", "cost"),
    [
        ((), D(0), D(0), D(0)),
        ((D("12.5"),), D(3), D("12.5"), D("15.5")),
        ((D("12.5"), None, D("-2.25")), D("0.75"), D("10.25"), D(11)),
        ((None,), D(4), D(0), D(4)),
    ],
)
def test_cost_is_fees_and_journaled_slippage(
    slippages: tuple[Decimal | None, ...], fees: Decimal, slippage: Decimal, cost: Decimal
) -> None:
    orders = tuple(order(number, slippage=each) for number, each in enumerate(slippages, 1))
    judged = verdict(orders=orders, guarded=made_ending(fees=fees))
    assert (judged.slippage, judged.cost) == (slippage, cost)


# -------------------------------------------------------------------------------------------------- endings


@pytest.fixture
def venue(venue_of: Callable[..., Engine], spec: Callable[..., Any]) -> Engine:
    """`desk` and `other`, each long 500 X at 100 on 10,000 USDT, 2,000 in funding; a fee of one per mille."""
    accounts = [spec(name, funding={"USDT": D(2_000)}) for name in (NAME, "other")]
    return venue_of(*accounts, instrument={"taker_fee": D("0.001")})


def ended(venue: Engine, before: Setting, name: str = NAME) -> Ending:
    """Return the ending as the demo reads it: out of the venue's JSON."""
    events = [{"event": type(event).__name__, **to_json(event)} for event in venue.history]
    return ending(name, before, to_json(venue.figures(name)), events)


def sell(venue: Engine, quantity: int, name: str = NAME) -> None:
    spec = OrderSpec(symbol="X-USDT", side=OrderSide.SELL, quantity=D(quantity), reduce_only=True)
    venue.place(name, spec)


def test_an_account_nobody_helps_is_liquidated(venue: Engine) -> None:
    before = to_json(venue.figures(NAME))
    venue.move_price("X", D("0.75"))
    venue.advance(1_000)
    found = ended(venue, before)
    assert found.liquidations == 1
    assert (found.equity_before, found.moved_in, found.fees) == (10_000, 0, 0), "the venue's own fees apart"
    assert found.lost == found.equity_before - found.equity_after
    assert found.lost > 9_000


def test_an_account_that_is_helped_in_time_is_not(venue: Engine) -> None:
    before = to_json(venue.figures(NAME))
    venue.move_price("X", D("0.90"))
    venue.transfer(NAME, "USDT", D(1_000), source=Wallet.FUNDING, target=Wallet.TRADING)
    sell(venue, 400)
    venue.move_price("X", D("0.80"))
    venue.advance(1_000)
    found = ended(venue, before)
    assert found.liquidations == 0
    assert (found.equity_before, found.moved_in) == (10_000, 1_000)
    assert found.fees == pytest.approx(D(36), abs=D("0.1")), "one per mille of 400 at about 90"
    # 500 fell by 10, then the 100 that are left by 18; and half a spread was paid on what was sold
    assert found.lost == pytest.approx(5_000 + 1_800 + found.fees, abs=D(10))


def test_what_moves_out_or_belongs_to_others_does_not_count(venue: Engine) -> None:
    before = to_json(venue.figures(NAME))
    venue.transfer(NAME, "USDT", D(500), source=Wallet.TRADING, target=Wallet.FUNDING)
    venue.transfer("other", "USDT", D(700), source=Wallet.FUNDING, target=Wallet.TRADING)
    sell(venue, 100, "other")
    venue.external_trade(NAME, "X-USDT", OrderSide.SELL, D(10))
    found = ended(venue, before)
    assert (found.moved_in, found.fees, found.liquidations) == (0, 0, 0)
    theirs = ended(venue, before, "other")
    assert theirs.moved_in == 700
    assert theirs.fees == pytest.approx(D(10), abs=D("0.01"))


# -------------------------------------------------------------------------------------------------- summary


def printed(*verdicts: AccountVerdict, transfers: Sequence[Event] = ()) -> list[str]:
    out = io.StringIO()
    summary = Summary(
        verdicts=verdicts,
        transfers=transfers,
        watched=tally([], running=2),
        started_at=STARTED,
        places={"log": "/x/guarded.log", "journal": "/x/journal.db"},
    )
    print_verdicts(Console(file=out, width=160, highlight=False), summary)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_summary_ends_with_what_was_saved_if_all_are_protected() -> None:
    saved = verdict(orders=(order(1), order(2)), guarded=made_ending(fees=D(5)))
    unharmed = verdict(account="other", alone=made_ending(), orders=())
    lines = printed(saved, unharmed)
    assert lines[-1] == (
        "Every account was protected. Alone, the venues liquidated 1 of 2. "
        "margind's 2 orders cost 30 USD and left 7,000 USD more."
    )
    assert "log      /x/guarded.log" in lines
    assert "journal  /x/journal.db" in lines


def test_a_market_that_comes_back_leaves_less_to_those_who_sold_into_it_and_the_summary_says_so() -> None:
    lines = printed(verdict(alone=made_ending(), guarded=made_ending(equity_after=D(6_400))))
    assert lines[-1].startswith("Every account was protected. Alone, the venues liquidated 0 of 1.")
    assert lines[-1].endswith("left 600 USD less.")


def test_the_summary_names_every_account_that_was_not_protected_and_boasts_of_nothing() -> None:
    lost = [
        verdict(account="gone", guarded=made_ending(liquidations=1)),
        verdict(account="blind", last={"protection": "unprotected", "level": "safe"}),
    ]
    lines = printed(verdict(), *lost)
    assert lines[-1] == "NOT PROTECTED: gone, blind"
    assert not [line for line in lines if "Every account was protected" in line]
    assert sum(line.endswith("SAFE NOT PROTECTED") for line in lines) == 2


def test_each_order_is_told_with_its_reason_in_order_of_time_and_a_missing_figure_is_a_dash() -> None:
    unfilled = {"filled": None, "average_price": None, "slippage": None, "limit_price": D("89000.5")}
    first = verdict(orders=(order(3), order(1, reason="liquidation_reached")))
    second = verdict(account="other", orders=(order(2, **unfilled, state=IntentState.REJECTED),))
    rows = [line.split() for line in printed(first, second) if " close " in line]
    assert [(row[0], row[-1]) for row in rows] == [
        ("1.0", "liquidation_reached"),
        ("2.0", "above_target"),
        ("3.0", "above_target"),
    ]
    told = [
        "1.0",
        "s",
        NAME,
        "close",
        "0.5",
        "of",
        "2",
        "BTCUSDT",
        "long",
        "market",
        "0.5",
        "90000.00",
        "12.50",
    ]
    assert rows[0][:-2] == told
    assert rows[1][-6:] == ["89000.5", "-", "-", "-", "rejected", "above_target"]


def test_without_orders_there_is_no_table_of_them() -> None:
    lines = printed(verdict(orders=()))
    assert not [line for line in lines if line.startswith("Every order")]
    assert not [1 for one, next_one in itertools.pairwise(lines) if not one and not next_one]


def test_what_was_moved_in_and_what_would_have_been_done_is_told() -> None:
    moved = Event(
        time=STARTED,
        kind="transfer_completed",
        message="1000 USDT from the funding wallet",
        account=NAME,
        detail={
            "created_at": (STARTED + timedelta(seconds=4)).isoformat(),
            "amount": "1000",
            "currency": "USDT",
            "state": "completed",
        },
    )
    lines = printed(verdict(), transfers=[moved])
    (row,) = [line.split() for line in lines if line.endswith("completed")]
    assert row == ["4.0", "s", NAME, "1,000.00", "USDT", "completed"]
    assert "  would have acted rightly 0, falsely 0; missed 0" in lines
    assert "  beside: 2 not over yet" in lines
    assert not [line for line in printed(verdict()) if line.startswith("Moved in")]
