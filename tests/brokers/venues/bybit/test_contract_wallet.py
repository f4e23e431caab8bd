"""UTA 1.0: inverse contracts in a wallet of their own, each coin a risk unit."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import MalformedAnswer
from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountId,
    AccountSnapshot,
    ContractKind,
    FindingCode,
    MarginMode,
    Measure,
    Side,
    UnitKind,
)
from brokers.venues.bybit.contract_wallet import read_contract_wallet
from brokers.venues.bybit.contracts import Category
from brokers.venues.bybit.positions import SweptRow, notional_at_mark
from brokers.venues.bybit.snapshot import UnifiedAnswers, account_mode, read_snapshot
from brokers.venues.bybit.transfers import transfer_params
from brokers.venues.bybit.wallet import AccountInfo, read_wallet

Payload = dict[str, Any]
Codes = Callable[[AccountSnapshot], set[FindingCode]]
NOW = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture
def contract_wallet() -> Payload:
    """A wallet of one coin, with what Bybit documents as not applicable left empty; figures made up."""
    totals = ("totalEquity", "totalMarginBalance", "totalInitialMargin", "totalMaintenanceMargin")
    coin = {
        "coin": "BTC",
        "equity": "0.00970587",
        "usdValue": "",
        "walletBalance": "0.01",
        "unrealisedPnl": "-0.00029413",
        "totalOrderIM": "0.0001",
        "totalPositionIM": "0.00139186",
        "totalPositionMM": "0.00006",
        "availableToWithdraw": "0.008214",
        "borrowAmount": "0",
        "accruedInterest": "",
        "locked": "",
    }
    account = {"accountType": "CONTRACT", **dict.fromkeys(totals, ""), "coin": [coin]}
    return {"retCode": 0, "result": {"list": [account]}, "time": 1_672_531_199_900}


@pytest.fixture
def inverse_row(btcusd_row: Payload) -> Payload:
    """The documented short of 300 USD as UTA 1.0 lists it: two margins are to be ignored."""
    return btcusd_row | {"positionIM": "0", "positionMM": "0", "tradeMode": 0, "liqPrice": "150000"}


@pytest.fixture
def read(cross_wallet: Payload) -> Callable[..., AccountSnapshot]:
    """Read an account of UTA 1.0 out of its second wallet and its rows."""

    def make(
        contract: Payload, inverse: Sequence[Payload] = (), linear: Sequence[Payload] = (), status: int = 3
    ) -> AccountSnapshot:
        if not linear:
            idle = dict.fromkeys(("totalInitialMargin", "totalMaintenanceMargin"), "0")
            cross_wallet["result"]["list"][0].update(idle)
        kinds = ((Category.INVERSE, None, inverse), (Category.LINEAR, "USDT", linear))
        answers = UnifiedAnswers(
            info=AccountInfo(label="REGULAR_MARGIN", margin_mode=MarginMode.CROSS, status=status),
            wallet=read_wallet(cross_wallet),
            contract=read_contract_wallet(contract),
            rows=tuple(
                SweptRow(category=kind, settle=settle, row=row)
                for kind, settle, rows in kinds
                for row in rows
            ),
            times=(NOW,),
        )
        context = SnapshotContext(
            account_id=AccountId("main"),
            broker="bybit",
            product="unified",
            now=NOW,
            mode=account_mode(answers.info),
            markets={},
        )
        return read_snapshot(answers, context)

    return make


Read = Callable[..., AccountSnapshot]


def coin_of(contract: Payload) -> Payload:
    coin: Payload = contract["result"]["list"][0]["coin"][0]
    return coin


def test_each_coin_is_a_unit_beside_the_account(
    read: Read, contract_wallet: Payload, inverse_row: Payload, ltc_row: Payload
) -> None:
    snapshot = read(contract_wallet, [inverse_row], [ltc_row])
    account, btc = snapshot.units
    assert (account.key, btc.key, btc.kind, btc.currency) == (
        *("account", "contract:BTC"),
        UnitKind.CURRENCY,
        "BTC",
    )
    assert btc.margin_equity == Decimal("0.00970587")
    assert btc.initial_margin == Decimal("0.00149186")
    assert (btc.maintenance_margin, btc.available_margin) == (Decimal("0.00006"), Decimal("0.008214"))
    assert btc.measures == frozenset(Measure)
    owners = {position.symbol: position.unit for position in snapshot.positions}
    assert owners == {"BTCUSD": "contract:BTC", "LTCUSDT": "account"}
    assert snapshot.findings == ()
    assert snapshot.as_of == datetime(2022, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)


def test_a_positions_margin_is_its_balance_and_its_maintenance_is_not_known(
    read: Read, contract_wallet: Payload, inverse_row: Payload
) -> None:
    """Bybit docs, Get Position Info: UTA 1.0 (inverse) ignores positionIM and positionMM."""
    (position,) = read(contract_wallet, [inverse_row | {"positionIM": "9", "positionMM": "8"}]).positions
    assert (position.side, position.kind, position.quantity) == (Side.SHORT, ContractKind.INVERSE, 300)
    assert (position.initial_margin, position.maintenance_margin) == (Decimal("0.00139186"), None)
    assert round(position.notional or 0, 8) == Decimal("0.01062906")


def test_the_second_wallet_is_read_in_isolated_positions_too(
    read: Read, contract_wallet: Payload, inverse_row: Payload
) -> None:
    row = inverse_row | {"tradeMode": 1}
    snapshot = read(contract_wallet, [row])
    _, btc, own = snapshot.units
    assert (own.key, own.parent, own.measures) == ("BTCUSD:short", "contract:BTC", {Measure.MAINTENANCE})
    equity = Decimal("0.00139186") - Decimal("0.00029413")
    loss = 300 / Decimal("28224.50") - 300 / Decimal(150000)
    assert own.margin_equity == equity
    assert own.maintenance_margin == max(equity - loss, Decimal(0)) == 0, "far from its liquidation price"
    near = read(contract_wallet, [row | {"liqPrice": "30000"}]).unit("BTCUSD:short")
    assert round(near.maintenance_margin or 0, 8) == Decimal("0.00049815")
    assert btc.measures == {Measure.UTILIZATION}
    assert btc.margin_equity == Decimal("0.00970587") - equity
    assert btc.initial_margin == Decimal("0.0001"), "what the position was given is its own"


@pytest.mark.parametrize(("price", "missing"), [("", False), (None, True), ("NaN", True)])
def test_no_liquidation_price_is_no_requirement_only_where_bybit_says_so(
    read: Read, contract_wallet: Payload, inverse_row: Payload, *, price: str | None, missing: bool
) -> None:
    """Bybit docs, `liqPrice`: "" when it is beyond the lowest or highest price."""
    snapshot = read(contract_wallet, [inverse_row | {"tradeMode": 1, "liqPrice": price}])
    maintenance = snapshot.unit("BTCUSD:short").maintenance_margin
    assert maintenance == (None if missing else 0)
    assert bool(snapshot.findings) is missing


@pytest.mark.parametrize("name", ["equity", "totalOrderIM", "totalPositionIM", "totalPositionMM"])
@pytest.mark.parametrize("value", ["", None, "NaN"])
def test_a_missing_figure_is_missing(
    read: Read, contract_wallet: Payload, inverse_row: Payload, name: str, value: str | None
) -> None:
    coin_of(contract_wallet)[name] = value
    found = read(contract_wallet, [inverse_row]).findings
    assert (FindingCode.TOTALS_MISSING, "contract:BTC") in {(one.code, one.unit) for one in found}


@pytest.mark.parametrize(
    ("figures", "found"),
    [
        ({"equity": "0", "walletBalance": "0"}, True),
        ({"equity": "0", "walletBalance": "0.00029413", "availableToWithdraw": "0"}, False),
        ({"equity": "0", "walletBalance": "0.00029413"}, True),
        ({"equity": "-0.00019413", "walletBalance": "0.0001", "availableToWithdraw": "0"}, False),
        ({"equity": "-1", "walletBalance": "0.0001", "availableToWithdraw": "0"}, True),
    ],
)
def test_an_equity_that_is_gone_must_be_gone_everywhere(
    read: Read, contract_wallet: Payload, inverse_row: Payload, codes: Codes, *, figures: Payload, found: bool
) -> None:
    coin_of(contract_wallet).update(figures)
    assert (FindingCode.INCONSISTENT in codes(read(contract_wallet, [inverse_row]))) is found


def test_positions_of_a_coin_the_wallet_does_not_list_are_no_small_matter(
    read: Read, contract_wallet: Payload, inverse_row: Payload
) -> None:
    coin_of(contract_wallet)["coin"] = "ETH"
    coin_of(contract_wallet).update(totalPositionIM="0", totalOrderIM="0", totalPositionMM="0")
    snapshot = read(contract_wallet, [inverse_row])
    assert [(one.code, one.unit) for one in snapshot.findings] == [
        (FindingCode.TOTALS_MISSING, "contract:BTC")
    ]


def test_a_requirement_without_its_position_and_the_reverse_are_found(
    read: Read, contract_wallet: Payload, inverse_row: Payload, codes: Codes
) -> None:
    assert codes(read(contract_wallet)) == {FindingCode.INCOMPLETE}
    coin_of(contract_wallet)["totalPositionMM"] = "0"
    assert codes(read(contract_wallet, [inverse_row])) == {FindingCode.INCONSISTENT}


@pytest.mark.parametrize("mode", [None, "", 2, "x"])
def test_a_row_that_does_not_say_what_backs_it_is_flagged(
    read: Read, contract_wallet: Payload, inverse_row: Payload, mode: object, codes: Codes
) -> None:
    assert FindingCode.MODE_UNKNOWN in codes(read(contract_wallet, [inverse_row | {"tradeMode": mode}]))


@pytest.mark.parametrize(
    "change", [{"list": []}, {"list": None}, {"list": [{"accountType": "UNIFIED", "coin": []}]}]
)
def test_another_wallet_is_no_answer(contract_wallet: Payload, change: Payload) -> None:
    contract_wallet["result"] = change
    with pytest.raises(MalformedAnswer):
        read_contract_wallet(contract_wallet)


def test_an_empty_wallet_adds_no_unit(read: Read, contract_wallet: Payload) -> None:
    contract_wallet["result"]["list"][0]["coin"] = []
    snapshot = read(contract_wallet)
    assert [unit.key for unit in snapshot.units] == ["account"]


def test_a_transfer_names_the_wallet_it_is_for() -> None:
    assert transfer_params("BTC", Decimal(1), "0" * 32, to="CONTRACT")["toAccountType"] == "CONTRACT"
    assert transfer_params("USDT", Decimal(1), "0" * 32)["toAccountType"] == "UNIFIED"


# ---------------------------------------------------------------- properties

DOLLARS = st.integers(1, 10**9).map(Decimal)
PRICES = st.decimals("0.0001", "10000000", places=4)


@given(size=DOLLARS, mark=PRICES)
def test_an_inverse_position_is_its_dollars_at_any_price(size: Decimal, mark: Decimal) -> None:
    coins = notional_at_mark(ContractKind.INVERSE, size, mark)
    assert coins is not None
    assert abs(coins * mark - size) <= size * Decimal("1e-26"), "to the last of 28 digits"
    assert notional_at_mark(ContractKind.LINEAR, size, mark) == size * mark
