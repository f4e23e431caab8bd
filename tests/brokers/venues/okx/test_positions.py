"""One row of `account/positions`: sides, units, modes, and the instrument types that are not futures."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, ContractKind, FindingCode, MarginMode, Position, Side

Row = dict[str, Any]
Parse = Callable[..., AccountSnapshot]


@pytest.fixture
def only(parse: Parse, pooled_row: Row, futures_row: Row) -> Callable[..., tuple[Position, AccountSnapshot]]:
    """Parse a single row at an account level."""

    def read(row: Row, level: str = "3") -> tuple[Position, AccountSnapshot]:
        snapshot = parse(futures_row if level == "2" else pooled_row, row, level=level)
        (position,) = snapshot.positions
        return position, snapshot

    return read


Only = Callable[..., tuple[Position, AccountSnapshot]]


def codes(snapshot: AccountSnapshot) -> set[FindingCode]:
    return {finding.code for finding in snapshot.findings}


@pytest.mark.parametrize(
    ("size", "leg", "side", "hedged"),
    [
        ("100", "net", Side.LONG, False),
        ("-100", "net", Side.SHORT, False),
        ("100", "long", Side.LONG, True),
        ("100", "short", Side.SHORT, True),
        ("-100", "short", Side.SHORT, True),
    ],
)
def test_net_mode_signs_the_size_and_legs_name_the_side(
    only: Only, swap_row: Row, *, size: str, leg: str, side: Side, hedged: bool
) -> None:
    position, _ = only({**swap_row, "pos": size, "posSide": leg})
    assert (position.side, position.hedged, position.quantity) == (side, hedged, 100)


def test_unknown_leg_is_a_finding_and_no_position(parse: Parse, pooled_row: Row, swap_row: Row) -> None:
    snapshot = parse(pooled_row, {**swap_row, "posSide": "both"})
    assert snapshot.positions == ()
    assert FindingCode.FIELD_DAMAGED in codes(snapshot)


def test_zero_row_is_no_position(parse: Parse, pooled_row: Row) -> None:
    row = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "pos": "0", "posSide": "net", "imr": "", "mmr": ""}
    snapshot = parse(pooled_row, row)
    assert snapshot.positions == ()
    assert snapshot.findings == ()


@pytest.mark.parametrize("size", ["", None, "NaN", "1,000"])
def test_size_missing_or_damaged_is_a_finding(
    parse: Parse, pooled_row: Row, swap_row: Row, size: object
) -> None:
    snapshot = parse(pooled_row, {**swap_row, "pos": size})
    assert snapshot.positions == ()
    assert codes(snapshot) & {FindingCode.FIELD_MISSING, FindingCode.FIELD_DAMAGED}


def test_pooled_account_counts_in_usd(only: Only, swap_row: Row) -> None:
    position, _ = only(swap_row)
    rate = Decimal("0.9995")
    assert (position.settle, position.unit, position.notional) == ("USD", "account", 59970)
    assert position.initial_margin == 12000 * rate
    assert position.maintenance_margin == 240 * rate
    assert position.unrealized_pnl == 1000 * rate
    assert (position.entry_price, position.mark_price, position.liquidation_price) == (
        59000,
        60000,
        Decimal("41234.5"),
    )


def test_futures_mode_counts_in_the_settle_currency_at_mark(only: Only, swap_row: Row) -> None:
    position, _ = only(swap_row, level="2")
    assert (position.settle, position.unit) == ("USDT", "USDT")
    assert position.notional == 100 * Decimal("0.01") * 60000  # not notionalUsd
    assert (position.initial_margin, position.maintenance_margin) == (12000, 240)


def test_inverse_contracts_are_worth_usd_over_mark(only: Only, inverse_row: Row) -> None:
    position, _ = only(inverse_row, level="2")
    assert position.kind is ContractKind.INVERSE
    assert (position.quantity, position.notional) == (300, Decimal("0.5"))
    pooled, _ = only(inverse_row)
    assert (pooled.notional, pooled.initial_margin) == (30000, 6000)


def test_rate_comes_from_the_notional_where_no_usd_price_is_stated(only: Only, inverse_row: Row) -> None:
    del inverse_row["usdPx"]
    position, snapshot = only(inverse_row)
    assert position.maintenance_margin == Decimal("0.004") * 60000
    assert snapshot.findings == ()


def test_notional_is_made_at_mark_where_none_is_stated(only: Only, swap_row: Row) -> None:
    position, snapshot = only({**swap_row, "notionalUsd": ""})
    assert position.notional == 60000 * Decimal("0.9995")
    assert snapshot.findings == ()


def test_without_any_usd_price_margins_are_unknown(only: Only, swap_row: Row) -> None:
    position, snapshot = only({**swap_row, "notionalUsd": "", "usdPx": ""})
    assert (position.notional, position.initial_margin, position.maintenance_margin) == (None, None, None)
    assert FindingCode.FIELD_MISSING in codes(snapshot)


@pytest.mark.parametrize("changes", [{"notionalUsd": "599.7"}, {"usdPx": "", "notionalUsd": "5997000"}])
def test_notional_that_does_not_fit_the_mark_price_is_inconsistent(
    only: Only, swap_row: Row, changes: Row
) -> None:
    _, snapshot = only({**swap_row, **changes})
    assert FindingCode.INCONSISTENT in codes(snapshot)


def test_isolated_margin_stands_in_the_margin_field(only: Only, isolated_row: Row) -> None:
    position, _ = only(isolated_row, level="2")
    assert position.margin_mode is MarginMode.ISOLATED
    assert position.initial_margin == 320


def test_portfolio_rows_repeat_their_risk_units_margin_and_so_state_none(only: Only, swap_row: Row) -> None:
    # OKX docs: IMR and MMR of a position are those of its risk unit under portfolio margin.
    position, snapshot = only({**swap_row, "lever": "", "liqPx": ""}, level="4")
    assert (position.initial_margin, position.maintenance_margin) == (None, None)
    assert (position.leverage_setting, position.liquidation_price) == (None, None)
    assert position.margin_mode is MarginMode.PORTFOLIO
    assert snapshot.findings == ()


@pytest.mark.parametrize("field", ["imr", "mmr"])
def test_margin_left_out_of_a_row_is_a_finding(only: Only, swap_row: Row, field: str) -> None:
    _, snapshot = only({**swap_row, field: ""})
    assert FindingCode.FIELD_MISSING in codes(snapshot)


def test_liquidation_price_of_zero_is_none(only: Only, swap_row: Row) -> None:
    position, _ = only({**swap_row, "liqPx": "0"})
    assert position.liquidation_price is None


def test_instrument_without_market_rules_still_counts(only: Only, swap_row: Row) -> None:
    position, snapshot = only({**swap_row, "instId": "NEW-USDT-SWAP"})
    assert (position.notional, position.maintenance_margin) == (59970, 240 * Decimal("0.9995"))
    assert codes(snapshot) == {FindingCode.SYMBOL_UNKNOWN}


def test_what_is_left_of_a_closed_position_is_none(parse: Parse, pooled_row: Row, swap_row: Row) -> None:
    closed = {**swap_row, "pos": "", "notionalUsd": "", "imr": "", "mmr": "", "margin": ""}
    snapshot = parse(pooled_row, closed)
    assert snapshot.positions == ()
    assert snapshot.findings == ()


@pytest.mark.parametrize(
    ("imr", "mmr"),
    [("0.1", "0.004"), ("6000", "240"), ("6012.5", "240.5")],
    ids=["in the coin", "in USD", "USD"],
)
def test_margins_of_a_coin_margined_row_are_told_by_their_size(
    only: Only, inverse_row: Row, *, imr: str, mmr: str
) -> None:
    position, snapshot = only({**inverse_row, "imr": imr, "mmr": mmr})
    rate = 60000 if imr == "0.1" else 1
    assert position.initial_margin == Decimal(imr) * rate
    assert position.maintenance_margin == Decimal(mmr) * rate
    assert position.unrealized_pnl == Decimal("0.0082") * 60000
    assert snapshot.findings == ()


def test_event_contracts_are_paid_in_full_and_no_concern(parse: Parse, pooled_row: Row) -> None:
    snapshot = parse(
        pooled_row, {"instId": "BTC-ABOVE-100K", "instType": "EVENTS", "pos": "1", "ccy": "USDT"}
    )
    assert (snapshot.positions, snapshot.findings) == ((), ())


def test_positions_of_an_unknown_type_are_flagged(parse: Parse, pooled_row: Row) -> None:
    snapshot = parse(pooled_row, {"instId": "BTC-X", "pos": "1", "ccy": "BTC", "instType": "BASKET"})
    assert snapshot.positions == ()
    assert codes(snapshot) == {FindingCode.INCOMPLETE}


def test_one_position_twice_is_inconsistent(parse: Parse, pooled_row: Row, swap_row: Row) -> None:
    snapshot = parse(pooled_row, swap_row, swap_row)
    assert len(snapshot.positions) == 1
    assert FindingCode.INCONSISTENT in codes(snapshot)


def test_instrument_type_is_told_by_the_name_where_it_is_left_out(only: Only, swap_row: Row) -> None:
    del swap_row["instType"]
    position, snapshot = only(swap_row)
    assert position.quantity == 100
    assert snapshot.findings == ()
