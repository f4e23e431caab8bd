"""The delta of a hedge stays within its band at every prefix, whatever fills and whatever fails."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import AccountId
from brokers.numbers import ZERO, floor_to_step
from daemon.risk.hedge_group import LegName
from daemon.risk.hedging import Balance, Leg, Slice, interleave

D = Decimal
TINY = D("1e-9")
"""What a division of an inverse contract may be off by."""


def named(account: str) -> LegName:
    return LegName(account=AccountId(account), symbol="BTC")


def leg(account: str, delta: str, *, lot: str = "0.001", each: str = "1", least: str | None = None) -> Leg:
    per_quantity = D(each)
    return Leg(
        name=named(account),
        delta=D(delta),
        per_quantity=per_quantity,
        lot=D(lot),
        least=D(least or lot),
        cuttable=abs(D(delta)) / per_quantity,
    )


def balance(*legs: Leg, tolerance: str = "0.05") -> Balance:
    net = sum((one.delta for one in legs), ZERO)
    return Balance(legs=legs, tolerance=D(tolerance), before=net)


def told(slices: list[Slice]) -> list[tuple[str, Decimal, Decimal]]:
    return [(one.leg.account, one.quantity, one.net) for one in slices]


def test_slices_alternate_within_the_tolerance() -> None:
    pair = balance(leg("a", "1"), leg("b", "-1"))
    assert told(list(interleave(pair, named("a"), D("0.12")))) == [
        ("a", D("0.050"), D("-0.050")),
        ("b", D("0.050"), D("0.000")),
        ("a", D("0.050"), D("-0.050")),
        ("b", D("0.050"), D("0.000")),
        ("a", D("0.02"), D("-0.020")),
        ("b", D("0.020"), D("0.000")),
    ]


def test_beyond_the_urgent_line_the_leg_goes_whole_and_the_others_at_once() -> None:
    three = balance(leg("a", "1"), leg("b", "-0.7"), leg("c", "-0.3"))
    assert told(list(interleave(three, named("a"), D("0.9"), first=True))) == [
        ("a", D("0.9"), D("-0.9")),
        ("b", D("0.700"), D("-0.200")),
        ("c", D("0.200"), D("0.000")),
    ]


def test_a_group_that_leans_lets_its_heavy_side_lead() -> None:
    """Net +0.3 before: cutting the short leg alone would make it more, so the long one goes first."""
    leaning = balance(leg("a", "1.3"), leg("b", "-1"))
    assert leaning.room(named("b")) == 0
    assert told(list(interleave(leaning, named("b"), D("0.1")))) == [
        ("a", D("0.100"), D("0.200")),
        ("b", D("0.1"), D("0.300")),
    ]


def test_the_heavy_side_may_be_cut_down_to_the_tolerance_beyond_zero() -> None:
    leaning = balance(leg("a", "1.3"), leg("b", "-1"))
    assert leaning.room(named("a")) == D("0.35")


def test_what_is_under_way_counts_against_both() -> None:
    """A second long leg may not use room that the first has sent an order for; nor a partner follow twice."""
    sent = replace(leg("a", "1"), under_way=D("0.05"))
    group = balance(sent, leg("c", "0.5"), leg("b", "-1.5"))
    assert group.slice_of(named("c"), D("0.5")) == 0
    following = balance(leg("a", "0.9"), replace(leg("b", "-0.6"), under_way=D("0.1")), leg("c", "-0.4"))
    following = replace(following, before=ZERO)
    assert following.follow(named("c")) == 0


def test_coarse_lots_take_the_smallest_slice_that_can_be_matched() -> None:
    """The partner trades tenths only: the band is half of one and one order of ours, no drip of tiny ones."""
    coarse = balance(leg("a", "1"), leg("b", "-1", lot="0.1"), tolerance="0.01")
    assert coarse.band(named("a")) == D("0.051")
    assert told(list(interleave(coarse, named("a"), D("0.1")))) == [
        ("a", D("0.051"), D("-0.051")),
        ("b", D("0.1"), D("0.049")),
        ("a", D("0.049"), D("0.000")),
    ]


def test_an_inverse_leg_is_cut_in_contracts() -> None:
    pair = balance(leg("a", "1"), leg("b", "-1", lot="1", each="0.002"))
    assert told(list(interleave(pair, named("b"), D(25)))) == [
        ("b", D(25), D("0.050")),
        ("a", D("0.050"), D("0.000")),
    ]


def test_a_partner_that_cannot_be_cut_ends_it_within_the_band() -> None:
    pair = balance(leg("a", "1"), replace(leg("b", "-1"), cuttable=ZERO))
    assert told(list(interleave(pair, named("a"), D("0.5")))) == [("a", D("0.050"), D("-0.050"))]


def test_the_band_is_that_of_the_partners_that_are_left() -> None:
    """Once the fine partner is used up, one order and half of the coarse partner's are what it takes."""
    fine, coarse = leg("b", "-0.01", lot="0.01"), leg("c", "-1", lot="0.4")
    book = balance(leg("a", "1.01", lot="0.1"), fine, coarse, tolerance="0.01")
    assert book.band(named("a")) == D("0.105")
    assert book.after(named("b"), D("0.01")).band(named("a")) == D("0.3")


