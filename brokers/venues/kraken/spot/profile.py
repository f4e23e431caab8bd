"""Kraken spot as the transport sees it: its call counter, its nonces, its clock."""

from datetime import timedelta
from types import MappingProxyType

from brokers.no_return import opening_refused, venue_acts
from brokers.numbers import ms_from_time, time_from_ms
from brokers.profile import BudgetRules, BudgetScope, Json, VenueProfile
from brokers.venues.kraken.spot.envelope import object_of, read_refusal

ORDER_TIME_TO_LIVE = timedelta(seconds=6)
"""How long after sending an order Kraken may still accept it: `deadline` travels with every order."""

SHORTEST_ORDER_LIFE = timedelta(seconds=3)
"""Kraken takes no deadline nearer than two seconds, and its clock is known to half a second."""

COUNTER, DECAY = 15.0, 0.33
"""The call counter of the lowest verification tier, and how fast it falls, per second. Placing and cancelling
orders and public calls do not count. Source: Kraken docs, "Spot REST Rate Limits"."""

RESOLUTION_MS = 1000

PICTURE = 2
"""Calls of one picture."""


def read_time(payload: Json) -> int:
    """Return venue milliseconds out of `public/Time`, which tells whole seconds: the middle of that one."""
    seconds = int(object_of(payload, "Time")["unixtime"])
    return ms_from_time(time_from_ms(seconds * 1000)) + RESOLUTION_MS // 2


POINTS = (opening_refused("margin level 100 %"), venue_acts("margin level 80 %"))
"""At the second Kraken may liquidate, at half of that level it must; the ratio counts from where it may.

Source: Kraken support 203325763 and 204586258.
"""

KRAKEN_SPOT = VenueProfile(
    venue="kraken",
    ccxt_class="kraken",
    options=MappingProxyType({"adjustForTimeDifference": False, "timeDifference": 0}),
    budget=BudgetRules(
        capacity=COUNTER, period_s=COUNTER / DECAY, scope=BudgetScope.KEY, reserve=1 / 3, leaks=True
    ),
    time_call="publicGetTime",
    read_time=read_time,
    time_cost=0,
    time_samples=1,
    time_resolution_ms=RESOLUTION_MS,
    read_refusal=read_refusal,
    rising_nonces=True,
    shortest_order_life=SHORTEST_ORDER_LIFE,
    window_option=None,  # a nonce instead of a window
)

PACE = timedelta(seconds=PICTURE / (DECAY * (1 - KRAKEN_SPOT.budget.reserve)))
"""How often a picture can be read for ever: nine seconds."""

PROTECTIVE_PACE = timedelta(seconds=PICTURE / DECAY)
"""The same with all that leaks out of the counter, six seconds: its room is for confirming and acting."""
