"""Worked numbers of other projects and of venues, held against our formulas.

`cases.json` carries inputs, expected values and, for each, the public repository (or help page), path and
test they come from. Covered: liquidation, bankruptcy and margin prices, requirements, tiers, triggers, the
order of risk, leverage, sizing, top-ups, interest, profit, the overhang of a hedge, coins valued in dollars,
venue ratios turned around, limit prices that give way. Left out, since the adapters read the venue's own or
nothing in margind answers for them: collateral haircuts and multi-asset health, funding, maximum leverage per
bracket, and pacing of on-chain liquidators.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.models import ContractKind, MarginTier, Measure, Side
from daemon.risk.interest import hourly_interest, rollover_interest
from daemon.risk.margin import (
    Usage,
    compare_risk,
    effective_leverage,
    exceeds_leverage,
    initial_margin,
    is_liquidatable,
    leveraged_equity,
    margin_headroom,
    notional,
    unrealized_pnl,
)
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.relief import collateral_to_add, notional_to_cut
from daemon.risk.tiers import build_tiers, is_continuous, tier_at, tiered_maintenance

Values = dict[str, Any]

CASES = json.loads((Path(__file__).parent / "cases.json").read_text(), parse_float=Decimal, parse_int=Decimal)
ELSEWHERE = {
    *("liquidation_price", "bankruptcy_price", "must_not_reproduce"),  # in test_cases_prices.py
    "limit_price_for_forced_close",  # in test_pricing.py
    *("collateral_valuation", "hedge_mode_margin", "venue_ratio"),  # in test_cases_pictures.py
}
ONE, ZERO = Decimal(1), Decimal(0)
LINEAR, INVERSE = ContractKind.LINEAR, ContractKind.INVERSE


def _side(quantity: Decimal) -> Side:
    return Side.LONG if quantity > 0 else Side.SHORT


def _cross_equity(i: Values) -> tuple[Decimal, Decimal]:
    worth = sum((quantity * i["oracle"][coin] for coin, quantity in i["positions"].items()), ZERO)
    gross = sum((abs(quantity) * i["oracle"][coin] for coin, quantity in i["positions"].items()), ZERO)
    return i["quote_balance"] + worth, gross * i["mmf"]


def trigger_cross(i: Values) -> bool:
    return is_liquidatable(*_cross_equity(i))


def trigger_inverse(i: Values) -> Values:
    pnl = unrealized_pnl(
        INVERSE,
        Side.LONG,
        quantity=i["contracts"],
        contract_size=ONE,
        entry_price=i["entry"],
        mark_price=i["mark"],
    )
    maintenance = notional(INVERSE, i["contracts"], ONE, i["mark"]) / 100
    return {"pnl_btc": pnl, "liquidates": is_liquidatable(i["start_balance_btc"] + pnl, maintenance)}


def leverage_band(i: Values) -> Values:
    worth, equity = i["notional_usd"], i["equity_usd"]
    action = "none"
    if exceeds_leverage(worth, equity, i["high"] * i["high_act_factor"]):
        action = "deposit"
    elif not exceeds_leverage(worth, equity, i["low"]):
        action = "withdraw"
    return {"action": action, "leverage": effective_leverage(worth, equity)}


def size_drift(i: Values) -> Decimal:
    worth = i["price"] * i["quote_price"]
    shortage = Usage(used=Decimal(1000) + i["margin_shortage"], capacity=Decimal(1000))
    return notional_to_cut(shortage, ONE, i["margin_ratio"], i["cost_rate"]) / worth


def size_liability(i: Values) -> Decimal:
    """Repaying frees the liability's requirement, and takes the collateral that pays for it."""
    taken = i["asset_weight"] * i["asset_mult"] / i["liability_mult"] + i["if_fee"] * i["liability_weight"]
    shortage = Usage(used=Decimal(1000) + i["margin_shortage"], capacity=Decimal(1000))
    return notional_to_cut(shortage, ONE, i["liability_weight"], taken) / i["price"]


def band_edges(i: Values) -> Values:
    """Return the leverages at which the band begins and ceases to act, to a part in 2 ** 50."""

    def edge(cap: Decimal) -> Decimal:
        low, high = ZERO, Decimal(10)
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (low, middle) if exceeds_leverage(middle, ONE, cap) else (middle, high)
        return high

    return {"acts_above": edge(i["high"] * i["high_act_factor"]), "acts_below": edge(i["low"])}


def trigger_above_target(_: Values) -> Values:
    """Relief starts on one measure's trigger and goes on until clearly below it."""
    policy = MarginPolicy()
    return {
        "start_threshold_tighter_than_stop": all(
            policy.ladder(measure).threshold(Level.LIQUIDATION) > policy.target(measure)
            for measure in Measure
        )
    }


