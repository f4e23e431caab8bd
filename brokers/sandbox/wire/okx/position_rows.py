"""Rows of `account/positions`: what every one holds, and what only one in a pair does."""

from typing import Any

from brokers.models import Side
from brokers.sandbox.figures import PositionFigures
from brokers.sandbox.wire.okx.envelope import figure
from brokers.sandbox.wire.okx.listing import Contract

BLANKS = (
    *(
        "adl",
        "availPos",
        "avgPx",
        "bePx",
        "cTime",
        "ccy",
        "deltaBS",
        "deltaPA",
        "fee",
        "fundingFee",
        "gammaBS",
    ),
    *(
        "gammaPA",
        "idxPx",
        "imr",
        "last",
        "lever",
        "liab",
        "liabCcy",
        "liqPenalty",
        "liqPx",
        "margin",
        "markPx",
    ),
    *(
        "mgnRatio",
        "mmr",
        "notionalUsd",
        "optVal",
        "pnl",
        "posCcy",
        "posId",
        "realizedPnl",
        "thetaBS",
        "thetaPA",
    ),
    *("tradeId", "uTime", "upl", "uplLastPx", "uplRatio", "uplRatioLastPx", "usdPx", "vegaBS", "vegaPA"),
)
"""The fields of a position row that may be empty."""


def empty_row(symbol: str) -> dict[str, Any]:
    """Return the row of an instrument without a position."""
    return dict.fromkeys(BLANKS, "") | {
        "closeOrderAlgo": [],
        "instId": symbol,
        "instType": "SWAP",
        "interest": "",
        "mgnMode": "cross",
        "pos": "0",
        "posSide": "net",
    }


def in_pairs(contract: Contract, position: PositionFigures) -> dict[str, str]:
    """Return what only a position in a pair says: held in one coin, owing the other."""
    base, quote = contract.instrument.base, contract.instrument.quote
    held, owed = position.quantity, position.quantity * position.entry_price
    if position.side is Side.SHORT:
        base, quote, held, owed = quote, base, owed + position.isolated_wallet, held
    return {
        "availPos": figure(held),
        "instType": contract.type,
        "interest": "0",
        "liab": figure(-owed),
        "liabCcy": quote,
        "pendingCloseOrdLiabVal": "0",
        "pos": figure(held),
        "posCcy": base,
        "posSide": "net",
        "usdPx": "",
    }
