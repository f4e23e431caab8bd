"""Contracts at any size and price: inverse ones are dollars, whatever their coin is worth."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.fields import Fields
from brokers.models import ContractKind, MarketRules, Side, Symbol
from brokers.venues.okx.exposures import contracts

SIZES = st.decimals("0.01", "10000000", places=2)
PRICES = st.decimals("0.0001", "10000000", places=4)
FACES = st.sampled_from([Decimal(10), Decimal(100)])

RULES = MarketRules(
    symbol=Symbol("BTC-USD-SWAP"),
    base="BTC",
    quote="USD",
    settle="BTC",
    kind=ContractKind.INVERSE,
    contract_size=Decimal(100),
    lot_step=Decimal("0.01"),
    min_quantity=Decimal("0.01"),
    price_step=Decimal("0.1"),
)


def fields(**row: Any) -> Fields:  # noqa: ANN401 - raw JSON
    return Fields(row, [])


@given(size=SIZES, mark=PRICES, face=FACES)
def test_inverse_contracts_are_their_dollars_over_the_mark(
    size: Decimal, mark: Decimal, face: Decimal
) -> None:
    found = contracts(-size, mark, replace(RULES, contract_size=face), fields(posSide="net"))
    assert found is not None
    assert (found.side, found.quantity, found.kind) == (Side.SHORT, size, ContractKind.INVERSE)
    assert found.notional is not None
    assert found.notional == size * face / mark
    assert abs(found.notional * mark - size * face) <= size * face * Decimal("1e-26")


@given(size=SIZES, mark=PRICES, face=FACES)
def test_linear_contracts_are_their_coins_at_the_mark(size: Decimal, mark: Decimal, face: Decimal) -> None:
    rules = replace(RULES, kind=ContractKind.LINEAR, contract_size=face / 1000)
    found = contracts(size, mark, rules, fields(posSide="net"))
    assert found is not None
    assert (found.side, found.notional) == (Side.LONG, size * face / 1000 * mark)


@pytest.mark.parametrize(("mark", "rules"), [(None, RULES), (Decimal(60_000), None)])
def test_without_a_price_or_rules_the_notional_is_unknown(
    mark: Decimal | None, rules: MarketRules | None
) -> None:
    found = contracts(Decimal(3), mark, rules, fields(posSide="net"))
    assert found is not None
    assert found.notional is None
