"""How Kraken Futures differs from other venues, for the engine."""

from decimal import Decimal

from brokers.sandbox.spec import DuplicateRule, MarginPrice, OversizeRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.FOR_EVER,
    oversize_reduce=OversizeRule.CLIP,
    margin_price=MarginPrice.ENTRY,
    initial_over_maintenance=Decimal(2),
    triggers_reserve_margin=False,
    transfer_ids_unique=False,
)
"""Margins go by the entry price, twice the maintenance margin opens at every level of the published
schedules, a client id is unique for ever, and an order that would reduce too much is trimmed."""
