"""What the OKX wire prints of an account at each level."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.profile import Json
from brokers.sandbox.engine import Engine

Desk = Any
SignIn = Callable[[str], Desk]


def detail(desk: Desk, currency: str) -> Json:
    return next(row for row in desk.row("account/balance")["details"] if row["ccy"] == currency)


@pytest.mark.parametrize(
    ("name", "level"), [("futures", "2"), ("flat", "2"), ("multi", "3"), ("hedge", "3"), ("portfolio", "4")]
)
def test_account_level(client: SignIn, name: str, level: str) -> None:
    assert client(name).row("account/config")["acctLv"] == level


def test_config_tells_position_mode_and_permissions(client: SignIn) -> None:
    config = client("hedge").row("account/config")
    assert (config["posMode"], config["perm"], config["ip"]) == (
        "long_short_mode",
        "read_only,trade",
        "127.0.0.1",
    )
    assert client("rich").row("account/config")["perm"] == "read_only,withdraw,trade"
    reader = client("reader").row("account/config")
    assert (reader["perm"], reader["ip"], reader["posMode"]) == ("read_only", "", "net_mode")


def test_pooled_account_states_its_totals(desk: Desk, engine: Engine) -> None:
    row = desk.row("account/balance")
    (pool,) = engine.figures("multi").pools
    for field, value in (
        ("adjEq", pool.margin_balance),
        ("imr", pool.initial_margin),
        ("mmr", pool.maintenance_margin),
        ("availEq", pool.available),
    ):
        assert Decimal(row[field]) == value
    ratio = pool.margin_balance / (pool.maintenance_margin + pool.liquidation_fee)
    assert abs(Decimal(row["mgnRatio"]) - ratio) < Decimal("1e-9")
    assert row["uTime"] == str(engine.now_ms)
    assert detail(desk, "USDT")["mgnRatio"] == ""


def test_futures_mode_leaves_the_accounts_own_figures_empty(client: SignIn, engine: Engine) -> None:
    desk = client("futures")
    row = desk.row("account/balance")
    assert [row[name] for name in ("adjEq", "imr", "mmr", "mgnRatio", "availEq", "notionalUsd")] == [""] * 6
    usdt = detail(desk, "USDT")
    pool = engine.figures("futures").pool("USDT")
    assert pool is not None
    assert (Decimal(usdt["imr"]), Decimal(usdt["mmr"])) == (pool.initial_margin, pool.maintenance_margin)
    assert Decimal(usdt["eq"]) - Decimal(usdt["isoEq"]) == pool.margin_balance
    assert Decimal(usdt["isoEq"]) > 0
    assert detail(desk, "BTC")["mgnRatio"]


def test_flat_currency_has_no_ratio(client: SignIn) -> None:
    usdt = detail(client("flat"), "USDT")
    assert (usdt["imr"], usdt["mmr"], usdt["mgnRatio"]) == ("", "", "")
    assert usdt["availEq"] == "20000"


def test_flat_pooled_account_has_no_ratio(client: SignIn) -> None:
    row = client("reader").row("account/balance")
    assert (row["mgnRatio"], row["mmr"], row["imr"]) == ("", "0", "0")


def test_debt_is_printed_in_its_currency(client: SignIn) -> None:
    usdt = detail(client("debtor"), "USDT")
    assert (usdt["liab"], usdt["crossLiab"], usdt["interest"]) == ("2000", "2000", "3")
    assert client("debtor").row("account/balance")["mgnRatio"]


def test_every_figure_is_text(client: SignIn) -> None:
    for name in ("multi", "futures", "hedge"):
        for path in ("account/balance", "account/positions"):
            for row in client(name).get(path)["data"]:
                assert not [key for key, value in row.items() if isinstance(value, int | float)]


def test_net_mode_signs_the_size_in_contracts(desk: Desk) -> None:
    rows = {row["instId"]: row for row in desk.get("account/positions")["data"]}
    assert rows["BTC-USDT-SWAP"]["pos"] == "100"  # 1 BTC in contracts of 0.01
    assert rows["ETH-USDT-SWAP"]["pos"] == "-20"
    assert {row["posSide"] for row in rows.values()} == {"net"}
    assert Decimal(rows["BTC-USDT-SWAP"]["notionalUsd"]) == Decimal(rows["BTC-USDT-SWAP"]["markPx"])


def test_long_short_mode_names_the_leg(client: SignIn) -> None:
    rows = client("hedge").get("account/positions")["data"]
    assert {(row["posSide"], row["pos"]) for row in rows} == {("long", "100"), ("short", "40")}


def test_inverse_position_is_counted_in_quote(client: SignIn) -> None:
    row = client("futures").row("account/positions", instId="BTC-USD-SWAP")
    assert (row["pos"], row["ccy"]) == ("-12", "BTC")
    assert abs(Decimal(row["notionalUsd"]) - 1200) < Decimal("0.01")


def test_isolated_position_states_its_margin_and_no_initial_margin(client: SignIn) -> None:
    row = client("futures").row("account/positions", instId="ETH-USDT-SWAP")
    assert (row["mgnMode"], row["imr"]) == ("isolated", "")
    assert Decimal(row["margin"]) > 0
    assert Decimal(row["mgnRatio"]) > 1


def test_portfolio_rows_state_no_leverage(client: SignIn) -> None:
    row = client("portfolio").row("account/positions")
    assert (row["lever"], row["liqPx"]) == ("", "")
    assert Decimal(row["mmr"]) > 0


def test_instrument_that_was_held_comes_back_empty_when_named(client: SignIn) -> None:
    desk = client("portfolio")
    assert desk.get("account/positions", instId="ETH-USDT-SWAP")["data"] == []
    desk.post("trade/close-position", {"instId": "BTC-USDT-SWAP", "mgnMode": "cross"})
    assert desk.get("account/positions")["data"] == []
    assert desk.row("account/positions", instId="BTC-USDT-SWAP")["pos"] == "0"


def test_leverage_changes_the_initial_margin(desk: Desk) -> None:
    before = Decimal(desk.row("account/positions", instId="BTC-USDT-SWAP")["imr"])
    body = {"instId": "BTC-USDT-SWAP", "lever": "20", "mgnMode": "cross"}
    assert desk.post("account/set-leverage", body)["data"][0]["lever"] == "20"
    assert desk.post("account/set-leverage", body)["code"] == "0"  # OKX has no "not modified"
    row = desk.row("account/positions", instId="BTC-USDT-SWAP")
    assert (Decimal(row["imr"]), row["lever"]) == (before / 2, "20")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lever": "500"}, "59102"),
        ({"lever": "x"}, "51000"),
        ({"lever": "2"}, "59108"),
        ({"mgnMode": "portfolio"}, "51000"),
        ({"instId": "NO-USDT-SWAP"}, "51001"),
        ({"instId": ""}, "50014"),
    ],
)
def test_leverage_refusals(desk: Desk, changes: dict[str, str], code: str) -> None:
    body = {"instId": "BTC-USDT-SWAP", "lever": "20", "mgnMode": "cross", **changes}
    assert desk.post("account/set-leverage", body)["code"] == code


def test_funding_wallet_lists_what_it_holds_and_transfers(desk: Desk) -> None:
    assert desk.get("asset/balances")["data"] == [
        {"availBal": "1000", "bal": "1000", "ccy": "USDT", "frozenBal": "0"}
    ]
    assert desk.get("asset/balances", ccy="BTC")["data"] == []
    body = {"ccy": "USDT", "amt": "400.5", "from": "6", "to": "18", "type": "0", "clientId": "abc1"}
    (done,) = desk.post("asset/transfer", body)["data"]
    state = desk.row("asset/transfer-state", clientId="abc1")
    assert (state["transId"], state["state"], state["amt"]) == (done["transId"], "success", "400.5")
    assert desk.row("asset/balances")["availBal"] == "599.5"
    assert Decimal(detail(desk, "USDT")["cashBal"]) == Decimal("20400.5")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amt": "1001"}, "58350"),
        ({"amt": "0"}, "58114"),
        ({"amt": "x"}, "51000"),
        ({"ccy": "XYZ"}, "58113"),
        ({"from": "7"}, "51000"),
        ({"clientId": "with-dash"}, "51000"),
    ],
)
def test_transfer_refusals(desk: Desk, changes: dict[str, str], code: str) -> None:
    body = {"ccy": "USDT", "amt": "1", "from": "6", "to": "18", **changes}
    assert desk.post("asset/transfer", body)["code"] == code


def test_unknown_transfer(desk: Desk) -> None:
    assert desk.get("asset/transfer-state", clientId="nothing")["code"] == "58129"


def test_client_id_does_not_stop_a_second_transfer(desk: Desk) -> None:
    body = {"ccy": "USDT", "amt": "1", "from": "6", "to": "18", "clientId": "same"}
    assert [desk.post("asset/transfer", body)["code"] for _ in range(2)] == ["0", "0"]


def test_instruments_are_listed_in_contracts(desk: Desk) -> None:
    rows = {row["instId"]: row for row in desk.public("public/instruments", instType="SWAP")["data"]}
    btc, inverse = rows["BTC-USDT-SWAP"], rows["BTC-USD-SWAP"]
    assert (btc["ctVal"], btc["lotSz"], btc["maxMktSz"], btc["ctType"], btc["settleCcy"]) == (
        "0.01",
        "0.1",
        "12000",
        "linear",
        "USDT",
    )
    assert (inverse["ctVal"], inverse["ctType"], inverse["ctValCcy"]) == ("100", "inverse", "USD")
    assert desk.public("public/instruments", instType="FUTURES")["data"] == []
    assert desk.public("public/instruments")["code"] == "50014"
    assert desk.public("public/instruments", instType="X")["code"] == "51000"


def test_public_prices(desk: Desk, engine: Engine) -> None:
    assert desk.public("public/time")["data"] == [{"ts": str(engine.now_ms)}]
    mark = desk.public("public/mark-price", instType="SWAP", instId="BTC-USDT-SWAP")["data"]
    assert Decimal(mark[0]["markPx"]) == engine.ticker("BTC-USDT").mark
    assert len(desk.public("market/tickers", instType="SWAP")["data"]) == 4
    assert desk.public("market/ticker", instId="ETH-USDT-SWAP")["data"][0]["instId"] == "ETH-USDT-SWAP"
    (book,) = desk.public("market/books", instId="BTC-USDT-SWAP", sz="5")["data"]
    assert len(book["asks"]) == 5
    assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
    assert desk.public("market/books", instId="NO-USDT-SWAP")["code"] == "51001"
    assert desk.public("market/books", instId="BTC-USDT-SWAP", sz="999")["code"] == "51000"


def test_position_tiers_are_in_contracts(desk: Desk) -> None:
    rows = desk.public("public/position-tiers", instType="SWAP", tdMode="cross", instFamily="BTC-USDT")[
        "data"
    ]
    assert [row["tier"] for row in rows][:3] == ["1", "2", "3"]
    assert rows[1]["minSz"] == "83"  # 50,000 USDT at 600 a contract
    assert (rows[0]["mmr"], rows[0]["maxLever"]) == ("0.004", "125")


@pytest.mark.parametrize("name", ["multi", "futures"])
@pytest.mark.parametrize("kind", ["zero_equity", "nan", "missing_field", "stale_timestamp"])
def test_deformed_balance(client: SignIn, name: str, kind: str) -> None:
    desk = client(name)
    payload = desk.get("account/balance")
    spoilt = desk.wire.deform(kind, "/api/v5/account/balance", payload)
    row, whole = spoilt["data"][0], payload["data"][0]
    part, before = (row, whole) if name == "multi" else (row["details"][0], whole["details"][0])
    if kind == "zero_equity":
        assert part["adjEq" if name == "multi" else "eq"] == "0"
    elif kind == "nan":
        assert part["mmr"] == "NaN"
    elif kind == "missing_field":
        assert "mmr" not in part
    else:
        assert int(row["uTime"]) == int(whole["uTime"]) - 600_000
    assert before["mmr"] not in ("", "NaN")


def test_deformed_positions(desk: Desk) -> None:
    payload, path = desk.get("account/positions"), "/api/v5/account/positions"
    assert desk.wire.deform("empty_positions", path, payload)["data"] == []
    assert {row["mmr"] for row in desk.wire.deform("nan", path, payload)["data"]} == {"NaN"}
    assert "mmr" not in desk.wire.deform("missing_field", path, payload)["data"][0]
    assert desk.wire.deform("nan", "/api/v5/market/ticker", payload) == payload
