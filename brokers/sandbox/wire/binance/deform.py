"""Answers with one fault in them, as a venue in trouble gives them."""

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from brokers.numbers import ZERO
from brokers.sandbox.wire.binance.listing import money
from brokers.sandbox.wire.vitals import Vital

ACCOUNTS = frozenset({"/fapi/v3/account", "/dapi/v1/account", "/papi/v1/um/account", "/papi/v1/cm/account"})
RISKS = frozenset(
    {
        "/fapi/v3/positionRisk",
        "/dapi/v1/positionRisk",
        "/papi/v1/um/positionRisk",
        "/papi/v1/cm/positionRisk",
    }
)
PORTFOLIO = "/papi/v1/account"
CROSS, ISOLATED = "/sapi/v1/margin/account", "/sapi/v1/margin/isolated/account"
PAIR_SIDES = ("baseAsset", "quoteAsset")

_BOOKS = {
    "time": Vital(damaged=("serverTime",), missing=("serverTime",)),
    "exchangeInfo": Vital(
        at=("symbols", "filters"), damaged=("tickSize", "stepSize"), missing=("tickSize", "stepSize")
    ),
    "premiumIndex": Vital(damaged=("markPrice",), missing=("markPrice",)),
    "openOrders": Vital(damaged=("origQty",), missing=("executedQty", "reduceOnly")),
    "openAlgoOrders": Vital(damaged=("quantity",), missing=("reduceOnly",)),
    "order": Vital(damaged=("executedQty",), missing=("clientOrderId",)),
}
"""What both futures hosts answer alike."""

VITALS: Mapping[str, Vital] = MappingProxyType(
    {
        **{f"/fapi/v1/{path}": vital for path, vital in _BOOKS.items()},
        **{f"/dapi/v1/{path}": vital for path, vital in _BOOKS.items()},
        "/fapi/v3/positionRisk": Vital(damaged=("maintMargin",), missing=("markPrice",)),
        "/dapi/v1/positionRisk": Vital(damaged=("notionalValue",), missing=("markPrice",)),
        "/dapi/v1/positionSide/dual": Vital(damaged=("dualSidePosition",), missing=("dualSidePosition",)),
        "/papi/v1/um/positionRisk": Vital(damaged=("notional",), missing=("markPrice",)),
        "/papi/v1/cm/positionRisk": Vital(damaged=("notionalValue",), missing=("markPrice",)),
        "/papi/v1/um/account": Vital(at=("positions",), damaged=("maintMargin",), missing=("maintMargin",)),
        "/papi/v1/cm/account": Vital(at=("positions",), damaged=("maintMargin",), missing=("maintMargin",)),
        PORTFOLIO: Vital(damaged=("accountMaintMargin", "uniMMR"), missing=("accountEquity",)),
        "/papi/v1/balance": Vital(damaged=("crossMarginBorrowed",), missing=()),
        **{f"/papi/v1/{side}/openOrders": _BOOKS["openOrders"] for side in ("um", "cm")},
        **{f"/papi/v1/{side}/order": _BOOKS["order"] for side in ("um", "cm")},
        **{
            f"/papi/v1/{side}/conditional/openOrders": Vital(damaged=("origQty",), missing=("reduceOnly",))
            for side in ("um", "cm")
        },
        CROSS: Vital(
            damaged=("marginLevel", "totalAssetOfBtc"), missing=("marginLevel", "totalLiabilityOfBtc")
        ),
        ISOLATED: Vital(at=("assets",), damaged=("marginLevel",), missing=("indexPrice",)),
        "/api/v3/time": _BOOKS["time"],
        "/api/v3/exchangeInfo": _BOOKS["exchangeInfo"],
        "/api/v3/ticker/price": Vital(damaged=("price",), missing=("price",)),
        "/sapi/v1/margin/openOrders": Vital(damaged=("origQty",), missing=("side",)),
        "/sapi/v1/margin/order": _BOOKS["order"],
        "/sapi/v3/asset/getUserAsset": Vital(damaged=("free",), missing=("free",)),
        "/fapi/v1/accountConfig": Vital(damaged=("multiAssetsMargin",), missing=("multiAssetsMargin",)),
        "/sapi/v1/account/apiRestrictions": Vital(
            damaged=("enableWithdrawals",), missing=("enableWithdrawals",)
        ),
        "/sapi/v1/asset/get-funding-asset": Vital(damaged=("free",), missing=("free",)),
        "/sapi/v1/asset/transfer": Vital(at=("rows",), damaged=("amount",), missing=("asset",)),
    }
)
"""What each answer cannot do without, beside the account's own figures."""

TEN_MINUTES_MS = 600_000
TIMES = frozenset({"updateTime", "time", "serverTime", "E", "T", "timestamp"})
EQUITY = ("totalMarginBalance", "totalWalletBalance", "marginBalance", "walletBalance", "crossWalletBalance")


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return `payload` with the fault `kind` in it, or as it is where the fault does not concern it."""
    spoil = KINDS.get(kind)
    if spoil is None:
        return payload
    spoilt = spoil(path, copy.deepcopy(payload))
    if path in VITALS:
        VITALS[path].spoil(kind, spoilt)
    return spoilt


def _empty_positions(path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    if path == CROSS:
        return {**payload, "userAssets": []}
    if path == ISOLATED:
        return {**payload, "assets": []}
    if path in RISKS:
        return []
    return {**payload, "positions": []} if path in ACCOUNTS else payload


def _zero_equity(path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    if path == PORTFOLIO:
        payload.update(accountEquity=money(ZERO), actualEquity=money(ZERO))
    if path == CROSS:
        payload.update(totalAssetOfBtc=money(ZERO), totalNetAssetOfBtc=money(ZERO))
    if path == ISOLATED:
        for side in (row[name] for row in payload["assets"] for name in PAIR_SIDES):
            side.update(free=money(ZERO), locked=money(ZERO), netAsset=money(ZERO))
    if path in ACCOUNTS:
        for row in (payload, *payload["assets"]):
            row.update({name: money(ZERO) for name in EQUITY if name in row})
    return payload


def _nan(path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    if path in ACCOUNTS:
        for row in (payload, *payload["assets"]):
            row.update({name: "NaN" for name in ("totalMaintMargin", "maintMargin") if name in row})
    return payload


def _missing_field(path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    if path in ACCOUNTS:
        payload.pop("totalMarginBalance", None)
        for row in payload["assets"]:
            del row["marginBalance"]
    return payload


def _stale_timestamp(path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    del path
    return _older(payload)


def _older(value: Any) -> Any:  # noqa: ANN401 - raw JSON
    if isinstance(value, list):
        return [_older(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: max(one - TEN_MINUTES_MS, 0) if name in TIMES and isinstance(one, int) else _older(one)
        for name, one in value.items()
    }


KINDS: Mapping[str, Callable[[str, Any], Any]] = MappingProxyType(
    {
        "empty_positions": _empty_positions,
        "zero_equity": _zero_equity,
        "nan": _nan,
        "missing_field": _missing_field,
        "stale_timestamp": _stale_timestamp,
    }
)
