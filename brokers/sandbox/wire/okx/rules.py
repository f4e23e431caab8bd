"""How OKX differs from other venues, for the engine."""

from brokers.sandbox.spec import DuplicateRule, OversizeRule, VenueRules

RULES = VenueRules(
    duplicate_client_ids=DuplicateRule.OPEN_ORDERS,
    oversize_reduce=OversizeRule.CLIP,
    liquidation_fee_margined=True,
    triggers_reserve_margin=False,
    transfer_ids_unique=False,
)
"""OKX says that one client id may belong to several orders, its ratio holds the liquidation fees, an algo
order binds nothing before it triggers, and a transfer's client id is no protection against a second one."""
