"""The search for the cheapest cuts, against trying everything."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import product
from math import ceil, inf

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.risk.offer import Curve, Offer, Slice, merged
from daemon.risk.selection import Selector
from daemon.risk.ways import Selection

D = Decimal


def offer(slices: Sequence[Slice], *, step: int = 1, least: int = 1, orders: int = 1) -> Offer:
    """What may be cut in multiples of `step` from `least` on, or all at once."""
    most = sum(piece.width for piece in slices)

    def sized(quantity: float) -> Decimal:
        lots = max(ceil(quantity * (1 - 1e-10) / step) * step, least)
        return D(min(lots, int(most)))

    curve = Curve(slices, len(slices[0].gains))
    return Offer(curve=curve, bound=most, sized=sized, step=step, orders=orders)


def one(width: float, cost: float, *gains: float) -> Slice:
    return Slice(width, cost, gains)


def cut(found: Selection | None) -> dict[int, Decimal]:
    assert found is not None
    assert found.reaches
    return dict(found.quantities)


def test_what_gains_most_per_cost_goes_first_and_no_more_of_the_next_than_is_needed() -> None:
    offers = [offer([one(10, 2, 4)]), offer([one(10, 1, 4)])]

    assert cut(Selector(offers, [50]).cheapest()) == {1: 10, 0: 3}


def test_the_cheap_slices_of_both_go_before_the_dear_ones_of_either() -> None:
    deep = [one(5, 1, 4), one(20, 3, 4)]

    assert cut(Selector([offer(deep), offer(deep)], [40]).cheapest()) == {0: 5, 1: 5}


def test_one_that_does_alone_is_taken_where_the_smallest_order_makes_two_dearer() -> None:
    offers = [offer([one(10, 1, 2)]), offer([one(100, 1.5, 2)], least=20)]

    # 10 of the first and 20 of the second would cost 40; the second alone does it with 20
    assert cut(Selector(offers, [30]).cheapest()) == {1: 20}


def test_no_more_orders_than_there_is_room_for() -> None:
    offers = [offer([one(10, 1, 1)]), offer([one(10, 2, 1)]), offer([one(10, 3, 1)], orders=2)]

    assert cut(Selector(offers, [15], 2).cheapest()) == {0: 10, 1: 5}
    assert Selector(offers, [25], 2).cheapest() is None
    assert list(Selector(offers, [25], 2).everything().quantities) == [0, 1]
    assert list(Selector(offers, [25], 3).everything().quantities) == [0, 1]
    assert list(Selector(offers, [25], 4).everything().quantities) == [0, 1, 2]


def test_every_need_is_met() -> None:
    offers = [offer([one(10, 1, 3, 0)]), offer([one(10, 1, 0, 2)]), offer([one(10, 3, 1, 1)])]

    assert cut(Selector(offers, [12, 6]).cheapest()) == {0: 4, 1: 3}


def test_between_equals_of_cost_the_smaller_notional_goes() -> None:
    free = [one(10, 0, 4)]
    heavy = Offer(curve=Curve(free, 1), bound=10, sized=lambda wanted: D(ceil(wanted)), step=1, weight=5)
    light = Offer(curve=Curve(free, 1), bound=10, sized=lambda wanted: D(ceil(wanted)), step=1, weight=1)

    assert cut(Selector([heavy, light], [20]).cheapest()) == {1: 5}


def test_one_after_the_other_takes_what_each_has() -> None:
    offers = [offer([one(10, 1, 4)]), offer([one(10, 1, -1)]), offer([one(10, 2, 1)])]

    # the second helps nobody
    assert cut(Selector(offers, [8]).in_order([2, 1, 0])) == {2: 8}
    assert cut(Selector(offers, [18]).in_order([2, 1, 0])) == {2: 10, 0: 2}


def test_pro_rata_takes_the_same_part_of_everything() -> None:
    offers = [offer([one(30, 1, 2), one(30, 1, 1)]), offer([one(40, 1, 1)])]

    # beyond a half the first gains 30 + 60 x, the second 40 x
    part = Selector(offers, [85]).part()
    assert part is not None
    assert abs(part - 0.55) < 1e-9
    found = Selector(offers, [85]).pro_rata()
    assert cut(found) == {0: 33, 1: 22}
    assert Selector(offers, [130]).part() == 1
    assert Selector(offers, [131]).pro_rata() is None


def test_nothing_reaches_what_all_together_do_not() -> None:
    offers = [offer([one(10, 1, 1)]), offer([one(10, 2, 1)])]

    assert Selector(offers, [21]).cheapest() is None
    everything = Selector(offers, [21]).everything()
    assert (dict(everything.quantities), everything.reaches) == ({0: 10, 1: 10}, False)


def test_curves_are_laid_side_by_side() -> None:
    found = merged([iter([(2.0, 5.0), (inf, 7.0)]), iter([(3.0, 1.0)])], 6.0)

    assert list(found) == [(2.0, (5.0, 1.0)), (1.0, (7.0, 1.0)), (3.0, (7.0, 0.0))]


def test_a_curve_is_read_no_further_than_it_is_asked_for() -> None:
    def slices(read: list[int]) -> object:
        for number in range(100):
            read.append(number)
            yield one(1, 1 + number, 10)

    read: list[int] = []
    curve = Curve(slices(read), 1)  # type: ignore[arg-type]

    assert curve.needed(0, 25) == 2.5
    assert (curve.cost(2.5), curve.gains(2.5)) == (1 + 2 + 1.5, (25,))
    assert len(read) == 3
    assert curve.needed(0, 5000) == 100  # all there is


rising = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=3
)


@st.composite
def markets(draw: st.DrawFn, most: int) -> tuple[list[Offer], list[float]]:
    """Some offers whose costs rise and whose gains fall, and needs that all of them together meet."""
    needs = draw(st.integers(1, 2))
    offers = []
    for _ in range(draw(st.integers(1, most))):
        cost, gains = draw(st.integers(1, 60)), [draw(st.integers(1, 60)) for _ in range(needs)]
        slices = []
        for width, dearer, less in draw(rising):
            slices.append(one(width, cost, *gains))
            cost, gains = cost + dearer, [gain * (100 - less) / 100 for gain in gains]
        offers.append(offer(slices, least=draw(st.integers(1, 3))))
    share = draw(st.integers(5, 95)) / 100
    total = [sum(each.curve.gains(each.bound)[need] for each in offers) for need in range(needs)]
    return offers, [amount * share for amount in total]


def every(offers: Sequence[Offer]) -> list[tuple[Decimal, ...]]:
    sizes = [sorted({D(0), *(each.sized(lots) for lots in range(1, int(each.bound) + 1))}) for each in offers]
    return list(product(*sizes))


def price(offers: Sequence[Offer], taken: Sequence[Decimal]) -> float:
    return sum(each.curve.cost(float(some)) for each, some in zip(offers, taken, strict=True))


def meets(offers: Sequence[Offer], taken: Sequence[Decimal], needs: Sequence[float]) -> bool:
    gains = [each.curve.gains(float(some)) for each, some in zip(offers, taken, strict=True)]
    return all(sum(gain[need] for gain in gains) >= amount * (1 - 1e-9) for need, amount in enumerate(needs))


@settings(max_examples=300)
@given(markets(3))
def test_of_few_offers_the_cheapest_of_all_combinations_is_found(
    market: tuple[list[Offer], list[float]],
) -> None:
    offers, needs = market
    found = Selector(offers, needs).cheapest()
    best = min(price(offers, taken) for taken in every(offers) if meets(offers, taken, needs))

    assert found is not None
    assert found.cost <= best * (1 + 1e-9)


@settings(max_examples=200)
@given(markets(9), st.integers(1, 9))
def test_no_answer_is_dearer_than_a_single_offer_that_does(
    market: tuple[list[Offer], list[float]], room: int
) -> None:
    offers, needs = market
    found = Selector(offers, needs, room).cheapest()
    alone = [
        price(offers, taken)
        for number, each in enumerate(offers)
        for lots in range(1, int(each.bound) + 1)
        if meets(
            offers,
            taken := [each.sized(lots) if one == number else D(0) for one in range(len(offers))],
            needs,
        )
    ]

    assert found is not None or not alone
    if found is not None:
        taken = [found.quantities.get(number, D(0)) for number in range(len(offers))]
        assert len(found.quantities) <= room
        assert meets(offers, taken, needs)
        assert found.cost <= min(alone, default=inf) * (1 + 1e-9)
