"""A list of positions that does not hold all that the balance counts."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.models import FindingCode, Position
from brokers.venues.cryptocom.listing import MEMORY, Listing

D = Decimal
Row = dict[str, Any]
Snap = Any  # the fixture's type lives in conftest


@pytest.fixture
def whole(snap: Snap, live: tuple[Row, Row]) -> tuple[Position, ...]:
    """The one position of the captured account, worth 335.768 by its balance."""
    return snap(*live).positions


def judged(listing: Listing, worth: str, margin: str, positions: tuple[Position, ...]) -> list[FindingCode]:
    return [finding.code for finding in listing.check(D(worth), D(margin), positions)]


def twice(positions: tuple[Position, ...]) -> tuple[Position, ...]:
    return positions * 2


def test_a_position_that_drops_out_of_the_list_is_missed_until_it_is_back(
    whole: tuple[Position, ...],
) -> None:
    listing = Listing()
    assert judged(listing, "671.536", "33.4", twice(whole)) == []
    for _ in range(2 * MEMORY):
        assert judged(listing, "671.536", "33.4", whole) == [FindingCode.INCOMPLETE]
    assert judged(listing, "671.536", "33.4", twice(whole)) == []


def test_a_balance_of_before_the_last_cut_is_not_believed_beside_positions_of_after_it(
    whole: tuple[Position, ...],
) -> None:
    listing = Listing()
    assert judged(listing, "671.536", "33.4", twice(whole)) == []
    assert judged(listing, "671.536", "33.4", whole) == [FindingCode.INCOMPLETE]
    assert judged(listing, "335.768", "16.7", whole) == []


def test_orders_and_leverage_move_the_requirement_alone(whole: tuple[Position, ...]) -> None:
    listing = Listing()
    assert judged(listing, "335.768", "16.7", whole) == []
    assert judged(listing, "335.768", "50.1", whole) == []


def test_a_worth_that_never_follows_the_positions_says_nothing(whole: tuple[Position, ...]) -> None:
    listing = Listing()
    assert judged(listing, "671.536", "33.4", twice(whole)) == []
    assert judged(listing, "671.536", "16.7", whole) == []


def test_a_list_that_was_late_once_is_not_the_measure(whole: tuple[Position, ...]) -> None:
    listing = Listing()
    assert judged(listing, "335.768", "16.7", whole) == []
    assert judged(listing, "335.768", "16.7", twice(whole)) == []
    assert judged(listing, "335.768", "16.7", whole) == []


@pytest.mark.parametrize("worth", [None, D(0)])
def test_without_the_figures_nothing_is_found(whole: tuple[Position, ...], worth: Decimal | None) -> None:
    listing = Listing()
    listing.check(D("671.536"), D("33.4"), twice(whole))
    assert listing.check(worth, D("33.4"), whole) == ()
