"""Worked liquidation and bankruptcy prices of other projects and of venues (see `test_cases.py`)."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.models import ContractKind, Side
from daemon.risk.margin import initial_margin, unrealized_pnl
from daemon.risk.prices import (
    bankruptcy_price_cross,
    bankruptcy_price_inverse,
    bankruptcy_price_linear,
    liquidation_price_inverse,
    liquidation_price_linear,
    margin_call_price,
    zero_equity_price,
)

Values = dict[str, Any]

CASES = json.loads((Path(__file__).parent / "cases.json").read_text(), parse_float=Decimal, parse_int=Decimal)
ONE, ZERO = Decimal(1), Decimal(0)
LINEAR = ContractKind.LINEAR


def _side(quantity: Decimal) -> Side:
    return Side.LONG if quantity > 0 else Side.SHORT


def _cross_equity(i: Values) -> tuple[Decimal, Decimal]:
    worth = sum((quantity * i["oracle"][coin] for coin, quantity in i["positions"].items()), ZERO)
    gross = sum((abs(quantity) * i["oracle"][coin] for coin, quantity in i["positions"].items()), ZERO)
    return i["quote_balance"] + worth, gross * i["mmf"]


def bankruptcy_dydx(i: Values) -> Values:
    equity, maintenance = _cross_equity(i)
    held, oracle = i["positions"][i["close"]], i["oracle"][i["close"]]
    closing = abs(held) * i["fraction"]
    share = closing * oracle * i["mmf"] / maintenance
    price = bankruptcy_price_cross(
        _side(held), quantity=closing, mark_price=oracle, margin_equity=equity, share=share
    )
    return {"bankruptcy_quote": price * closing * (1 if held > 0 else -1)}


def cross_liquidation(i: Values) -> Values | Decimal:
    if "positions" not in i:
        return liquidation_price_linear(
            Side.LONG,
            quantity=i["amount"],
            entry_price=i["entry"],
            collateral=i["wallet_balance"],
            maintenance_rate=i["mmr"],
            deduction=i["cum"],
        )
    own = next(p for p in i["positions"] if p["pair"] == i["solve_for"])
    others = [p for p in i["positions"] if p is not own]
    price = liquidation_price_linear(
        Side(own["side"]),
        quantity=own["amount"],
        entry_price=own["entry"],
        collateral=i["wallet_balance"],
        maintenance_rate=own["mmr"],
        deduction=own["cum"],
        other_maintenance=sum((p["amount"] * p["mark"] * p["mmr"] - p["cum"] for p in others), ZERO),
        other_pnl=sum(
            (
                unrealized_pnl(
                    LINEAR,
                    Side(p["side"]),
                    quantity=p["amount"],
                    contract_size=ONE,
                    entry_price=p["entry"],
                    mark_price=p["mark"],
                )
                for p in others
            ),
            ZERO,
        ),
    )
    return {"correct": price} if i["solve_for"] == "BTC" else price


def isolated_liquidation(i: Values) -> Decimal:
    fee = ZERO if "cum" in i and "buffer" not in i else i.get("taker_fee", ZERO)
    return liquidation_price_linear(
        Side(i["side"]),
        quantity=i["amount"],
        entry_price=i["entry"],
        collateral=i["wallet_balance"],
        maintenance_rate=i["mmr"] + fee,
        deduction=i.get("cum", ZERO) if fee == 0 else ZERO,
    )


def isolated_binance(i: Values) -> Decimal:
    return isolated_liquidation(
        {key: value for key, value in i.items() if key not in {"taker_fee", "buffer"}}
    )


def entry_margined_liquidation(i: Values) -> Decimal:
    """Maintenance on the entry value does not move with the price: the margin call price."""
    quantity = i.get("amount", ONE)
    return margin_call_price(
        Side(i["side"]),
        quantity=quantity,
        mark_price=i["entry"],
        margin_equity=initial_margin(i["entry"] * quantity, i["leverage"]),
        maintenance_margin=i["entry"] * quantity * i.get("mmr", Decimal("0.004")),
    )


def inverse_isolated_liquidation(i: Values) -> Decimal:
    value = Decimal(1000)
    return liquidation_price_inverse(
        Side(i["side"]),
        contract_value=value,
        entry_price=i["entry"],
        collateral=value / i["entry"] / i["leverage"],
        fixed_maintenance=value / i["entry"] * i["mmr"],
    )


def inverse_cross_liquidation(i: Values) -> Decimal:
    return liquidation_price_inverse(
        Side(i["side"]),
        contract_value=i["face_value"] * i["contracts"],
        entry_price=i["open"],
        collateral=i["balance_btc"],
        maintenance_rate=i["mmr"],
    )


def borrowed_money(i: Values) -> Values:
    mark = {"quantity": i["quantity"], "mark_price": i["entry"], "margin_equity": i["equity"]}
    return {
        "call_price": margin_call_price(Side.LONG, **mark, maintenance_margin=i["maintenance"]),
        "zero_price": zero_equity_price(Side.LONG, **mark),
    }


ANSWERS: dict[tuple[str, str], Callable[[Values], Any]] = {
    ("bankruptcy_price", "dydx_cross"): bankruptcy_dydx,
    ("bankruptcy_price", "octobot_inverse"): lambda i: bankruptcy_price_inverse(
        Side(i["side"]), i["entry"], i["leverage"]
    ),
    ("bankruptcy_price", "octobot_linear"): lambda i: bankruptcy_price_linear(
        Side(i["side"]), i["entry"], i["leverage"]
    ),
    ("liquidation_price", "binance_usdm_cross"): cross_liquidation,
    ("liquidation_price", "binance_usdm_isolated"): isolated_binance,
    ("liquidation_price", "generic_gate_okx_isolated"): isolated_liquidation,
    ("liquidation_price", "bybit_linear_isolated"): entry_margined_liquidation,
    ("liquidation_price", "jesse_isolated"): entry_margined_liquidation,
    ("liquidation_price", "octobot_linear_isolated"): entry_margined_liquidation,
    ("liquidation_price", "octobot_inverse_isolated"): inverse_isolated_liquidation,
    ("liquidation_price", "okx_inverse_cross"): inverse_cross_liquidation,
}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case["category"] in {"liquidation_price", "bankruptcy_price"}],
    ids=lambda case: case["id"],
)
def test_our_price_is_the_published_one(agree: Callable[..., bool], case: Values) -> None:
    found = ANSWERS[case["category"], case["model"]](case["inputs"])
    # published figures are floats printed to about 16 digits, or rounded where the tolerance says so
    tolerance = max(case["tolerance"], Decimal("1e-15"))

    assert agree(found, case["expected"], tolerance), (found, case["expected"], case["source"])


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["category"] == "must_not_reproduce"], ids=lambda case: case["id"]
)
def test_a_published_mistake_is_not_reproduced(agree: Callable[..., bool], case: Values) -> None:
    found = borrowed_money(case["inputs"])

    assert not agree(found, case["expected"], Decimal("0.01"))
    assert found["call_price"].quantize(Decimal("0.01")) == Decimal("84.23")
    assert found["zero_price"].quantize(Decimal("0.01")) == Decimal("69.23")
