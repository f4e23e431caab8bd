"""The demo's hedged pair: two accounts at different brokers whose positions stand against each other."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from brokers.models import Side
from config.sandbox import SandboxAccount

LEGS = {"basis-long": "BTCUSDT", "basis-short": "BTC-USDT-SWAP"}
"""The legs by account, as each venue calls the instrument."""

TOLERANCE, REPAIR_BUDGET = "0.1", "1"


def hedges_of(accounts: Iterable[SandboxAccount]) -> list[dict[str, Any]]:
    """Return the `hedges` of a configuration over `accounts`: the pair, if both of it are there."""
    if not LEGS.keys() <= {account.id for account in accounts}:
        return []
    legs = [{"account": account, "symbol": symbol} for account, symbol in LEGS.items()]
    return [{"id": "basis", "legs": legs, "tolerance": TOLERANCE, "repair_budget": REPAIR_BUDGET}]


def ending_of_the_pair(alone: Mapping[str, Any], guarded: Mapping[str, Any]) -> str | None:
    """Say what the pair came to in both markets, by the venues' books; `None`: it is not there."""
    if not LEGS.keys() <= alone.keys() & guarded.keys():
        return None
    endings = [" and ".join(f"{_net(figures[name]):+f}" for name in LEGS) for figures in (alone, guarded)]
    nets = [sum((_net(figures[name]) for name in LEGS), Decimal(0)) for figures in (alone, guarded)]
    return (
        f"The hedged pair {' / '.join(LEGS)} ended at {endings[0]} BTC alone, net {nets[0]:+f}; "
        f"guarded at {endings[1]}, net {nets[1]:+f}."
    )


def _net(figures: Mapping[str, Any]) -> Decimal:
    """Return the coins an account is long, less those it is short."""
    rows = figures["positions"]
    signed = (Decimal(row["quantity"]) * (1 if row["side"] == Side.LONG else -1) for row in rows)
    return sum(signed, Decimal(0))
