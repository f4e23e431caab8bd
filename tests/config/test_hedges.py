"""Hedge groups: what is accepted, and what could not be a hedge."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from config.errors import ConfigError
from config.hedges import PartnerOut

ACCOUNTS = """\
accounts:
  - {id: a, broker: bybit, credentials: {api_key: "env:A", secret: "env:A2"}}
  - {id: b, broker: binance, credentials: {api_key: "env:B", secret: "env:B2"}}
"""
LEGS = "legs: [{account: a, symbol: BTCUSDT}, {account: b, symbol: BTCUSDT}]"


def group(body: str) -> str:
    return f"{ACCOUNTS}hedges:\n  - {{id: g, {body}}}\n"


def test_a_group_is_what_is_written(settings: Callable[[str], Any]) -> None:
    (found,) = settings(group(f"{LEGS}, tolerance: 0.05, repair_budget: 2")).hedges
    assert [(leg.account, leg.symbol, leg.asset) for leg in found.legs] == [
        ("a", "BTCUSDT", None),
        ("b", "BTCUSDT", None),
    ]
    assert (found.tolerance, found.repair_budget) == (Decimal("0.05"), Decimal(2))
    assert found.partner_out is PartnerOut.URGENT_ONLY


def test_without_hedges_there_is_no_group(settings: Callable[[str], Any]) -> None:
    assert settings("").hedges == ()


REST = "tolerance: 0.05, repair_budget: 2"
REFUSED = {
    "unknown account": (
        f"legs: [{{account: a, symbol: X}}, {{account: z, symbol: X}}], {REST}",
        ("hedges[0].legs[1].account", "is no account"),
    ),
    "a leg twice": (
        f"legs: [{{account: a, symbol: X}}, {{account: a, symbol: X}}], {REST}",
        ("hedges[0].legs[1]", "is a leg of g already"),
    ),
    "one leg": (f"legs: [{{account: a, symbol: X}}], {REST}", ("hedges[0].legs", "are fewer than two")),
    "no position": (
        f"legs: [{{account: a, asset: BTC}}, {{account: b, asset: BTC}}], {REST}",
        ("hedges[0].legs", "have no position"),
    ),
    "neither": (
        f"legs: [{{account: a}}, {{account: b, symbol: X}}], {REST}",
        ("hedges[0].legs[0]", "has neither symbol nor asset"),
    ),
    "both": (
        f"legs: [{{account: a, symbol: X, asset: BTC}}, {{account: b, symbol: X}}], {REST}",
        ("hedges[0].legs[0]", "has a symbol and an asset"),
    ),
    "no tolerance": (f"{LEGS}, repair_budget: 2", ("hedges[0].tolerance", "missing")),
    "no budget": (f"{LEGS}, tolerance: 0.05", ("hedges[0].repair_budget", "missing")),
    "tolerance of nothing": (f"{LEGS}, tolerance: 0, repair_budget: 2", ("hedges[0].tolerance", "0 <")),
    "negative budget": (f"{LEGS}, tolerance: 1, repair_budget: -2", ("hedges[0].repair_budget", "0 <")),
    "unknown rule": (f"{LEGS}, {REST}, partner_out: wait", ("hedges[0].partner_out", "hold, urgent_only")),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_hedge_is_refused(
    refusal: Callable[[str], ConfigError], case: tuple[str, tuple[str, str]]
) -> None:
    body, (where, why) = case
    told = str(refusal(group(body)))
    assert where in told, told
    assert why in told, told


def test_a_leg_belongs_to_one_group(refusal: Callable[[str], ConfigError]) -> None:
    text = group(f"{LEGS}, {REST}") + f"  - {{id: h, {LEGS}, {REST}}}\n  - {{id: g, {LEGS}, {REST}}}\n"
    told = str(refusal(text))
    assert "hedges[1].legs[0]" in told
    assert "is a leg of g already" in told
    assert "is the id of hedges[0] too" in told
