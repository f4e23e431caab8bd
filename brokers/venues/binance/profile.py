"""Binance's products as the transport sees them."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.models import Measure
from brokers.no_return import PointOfNoReturn, Regime, opening_refused, venue_acts
from brokers.numbers import ms_from_time, time_from_ms
from brokers.profile import BudgetRules, BudgetScope, VenueProfile
from brokers.venues.binance.margin_refusals import read_margin_refusal
from brokers.venues.binance.refusals import read_refusal, used_weight


def read_time(payload: Mapping[str, Any]) -> int:
    """Return `serverTime`, in milliseconds since the epoch.

    Raises:
        NumberError: it is no such time.
    """
    return ms_from_time(time_from_ms(payload["serverTime"]))


FUTURES_POINTS = (opening_refused("no available balance"), venue_acts("margin ratio 100 %"))
"""Of each wallet, coin and isolated position by itself.

Source: Binance support, "Liquidation Protocols"; error code -2019.
"""

PORTFOLIO_POINTS = (
    PointOfNoReturn(
        measure=Measure.MAINTENANCE,
        ratio=Decimal("0.875"),
        regime=Regime.REFUSES_OPENING,
        words="uniMMR 1.20",
    ),
    venue_acts("uniMMR 1.05"),
)
"""1.05 / uniMMR. At the second the account is taken over and its owner can do nothing any more. There is no
point of the utilization: orders are not checked against it.

Source: Binance support, "How Does Liquidation Work in the Binance Portfolio Margin Account", and the table of
uniMMR levels of the program.
"""

MARGIN_POINTS = (venue_acts("margin level 1.1, of a pro account 1, of an isolated pair its tier's"),)
"""There is no point of the utilization: reducing borrows nothing, and is never checked against it.

Source: Binance support, "Binance Margin Level, Margin Call and Liquidation".
"""

USDM = VenueProfile(
    venue="binance",
    ccxt_class="binanceusdm",
    options=MappingProxyType({"fetchCurrencies": False, "fetchMargins": False}),
    budget=BudgetRules(capacity=2400, period_s=60, scope=BudgetScope.ADDRESS),
    time_call="fapiPublicGetTime",
    read_time=read_time,
    read_refusal=read_refusal,
    used_weight=used_weight,
    testnet="enable_demo_trading",
)
"""USD-M futures. The venue's own test environment is demo trading; it has no `sapi` paths.

Source: `rateLimits` of `GET /fapi/v1/exchangeInfo` (2400 weight a minute and address).
"""

COINM = replace(USDM, ccxt_class="binancecoinm", time_call="dapiPublicGetTime")
"""COIN-M futures: a host and a budget of its own, of the same size.

Source: `rateLimits` of `GET /dapi/v1/exchangeInfo`.
"""

PORTFOLIO = replace(
    USDM,
    ccxt_class="binance",
    budget=BudgetRules(capacity=6000, period_s=60, scope=BudgetScope.ADDRESS),
)
"""Portfolio margin: orders and figures at a host of its own, market rules and time at those of the futures.

Source: Binance docs, Portfolio Margin "General Info" (6000 weight a minute and address).
"""

MARGIN = replace(
    USDM,
    ccxt_class="binance",
    budget=BudgetRules(capacity=6000, period_s=60, scope=BudgetScope.ADDRESS),
    time_call="publicGetTime",
    read_refusal=read_margin_refusal,
)
"""Cross and isolated margin: the spot host, and its budget; the wallet paths that margin lives at have one of
their own for every path, of twice the size.

Source: Binance docs, spot "LIMITS" (6000 weight a minute and address), wallet "General Info" (12000).
"""
