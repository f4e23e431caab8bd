"""When a list of positions may be left out: only while the wallet proves it empty."""

import pytest

from brokers.models import MarginMode
from brokers.venues.bybit.sweeps import (
    ALL,
    INVERSE,
    LINEAR_USDC,
    LINEAR_USDT,
    OPTION,
    holds_options,
    required_sweeps,
)
from brokers.venues.bybit.wallet import Wallet, read_wallet

CROSS, ISOLATED, PORTFOLIO = MarginMode.CROSS, MarginMode.ISOLATED, MarginMode.PORTFOLIO


def coin(name: str, **fields: str) -> dict[str, object]:
    row = {
        "coin": name,
        "equity": "1000",
        "usdValue": "1000",
        "walletBalance": "1000",
        "unrealisedPnl": "0",
        "borrowAmount": "0",
        "totalOrderIM": "0",
        "totalPositionIM": "0",
        "totalPositionMM": "0",
    }
    return {**row, **fields}


def wallet_with(*coins: dict[str, object], maintenance: str = "0", initial: str = "0") -> Wallet:
    account = {
        "accountType": "UNIFIED",
        "totalMarginBalance": "2000",
        "totalInitialMargin": initial,
        "totalMaintenanceMargin": maintenance,
        "totalAvailableBalance": "1000",
        "coin": list(coins),
    }
    return read_wallet({"retCode": 0, "result": {"list": [account]}, "time": 1_700_000_000_000})


def test_usdt_positions_alone_need_one_list() -> None:
    wallet = wallet_with(
        coin("USDT", totalPositionIM="100", totalPositionMM="5"),
        coin("USDC"),
        coin("BTC", equity="0.1", walletBalance="0.1", usdValue="6000"),
        maintenance="5.001",
        initial="100",
    )
    assert required_sweeps(wallet, CROSS) == {LINEAR_USDT}


def test_usdt_positions_are_always_listed_even_when_the_wallet_is_empty() -> None:
    assert required_sweeps(wallet_with(), CROSS) == {LINEAR_USDT}


def test_margin_in_usdc_asks_for_usdc_contracts() -> None:
    wallet = wallet_with(
        coin("USDC", totalPositionIM="10", totalPositionMM="1"), maintenance="1", initial="10"
    )
    assert required_sweeps(wallet, CROSS) == {LINEAR_USDT, LINEAR_USDC}


def test_margin_in_a_coin_asks_for_inverse_contracts() -> None:
    bitcoin = coin(
        "BTC",
        equity="0.5",
        walletBalance="0.5",
        usdValue="30000",
        totalPositionMM="0.01",
        totalPositionIM="0.1",
    )
    wallet = wallet_with(bitcoin, maintenance="600", initial="6000")
    assert required_sweeps(wallet, CROSS) == {LINEAR_USDT, INVERSE}


def test_option_value_in_a_coins_equity_asks_for_options() -> None:
    wallet = wallet_with(coin("USDC", equity="1012.5"))
    assert required_sweeps(wallet, CROSS) == {LINEAR_USDT, OPTION}


def test_figures_rounded_to_cents_hold_no_option() -> None:
    wallet = wallet_with(coin("USDC", equity="1000.01", unrealisedPnl="0.00"))
    assert required_sweeps(wallet, CROSS) == {LINEAR_USDT}
    assert not holds_options(wallet)


def test_equity_made_of_balance_pnl_and_spot_debt_holds_no_option() -> None:
    new = coin("USDT", equity="700", walletBalance="1000", unrealisedPnl="-50", spotBorrow="250")
    old = coin("USDC", equity="950", walletBalance="1000", unrealisedPnl="-50", borrowAmount="250")
    assert required_sweeps(wallet_with(new, old), CROSS) == {LINEAR_USDT}


@pytest.mark.parametrize("name", ["totalOrderIM", "totalPositionIM", "totalPositionMM"])
@pytest.mark.parametrize("mode", [CROSS, ISOLATED])
def test_a_coin_that_does_not_state_its_margins_proves_nothing(name: str, mode: MarginMode | None) -> None:
    assert required_sweeps(wallet_with(coin("USDT"), coin("ETH", **{name: ""})), mode) == ALL


@pytest.mark.parametrize("mode", [PORTFOLIO, None])
def test_portfolio_margin_and_unknown_modes_prove_nothing(mode: MarginMode | None) -> None:
    assert required_sweeps(wallet_with(coin("USDT")), mode) == ALL


def test_a_requirement_that_the_coins_do_not_explain_asks_for_everything() -> None:
    wallet = wallet_with(
        coin("USDT", totalPositionIM="100", totalPositionMM="5"), maintenance="9", initial="140"
    )
    assert required_sweeps(wallet, CROSS) == ALL


def test_a_coin_without_a_price_explains_nothing() -> None:
    priceless = coin("XYZ", usdValue="0", totalPositionIM="1", totalPositionMM="1")
    assert required_sweeps(wallet_with(priceless, maintenance="1", initial="1"), CROSS) == ALL


def test_totals_that_are_missing_in_cross_margin_prove_nothing() -> None:
    assert required_sweeps(wallet_with(coin("USDT"), maintenance=""), CROSS) == ALL


def test_isolated_margin_is_proven_by_the_coins_alone() -> None:
    wallet = wallet_with(coin("USDT", totalPositionIM="100", totalPositionMM="5"), maintenance="", initial="")
    assert required_sweeps(wallet, ISOLATED) == {LINEAR_USDT}


def test_the_sweeps_ask_for_whole_pages_and_name_their_settle_coin() -> None:
    assert dict(LINEAR_USDC.params) == {"category": "linear", "limit": 200, "settleCoin": "USDC"}
    assert dict(INVERSE.params) == {"category": "inverse", "limit": 200}
