"""How Bybit's unified account differs from other venues, for the engine."""

from brokers.sandbox.spec import DuplicateRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.FOR_EVER,
    closing_fee_margined=True,
    triggers_reserve_margin=False,
    max_open_orders=500,
)
"""Client ids are unique for ever; the fee of closing is part of both margins; a stop binds no margin before
its price is reached."""
