from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import OrderSide
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import LiquidationStarted

Client = Any  # the fixture's type lives in conftest
D = Decimal


def totals(client: Client) -> dict[str, Decimal]:
    return {name: D(value) for name, value in client.ask("TradeBalance", asset="ZUSD")["result"].items()}


def test_margin_is_cost_over_leverage_and_stays_when_prices_move(desk: Client, engine: Engine) -> None:
    before = totals(desk)
    assert before["m"] == (D("0.5") * 60_000 + 4 * D(3_000)) / 10
    assert (before["tb"], before["n"], before["e"]) == (20_000, 0, 20_000)
    assert before["ml"] == D("476.19")
    engine.move_price("BTC", D("0.9"))
    after = totals(desk)
    assert after["m"] == before["m"]
    assert after["n"] == D(-3000)
    assert (after["e"], after["tb"]) == (D(17_000), D(20_000))
    assert after["mf"] == after["e"] - after["m"]
    assert after["v"] == D(27_000 + 12_000)
    assert after["ml"] == D("404.76")


def test_a_flat_account_has_no_margin_level_and_an_empty_object_of_positions(
    client: Callable[[str], Client],
) -> None:
    flat = client("flat")
    assert "ml" not in flat.ask("TradeBalance")["result"]
    assert totals(flat)["m"] == 0
    assert flat.ask("OpenPositions", docalcs="true")["result"] == {}


def test_kraken_liquidates_at_a_margin_level_of_forty(desk: Client, engine: Engine) -> None:
    def started() -> bool:
        return any(isinstance(event, LiquidationStarted) for event in engine.history)

    engine.move_price("BTC", D("0.5"))  # equity 5,000 of 4,200 used
    engine.move_price("ETH", D("1.27"))  # equity 1,760: a level of 41.9
    assert totals(desk)["ml"] == D("41.90")
    assert not started()
    engine.move_price("ETH", D("1.01"))
    assert started()
    assert len(desk.ask("OpenPositions")["result"]) == 2, "the larger one is gone, and the rest is sound"
    assert totals(desk)["ml"] > 40


def test_positions_are_rows_of_opening_trades(desk: Client) -> None:
    rows = desk.ask("OpenPositions", docalcs="true")["result"]
    assert len(rows) == 4
    longs = [row for row in rows.values() if row["pair"] == "XXBTZUSD"]
    assert [(row["type"], row["vol"], row["vol_closed"]) for row in longs] == [
        ("buy", "0.30000000", "0.00000000"),
        ("buy", "0.20000000", "0.00000000"),
    ]
    assert sum(D(row["margin"]) for row in rows.values()) == totals(desk)["m"]
    assert [row["value"] for row in longs] == ["18000.0000", "12000.0000"]
    assert all("value" not in row for row in desk.ask("OpenPositions")["result"].values())
    assert len(desk.ask("OpenPositions", consolidation="market")["result"]) == 4


def test_a_closed_part_stays_in_the_volume_of_the_oldest_row(desk: Client, engine: Engine) -> None:
    assert desk.order(volume="0.2")["error"] == []
    rows = [row for row in desk.ask("OpenPositions")["result"].values() if row["pair"] == "XXBTZUSD"]
    assert [(row["vol"], row["vol_closed"]) for row in rows] == [
        ("0.38000000", "0.20000000"),
        ("0.12000000", "0.00000000"),
    ]
    assert engine.figures("desk").position("XXBTZUSD").quantity == D("0.3")


def test_the_public_lists_name_pairs_currencies_and_prices(desk: Client, engine: Engine) -> None:
    pairs = desk.public("AssetPairs")["result"]
    assert pairs["XXBTZUSD"]["altname"] == "XBTUSD"
    assert pairs["XXBTZUSD"]["leverage_sell"] == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert (pairs["SOLUSD"]["margin_call"], pairs["SOLUSD"]["margin_stop"]) == (80, 40)
    assert {code: row["altname"] for code, row in desk.public("Assets")["result"].items()} == {
        "XXBT": "XBT",
        "XETH": "ETH",
        "SOL": "SOL",
        "ZUSD": "USD",
    }
    assert desk.public("Ticker?pair=ETHUSD")["result"]["XETHZUSD"]["c"][0] == "3000"
    assert desk.public("Ticker?pair=NONE")["error"] == ["EQuery:Unknown asset pair"]
    assert desk.public("Time")["result"]["unixtime"] == engine.now_ms // 1000
    assert len(desk.public("Depth?pair=XBTUSD&count=3")["result"]["XXBTZUSD"]["asks"]) == 3


@pytest.mark.parametrize(
    ("kind", "path", "result"),
    [("empty_positions", "/0/private/OpenPositions", {}), ("missing_field", "/0/private/TradeBalance", None)],
)
def test_a_deformed_answer_is_still_in_the_envelope(
    desk: Client, kind: str, path: str, result: object
) -> None:
    payload = desk.ask(path.rpartition("/")[2])
    spoilt = desk.wire.deform(kind, path, payload)
    assert spoilt["error"] == []
    if result is None:
        assert set(payload["result"]) - set(spoilt["result"]) == {"mf"}
    else:
        assert spoilt["result"] == result


def test_somebody_elses_trade_shows_at_once(desk: Client, engine: Engine) -> None:
    engine.external_trade("desk", "XXBTZUSD", OrderSide.SELL, D("0.5"))
    assert {row["pair"] for row in desk.ask("OpenPositions")["result"].values()} == {"XETHZUSD"}
