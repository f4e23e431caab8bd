"""A loss of the hedge is told from a group that is being built."""

from decimal import Decimal

import pytest

from brokers.models import AccountId
from daemon.risk.hedge_group import LegName
from daemon.risk.hedge_loss import LegSize, Standing, judge

D = Decimal
A, B = (LegName(account=AccountId(name), symbol="BTC") for name in "ab")


def sizes(a: str, b: str, *, each: str = "1") -> dict[LegName, LegSize]:
    return {
        A: LegSize(quantity=D(a), per_quantity=D(1)),
        B: LegSize(quantity=D(b), per_quantity=D(each)),
    }


@pytest.mark.parametrize(
    ("now", "baseline", "standing", "surplus"),
    [
        (("1", "-1"), None, Standing.WHOLE, "0"),
        (("1", "-0.95"), None, Standing.WHOLE, "0"),
        (("1", "0"), None, Standing.BUILDING, "0"),  # never was whole
        (("1.5", "-1"), ("1", "-1"), Standing.BUILDING, "0"),  # grew
        (("1.5", "-0.5"), ("1", "-1"), Standing.BUILDING, "0"),  # one grew, another shrank: its owner's doing
        (("1", "1"), ("1", "-1"), Standing.BUILDING, "0"),  # turned
        (("1", "-0.6"), ("1", "-1"), Standing.LOST, "0.4"),
        (("1", "0"), ("1", "-1"), Standing.LOST, "1"),
        (("0", "-1"), ("1", "-1"), Standing.LOST, "1"),
        (("0.8", "-0.3"), ("1", "-1"), Standing.LOST, "0.5"),  # both shrank, one more
        (("1", "-0.6"), ("1.04", "-1"), Standing.LOST, "0.36"),  # it leaned already: no more than it moved
    ],
)
def test_how_a_group_stands(
    now: tuple[str, str], baseline: tuple[str, str] | None, standing: Standing, surplus: str
) -> None:
    found = judge(sizes(*now), None if baseline is None else sizes(*baseline), D("0.05"))
    assert (found.standing, found.surplus) == (standing, D(surplus))


def test_who_shrank_and_who_grew_is_said() -> None:
    assert judge(sizes("1", "-0.6"), sizes("1", "-1"), D("0.05")).shrunk == (B,)
    assert judge(sizes("1.5", "-1"), sizes("1", "-1"), D("0.05")).grown == (A,)


def test_what_a_price_moved_is_never_traded() -> None:
    """60,000 contracts of a dollar: 1 coin at 60,000, 1.2 at 50,000."""
    whole = sizes("1", "-60000", each="0.0000166666666666666666666667")
    fallen = sizes("1", "-60000", each="0.00002")
    found = judge(fallen, whole, D("0.05"))
    assert (found.standing, found.net) == (Standing.DRIFTED, D("-0.2"))
    lost = judge(sizes("0.5", "-60000", each="0.00002"), whole, D("0.05"))
    assert (lost.standing, lost.net) == (Standing.LOST, D("-0.7"))
    assert lost.surplus == D("0.5"), "half a coin was lost; the rest is the price's"


def test_a_leg_that_is_gone_is_reckoned_as_it_was() -> None:
    whole = sizes("1", "-60000", each="0.0000166666666666666666666667")
    gone = {**sizes("1", "0"), B: LegSize(quantity=D(0), per_quantity=D(1))}
    assert round(judge(gone, whole, D("0.05")).surplus, 9) == 1