@pytest.mark.parametrize("delta", ["0.04", "0.05"])
def test_within_the_tolerance_of_a_cut_nothing_more_than_the_surplus_follows(delta: str) -> None:
    pair = replace(balance(leg("a", "1"), leg("b", "-1")), before=ZERO)
    pair = pair.after(named("a"), D(delta))
    assert pair.follow(named("b")) == D(delta)
    assert pair.follow(named("a")) == 0


LOTS = st.sampled_from(["0.001", "0.01", "0.1", "0.25"])


@st.composite
def legs(draw: st.DrawFn, account: str) -> Leg:
    lot, each = (
        D(draw(LOTS)),
        D(draw(st.sampled_from(["1", "0.01", "100"]))) / draw(st.sampled_from([1, 3, 7])),
    )
    least = lot * draw(st.sampled_from([1, 1, 5]))
    quantity = draw(st.integers(0, 400)) * lot
    sign = draw(st.sampled_from([1, -1]))
    can = draw(st.sampled_from([True, True, True, False]))
    return Leg(
        name=named(account),
        delta=sign * quantity * each,
        per_quantity=each,
        lot=lot,
        least=least,
        cuttable=quantity if can else ZERO,
    )


@st.composite
def books(draw: st.DrawFn) -> Balance:
    count = draw(st.integers(2, 4))
    found = tuple(draw(legs(f"a{number}")) for number in range(count))
    return balance(*found, tolerance=str(draw(st.sampled_from(["0.001", "0.01", "0.05", "0.5", "2"]))))


def bound_of(book: Balance, name: LegName) -> Decimal:
    """The band by its definition: before, tolerance, or what coarse lots need.

    It widens to the next coarser partner's once the finest has nothing left to cut.
    """
    own = book.leg(name)
    halves = [one.finest / 2 for one in book.legs if one.sign == -own.sign and one.can_be_cut]
    coarse = max(own.finest, min(halves, default=ZERO) + own.finest if halves else ZERO)
    return max(abs(book.before), book.tolerance, coarse) + TINY * own.per_quantity


def check_step(before: Balance, after: Balance, name: LegName) -> None:
    """Nothing opened, grew or turned."""
    old, new = before.leg(name), after.leg(name)
    assert abs(new.delta) <= abs(old.delta)
    assert old.delta * new.delta >= -TINY
    assert new.cuttable >= 0


@settings(max_examples=150, deadline=None)
@given(book=books(), wanted=st.integers(1, 400))
def test_the_band_holds_at_every_prefix_of_a_plan(book: Balance, wanted: int) -> None:
    own = book.legs[0]
    bound, now = ZERO, book
    for step in interleave(book, own.name, min(wanted * own.lot, own.cuttable)):
        bound = max(bound, bound_of(now, own.name))
        after = now.after(step.leg, step.quantity)
        check_step(now, after, step.leg)
        assert after.net == step.net
        assert abs(after.net) <= bound, (book, step)
        now = after


@settings(max_examples=150, deadline=None)
@given(
    book=books(),
    wanted=st.integers(1, 400),
    shares=st.lists(st.sampled_from(["0", "0.3", "0.5", "1", "1"]).map(D), min_size=1, max_size=40),
    data=st.data(),
)
def test_the_band_holds_whatever_fills_and_in_whatever_order_they_act(
    book: Balance, wanted: int, shares: list[Decimal], data: st.DataObject
) -> None:
    """Both sides act when they like, each by what it sees; orders fill in part or not at all."""
    own = book.legs[0]
    bound, now = ZERO, book
    left = min(wanted * own.lot, own.cuttable)
    for share in shares:
        bound = max(bound, bound_of(now, own.name))
        actor = data.draw(st.sampled_from(now.legs))
        if actor.name == own.name:
            sent = now.slice_of(own.name, left)
        else:
            sent = now.follow(actor.name, left * own.per_quantity) if actor.sign == -own.sign else ZERO
        filled = floor_to_step(sent * share, actor.lot)
        after = now.after(actor.name, filled)
        check_step(now, after, actor.name)
        assert abs(after.net) <= bound, (book, actor.name, sent)
        left -= filled if actor.name == own.name else ZERO
        now = after


