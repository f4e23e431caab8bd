"""What a start must learn of every product before the account may be trusted: its key, its instruments."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from brokers.models import FindingCode
from tests.brokers.conformance.cases import BTC, CASES, Case

Station = Any  # the fixture's type lives in conftest

pytestmark = pytest.mark.wire


def one_of_each() -> Iterator[str]:
    """Yield the first case of every venue."""
    seen: set[tuple[str, str]] = set()
    for name, case in CASES.items():
        if (case.broker, case.product) not in seen:
            seen.add((case.broker, case.product))
            yield name


@pytest.fixture(params=list(one_of_each()))
def case(request: pytest.FixtureRequest) -> Case:
    """One kind of account at every venue, with a key that can withdraw."""
    return replace(CASES[request.param], withdraws=True)


async def test_a_key_that_can_withdraw_is_known_for_one_wherever_the_venue_tells(station: Station) -> None:
    if not station.broker.capabilities.key_permissions:
        pytest.skip("the venue tells nobody what a key may do")
    assert (await station.broker.fetch_permissions()).can_withdraw is True


async def test_a_position_without_market_rules_is_in_the_picture_and_told_of(station: Station) -> None:
    held, book = station.symbol(BTC), station.broker._rulebook
    book.rules = {symbol: rules for symbol, rules in book.rules.items() if symbol != held}
    snapshot = await station.snapshot()
    unknown = {one.symbol for one in snapshot.findings if one.code is FindingCode.SYMBOL_UNKNOWN}
    assert unknown == {held}
