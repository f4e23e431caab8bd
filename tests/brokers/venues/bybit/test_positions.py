"""Position rows: value, side, legs, and what an empty list must not mean."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountSnapshot, FindingCode, Side
from brokers.venues.bybit.contracts import Category

Payload = dict[str, Any]
AccountOf = Callable[[Payload], Payload]
MakeSnapshot = Callable[..., AccountSnapshot]
Codes = Callable[[AccountSnapshot], set[FindingCode]]


def test_a_linear_position_is_valued_at_mark_not_at_entry(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    (position,) = snapshot(cross_wallet, [ltc_row]).positions
    assert position.notional == Decimal("85.32")
    assert position.quantity == Decimal("1.2")
    assert position.side is Side.LONG
    assert position.settle == "USDT"
    assert position.leverage_setting == 6
    assert position.liquidation_price is None
    assert not position.hedged


def test_an_inverse_position_is_valued_in_coin(
    cross_wallet: Payload, snapshot: MakeSnapshot, btcusd_row: Payload
) -> None:
    (position,) = snapshot(cross_wallet, [btcusd_row], category=Category.INVERSE).positions
    assert position.notional.quantize(Decimal("0.00000001")) == Decimal("0.01062906")
    assert (position.notional * position.mark_price).quantize(Decimal("0.00000001")) == 300
    assert position.settle == "BTC"
    assert position.side is Side.SHORT


@pytest.mark.parametrize("side", ["", "None", None, "Buy"])
def test_empty_rows_are_no_positions(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, side: str | None, codes: Codes
) -> None:
    ltc_row.update(side=side, size="0", avgPrice="0", markPrice="71.1")
    shot = snapshot(cross_wallet, [ltc_row])
    assert shot.positions == ()
    assert FindingCode.FIELD_DAMAGED not in codes(shot)


def test_a_size_without_a_side_is_a_finding_not_a_flat_row(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    ltc_row["side"] = ""
    shot = snapshot(cross_wallet, [ltc_row])
    assert FindingCode.FIELD_DAMAGED in codes(shot)


def test_a_missing_size_is_a_finding_not_a_flat_row(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    ltc_row["size"] = ""
    assert FindingCode.FIELD_MISSING in codes(snapshot(cross_wallet, [ltc_row]))


def test_hedge_mode_shows_two_legs_of_one_symbol(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    short = {**ltc_row, "side": "Sell", "positionIdx": 2, "size": "0.5", "unrealisedPnl": "-3"}
    shot = snapshot(cross_wallet, [{**ltc_row, "positionIdx": 1}, short])
    assert [(p.side, p.hedged) for p in shot.positions] == [(Side.LONG, True), (Side.SHORT, True)]
    assert codes(shot) == set()


def test_a_leg_on_the_wrong_side_is_inconsistent(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    assert FindingCode.INCONSISTENT in codes(snapshot(cross_wallet, [{**ltc_row, "positionIdx": 2}]))


@pytest.mark.parametrize("status", ["Liq", "Adl", "LIQ"])
def test_the_venue_acting_on_a_position_is_a_finding(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, status: int | None
) -> None:
    shot = snapshot(cross_wallet, [{**ltc_row, "positionStatus": status}])
    (finding,) = shot.findings
    assert finding.code is FindingCode.VENUE_ACTING
    assert finding.symbol == "LTCUSDT"
    assert len(shot.positions) == 1


def test_a_mark_price_of_zero_leaves_the_notional_unknown(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    shot = snapshot(cross_wallet, [{**ltc_row, "markPrice": "0"}])
    assert shot.positions[0].notional is None
    assert FindingCode.FIELD_DAMAGED in codes(shot)


def test_a_row_twice_on_two_pages_counts_once(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    shot = snapshot(cross_wallet, [ltc_row, dict(ltc_row)])
    assert len(shot.positions) == 1
    assert codes(shot) == set()


def test_two_rows_of_one_position_with_other_sizes_are_inconsistent(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    shot = snapshot(cross_wallet, [ltc_row, {**ltc_row, "size": "9"}])
    assert len(shot.positions) == 1
    assert FindingCode.INCONSISTENT in codes(shot)


def test_margins_missing_in_cross_are_findings(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    shot = snapshot(cross_wallet, [{**ltc_row, "positionIM": "", "positionMM": ""}])
    assert shot.positions[0].initial_margin is None
    assert codes(shot) == {FindingCode.FIELD_MISSING}


def test_options_need_no_margin_figures(cross_wallet: Payload, snapshot: MakeSnapshot, codes: Codes) -> None:
    row = {
        "symbol": "BTC-27MAR26-100000-C",
        "side": "Buy",
        "size": "0.1",
        "positionIdx": 0,
        "avgPrice": "2100",
        "markPrice": "1950.5",
        "positionIM": "",
        "positionMM": "",
        "unrealisedPnl": "",
        "positionStatus": "Normal",
    }
    shot = snapshot(cross_wallet, [row], category=Category.OPTION)
    (position,) = shot.positions
    assert (position.settle, position.notional) == ("USDC", Decimal("195.05"))
    assert codes(shot) == set()


def test_an_empty_position_list_while_the_wallet_holds_margin_is_incomplete(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, codes: Codes
) -> None:
    account_of(cross_wallet)["coin"][0].update(coin="USDT", totalPositionIM="182.6", totalPositionMM="0.38")
    assert FindingCode.INCOMPLETE in codes(snapshot(cross_wallet, []))


def test_a_lost_page_of_positions_shows_in_the_coins_maintenance_margin(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    account_of(cross_wallet)["coin"][0].update(coin="USDT", totalPositionIM="60", totalPositionMM="4.2")
    assert FindingCode.INCOMPLETE in codes(snapshot(cross_wallet, [ltc_row]))
    account_of(cross_wallet)["coin"][0].update(totalPositionMM="0.82")
    assert FindingCode.INCOMPLETE not in codes(snapshot(cross_wallet, [ltc_row]))
