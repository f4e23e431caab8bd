"""What explains a change of equity, and what is left over as moved."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import Collateral, ContractKind, Side, UnitKind
from daemon.risk.daily_loss import Breach, DailyLoss
from daemon.risk.daybook import FLOOR, Coin, Holding, Mark, begin, follow, mark_of, moved_between

D = Decimal
BUILD = Any
NOON = datetime(2025, 10, 10, 12, 30, tzinfo=UTC)


def holding(
    quantity: object = 1, mark: object = 50_000, entry: object = 50_000, side: Side = Side.LONG
) -> Holding:
    size, price, paid = D(str(quantity)), D(str(mark)), D(str(entry))
    sign = 1 if side is Side.LONG else -1
    return Holding(
        kind=ContractKind.LINEAR,
        side=side,
        quantity=size,
        entry=paid,
        price=price,
        size=D(1),
        rate=D(1),
        pnl=sign * size * (price - paid),
        notional=size * price,
    )


def mark(
    booked: object = 10_000,
    one: Holding | None = None,
    *,
    minutes: float = 0,
    coins: dict[str, Coin] | None = None,
) -> Mark:
    pnl = one.pnl if one else D(0)
    return Mark(
        at=NOON + timedelta(minutes=minutes),
        equity=D(str(booked)) + pnl,
        pnl=pnl,
        holdings={"BTC": one} if one else {},
        coins=coins or {},
    )


@pytest.mark.parametrize(
    ("old", "new", "amount", "in_doubt"),
    [
        # nothing traded: what the venue booked was moved, above a thousandth of the equity
        (mark(), mark(10_010), None, False),
        (mark(), mark(10_011), 11, False),
        (mark(), mark(9_000), -1_000, False),
        (mark(one=holding()), mark(one=holding(mark=49_000)), None, False),
        (mark(one=holding()), mark(12_000, holding(mark=49_000)), 2_000, False),
        # closed, in part or whole: its PnL was booked
        (mark(one=holding(mark=49_000)), mark(9_500, holding("0.5", 49_000)), None, False),
        (mark(one=holding(mark=49_000)), mark(9_000), None, False),
        (mark(one=holding(mark=49_000)), mark(8_950), None, False),  # slippage of 50 of 49,000
        (mark(one=holding(mark=49_000)), mark(4_000), -5_000, True),  # 2,450 may be slippage
        (mark(one=holding(mark=49_000)), mark(14_000), 5_000, True),
        # opened, added to, turned
        (mark(), mark(9_970, holding()), None, False),
        (mark(one=holding()), mark(9_970, holding(2, 51_000, 50_500)), None, False),
        (mark(one=holding(mark=51_000)), mark(11_000, holding(1, 51_000, 51_000, Side.SHORT)), None, False),
        # an hour ends: funding of half a percent of what is held
        (mark(one=holding()), mark(9_800, holding()), -200, False),
        (mark(one=holding()), mark(9_800, holding(), minutes=31), None, False),
        # a coin that backs the account is worth less
        (mark(coins={"ETH": Coin(balance=D(2), price=D(4_000))}),
         mark(9_200, coins={"ETH": Coin(balance=D(2), price=D(3_600))}), None, False),
        (mark(coins={"ETH": Coin(balance=D(2), price=D(4_000))}),
         mark(8_000, coins={"ETH": Coin(balance=D(2), price=D(3_600))}), -1_200, False),
    ],
)  # fmt: skip
def test_what_was_moved(old: Mark, new: Mark, amount: int | None, *, in_doubt: bool) -> None:
    new = new if new.at > old.at else replace(new, at=old.at + timedelta(seconds=2))
    move = moved_between(old, new, {})
    assert (move.amount if move else None) == amount
    assert move is None or move.in_doubt is in_doubt


def test_a_transfer_of_ours_is_known_even_beside_a_cut() -> None:
    old, new = mark(one=holding(mark=49_000)), mark(9_460, holding("0.5", 49_000), minutes=1)
    move = moved_between(old, replace(new, equity=new.equity + 1_000), {"t1": D(1_000), "t2": D(40)})
    assert move is not None
    assert (move.amount, move.transfer, move.in_doubt) == (D(1_000), "t1", False)

    day, _ = follow(begin(old), replace(new, equity=new.equity + 1_000), {"t1": D(1_000)})
    assert (day.moved, day.loss) == (D(1_000), D(40))
    again = replace(new, at=NOON + timedelta(minutes=2), equity=new.equity + 2_000)
    day, _ = follow(day, again, {"t1": D(1_000)})
    assert (day.moved, day.loss) == (D(2_000), D(40))  # moved by somebody else: ours came once


@given(
    moves=st.lists(st.tuples(st.integers(-3_000, 3_000), st.integers(45_000, 55_000)), max_size=12),
)
def test_whatever_is_moved_the_loss_is_that_of_the_prices(moves: list[tuple[int, int]]) -> None:
    """A position is held through; what is moved is wholly taken out, but for what is within the bound."""
    day, booked, error = begin(mark(20_000, holding())), D(20_000), D(0)
    price = 50_000
    for minute, (amount, price) in enumerate(moves, 1):
        if booked + amount < 15_000:
            continue
        if abs(amount) <= FLOOR * abs(day.last.equity) + 250:
            error += abs(amount)
        booked += amount
        day, _ = follow(day, mark(booked, holding(mark=price), minutes=minute), {})
        lost = 50_000 - day.last.holdings["BTC"].price
        assert abs(day.loss - lost) <= error
        assert day.doubt == 0


@pytest.mark.parametrize(
    ("limit", "began", "currency", "allowed"),
    [
        (DailyLoss(share=D("0.05")), 10_000, "USDT", 500),
        (DailyLoss(share=D("0.05"), amounts={"USDT": D(400)}), 10_000, "USDT", 400),
        (DailyLoss(share=D("0.05"), amounts={"USDT": D(600)}), 10_000, "USD", 500),
        (DailyLoss(amounts={"USDT": D(600)}), 10_000, "USD", 600),
        (DailyLoss(amounts={"USDT": D(600)}), 10_000, "BTC", None),
        (DailyLoss(share=D("0.05")), 0, "USDT", None),
        (DailyLoss(share=D("0.05")), -5, "USDT", None),
    ],
)
def test_what_may_be_lost(limit: DailyLoss, began: int, currency: str, allowed: int | None) -> None:
    assert limit.allows(D(began), currency) == allowed


@pytest.mark.parametrize(
    "limit", [{}, {"share": D(1)}, {"share": D(0)}, {"amounts": {"USDT": D(0)}}, {"breach": Breach.CANCEL}]
)
def test_a_limit_that_limits_nothing_or_everything_is_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"loss|share|amount"):
        DailyLoss(**limit)


def test_a_missing_figure_gives_no_measure(build: BUILD) -> None:
    snapshot = build.book(10_000, [build.Row(entry="51000")])
    (unit,) = snapshot.units
    seen = mark_of(snapshot, unit)
    assert seen is not None
    assert (seen.equity, seen.pnl, seen.booked) == (D(10_000), D(-1_000), D(11_000))
    (position,) = snapshot.positions
    for gone in ("mark_price", "unrealized_pnl", "notional"):
        assert mark_of(replace(snapshot, positions=(replace(position, **{gone: None}),)), unit) is None
    assert mark_of(replace(snapshot, positions=(replace(position, reducible=False),)), unit) is None
    assert mark_of(replace(snapshot, markets={}), unit) is None
    assert mark_of(snapshot, replace(unit, margin_equity=None)) is None
    coin = Collateral(currency="ETH", wallet_balance=D(1), equity=D(1))
    assert mark_of(replace(snapshot, collaterals=(coin,)), unit) is None
    priced = mark_of(replace(snapshot, collaterals=(replace(coin, value=D(4_000)),)), unit)
    assert priced is not None
    assert priced.coins == {"ETH": Coin(balance=D(1), price=D(4_000))}


def test_isolated_positions_under_a_unit_are_said(build: BUILD) -> None:
    apart = build.unit("iso", kind=UnitKind.ISOLATED_POSITION, parent="account", measures=frozenset())
    snapshot = build.book(10_000)
    mixed = replace(snapshot, units=(*snapshot.units, apart))
    seen = mark_of(mixed, mixed.units[0])
    assert seen is not None
    assert begin(seen).is_mixed
