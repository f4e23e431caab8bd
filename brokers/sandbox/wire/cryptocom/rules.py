"""How Crypto.com differs from other venues, for the engine."""

from decimal import Decimal

from brokers.sandbox.spec import DuplicateRule, OversizeRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.FOR_EVER,
    oversize_reduce=OversizeRule.CLIP,
    maintenance_share=Decimal("0.5"),
    haircut_margined=True,
    triggers_reserve_margin=False,
    max_open_orders=1000,
)
"""Maintenance margin is half of the initial margin of positions and haircuts in all of Crypto.com's samples,
and a haircut raises what is required in place of lowering the equity (user-balance, change of 2023-10-31).
What a close larger than its position does is not documented: here it is cut down to it."""
