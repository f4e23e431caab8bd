"""What the wire tells of instruments, wallets and positions."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.figures import ACCOUNT_POOL

Client = Any
Json = dict[str, Any]
SignIn = Callable[[str], Client]


def account_row(desk: Client) -> Json:
    return desk.get("account/wallet-balance", accountType="UNIFIED")["result"]["list"][0]


def coin_row(desk: Client, name: str) -> Json:
    return next(coin for coin in account_row(desk)["coin"] if coin["coin"] == name)


def test_instruments_by_category(desk: Client) -> None:
    linear = desk.public("market/instruments-info", category="linear")["result"]
    assert [row["symbol"] for row in linear["list"]] == ["BTCUSDT", "ETHPERP", "ETHUSDT", "SOLUSDT"]
    bitcoin = linear["list"][0]
    assert bitcoin["lotSizeFilter"]["maxMktOrderQty"] == "120"
    assert bitcoin["lotSizeFilter"]["maxOrderQty"] == "1000"
    assert bitcoin["priceFilter"]["tickSize"] == "0.1"
    (inverse,) = desk.public("market/instruments-info", category="inverse")["result"]["list"]
    assert (inverse["symbol"], inverse["settleCoin"], inverse["contractType"]) == (
        "BTCUSD",
        "BTC",
        "InversePerpetual",
    )


def test_instruments_come_in_pages_with_an_encoded_cursor(desk: Client) -> None:
    first = desk.public("market/instruments-info", category="linear", limit=3)["result"]
    assert first["nextPageCursor"] == "page_args%3D3%26"
    target = f"category=linear&limit=3&cursor={first['nextPageCursor']}"
    rest = desk.public_raw("market/instruments-info", target)["result"]
    assert [row["symbol"] for row in (*first["list"], *rest["list"])] == [
        "BTCUSDT",
        "ETHPERP",
        "ETHUSDT",
        "SOLUSDT",
    ]
    assert rest["nextPageCursor"] == ""


@pytest.mark.parametrize("params", [{}, {"category": "futures"}, {"category": "linear", "limit": "5000"}])
def test_parameters_that_make_no_sense_are_refused(desk: Client, params: Json) -> None:
    assert desk.public("market/instruments-info", **params)["retCode"] == 10001


def test_risk_limits_are_continuous_fractions(desk: Client) -> None:
    low, high, *_ = desk.public("market/risk-limit", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert (low["maintenanceMargin"], low["mmDeduction"], low["maxLeverage"]) == ("0.004", "", "125.00")
    floor = Decimal(low["riskLimitValue"])
    assert floor * Decimal("0.004") == floor * Decimal(high["maintenanceMargin"]) - Decimal(
        high["mmDeduction"]
    )


def test_prices_and_the_book(desk: Client) -> None:
    (ticker,) = desk.public("market/tickers", category="linear", symbol="BTCUSDT")["result"]["list"]
    book = desk.public("market/orderbook", category="linear", symbol="BTCUSDT", limit=2)["result"]
    assert ticker["markPrice"] == "60000"
    assert book["b"][0][0] == ticker["bid1Price"]
    assert Decimal(book["a"][0][0]) > Decimal(book["b"][0][0])
    assert len(book["a"]) == 2


def test_a_cross_wallet_has_totals_in_dollars(desk: Client, engine: Engine) -> None:
    row, pool = account_row(desk), engine.figures("cross").pool(ACCOUNT_POOL)
    assert Decimal(row["totalMarginBalance"]) == pool.margin_balance
    assert Decimal(row["totalInitialMargin"]) == pool.initial_margin.quantize(Decimal("1e-8"))
    assert Decimal(row["totalAvailableBalance"]) == Decimal(row["totalMarginBalance"]) - Decimal(
        row["totalInitialMargin"]
    )
    assert row["accountIMRate"] == "0.3015"
    assert coin_row(desk, "USDT")["totalPositionIM"] == row["totalInitialMargin"]
    assert coin_row(desk, "USDT")["availableToWithdraw"] == ""


def test_an_isolated_wallet_has_empty_totals(client: SignIn) -> None:
    desk = client("isolated")
    row = account_row(desk)
    empty = [name for name, value in row.items() if value == ""]
    assert set(empty) >= {
        "totalMarginBalance",
        "totalInitialMargin",
        "totalMaintenanceMargin",
        "totalAvailableBalance",
        "accountIMRate",
        "accountMMRate",
    }
    assert row["totalEquity"] != ""
    assert Decimal(coin_row(desk, "USDT")["totalPositionIM"]) > 0
    assert desk.get("account/info")["result"]["marginMode"] == "ISOLATED_MARGIN"


def test_debt_is_told_and_coins_without_anything_are_not(client: SignIn) -> None:
    desk = client("debtor")
    assert [coin["coin"] for coin in account_row(desk)["coin"]] == ["USDT"]
    row = coin_row(desk, "USDT")
    assert (row["borrowAmount"], row["spotBorrow"], row["equity"]) == ("4000", "4000", "5000")


def test_only_the_unified_wallet_exists(desk: Client) -> None:
    assert desk.get("account/wallet-balance", accountType="CONTRACT")["retCode"] == 10001


def test_a_cross_position(desk: Client) -> None:
    (row,) = desk.positions()
    assert (row["symbol"], row["side"], row["size"], row["positionIdx"]) == ("BTCUSDT", "Buy", "1.000", 0)
    assert (row["positionStatus"], row["positionBalance"], row["leverage"]) == ("Normal", "0", "10")
    assert Decimal(row["positionIM"]) > 6000


def test_hedge_legs_carry_their_index(client: SignIn) -> None:
    rows = client("hedge").positions()
    assert [(row["side"], row["positionIdx"], row["size"]) for row in rows] == [
        ("Buy", 1, "1.000"),
        ("Sell", 2, "0.400"),
    ]


def test_an_isolated_position_tells_its_margin_and_its_exact_liquidation_price(client: SignIn) -> None:
    long, short = client("isolated").positions()
    assert Decimal(long["positionBalance"]) > 0
    assert Decimal(long["liqPrice"]) < Decimal(long["markPrice"])
    assert Decimal(short["liqPrice"]) > Decimal(short["markPrice"])


def test_positions_of_other_settle_coins_are_not_in_the_usdt_list(client: SignIn) -> None:
    desk = client("wide")
    assert [row["symbol"] for row in desk.positions()] == ["BTCUSDT"]
    assert [row["symbol"] for row in desk.positions(settleCoin="USDC")] == ["ETHPERP"]
    inverse = desk.get("position/list", category="inverse")["result"]["list"]
    assert [(row["symbol"], row["side"], row["size"]) for row in inverse] == [("BTCUSD", "Sell", "3000")]
    assert desk.get("position/list", category="option")["result"]["list"] == []


def test_linear_positions_need_a_symbol_or_a_settle_coin(desk: Client) -> None:
    assert desk.get("position/list", category="linear")["retCode"] == 10001


def test_a_symbol_asked_for_by_name_has_a_row_even_when_flat(client: SignIn) -> None:
    (row,) = client("flat").get("position/list", category="linear", symbol="ETHUSDT")["result"]["list"]
    assert (row["side"], row["size"], row["liqPrice"]) == ("", "0", "")


def test_pages_of_positions(client: SignIn) -> None:
    desk = client("hedge")
    asked = {"category": "linear", "settleCoin": "USDT", "limit": 1}
    first = desk.get("position/list", **asked)["result"]
    assert [row["positionIdx"] for row in first["list"]] == [1]
    rest = desk.get("position/list", **asked, cursor="page_args=1&")["result"]
    assert ([row["positionIdx"] for row in rest["list"]], rest["nextPageCursor"]) == ([2], "")


def test_a_liquidated_account_is_told_as_the_venue_tells_it(desk: Client, engine: Engine) -> None:
    engine.move_price("BTC", Decimal("0.5"))
    assert desk.positions() == []
    assert engine.figures("cross").position("BTC-USDT", Side.LONG) is None


@pytest.mark.parametrize(
    ("kind", "path", "params", "changed"),
    [
        ("zero_equity", "account/wallet-balance", {"accountType": "UNIFIED"}, ("totalMarginBalance", "0")),
        ("nan", "account/wallet-balance", {"accountType": "UNIFIED"}, ("totalMarginBalance", "NaN")),
        ("missing_field", "account/wallet-balance", {"accountType": "UNIFIED"}, ("totalMarginBalance", None)),
        (
            "missing_field",
            "position/list",
            {"category": "linear", "settleCoin": "USDT"},
            ("positionMM", None),
        ),
        ("nan", "position/list", {"category": "linear", "settleCoin": "USDT"}, ("positionMM", "NaN")),
    ],
)
def test_deformed_answers(
    desk: Client, kind: str, path: str, params: Json, changed: tuple[str, str | None]
) -> None:
    answer = desk.get(path, **params)
    spoilt = desk.wire.deform(kind, f"/v5/{path}", answer)
    name, value = changed
    assert spoilt["result"]["list"][0].get(name) == value
    assert answer["result"]["list"][0][name] not in {"0", "NaN"}


def test_an_empty_list_and_a_stale_time(desk: Client) -> None:
    answer = desk.get("position/list", category="linear", settleCoin="USDT")
    assert desk.wire.deform("empty_positions", "/v5/position/list", answer)["result"]["list"] == []
    stale = desk.wire.deform("stale_timestamp", "/v5/position/list", answer)
    assert answer["time"] - stale["time"] == 600_000
