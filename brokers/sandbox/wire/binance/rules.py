"""How Binance's futures differ from other venues, for the engine."""

from dataclasses import replace
from decimal import Decimal

from brokers.sandbox.spec import DuplicateRule, Lending, VenueRules

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

MARGIN_RULES = replace(
    RULES,
    partial_liquidation=False,
    reduce_only_exempt_from_minimum=False,
    lending=Lending(initial=Decimal("1.5"), liquidation=Decimal("1.1")),
)
"""Cross margin of three times the equity: liquidated at a margin level of 1.1."""

ISOLATED_RULES = replace(MARGIN_RULES, lending=Lending(initial=Decimal("1.5"), liquidation=Decimal("1.18")))
"""Isolated pairs of three times the equity. Source: Binance, "Isolated Margin Tier Data"."""