@settings(max_examples=100, deadline=None)
@given(book=books(), data=st.data())
def test_the_band_holds_with_several_orders_under_way_at_once(book: Balance, data: st.DataObject) -> None:
    """Every long leg is in danger at once: all send what their room allows, and any of them fill."""
    sign = book.legs[0].sign
    own = [one for one in book.legs if one.sign == sign and sign != 0]
    bound = max((bound_of(book, one.name) for one in own), default=ZERO)
    now, sent = book, {}
    for one in own:
        quantity = now.slice_of(one.name, one.cuttable)
        sent[one.name] = quantity
        waiting = replace(now.leg(one.name), under_way=quantity * one.per_quantity)
        now = replace(now, legs=tuple(waiting if each.name == one.name else each for each in now.legs))
    for name, quantity in sent.items():
        if data.draw(st.booleans()):
            now = now.after(name, quantity)
        assert abs(now.net) <= bound, (book, sent)


@settings(max_examples=100, deadline=None)
@given(book=books(), wanted=st.integers(1, 400))
def test_beyond_the_urgent_line_every_step_after_the_first_brings_it_back(book: Balance, wanted: int) -> None:
    own = book.legs[0]
    quantity = min(wanted * own.lot, own.cuttable)
    nets = [step.net for step in interleave(book, own.name, quantity, first=True)]
    for earlier, later in pairwise(nets):
        assert abs(later) <= abs(earlier)


@settings(max_examples=100, deadline=None)
@given(book=books(), wanted=st.integers(1, 400))
def test_a_balanced_pair_that_can_all_be_cut_is_cut_to_the_end(book: Balance, wanted: int) -> None:
    """It never gets stuck while both sides can be cut."""
    own, partner = book.legs[0], book.legs[1]
    if own.sign == 0 or partner.per_quantity * partner.lot > abs(own.delta):
        return
    size = floor_to_step(abs(own.delta) / partner.per_quantity, partner.lot)
    twin = replace(partner, delta=-own.sign * size * partner.per_quantity, cuttable=size)
    own = replace(own, cuttable=abs(own.delta) / own.per_quantity)
    pair = replace(book, legs=(own, twin), before=own.delta + twin.delta)
    quantity = min(wanted * own.lot, own.cuttable / 2)
    quantity = floor_to_step(quantity, own.lot)
    cut = sum((step.quantity for step in interleave(pair, own.name, quantity) if step.leg == own.name), ZERO)
    reserve = 2 * (pair.band(own.name) + twin.finest)
    if abs(twin.delta) > quantity * own.per_quantity + reserve:
        assert quantity - cut < own.least, pair


def test_a_partner_whose_order_would_make_it_worse_waits() -> None:
    """0.02 too much on its side, orders of 0.1: one would leave 0.08 too little."""
    coarse = replace(balance(leg("a", "0.98"), leg("b", "-1", lot="0.1"), tolerance="0.01"), before=ZERO)
    assert coarse.follow(named("b")) == 0
    assert coarse.follow(named("b"), D("0.5")) == 0
    later = replace(coarse, legs=(leg("a", "0.94"), leg("b", "-1", lot="0.1")))
    assert later.follow(named("b")) == D("0.1")


def test_a_slice_is_never_more_than_can_be_cut() -> None:
    pair = balance(replace(leg("a", "1"), cuttable=D("0.02")), leg("b", "-1"))
    assert pair.slice_of(named("a"), D("0.05")) == D("0.02")


def test_the_last_lot_of_an_inverse_leg_does_not_fail_by_a_rounding() -> None:
    """A third of a hundredth a contract: the room for one lot is a lot but for the 28th digit."""
    third = D("0.01") / 3
    own = replace(leg("a", "1", lot="0.25"), delta=64 * third, per_quantity=third, cuttable=D(64))
    pair = balance(own, leg("b", "-0.213"), tolerance="0.001")
    plan = list(interleave(pair, named("a"), D("0.5")))
    assert sum(one.quantity for one in plan if one.leg == named("a")) == D("0.5")
