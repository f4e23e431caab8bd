"""How Binance's futures differ from other venues, for the engine."""

from brokers.sandbox.spec import DuplicateRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.OPEN_ORDERS,
    isolated_leverage_may_fall=False,
    triggers_reserve_margin=False,
    max_open_orders=200,
)
"""Client ids are unique among open orders only; a stop binds no margin before its price is reached."""
