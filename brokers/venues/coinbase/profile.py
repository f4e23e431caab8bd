"""Coinbase Advanced Trade as the transport sees it: its request limits, its clock, the life of its tokens."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from brokers.no_return import opening_refused, venue_acts
from brokers.numbers import ms_from_time, time_from_ms
from brokers.profile import BudgetRules, BudgetScope, CallLimit, Json, VenueProfile
from brokers.venues.coinbase.refusals import read_refusal

ORDER_TIME_TO_LIVE = timedelta(seconds=4)
"""How long after sending an order Coinbase may still accept it: its token dies then.

Tokens count whole seconds, rounded down, so an order has at least three.
"""

READ_WINDOW_MS = 30_000

PUBLIC_LIMIT = CallLimit(10)

CALL_LIMITS: Mapping[str, CallLimit] = MappingProxyType(
    {
        "v3PublicGetBrokerageTime": PUBLIC_LIMIT,
        "v3PublicGetBrokerageMarketProducts": PUBLIC_LIMIT,
        "v3PublicGetBrokerageMarketProductBook": PUBLIC_LIMIT,
    }
)
"""Public calls are counted by address. Source: Coinbase docs, "Advanced Trade API Rate Limits"."""


def read_time(payload: Json) -> int:
    """Return venue milliseconds out of `brokerage/time`."""
    return ms_from_time(time_from_ms(payload["epochMillis"]))


FUTURES_POINTS = (opening_refused("liquidation buffer 100 %"), venue_acts("liquidation buffer 0"))
"""Source: Coinbase help, US futures, "Liquidation"."""

ADVANCED_TRADE = VenueProfile(
    venue="coinbase",
    ccxt_class="coinbase",
    budget=BudgetRules(capacity=30, period_s=1, scope=BudgetScope.KEY),
    call_limits=CALL_LIMITS,
    time_call="v3PublicGetBrokerageTime",
    read_time=read_time,
    read_refusal=read_refusal,
    window_option=None,  # the token's own `exp` carries it
    read_window_ms=READ_WINDOW_MS,
    write_window_ms=ORDER_TIME_TO_LIVE // timedelta(milliseconds=1),
)
"""30 private requests a second and user. Source: Coinbase docs, "Advanced Trade API Rate Limits"."""
