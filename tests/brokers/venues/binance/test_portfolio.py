"""What a portfolio margin account's payloads mean: one unit whose ratio is 1 where the venue liquidates."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer, NotSupported
from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountId,
    AccountSnapshot,
    ContractKind,
    FindingCode,
    MarginMode,
    Side,
    Symbol,
    UnitKind,
)
from brokers.orders import OpenOrder
from brokers.registry import BrokerSpec, Credentials, open_broker
from brokers.venues.binance import books
from brokers.venues.binance.markets import read_coinm_markets, read_usdm_markets
from brokers.venues.binance.orders import cancel_batches, read_open_algo_orders, read_open_orders
from brokers.venues.binance.portfolio import book_of, is_coin_margined
from brokers.venues.binance.portfolio_snapshot import (
    MODE,
    PortfolioPicture,
    parse_portfolio,
    read_contracts,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
D = Decimal
UM, CM = Symbol("BTCUSDT"), Symbol("BTCUSD_PERP")

Portfolio = Callable[..., AccountSnapshot]


def figures(**more: str) -> dict[str, Any]:
    """`GET /papi/v1/account` of an account whose positions need 1,000 of 2,000 USD."""
    row = {
        "uniMMR": "2",
        "accountEquity": "2000",
        "actualEquity": "2100",
        "accountInitialMargin": "1500",
        "accountMaintMargin": "1000",
        "accountStatus": "NORMAL",
        "virtualMaxWithdrawAmount": "500",
        "totalAvailableBalance": "500",
        "totalMarginOpenLoss": "",
        "updateTime": 1767614400000,
    }
    return row | more


def linear(**more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A USD-M position as `um/account` and `um/positionRisk` show it: it needs 800 USDT."""
    key = {"symbol": UM, "positionSide": "BOTH", "positionAmt": "2", "updateTime": 1767614400000}
    margins = {"initialMargin": "12000", "maintMargin": "800", "positionInitialMargin": "12000"}
    account = {**key, **margins, "openOrderInitialMargin": "0", "unrealizedProfit": "100"}
    risk = {
        **key,
        "entryPrice": "59950",
        "markPrice": "60000",
        "notional": "120000",
        "unRealizedProfit": "100",
        "liquidationPrice": "0",
        "leverage": "10",
    }
    return account | more, risk


def inverse(**more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A COIN-M position: 1 BTC short, which needs 0.00333333 BTC (200 USD)."""
    key = {"symbol": CM, "positionSide": "BOTH", "positionAmt": "-600", "updateTime": 1767614400000}
    margins = {"initialMargin": "0.1", "maintMargin": "0.00333333", "positionInitialMargin": "0.1"}
    account = {**key, **margins, "openOrderInitialMargin": "0", "unrealizedProfit": "0"}
    risk = {
        **key,
        "entryPrice": "60000",
        "markPrice": "60000",
        "notionalValue": "-1",
        "unRealizedProfit": "0",
        "liquidationPrice": "90000",
        "leverage": "10",
    }
    return account | more, risk


def balance(asset: str, **more: str) -> dict[str, Any]:
    """One row of `GET /papi/v1/balance`, as documented."""
    row = {
        "asset": asset,
        "totalWalletBalance": "122607.35137903",
        "crossMarginAsset": "92.27530794",
        "crossMarginBorrowed": "0.00000000",
        "crossMarginFree": "100.00000000",
        "crossMarginInterest": "0.00000000",
        "crossMarginLocked": "3.00000000",
        "umWalletBalance": "0.00000000",
        "umUnrealizedPNL": "23.72469206",
        "cmWalletBalance": "23.72469206",
        "cmUnrealizedPNL": "",
        "updateTime": 1617939110373,
        "negativeBalance": "0",
    }
    return row | more


@pytest.fixture
def portfolio(payload: Callable[[str], Any]) -> Portfolio:
    """Make a snapshot out of an account's figures, its positions of both kinds and its balances."""
    coin = {
        "symbol": CM,
        "contractSize": 100,
        "quoteAsset": "USD",
        "baseAsset": "BTC",
        "marginAsset": "BTC",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "1000"},
        ],
    }
    known = {**read_usdm_markets(payload("exchange_info")), **read_coinm_markets({"symbols": [coin]})}

    def snapshot(
        account: dict[str, Any],
        um: tuple[Any, ...] = linear(),
        cm: tuple[Any, ...] = inverse(),
        balances: tuple[Any, ...] = (balance("USDT"),),
    ) -> AccountSnapshot:
        raw = PortfolioPicture(
            account=account,
            balances=balances,
            contracts=[
                read_contracts(kind, {"assets": [], "positions": list(pair[:1])}, list(pair[1:]))
                for kind, pair in ((ContractKind.LINEAR, um), (ContractKind.INVERSE, cm))
            ],
            as_of=NOW,
        )
        return parse_portfolio(
            raw,
            SnapshotContext(
                account_id=AccountId("desk"),
                broker="binance",
                product="portfolio",
                now=NOW,
                mode=MODE,
                markets=known,
            ),
        )

    return snapshot


