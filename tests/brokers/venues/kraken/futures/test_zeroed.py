"""An equity of zero: contradicted by its parts, or not confirmed by them."""

from collections.abc import Callable
from typing import Any

import pytest

from brokers.models import AccountSnapshot, FindingCode

Row = dict[str, Any]
Make = Callable[..., Row]
See = Callable[..., AccountSnapshot]


@pytest.fixture
def held() -> Row:
    """One long of a bitcoin."""
    return {
        "symbol": "PF_XBTUSD",
        "side": "long",
        "size": 1,
        "price": 90_000.0,
        "fillTime": "2025-11-16T00:00:00.000Z",
        "unrealizedFunding": 0.0,
        "pnlCurrency": "USD",
    }


@pytest.mark.parametrize("missing", ["balanceValue", "totalUnrealized"])
def test_an_equity_of_zero_that_cannot_be_confirmed_is_found_where_positions_need_it(
    see: See, flex: Make, held: Row, missing: str
) -> None:
    wallet = flex(marginEquity=0, availableMargin=-1500, initialMargin=1500, initialMarginWithOrders=1500)
    del wallet[missing]
    found = see(held, wallets={"flex": wallet}).findings
    assert [(one.code, one.unit) for one in found if "marginEquity is 0" in one.detail] == [
        (FindingCode.FIELD_MISSING, "flex")
    ]
    empty = flex(
        marginEquity=0, availableMargin=0, initialMargin=0, initialMarginWithOrders=0, maintenanceMargin=0
    )
    del empty[missing]
    assert see(wallets={"flex": empty}).findings == ()
