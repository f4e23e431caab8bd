"""How Coinbase's US futures differ from other venues, for the engine."""

from brokers.sandbox.spec import DuplicateRule, OversizeRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.FOR_EVER,
    oversize_reduce=OversizeRule.CLIP,
    triggers_reserve_margin=False,
    partial_liquidation=True,
)
"""An id that was ever used belongs to its order; closing more than the position closes the position."""
