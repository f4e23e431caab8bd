"""What isolated margin's payload means: every pair a unit of its own, 1 where Binance liquidates it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountSnapshot, FindingCode, MarginMode, Measure, Side, Symbol
from brokers.venues.binance.margin_isolated_snapshot import (
    ISOLATED,
    IsolatedPicture,
    Tier,
    check_account,
    parse_isolated,
    read_tiers,
)
from tests.brokers.venues.binance.margin_payloads import BTCUSDT, ETHBTC, MARKETS

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
D = Decimal
Row = dict[str, Any]


def side(name: str, free: str, borrowed: str = "0", **more: str) -> Row:
    return {
        "asset": name,
        "borrowEnabled": True,
        "borrowed": borrowed,
        "free": free,
        "interest": "0",
        "locked": "0",
        "netAsset": str(D(free) - D(borrowed)),
        "netAssetOfBtc": "0.1",
        "repayEnabled": True,
        "totalAsset": free,
    } | more


def pair(base: Row, quote: Row, price: str = "60000", **more: Any) -> Row:  # noqa: ANN401
    """One pair of `GET /sapi/v1/margin/isolated/account`, its level as its assets make it."""
    held = D(base["free"]) * D(price) + D(quote["free"])
    owed = D(base["borrowed"]) * D(price) + D(quote["borrowed"])
    return {
        "baseAsset": base,
        "quoteAsset": quote,
        "symbol": base["asset"] + quote["asset"],
        "isolatedCreated": True,
        "enabled": True,
        "marginLevel": "999" if owed == 0 else f"{held / owed:.8f}",
        "marginLevelStatus": "NORMAL",
        "marginRatio": "3",
        "indexPrice": price,
        "liquidatePrice": "0",
        "liquidateRate": "0",
        "tradeEnabled": True,
    } | more


def parse(*pairs: Row, tiers: dict[Symbol, list[Tier]] | None = None, **totals: str) -> AccountSnapshot:
    raw = IsolatedPicture(
        account=check_account({"assets": list(pairs), **totals}), tiers=tiers or {}, asked_at=NOW
    )
    context = SnapshotContext(
        account_id=AccountId("desk"),
        broker="binance",
        product="isolated",
        now=NOW,
        mode=ISOLATED,
        markets=MARKETS,
    )
    return parse_isolated(raw, context)


LONG = pair(side("BTC", "1"), side("USDT", "0", "40000"))
SHORT = pair(side("ETH", "0", "10"), side("BTC", "0.8"), price="0.05")
THREE, TEN = (
    {"symbol": "BTCUSDT", "tier": 1, "effectiveMultiple": multiple, "initialRiskRatio": initial,
     "liquidationRiskRatio": liquidation, "baseAssetMaxBorrowable": "9", "quoteAssetMaxBorrowable": "70000"}
    for multiple, initial, liquidation in (("3", "1.5", "1.18"), ("10", "1.111", "1.05"))
)  # fmt: skip
"""The second is Binance's documented row. Source: margin trading, "Query Isolated Margin Tier Data"."""


def test_every_pair_is_a_unit_in_its_quote_currency_and_nothing_is_summed() -> None:
    snapshot = parse(LONG, SHORT)
    assert snapshot.findings == ()
    assert [(unit.key, unit.currency) for unit in snapshot.units] == [
        ("isolated:BTCUSDT", "USDT"),
        ("isolated:ETHBTC", "BTC"),
    ]
    long, short = snapshot.positions
    assert (long.symbol, long.side, long.quantity, long.unit) == (BTCUSDT, Side.LONG, 1, "isolated:BTCUSDT")
    assert (short.symbol, short.side, short.quantity) == (ETHBTC, Side.SHORT, 10)
    assert {position.margin_mode for position in snapshot.positions} == {MarginMode.ISOLATED}
    assert snapshot.unit("isolated:ETHBTC").margin_equity == D("0.3")


@pytest.mark.parametrize(
    ("rows", "multiple", "liquidation"),
    [
        ([THREE], "3", "1.18"),
        ([TEN], "10", "1.05"),
        ([THREE, TEN], "10", "1.05"),
        ([THREE, TEN], "5", "1.18"),  # the multiple names no tier: the strictest
        ([], "3", "1.18"),  # no tiers at all: the strictest that is published
    ],
)
def test_a_pair_is_liquidated_at_the_ratio_of_its_tier(
    rows: list[Row], multiple: str, liquidation: str
) -> None:
    row = {**LONG, "marginRatio": multiple}
    unit = parse(row, tiers={BTCUSDT: list(read_tiers(rows))}).unit("isolated:BTCUSDT")
    assert unit.venue_ratio == pytest.approx(D(liquidation) / D("1.5"))
    assert unit.maintenance_margin == pytest.approx(40_000 * (D(liquidation) - 1))


