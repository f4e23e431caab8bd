"""Cross margin payloads, as documented, and the snapshots they make."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from brokers.hooks import SnapshotContext
from brokers.models import AccountId, AccountSnapshot, Symbol
from brokers.venues.binance.margin_cross_snapshot import CrossPicture, check_account, parse_cross
from brokers.venues.binance.margin_markets import read_margin_markets
from brokers.venues.binance.margin_positions import Levels
from brokers.venues.binance.margin_units import CLASSIC_LEVELS, read_mode

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
D = Decimal
Row = dict[str, Any]

BTCUSDT, ETHUSDT, ETHBTC, ETHUSDC = map(Symbol, ("BTCUSDT", "ETHUSDT", "ETHBTC", "ETHUSDC"))


def pair(base: str, quote: str, lot: str = "0.00001", tick: str = "0.01", **more: Any) -> Row:  # noqa: ANN401
    """One row of `exchangeInfo`, as documented for spot pairs."""
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000", "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "100", "stepSize": "0.00000000"},
            {"filterType": "NOTIONAL", "minNotional": "0.0001" if quote == "BTC" else "5"},
        ],
        **more,
    }


MARKETS = read_margin_markets(
    {
        "symbols": [
            pair("BTC", "USDT"),
            pair("ETH", "USDT", "0.0001"),
            pair("ETH", "USDC", "0.0001"),
            pair("ETH", "BTC", "0.0001", "0.00001"),
            pair("BNB", "USDT", "0.001"),
            pair("XRP", "USDT", "1", isMarginTradingAllowed=False),
        ]
    }
)
PRICES = {BTCUSDT: D(60_000), ETHUSDT: D(3_000), ETHUSDC: D(3_000), ETHBTC: D("0.05")}


def asset(
    name: str, free: str, borrowed: str = "0", interest: str = "0", locked: str = "0", **more: str
) -> Row:
    amounts = {"free": free, "locked": locked, "borrowed": borrowed, "interest": interest}
    net = D(free) + D(locked) - D(borrowed) - D(interest)
    return {"asset": name, **amounts, "netAsset": str(net), **more}


IN_USDT = {"BTC": D(60_000), "ETH": D(3_000), "USDT": D(1), "USDC": D(1)}


def account(*assets: Row, **more: Any) -> Row:  # noqa: ANN401
    """`GET /sapi/v1/margin/account` of `assets`, its totals at 60,000 USDT a BTC."""
    held = sum(((D(a["free"]) + D(a["locked"])) * IN_USDT[a["asset"]] for a in assets), D(0))
    owed = sum(((D(a["borrowed"]) + D(a["interest"])) * IN_USDT[a["asset"]] for a in assets), D(0))
    return {
        "created": True,
        "borrowEnabled": True,
        "marginLevel": "999" if owed == 0 else f"{held / owed:.8f}",
        "collateralMarginLevel": "3.2",
        "totalAssetOfBtc": f"{held / 60_000:.8f}",
        "totalLiabilityOfBtc": f"{owed / 60_000:.8f}",
        "totalNetAssetOfBtc": f"{(held - owed) / 60_000:.8f}",
        "tradeEnabled": True,
        "transferInEnabled": True,
        "transferOutEnabled": True,
        "accountType": "MARGIN_1",
        "userAssets": list(assets),
    } | more


def picture(
    payload: Row, prices: Mapping[Symbol, Decimal] = PRICES, levels: Levels = CLASSIC_LEVELS
) -> CrossPicture:
    checked = check_account(payload)
    return CrossPicture(account=checked, prices=prices, levels=levels, mode=read_mode(checked), asked_at=NOW)


def parse(
    payload: Row, prices: Mapping[Symbol, Decimal] = PRICES, levels: Levels = CLASSIC_LEVELS
) -> AccountSnapshot:
    raw = picture(payload, prices, levels)
    context = SnapshotContext(
        account_id=AccountId("desk"),
        broker="binance",
        product="cross",
        now=NOW,
        mode=raw.mode,
        markets=MARKETS,
    )
    return parse_cross(raw, context)


LONG = (asset("BTC", "1"), asset("USDT", "0", "39990", "10"))
"""A coin bought with 20,000 of one's own and 40,000 lent, of which 10 are interest."""

SHORT = (asset("USDT", "80000"), asset("BTC", "0", "0.99990", "0.0001"))
