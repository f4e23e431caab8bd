"""How Binance's futures differ from other venues, for the engine."""

from dataclasses import replace
from decimal import Decimal

from brokers.sandbox.spec import DuplicateRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.OPEN_ORDERS,
    isolated_leverage_may_fall=False,
    triggers_reserve_margin=False,
    max_open_orders=200,
)
"""Client ids are unique among open orders only; a stop binds no margin before its price is reached."""

PORTFOLIO_RULES = replace(RULES, liquidation_ratio=1 / Decimal("1.05"))
"""Portfolio margin liquidates when equity is 1.05 times the maintenance margin.

Source: Binance, "Portfolio Margin": `uniMMR`.
"""
