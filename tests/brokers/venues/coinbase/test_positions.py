from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot, ContractKind, FindingCode, OrderSide, Side
from brokers.venues.coinbase.products import market_rules

Seen = Callable[..., AccountSnapshot]
Row = dict[str, Any]
D = Decimal


def test_the_published_position_is_worth_what_its_contracts_are(seen: Seen) -> None:
    [found] = seen().positions
    assert (found.symbol, found.side, found.quantity) == ("BIT-26APR24-CDE", Side.LONG, D(2))
    assert found.notional == D("1422.90")
    assert (found.entry_price, found.mark_price) == (D(70980), D(71145))
    assert found.unrealized_pnl == D("3.30")  # 2 x 0.01 x 165; the sample states 33
    assert (found.initial_margin, found.maintenance_margin) == (None, None)
    assert found.closing_side is OrderSide.SELL


def test_a_short_gains_when_the_price_falls(seen: Seen, position: Row) -> None:
    [found] = seen(positions=[{**position, "side": "SHORT", "current_price": "70880"}]).positions
    assert (found.side, found.quantity) == (Side.SHORT, D(2))
    assert found.unrealized_pnl == D("2.00")
    assert found.closing_side is OrderSide.BUY


def test_prices_may_be_wrapped(seen: Seen, position: Row) -> None:
    wrapped = {"value": "71145", "currency": "USD"}
    assert seen(positions=[{**position, "current_price": wrapped}]).positions == seen().positions


def test_a_flat_row_is_no_position(seen: Seen, position: Row) -> None:
    snapshot = seen(positions=[position, {**position, "product_id": "X", "number_of_contracts": "0"}])
    assert len(snapshot.positions) == 1
    assert snapshot.findings == ()


def test_an_unlisted_product_is_kept_and_named(seen: Seen, position: Row) -> None:
    snapshot = seen(positions=[position, {**position, "product_id": "NEW-20DEC30-CDE"}])
    found = {row.symbol: row for row in snapshot.positions}
    assert found["NEW-20DEC30-CDE"].notional is None
    assert [(f.code, f.symbol) for f in snapshot.findings] == [
        (FindingCode.SYMBOL_UNKNOWN, "NEW-20DEC30-CDE")
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"side": "UNKNOWN"}, FindingCode.FIELD_DAMAGED),
        ({"side": None}, FindingCode.FIELD_DAMAGED),
        ({"number_of_contracts": "-2"}, FindingCode.FIELD_DAMAGED),
        ({"number_of_contracts": "two"}, FindingCode.FIELD_DAMAGED),
        ({"number_of_contracts": ""}, FindingCode.FIELD_MISSING),
        ({"product_id": ""}, FindingCode.FIELD_MISSING),
        ({"current_price": None}, FindingCode.FIELD_MISSING),
        ({"current_price": "NaN"}, FindingCode.FIELD_DAMAGED),
    ],
)
def test_a_damaged_row_is_never_read_as_flat(
    seen: Seen, position: Row, changes: Row, code: FindingCode
) -> None:
    snapshot = seen(positions=[{**position, **changes}])
    assert code in {finding.code for finding in snapshot.findings}


def test_two_rows_of_one_product_contradict_each_other(seen: Seen, position: Row) -> None:
    snapshot = seen(positions=[position, position])
    assert len(snapshot.positions) == 1
    assert [finding.code for finding in snapshot.findings] == [FindingCode.INCONSISTENT]


@pytest.mark.parametrize("rows", [None, {}, "none", [1]])
def test_an_answer_without_the_list_is_no_flat_account(seen: Seen, rows: object) -> None:
    with pytest.raises(MalformedAnswer):
        seen(positions=rows)


def test_market_rules_are_those_of_the_product_list(product: Row) -> None:
    [rules] = market_rules([product]).values()
    assert (rules.base, rules.quote, rules.settle, rules.kind) == ("BTC", "USD", "USD", ContractKind.LINEAR)
    assert (rules.contract_size, rules.lot_step, rules.min_quantity) == (D("0.01"), D(1), D(1))
    assert (rules.price_step, rules.max_market_quantity) == (D(5), D(2000))


@pytest.mark.parametrize(
    "changes",
    [
        {"future_product_details": None},
        {"future_product_details": {"contract_root_unit": "BTC"}},
        {"base_increment": ""},
        {"base_increment": "0"},
        {"product_id": ""},
        {"quote_currency_id": "USDC"},
    ],
)
def test_a_product_that_does_not_state_its_rules_has_none(product: Row, changes: Row) -> None:
    assert market_rules([{**product, **changes}]) == {}
