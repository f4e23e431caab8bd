"""Crypto.com Exchange as the transport sees it: its request limits, its clock, its nonces."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from brokers.errors import MalformedAnswer
from brokers.no_return import opening_refused, venue_acts
from brokers.numbers import NumberError, ms_from_time, time_from_ms
from brokers.profile import BudgetRules, BudgetScope, CallLimit, Endpoint, Json, VenueProfile
from brokers.venues.cryptocom.envelope import read_refusal, rows_of

NONCE_WINDOW_MS = 60_000
"""Crypto.com refuses a nonce that differs from its clock by more (40102), and knows no other deadline.

Version 2 of the API documented 30 s; a host that still keeps it is found out by `brokers.nonce_window`.
"""

ORDER_TIME_TO_LIVE = timedelta(seconds=6)
"""How long after sending Crypto.com may still accept an order: nonces are dated back to leave no more.

Six seconds, because the venue's time is read off a header to the second: a shorter rest of the window would
be at the mercy of our measurement, a longer one keeps an account waiting where an answer was lost.
"""

SECOND_MS = 1_000

OPEN_ADVANCED = "advancedGetOpenOrders"
CANCEL_ADVANCED = "advancedCancelOrder"
PRIVATE = ("v1", "private")

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        OPEN_ADVANCED: Endpoint("private/advanced/get-open-orders", PRIVATE, "POST"),
        CANCEL_ADVANCED: Endpoint("private/advanced/cancel-order", PRIVATE, "POST"),
    }
)
"""Where trigger orders live since 2025-12-17; ccxt's class does not know the calls."""

OTHERS = CallLimit(1, 0.1)

CALL_LIMITS: Mapping[str, CallLimit] = MappingProxyType(
    {
        "v1PrivatePostPrivateUserBalance": OTHERS,
        "v1PrivatePostPrivateGetPositions": OTHERS,
        "v1PrivatePostPrivateGetOpenOrders": OTHERS,
        "v1PrivatePostPrivateClosePosition": OTHERS,
        "v1PrivatePostPrivateChangeAccountLeverage": OTHERS,
        OPEN_ADVANCED: OTHERS,
        CANCEL_ADVANCED: OTHERS,
        "v1PrivatePostPrivateCancelOrder": CallLimit(7, 0.1),
        "v1PrivatePostPrivateGetOrderDetail": CallLimit(15, 0.1),
        "v1PrivatePostPrivateGetOrderHistory": CallLimit(1, 1.1),
        "v1PublicGetPublicGetTickers": CallLimit(50, 1.0),
        "v1PublicGetPublicGetBook": CallLimit(50, 1.0),
    }
)
"""Crypto.com limits every method by itself, most to 3 in 100 ms. About half of that is used: what was sent
evenly may arrive bunched, and one too many is a write without a verdict. The budget over all of them is our
own: it keeps a sweep from starving the next poll. Source: Exchange API v1, "Rate Limits".
"""


def read_dated_time(dated_ms: int, payload: Json) -> int:
    """Return venue milliseconds by the answer's `Date`, which is cut to the second.

    The ticker in the answer narrows it: what was published within that second happened before the answer.
    """
    try:
        rows = rows_of(payload, "public/get-tickers")
    except MalformedAnswer:
        rows = ()
    for row in rows:
        try:
            published = ms_from_time(time_from_ms(row.get("t")))
        except NumberError:
            continue
        if dated_ms <= published < dated_ms + SECOND_MS:
            return published
    return dated_ms + SECOND_MS // 2


POINTS = (
    opening_refused("margin balance below initial margin"),
    venue_acts("margin balance below maintenance margin"),
)
"""At the first, orders that add risk are cancelled and refused. At the second, all of them are, reducing ones
too, and the venue liquidates until the balance covers the initial margin again.

Source: Crypto.com help centre, "Smart Cross Margin", on liquidation.
"""

CRYPTOCOM_EXCHANGE = VenueProfile(
    venue="cryptocom",
    ccxt_class="cryptocom",
    budget=BudgetRules(capacity=60, period_s=1.0, scope=BudgetScope.KEY),
    call_limits=CALL_LIMITS,
    endpoints=ENDPOINTS,
    time_call="v1PublicGetPublicGetTickers",
    time_params=MappingProxyType({"instrument_name": "BTCUSD-PERP"}),
    read_dated_time=read_dated_time,
    time_resolution_ms=SECOND_MS / 2,
    read_refusal=read_refusal,
    window_option=None,
    nonce_window_ms=NONCE_WINDOW_MS,
    nonce_probe="v1PrivatePostPrivateGetPositions",
    read_window_ms=NONCE_WINDOW_MS,
    write_window_ms=ORDER_TIME_TO_LIVE // timedelta(milliseconds=1),
)
