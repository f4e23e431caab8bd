"""Kraken Futures as the transport sees it: its request budget, its clock, the calls ccxt does not list."""

from datetime import timedelta
from types import MappingProxyType

from brokers.no_return import opening_refused, venue_acts
from brokers.numbers import ms_from_time
from brokers.profile import BudgetRules, BudgetScope, CallLimit, Endpoint, Json, VenueProfile
from brokers.venues.kraken.futures.envelope import read_refusal, time_from_iso

ORDER_TIME_TO_LIVE = timedelta(seconds=3)
"""How long after sending an order Kraken may still accept it: `processBefore` travels with every order."""

KEY_CHECK, ORDERS_STATUS = "authGetApiKeysCheck", "privatePostOrdersStatus"
TIMER = "privatePostCancelallordersafter"
ORDER_BOOK = "publicGetOrderbook"

COSTS = MappingProxyType(
    {
        "privateGetAccounts": 2,
        "privateGetOpenpositions": 2,
        "privateGetOpenorders": 2,
        "privateGetFills": 2,
        ORDERS_STATUS: 1,
        "privatePostSendorder": 10,
        "privatePostCancelorder": 10,
        TIMER: 25,
        "publicGetInstruments": 0,
        "publicGetTickers": 0,
        ORDER_BOOK: 0,
        "historyGetOrders": 0,
        KEY_CHECK: 1,
    }
)
"""What a call takes out of the budget of `/derivatives`; public calls are free, the history has a budget of
its own. Source: Kraken docs, "Derivatives Rate Limits"."""

BATCH_COST = 9
"""`batchorder` costs this and one for every order in it."""


def read_time(payload: Json) -> int:
    """Return venue milliseconds out of an answer's `serverTime`."""
    return ms_from_time(time_from_iso(payload["serverTime"]))


POINTS = (opening_refused("available margin 0"), venue_acts("margin equity below maintenance margin"))
"""Of each wallet and isolated position by itself.

Source: Kraken support 4844463246100 and 360022835671.
"""

KRAKEN_FUTURES = VenueProfile(
    venue="kraken futures",
    ccxt_class="krakenfutures",
    options=MappingProxyType(
        {
            "versions": {
                "history": {"GET": {"orders": "v2"}},
                "auth": {"GET": {"api-keys/v3/check": "v1"}},
            },
            "access": {
                "history": {"GET": {"orders": "private"}},
                "auth": {"GET": {"api-keys/v3/check": "private"}},
            },
        }
    ),
    endpoints=MappingProxyType(
        {
            KEY_CHECK: Endpoint(path="api-keys/v3/check", section=("auth",)),
            ORDERS_STATUS: Endpoint(path="orders/status", section=("private",), method="POST"),
        }
    ),
    sections=MappingProxyType({"auth": "/api/auth/"}),
    budget=BudgetRules(capacity=500, period_s=10, scope=BudgetScope.ADDRESS),
    call_limits=MappingProxyType({"historyGetOrders": CallLimit(50, 600.0)}),
    # Of the signed answers with the venue's time, the one that no snapshot is made of: a stale copy of those
    # must not set the clock by which their age is told.
    time_call="privateGetOpenorders",
    read_time=read_time,
    read_refusal=read_refusal,
    window_option=None,  # Kraken Futures signs no time
)
"""The error text speaks of the calling address, so accounts at one address share the budget."""