def test_the_liquidation_price_tells_the_ratio_too_and_the_stricter_counts() -> None:
    tiers = {BTCUSDT: list(read_tiers([TEN]))}
    # liquidated at 46,000: 46,000 / 40,000 = 1.15
    stated = {**LONG, "marginRatio": "10", "liquidatePrice": "46000"}
    assert parse(stated, tiers=tiers).unit("isolated:BTCUSDT").venue_ratio == pytest.approx(
        D("1.15") / D("1.5")
    )
    assert parse(stated).unit("isolated:BTCUSDT").venue_ratio == pytest.approx(D("1.15") / D("1.5"))
    # of a short: 0.8 BTC over 10 ETH at 0.0695 are 1.1511
    short = {**SHORT, "liquidatePrice": "0.0695"}
    assert parse(short).unit("isolated:ETHBTC").venue_ratio == pytest.approx(
        D("1.151079") / D("1.6"), rel=D("0.0001")
    )


@pytest.mark.parametrize("price", ["1000", "90000", "", "NaN"])
def test_a_liquidation_price_that_makes_no_sense_is_not_used(price: str) -> None:
    unit = parse({**LONG, "liquidatePrice": price}).unit("isolated:BTCUSDT")
    assert unit.venue_ratio == pytest.approx(D("1.18") / D("1.5"))


def test_what_was_needed_to_borrow_goes_by_the_tier_or_the_multiple() -> None:
    by_multiple = parse(LONG).unit("isolated:BTCUSDT")
    assert by_multiple.initial_margin == pytest.approx(D(20_000))
    by_tier = parse({**LONG, "marginRatio": "10"}, tiers={BTCUSDT: list(read_tiers([TEN]))})
    assert by_tier.unit("isolated:BTCUSDT").initial_margin == pytest.approx(40_000 * D("0.111"))
    unknown = parse({**LONG, "marginRatio": "0"}).unit("isolated:BTCUSDT")
    assert (unknown.measures, unknown.initial_margin) == ({Measure.MAINTENANCE}, None)


def test_a_pair_without_debt_has_no_ratio_and_an_empty_one_no_unit() -> None:
    """Source: Binance docs, "Query Isolated Margin Account Info"; an account's own answer (level 999)."""
    calm = pair(
        side("BTC", "0.00112887"), side("USDT", "150.07886"), price="44168.56313279", marginRatio="10"
    )
    empty = pair(side("ETH", "0"), side("USDT", "0"), marginLevel="0.00000000")
    snapshot = parse(calm, empty)
    [unit] = snapshot.units
    assert (unit.key, unit.venue_ratio, unit.maintenance_margin) == ("isolated:BTCUSDT", None, 0)
    assert (snapshot.positions, snapshot.findings) == ((), ())


def test_orders_are_bound_by_what_the_debt_needs() -> None:
    snapshot = parse(LONG)
    assert snapshot.markets[BTCUSDT].max_market_quantity == D("0.66801")
    assert snapshot.positions[0].initial_margin == pytest.approx(D(20_000))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"marginLevel": ""}, FindingCode.FIELD_MISSING),
        ({"marginLevel": "1.9"}, FindingCode.INCONSISTENT),
        ({"marginLevel": "999"}, FindingCode.INCONSISTENT),
        ({"indexPrice": ""}, FindingCode.FIELD_MISSING),
        ({"indexPrice": "0"}, FindingCode.FIELD_DAMAGED),
        ({"marginLevelStatus": "FORCE_LIQUIDATION"}, FindingCode.VENUE_ACTING),
        ({"tradeEnabled": False}, FindingCode.VENUE_ACTING),
        ({"baseAsset": {**side("BTC", "1"), "borrowed": ""}}, FindingCode.FIELD_MISSING),
        ({"symbol": "DOGEUSDT"}, FindingCode.SYMBOL_UNKNOWN),
    ],
)
def test_what_cannot_be_is_a_finding_of_that_pair_alone(change: Row, code: FindingCode) -> None:
    snapshot = parse({**LONG, **change}, SHORT)
    assert code in {finding.code for finding in snapshot.findings}
    assert {finding.unit for finding in snapshot.findings} == {f"isolated:{change.get('symbol', BTCUSDT)}"}


def test_pairs_that_are_missing_show_in_the_total() -> None:
    whole = {"totalAssetOfBtc": "1", "totalLiabilityOfBtc": "0.6", "totalNetAssetOfBtc": "0.4"}
    assert parse(LONG, SHORT, **whole).findings == ()
    for pairs in ((), (LONG,)):
        [finding] = parse(*pairs, **whole).findings
        assert (finding.code, finding.unit) == (FindingCode.INCONSISTENT, None)


@pytest.mark.parametrize(
    "payload", [{}, {"assets": None}, {"assets": [{}]}, {"assets": [{"symbol": ""}]}, []]
)
def test_a_foreign_answer_is_no_empty_account(payload: object) -> None:
    with pytest.raises(MalformedAnswer):
        check_account(payload)
