"""Portfolio margin, UTA 1.0, modes that do not fit, and times."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountMode, AccountSnapshot, FindingCode, MarginMode, Symbol
from brokers.venues.bybit.contracts import Category
from brokers.venues.bybit.wallet import read_account_info

Payload = dict[str, Any]
AccountOf = Callable[[Payload], Payload]
MakeSnapshot = Callable[..., AccountSnapshot]
Codes = Callable[[AccountSnapshot], set[FindingCode]]


def test_portfolio_margin_leaves_positions_without_margins_and_that_is_no_finding(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    account_of(cross_wallet)["coin"][0].update(totalOrderIM="", totalPositionIM="", totalPositionMM="")
    ltc_row.update(positionIM="", positionMM="", leverage="", liqPrice="")
    shot = snapshot(cross_wallet, [ltc_row], mode="PORTFOLIO_MARGIN")
    assert codes(shot) == set()
    (position,) = shot.positions
    assert position.margin_mode is MarginMode.PORTFOLIO
    assert (position.initial_margin, position.leverage_setting) == (None, None)
    assert shot.unit("account").maintenance_margin == Decimal("0.38106773")


def test_portfolio_margin_with_a_requirement_and_nothing_to_show_for_it_is_incomplete(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, codes: Codes
) -> None:
    account_of(cross_wallet)["coin"][0].update(totalOrderIM="", totalPositionIM="", totalPositionMM="")
    assert codes(snapshot(cross_wallet, mode="PORTFOLIO_MARGIN")) == {FindingCode.INCOMPLETE}


def test_coins_that_leave_their_margins_out_are_still_those_of_a_cross_account(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    for name in ("totalOrderIM", "totalPositionIM", "totalPositionMM"):
        del account_of(cross_wallet)["coin"][0][name]
    assert snapshot(cross_wallet, [ltc_row]).findings == ()


def test_coins_that_withhold_their_margins_contradict_cross_margin(
    cross_wallet: Payload, account_of: AccountOf, snapshot: MakeSnapshot, ltc_row: Payload, codes: Codes
) -> None:
    account_of(cross_wallet)["coin"][0].update(totalOrderIM="", totalPositionIM="", totalPositionMM="")
    assert codes(snapshot(cross_wallet, [ltc_row])) == {FindingCode.MODE_UNKNOWN}


def test_totals_in_isolated_margin_or_none_in_cross_contradict_the_mode(
    cross_wallet: Payload, isolated_wallet: Payload, snapshot: MakeSnapshot, codes: Codes
) -> None:
    assert FindingCode.MODE_UNKNOWN in codes(snapshot(cross_wallet, mode="ISOLATED_MARGIN"))
    assert FindingCode.MODE_UNKNOWN in codes(snapshot(isolated_wallet, mode="REGULAR_MARGIN"))


def test_a_margin_mode_we_do_not_know_is_a_finding(
    cross_wallet: Payload, snapshot: MakeSnapshot, codes: Codes
) -> None:
    shot = snapshot(cross_wallet, mode="SOMETHING_NEW")
    assert FindingCode.MODE_UNKNOWN in codes(shot)
    assert shot.mode.margin_mode is None
    assert shot.unit("account").initial_margin == Decimal("182.60183684")


@pytest.mark.parametrize("status", [3, 4, 1, None])
def test_inverse_positions_outside_uta_2_are_flagged(
    cross_wallet: Payload, snapshot: MakeSnapshot, btcusd_row: Payload, status: int | None
) -> None:
    shot = snapshot(cross_wallet, [btcusd_row], category=Category.INVERSE, status=status)
    flagged = [finding for finding in shot.findings if finding.code is FindingCode.MODE_UNKNOWN]
    assert [finding.symbol for finding in flagged] == ["BTCUSD"]


@pytest.mark.parametrize(("status", "label"), [(3, ", UTA 1.0"), (4, ", UTA 1.0"), (5, ""), (6, "")])
def test_uta_1_is_named_and_its_linear_positions_are_fine(
    cross_wallet: Payload,
    snapshot: MakeSnapshot,
    ltc_row: Payload,
    status: int | None,
    label: str,
) -> None:
    shot = snapshot(cross_wallet, [ltc_row], status=status)
    assert shot.mode.label == f"REGULAR_MARGIN{label}"
    assert shot.findings == ()


def test_a_mode_that_is_not_what_it_was_is_a_finding_in_the_cycle_that_sees_it(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    before = AccountMode(label="ISOLATED_MARGIN", margin_mode=MarginMode.ISOLATED, position_mode=None)
    (finding,) = snapshot(cross_wallet, [ltc_row], known=before).findings
    assert finding.code is FindingCode.MODE_UNKNOWN
    assert "from ISOLATED_MARGIN to REGULAR_MARGIN" in finding.detail


def test_account_info_without_a_mode_is_malformed() -> None:
    with pytest.raises(MalformedAnswer):
        read_account_info({"retCode": 0, "result": {"unifiedMarginStatus": 5}})


def test_account_info_reads_mode_and_status() -> None:
    info = read_account_info(
        {"retCode": 0, "result": {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 4}}
    )
    assert (info.margin_mode, info.status, info.inverse_in_wallet) == (MarginMode.CROSS, 4, False)


def test_as_of_is_the_oldest_answer(cross_wallet: Payload, snapshot: MakeSnapshot) -> None:
    older = datetime(2022, 12, 31, 23, 59, 58, tzinfo=UTC)
    assert snapshot(cross_wallet, times=(older,)).as_of == older
    wallet_time = datetime(2022, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)
    assert snapshot(cross_wallet).as_of == wallet_time


@pytest.mark.parametrize("time", [None, "", "soon", 12])
def test_an_answer_without_time_is_a_finding(
    cross_wallet: Payload, snapshot: MakeSnapshot, time: object, codes: Codes
) -> None:
    cross_wallet["time"] = time
    assert FindingCode.TIME_MISSING in codes(snapshot(cross_wallet))


def test_a_position_list_without_time_is_a_finding(
    cross_wallet: Payload, snapshot: MakeSnapshot, codes: Codes
) -> None:
    assert FindingCode.TIME_MISSING in codes(snapshot(cross_wallet, times=(None,)))


def test_a_row_without_a_symbol_is_malformed(cross_wallet: Payload, snapshot: MakeSnapshot) -> None:
    with pytest.raises(MalformedAnswer):
        snapshot(cross_wallet, [{"size": "1", "side": "Buy"}])


def test_positions_may_lack_market_rules(
    cross_wallet: Payload, snapshot: MakeSnapshot, ltc_row: Payload
) -> None:
    assert Symbol("LTCUSDT") not in snapshot(cross_wallet, [ltc_row]).markets