def size_lean(i: Values) -> Values:
    value = i["cash"] + i["quantity"] * i["price"]
    used = initial_margin(i["quantity"] * i["price"], i["leverage"])
    cut = notional_to_cut(Usage(used=used, capacity=value), ONE, 1 / i["leverage"], ZERO)
    return {
        "total_portfolio_value": value,
        "margin_used": used,
        "delta": used - value,
        "order_quantity": -cut / i["price"],
    }


def warning_lean(i: Values) -> Values:
    if "cash" in i:
        value = i["cash"] + i["quantity"] * i["price"]
        used = initial_margin(i["quantity"] * i["price"], i["leverage"])
        called = Usage(used=used, capacity=value).exceeds(Decimal("1.1"))
        return {"total_portfolio_value": value, "orders": Decimal(called)}
    equity = leveraged_equity(i["cash_before_buy"], ZERO, i["quantity"], i["buy_price"], i["price"])
    usage = Usage(used=initial_margin(i["quantity"] * i["price"], i["leverage"]), capacity=equity)
    warned = usage.reaches(Decimal("0.95"))
    called = usage.exceeds(Decimal("1.1"))
    return {
        "margin_remaining": margin_headroom(equity, usage.used),
        "margin_used": usage.used,
        "total_portfolio_value": equity,
        "warning": True if warned else None,
        "order_quantity": -i["quantity"] if called else ZERO,
    }


def tier_lookup(i: Values) -> Values:
    case = next(c for c in CASES if c["model"] == "binance_tier_table" and i["pair"] in c["id"])
    tier = tier_at(i["nominal"], _tiers(case["inputs"]["tiers"]))
    return {"mmr": tier.rate, "cum": tier.deduction}


def _tiers(rows: list[Values]) -> tuple[MarginTier, ...]:
    return build_tiers([(row["min_notional"], row["mmr"]) for row in rows])


def tier_table(i: Values) -> Values:
    tiers = _tiers(i["tiers"])
    same = [tier.deduction for tier in tiers] == [row["cum"] for row in i["tiers"]]
    at_floors = all(
        tiered_maintenance(row["min_notional"], tiers) == row["min_notional"] * row["mmr"] - row["cum"]
        for row in i["tiers"]
    )
    return {"cum_identity_holds": same and at_floors and is_continuous(tiers)}


def requirement_inverse(i: Values) -> Decimal:
    rate = i.get("margin_init", i.get("margin_maint"))
    return initial_margin(notional(INVERSE, i["contracts"], ONE, i["price"]), i["leverage"], rate)


def requirement_bybit(i: Values) -> Values:
    kind = LINEAR if i["symbol"] == "BTCUSDT" else INVERSE
    margin = initial_margin(notional(kind, i["quantity"], ONE, i["price"]), i["leverage"])
    return {"bybit_reported": margin}


def requirement_coin(i: Values) -> Values:
    worth = notional(INVERSE, i["contracts"], i["contract_usd"], i["price"])
    return {
        "btc": initial_margin(worth, i["leverage"]),
        "usd": initial_margin(worth * i["price"], i["leverage"]),
    }


def requirement_leveraged(i: Values) -> Values | Decimal:
    try:
        return initial_margin(i["notional"], i["leverage"], i["rate"])
    except ValueError:
        return {"error": "invalid leverage"}


def shared_collateral(i: Values) -> Values:
    held = i["existing"]
    used = initial_margin(notional(LINEAR, held["quantity"], ONE, held["price"]), held["leverage"])
    pool = sum(i["collateral"].values(), ZERO)
    return {"maintenance_existing": used, "buying_power_btcusdt": margin_headroom(pool, used)}


def remaining_lean(i: Values) -> Values:
    used = initial_margin(i["quantity"] * i["price"], i["leverage"])
    remaining = margin_headroom(i["total_portfolio_value"], used)
    return {"maintenance": used, "remaining_buy": remaining, "remaining_sell": remaining + 2 * used}


def wallet_after(i: Values) -> Values | Decimal:
    size, entry, fill = i["size"], i["entry"], i["fill"]
    if "wallet_before" in i and "reduce_by" not in i:
        pnl = unrealized_pnl(
            LINEAR, _side(size), quantity=abs(size), contract_size=ONE, entry_price=entry, mark_price=fill
        )
        return i["wallet_before"] + pnl
    realized = i["reduce_by"] * (fill - entry)
    rest = size - i["reduce_by"]
    wallet = Decimal(1000) + realized
    margin = initial_margin(rest * entry, i["leverage"])
    unrealized = rest * (fill - entry)
    return {
        "unrealized": unrealized,
        "realized": realized,
        "position_margin": margin,
        "available": wallet - margin,
        "equity": wallet + unrealized,
    }


