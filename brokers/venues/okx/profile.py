"""OKX as the transport sees it: its request limits, its clock, its deadline header."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from brokers.no_return import opening_refused, venue_acts
from brokers.numbers import ms_from_time, time_from_ms
from brokers.profile import BudgetRules, BudgetScope, CallLimit, Json, VenueProfile
from brokers.venues.okx.envelope import WINDOW_S, read_refusal, row_of

ORDER_TIME_TO_LIVE = timedelta(seconds=3)
"""How long after sending an order OKX may still accept it: `expTime` travels with every order."""

ORDER_CALLS = frozenset({"privatePostTradeOrder"})
"""The calls that heed `expTime`. Cancellations, leverage and transfers do not."""


CALL_LIMITS: Mapping[str, CallLimit] = MappingProxyType(
    {
        "privatePostAccountSpotManualBorrowRepay": CallLimit(1, 3.0),
        "privateGetAccountBalance": CallLimit(10, WINDOW_S),
        "privateGetAccountPositions": CallLimit(10, WINDOW_S),
        "privateGetAccountConfig": CallLimit(5, WINDOW_S),
        "privateGetTradeOrdersPending": CallLimit(60, WINDOW_S),
        "privateGetTradeOrdersAlgoPending": CallLimit(20, WINDOW_S),
        "privateGetTradeOrder": CallLimit(60, WINDOW_S),
        "privatePostTradeOrder": CallLimit(60, WINDOW_S),
        "privatePostAssetTransfer": CallLimit(2, WINDOW_S),
        "publicGetPublicTime": CallLimit(10, WINDOW_S),
        "publicGetMarketBooks": CallLimit(40, WINDOW_S),
    }
)
"""OKX limits every endpoint by itself, most of them per user. The budget over all of them is our own: it
keeps a sweep from starving the next poll. Source: OKX docs, the "Rate Limit" of each endpoint."""


def read_time(payload: Json) -> int:
    """Return venue milliseconds out of `public/time`."""
    return ms_from_time(time_from_ms(row_of(payload, "public/time").get("ts")))


def expiry_header(call: str, expires_at: datetime | None) -> Mapping[str, str]:
    """Return the header after whose time OKX discards an order that arrives.

    Source: OKX docs, "Transaction Timeouts": an order request is not processed once the server's time is past
    `expTime`; it is refused with 50036.
    """
    if expires_at is None or call not in ORDER_CALLS:
        return {}
    return {"expTime": str(ms_from_time(expires_at))}


POINTS = (opening_refused("availEq 0"), venue_acts("mgnRatio 100 %"))
"""At the second OKX cancels orders and liquidates, tier by tier; its own warning comes at 300 %, a third.

Source: OKX help centre, "When would my order be liquidated?".
"""

OKX_UNIFIED = VenueProfile(
    venue="okx",
    ccxt_class="okx",
    budget=BudgetRules(capacity=120, period_s=WINDOW_S, scope=BudgetScope.KEY),
    call_limits=CALL_LIMITS,
    time_call="publicGetPublicTime",
    read_time=read_time,
    read_refusal=read_refusal,
    extra_headers=expiry_header,
    window_option=None,  # a signature lives 30 seconds, always
)