def codes(snapshot: AccountSnapshot) -> set[FindingCode]:
    return {finding.code for finding in snapshot.findings}


# ---------------------------------------------------------------------- the unit


@pytest.mark.parametrize(
    ("uni_mmr", "ratio"),
    [("1.5", "0.70"), ("1.3125", "0.80"), ("1.2", "0.875"), ("1.1666667", "0.90"), ("1.05", "1")],
)
def test_the_ratio_is_one_where_the_venue_liquidates(portfolio: Portfolio, uni_mmr: str, ratio: str) -> None:
    # The venue asks for margin at 1.5, takes reducing orders only from 1.2, and liquidates at 1.05.
    account = figures(uniMMR=uni_mmr, accountEquity=str(D(1000) * D(uni_mmr)))
    unit = portfolio(account).unit("account")
    assert unit.venue_ratio == pytest.approx(D(ratio), abs=D("1e-7"))


def test_the_account_is_one_unit_in_dollars(portfolio: Portfolio) -> None:
    snapshot = portfolio(figures())
    (unit,) = snapshot.units
    assert (unit.key, unit.kind, unit.currency, unit.parent) == ("account", UnitKind.ACCOUNT, "USD", None)
    assert (unit.margin_equity, unit.initial_margin, unit.maintenance_margin) == (2000, 1500, 1000)
    assert (unit.available_margin, unit.venue_ratio) == (500, D("0.525"))
    assert snapshot.findings == ()
    assert snapshot.mode.label == "portfolio margin"


def test_an_available_balance_that_is_not_stated_is_missing(portfolio: Portfolio) -> None:
    snapshot = portfolio(figures(totalAvailableBalance=""))
    assert snapshot.unit("account").available_margin is None
    assert snapshot.findings == ()


@pytest.mark.parametrize("name", ["accountEquity", "accountMaintMargin", "accountInitialMargin", "uniMMR"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("122,559.90199491", FindingCode.FIELD_DAMAGED),
        ("NaN", FindingCode.FIELD_DAMAGED),
        ("", FindingCode.FIELD_MISSING),
    ],
)
def test_a_damaged_figure_is_missing_and_never_cut_short(
    portfolio: Portfolio, name: str, value: str, code: FindingCode
) -> None:
    snapshot = portfolio(figures(**{name: value}))
    assert code in codes(snapshot)
    unit = snapshot.unit("account")
    seen = {
        "accountEquity": unit.margin_equity,
        "accountMaintMargin": unit.maintenance_margin,
        "accountInitialMargin": unit.initial_margin,
        "uniMMR": unit.venue_ratio,
    }
    assert seen[name] is None


def test_an_account_that_needs_nothing_has_no_ratio_to_read(portfolio: Portfolio) -> None:
    account = figures(uniMMR="99999999", accountMaintMargin="0", accountInitialMargin="0")
    snapshot = portfolio(account, um=(), cm=())
    assert snapshot.unit("account").venue_ratio is None
    assert snapshot.findings == ()


