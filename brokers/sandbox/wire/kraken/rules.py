"""How Kraken's spot margin differs from other venues, for the engine."""

from decimal import Decimal

from brokers.sandbox.spec import DuplicateRule, MarginPrice, OversizeRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.OPEN_ORDERS,
    oversize_reduce=OversizeRule.CLIP,
    margin_price=MarginPrice.ENTRY,
    maintenance_share=Decimal("0.4"),
    partial_liquidation=False,
    triggers_reserve_margin=False,
    reduce_only_exempt_from_minimum=False,
    transfer_ids_unique=False,
)
"""Margin is cost over leverage, fixed at opening; Kraken liquidates at a margin level of 40 %, which is an
equity of 0.4 times that margin. A client id is unique among open orders only, and a reduce-only order
executes as far as it can."""
