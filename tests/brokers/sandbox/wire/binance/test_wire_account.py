"""What the Binance wire prints of an account: fields, modes, units of account."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.engine import Engine

Client = Any
NUMBERS_AS_TEXT = ("positionAmt", "markPrice", "notional", "maintMargin", "initialMargin", "isolatedMargin")


def test_single_asset_totals_count_usdt_only(client: Callable[[str], Client]) -> None:
    account = client("single").ask("GET", "/fapi/v3/account")
    rows = {row["asset"]: row for row in account["assets"]}
    assert set(rows) == {"USDT", "USDC"}
    assert account["totalMarginBalance"] == rows["USDT"]["marginBalance"] == "20000.00000000"
    assert account["totalInitialMargin"] == rows["USDT"]["initialMargin"] == "6000.00000000"
    assert account["totalMaintMargin"] == "250.00000000"  # 60,000 at 0.5 % less cum 50
    assert account["availableBalance"] == "14000.00000000"
    assert [p["symbol"] for p in account["positions"]] == ["BTCUSDT"]


def test_multi_assets_totals_are_the_pools_in_usd(client: Callable[[str], Client]) -> None:
    account = client("hedge").ask("GET", "/fapi/v3/account")
    assert account["totalWalletBalance"] == "20050.00000000"
    assert account["totalInitialMargin"] == "8400.00000000"
    assert client("hedge").ask("GET", "/fapi/v1/multiAssetsMargin") == {"multiAssetsMargin": True}
    config = client("hedge").ask("GET", "/fapi/v1/accountConfig")
    assert (config["dualSidePosition"], config["multiAssetsMargin"]) == (True, True)


def test_positions_are_signed_text_by_leg(client: Callable[[str], Client]) -> None:
    long, short = client("hedge").ask("GET", "/fapi/v3/positionRisk")
    assert (long["positionSide"], long["positionAmt"]) == ("LONG", "1.000")
    assert (short["positionSide"], short["positionAmt"]) == ("SHORT", "-0.400")
    assert short["notional"] == "-24000.00000000"
    assert all(isinstance(long[name], str) for name in NUMBERS_AS_TEXT)
    assert "leverage" not in long
    (one_way,) = client("single").ask("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")
    assert one_way["positionSide"] == "BOTH"


def test_an_isolated_position_shows_margin_with_and_without_its_pnl(
    client: Callable[[str], Client], engine: Engine
) -> None:
    engine.move_price("ETH", Decimal("1.01"))
    rows = {row["symbol"]: row for row in client("isolated").ask("GET", "/fapi/v3/positionRisk")}
    eth = rows["ETHUSDT"]
    assert rows["BTCUSDT"]["isolatedMargin"] == "0"
    assert Decimal(eth["isolatedWallet"]) == 1500
    assert Decimal(eth["isolatedMargin"]) == 1500 + Decimal(eth["unRealizedProfit"])
    (usdt,) = [r for r in client("isolated").ask("GET", "/fapi/v3/account")["assets"] if r["asset"] == "USDT"]
    assert (usdt["walletBalance"], usdt["crossWalletBalance"]) == ("20000.00000000", "18500.00000000")


def test_a_symbol_with_orders_only_is_a_row_of_amount_zero(desk: Client) -> None:
    desk.order(symbol="ETHUSDT", side="BUY", type="LIMIT", timeInForce="GTC", price="2000", quantity="1")
    row = next(r for r in desk.ask("GET", "/fapi/v3/positionRisk") if r["symbol"] == "ETHUSDT")
    assert (row["positionAmt"], row["openOrderInitialMargin"]) == ("0.00", "200.00000000")


def test_brackets_have_whole_leverages_and_a_continuous_deduction(desk: Client) -> None:
    (row,) = desk.ask("GET", "/fapi/v1/leverageBracket", symbol="BTCUSDT")
    assert [b["initialLeverage"] for b in row["brackets"]][:4] == [125, 100, 50, 20]
    assert [b["cum"] for b in row["brackets"]][:4] == [0, 50, 1300, 16300]
    assert len(desk.ask("GET", "/fapi/v1/leverageBracket")) == 3


def test_symbol_settings_can_be_changed_and_read_back(desk: Client) -> None:
    assert desk.ask("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=20)["leverage"] == 20
    assert desk.ask("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=20)["leverage"] == 20
    (row,) = desk.ask("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT")
    assert (row["leverage"], row["marginType"]) == (20, "CROSSED")
    done = desk.ask("POST", "/fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
    assert done == {"code": 200, "msg": "success"}
    (row,) = desk.ask("GET", "/fapi/v1/symbolConfig", symbol="ETHUSDT")
    assert row["marginType"] == "ISOLATED"


@pytest.mark.parametrize(
    ("name", "path", "params", "code"),
    [
        ("single", "leverage", {"symbol": "BTCUSDT", "leverage": "2.5"}, -4028),
        ("single", "leverage", {"symbol": "BTCUSDT", "leverage": 126}, -4028),
        ("single", "leverage", {"symbol": "BTCUSDT", "leverage": 125}, -2027),
        ("single", "leverage", {"symbol": "DOGEUSDT", "leverage": 5}, -1121),
        ("isolated", "leverage", {"symbol": "ETHUSDT", "leverage": 5}, -4161),
        ("single", "marginType", {"symbol": "BTCUSDT", "marginType": "ISOLATED"}, -4048),
        ("single", "marginType", {"symbol": "ETHUSDT", "marginType": "CROSSED"}, -4046),
        ("hedge", "marginType", {"symbol": "ETHUSDT", "marginType": "ISOLATED"}, -4168),
    ],
)
def test_settings_that_the_venue_refuses(
    client: Callable[[str], Client], name: str, path: str, params: dict[str, object], code: int
) -> None:
    assert client(name).ask("POST", f"/fapi/v1/{path}", **params)["code"] == code


def test_public_prices_and_rules(desk: Client, engine: Engine) -> None:
    assert desk.public("/fapi/v1/ping") == {}
    assert desk.public("/fapi/v1/time") == {"serverTime": engine.now_ms}
    index = desk.public("/fapi/v1/premiumIndex", symbol="BTCUSDT")
    assert (index["markPrice"], index["time"]) == ("60000.00000000", engine.now_ms)
    assert {row["symbol"] for row in desk.public("/fapi/v1/premiumIndex")} == {
        "BTCUSDT",
        "ETHUSDT",
        "SOLUSDT",
    }
    book = desk.public("/fapi/v1/depth", symbol="BTCUSDT", limit=5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    best = desk.public("/fapi/v1/ticker/bookTicker", symbol="BTCUSDT")
    assert [best["bidPrice"], best["askPrice"]] == [book["bids"][0][0], book["asks"][0][0]]
    assert desk.public("/fapi/v1/ticker/price", symbol="XYZ")["code"] == -1121
    info = desk.public("/fapi/v1/exchangeInfo")
    row = next(row for row in info["symbols"] if row["symbol"] == "BTCUSDT")
    filters = {one["filterType"]: one for one in row["filters"]}
    assert (filters["MARKET_LOT_SIZE"]["maxQty"], filters["LOT_SIZE"]["maxQty"]) == ("120", "1000")
    assert filters["MIN_NOTIONAL"] == {"filterType": "MIN_NOTIONAL", "notional": "5"}


def test_funding_wallet_and_transfers(desk: Client, engine: Engine) -> None:
    (row,) = desk.ask("POST", "/sapi/v1/asset/get-funding-asset", asset="USDT")
    assert (row["asset"], row["free"]) == ("USDT", "1000.00000000")
    assert desk.ask("POST", "/sapi/v1/asset/get-funding-asset", asset="BTC") == []
    inward = {"type": "FUNDING_UMFUTURE", "asset": "USDT"}
    assert desk.ask("GET", "/sapi/v1/asset/transfer", type="FUNDING_UMFUTURE") == {"total": 0}
    done = desk.ask("POST", "/sapi/v1/asset/transfer", amount="250", **inward)
    history = desk.ask("GET", "/sapi/v1/asset/transfer", type="FUNDING_UMFUTURE")
    assert history["total"] == 1
    assert (history["rows"][0]["tranId"], history["rows"][0]["amount"]) == (done["tranId"], "250.00000000")
    assert engine.funding_balance("single", "USDT") == 750
    assert desk.ask("POST", "/sapi/v1/asset/transfer", amount="5000", **inward)["code"] == -9000


def test_faults_show_in_the_places_they_concern(desk: Client) -> None:
    account, risk = desk.ask("GET", "/fapi/v3/account"), desk.ask("GET", "/fapi/v3/positionRisk")
    spoil = desk.wire.deform
    assert spoil("empty_positions", "/fapi/v3/positionRisk", risk) == []
    assert spoil("empty_positions", "/fapi/v3/account", account)["positions"] == []
    assert spoil("zero_equity", "/fapi/v3/account", account)["totalMarginBalance"] == "0.00000000"
    assert spoil("nan", "/fapi/v3/account", account)["assets"][0]["maintMargin"] == "NaN"
    assert "totalMarginBalance" not in spoil("missing_field", "/fapi/v3/account", account)
    stale = spoil("stale_timestamp", "/fapi/v3/positionRisk", risk)
    assert stale[0]["updateTime"] == risk[0]["updateTime"] - 600_000
    assert spoil("nan", "/fapi/v1/time", {"serverTime": 1}) == {"serverTime": "NaN"}
    assert spoil("zero_equity", "/fapi/v1/time", {"serverTime": 1}) == {"serverTime": 1}


def test_a_symbols_margin_type_is_that_of_its_position(client: Callable[[str], Client]) -> None:
    isolated = client("isolated")
    rows = {row["symbol"]: row["marginType"] for row in isolated.ask("GET", "/fapi/v1/symbolConfig")}
    assert (rows["ETHUSDT"], rows["BTCUSDT"]) == ("ISOLATED", "CROSSED")
    closed = isolated.order(symbol="ETHUSDT", side="BUY", quantity="5", reduceOnly="true")
    assert closed["symbol"] == "ETHUSDT"
    assert [row["symbol"] for row in isolated.ask("GET", "/fapi/v3/positionRisk")] == ["BTCUSDT"]