def top_up_cdp(i: Values) -> Values:
    owed = i["debt"] / i["price"]
    ratio = i["collateral"] / owed
    usage = Usage(used=owed, capacity=i["collateral"])
    needed = collateral_to_add(usage, 1 / (i["liquidation_ratio"] + i["top_up_margin"]))
    acts = usage.reaches(1 / (i["liquidation_ratio"] + i["min_margin"]))
    return {"ratio": ratio, "acts": acts, "top_up_collateral": needed}


ANSWERS: dict[tuple[str, str], Callable[[Values], Any]] = {
    ("collateral_topup", "leverage_band"): lambda i: collateral_to_add(
        Usage(used=i["exposure"], capacity=ZERO), i["target_leverage"]
    ),
    ("collateral_topup", "maker_cdp_keeper"): top_up_cdp,
    ("delever_sizing", "drift_base_to_cover_shortage"): size_drift,
    ("delever_sizing", "drift_liability_transfer"): size_liability,
    ("delever_sizing", "lean_margin_call"): size_lean,
    ("exposure", "passivbot"): lambda i: effective_leverage(
        notional(LINEAR, i["size"], ONE, i["price"]), i["balance"]
    ),
    ("free_margin", "lean_binance_multi_asset"): shared_collateral,
    ("free_margin", "lean_margin_call"): remaining_lean,
    ("hysteresis", "leverage_band"): band_edges,
    ("hysteresis", "leverage_band_decision"): leverage_band,
    ("hysteresis", "mango_health_types"): trigger_above_target,
    ("leverage", "true_leverage"): lambda i: effective_leverage(sum(i["notionals"], ZERO), i["equity"]),
    ("liquidation_trigger", "dydx_cross"): trigger_cross,
    ("liquidation_trigger", "dydx_risk"): lambda i: is_liquidatable(i["net_collateral"], i["maintenance"]),
    ("liquidation_trigger", "nautilus_backtest_liquidation"): trigger_inverse,
    ("margin_interest", "binance_margin_interest"): lambda i: hourly_interest(
        i["borrowed"], i["rate"], i["hours"]
    ),
    ("margin_interest", "kraken_margin_interest"): lambda i: rollover_interest(
        i["borrowed"], i["rate"], i["hours"]
    ),
    ("margin_requirement", "bybit_real_ui_value"): requirement_bybit,
    ("margin_requirement", "inverse_as_quote"): lambda i: initial_margin(
        i["contracts"], i["leverage"], i["margin_init"]
    ),
    ("margin_requirement", "inverse_base_settled"): requirement_inverse,
    ("margin_requirement", "lean_cryptofuture_coin"): requirement_coin,
    ("margin_requirement", "lean_leverage"): lambda i: initial_margin(
        notional(LINEAR, i["quantity"], ONE, i["price"]), i["leverage"]
    ),
    ("margin_requirement", "leveraged_margin_model"): requirement_leveraged,
    ("margin_requirement", "leveraged_margin_model*multiplier"): lambda i: initial_margin(
        i["notional"], i["leverage"], i["rate"] * i["multiplier"]
    ),
    ("margin_requirement", "octobot_inverse"): lambda i: {
        f"L{leverage}": initial_margin(notional(INVERSE, i["contracts_usd"], ONE, i["entry"]), leverage)
        for leverage in i["leverage"]
    },
    ("margin_requirement", "standard_margin_model"): lambda i: i["notional"] * i["rate"],
    ("margin_tiers", "binance_tier_lookup"): tier_lookup,
    ("margin_tiers", "binance_tier_table"): tier_table,
    ("margin_warning", "lean_margin_call"): warning_lean,
    ("risk_ranking", "dydx_risk_cmp"): lambda i: compare_risk(
        i["first"]["nc"], i["first"]["mmr"], i["second"]["nc"], i["second"]["mmr"]
    ),
    ("unrealized_pnl", "linear"): lambda i: unrealized_pnl(
        LINEAR,
        Side(i["side"]),
        quantity=i["size"],
        contract_size=ONE,
        entry_price=i["entry"],
        mark_price=i["mark"],
    ),
    ("wallet_after_reduce", "linear"): wallet_after,
}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case["category"] not in ELSEWHERE],
    ids=lambda case: case["id"],
)
def test_our_formula_gives_the_published_number(agree: Callable[..., bool], case: Values) -> None:
    found = ANSWERS[case["category"], case["model"]](case["inputs"])
    # published figures are floats printed to about 16 digits, or rounded where the tolerance says so
    tolerance = max(case["tolerance"], Decimal("1e-15"))

    assert agree(found, case["expected"], tolerance), (found, case["expected"], case["source"])


def test_at_least_a_hundred_published_numbers_are_checked() -> None:
    assert len(CASES) >= 100
    assert all(case["source"]["repo"] for case in CASES)