@pytest.mark.parametrize("status", ["ACTIVE_LIQUIDATION", "FORCE_LIQUIDATION", "BANKRUPTED"])
def test_a_venue_that_liquidates_is_told(portfolio: Portfolio, status: str) -> None:
    assert codes(portfolio(figures(accountStatus=status))) == {FindingCode.VENUE_ACTING}


@pytest.mark.parametrize("status", ["NORMAL", "MARGIN_CALL", "SUPPLY_MARGIN", "REDUCE_ONLY"])
def test_a_state_in_which_reducing_works_holds_nothing_back(portfolio: Portfolio, status: str) -> None:
    assert portfolio(figures(accountStatus=status)).findings == ()


@pytest.mark.parametrize(("ratio", "equity"), [("-0.5", "2000"), ("2", "-10"), ("0", "2000")])
def test_a_ratio_that_equity_contradicts_is_found(portfolio: Portfolio, ratio: str, equity: str) -> None:
    assert FindingCode.INCONSISTENT in codes(portfolio(figures(uniMMR=ratio, accountEquity=equity)))


# ---------------------------------------------------------------------- positions


def test_positions_of_both_kinds_answer_to_the_account(portfolio: Portfolio) -> None:
    positions = {p.symbol: p for p in portfolio(figures()).positions}
    um, cm = positions[UM], positions[CM]
    assert (um.kind, um.settle, um.quantity, um.notional) == (ContractKind.LINEAR, "USDT", 2, 120_000)
    assert (cm.kind, cm.settle, cm.quantity, cm.notional) == (ContractKind.INVERSE, "BTC", 600, 1)
    assert (um.side, cm.side) == (Side.LONG, Side.SHORT)
    assert {p.unit for p in positions.values()} == {"account"}
    assert {p.margin_mode for p in positions.values()} == {MarginMode.PORTFOLIO}
    assert (um.maintenance_margin, cm.maintenance_margin) == (800, D("0.00333333"))
    assert (um.leverage_setting, cm.leverage_setting) == (10, 10)


def test_positions_that_are_gone_while_their_margin_stands_are_missed(portfolio: Portfolio) -> None:
    assert codes(portfolio(figures(), um=(), cm=())) == {FindingCode.INCONSISTENT}
    assert codes(portfolio(figures(), cm=())) == {FindingCode.INCONSISTENT}


def test_a_debt_may_need_margin_without_a_position(portfolio: Portfolio) -> None:
    owing = balance("USDT", crossMarginBorrowed="10000.00000000")
    assert portfolio(figures(), um=(), cm=(), balances=(owing,)).findings == ()


def test_a_total_below_what_the_positions_need_is_of_another_moment(portfolio: Portfolio) -> None:
    assert codes(portfolio(figures(accountMaintMargin="700"))) == {FindingCode.INCONSISTENT}


def test_a_position_that_only_one_answer_holds_is_kept_with_a_finding(portfolio: Portfolio) -> None:
    account, risk = linear(positionAmt="1")
    snapshot = portfolio(figures(), um=(account, risk))
    assert next(p for p in snapshot.positions if p.symbol == UM).quantity == 2
    assert FindingCode.INCONSISTENT in codes(snapshot)


def test_an_account_without_its_positions_is_no_answer() -> None:
    with pytest.raises(MalformedAnswer):
        read_contracts(ContractKind.LINEAR, {"assets": []}, [])


# ---------------------------------------------------------------------- debts


def test_loans_and_wallets_below_zero_are_debts(portfolio: Portfolio) -> None:
    rows = (
        balance(
            "USDT",
            crossMarginBorrowed="10.00000000",
            crossMarginInterest="0.72469206",
            cmUnrealizedPNL="0",
        ),
        balance(
            "USDC", totalWalletBalance="-40", umUnrealizedPNL="0", cmUnrealizedPNL="0", negativeBalance="40"
        ),
        balance("BTC", totalWalletBalance="0", umUnrealizedPNL="0"),
    )
    usdt, usdc = portfolio(figures(), balances=rows).collaterals
    assert (usdt.currency, usdt.debt, usdt.interest) == ("USDT", 10, D("0.72469206"))
    assert usdt.equity == D("122607.35137903") + D("23.72469206") - 10 - D("0.72469206")
    assert (usdc.currency, usdc.wallet_balance, usdc.equity, usdc.debt) == ("USDC", -40, -40, 40)


@pytest.mark.parametrize(
    "name",
    [
        "totalWalletBalance",
        "umUnrealizedPNL",
        "cmUnrealizedPNL",
        "crossMarginBorrowed",
        "crossMarginInterest",
    ],
)
def test_an_assets_equity_without_all_of_its_parts_is_unknown(portfolio: Portfolio, name: str) -> None:
    # Binance's own sample of the endpoint leaves `cmUnrealizedPNL` empty.
    row = balance("USDT", cmUnrealizedPNL="0", negativeBalance="5") | {name: ""}
    (usdt,) = portfolio(figures(), balances=(row,)).collaterals
    assert (usdt.equity, usdt.debt) == (None, 5)
    whole = balance("USDT", cmUnrealizedPNL="1", crossMarginBorrowed="2", crossMarginInterest="3")
    (usdt,) = portfolio(figures(), balances=(whole,)).collaterals
    assert usdt.equity == D("122607.35137903") + D("23.72469206") + 1 - 2 - 3


# ---------------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("symbol", "coin"),
    [
        ("BTCUSDT", False),
        ("BTCUSDT_260327", False),
        ("ETHUSDC", False),
        ("BTCUSD_PERP", True),
        ("ETHUSD_260327", True),
    ],
)
def test_a_symbol_tells_its_book(symbol: str, coin: bool) -> None:  # noqa: FBT001
    assert is_coin_margined(Symbol(symbol)) is coin
    assert book_of(Symbol(symbol)).place == ("papiPostCmOrder" if coin else "papiPostUmOrder")


STRATEGY: dict[str, Any] = {
    # Source: Binance docs, Portfolio Margin "Query All Current UM Open Conditional Orders".
    "newClientStrategyId": "abc",
    "strategyId": 123445,
    "strategyStatus": "NEW",
    "strategyType": "STOP_MARKET",
    "origQty": "0.010",
    "price": "0",
    "reduceOnly": True,
    "side": "SELL",
    "positionSide": "BOTH",
    "stopPrice": "9300",
    "symbol": "BTCUSDT",
    "timeInForce": "GTC",
}


def cancelled(order: OpenOrder) -> tuple[str, Any]:
    (batch,) = cancel_batches([order], book_of(order.symbol))
    return batch.request.call, batch.request.params


def test_each_book_has_its_own_way_to_cancel() -> None:
    strategies, algo = books.PORTFOLIO_UM.waiting
    (strategy,) = read_open_algo_orders([STRATEGY], strategies)
    assert (strategy.order_id, strategy.client_order_id, strategy.quantity) == ("123445", "abc", D("0.010"))
    assert strategy.is_protective
    assert cancelled(strategy) == (
        "papiDeleteUmConditionalOrder",
        {"symbol": "BTCUSDT", "strategyId": "123445"},
    )
    row = {"algoId": 7, "symbol": "BTCUSDT", "side": "SELL", "quantity": "1", "reduceOnly": False}
    (waiting,) = read_open_algo_orders([row], algo)
    assert cancelled(waiting) == ("papiDeleteUmAlgoOrder", {"algoId": "7"})
    plain = {"orderId": 9, "symbol": "BTCUSD_PERP", "side": "BUY", "type": "LIMIT", "origQty": "3"}
    (active,) = read_open_orders([plain])
    assert cancelled(active) == ("papiDeleteCmOrder", {"symbol": "BTCUSD_PERP", "orderId": "9"})


def test_there_is_no_test_environment() -> None:
    spec = BrokerSpec(
        account_id=AccountId("desk"),
        broker="binance",
        product="portfolio",
        credentials=Credentials(api_key="k", secret="s"),
        testnet=True,
    )
    with pytest.raises(NotSupported, match="no test environment"):
        open_broker(spec)
