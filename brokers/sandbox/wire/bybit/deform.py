"""Good answers with one thing wrong in them, as venues have been seen to give them."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.vitals import Vital

POSITIONS = "/v5/position/list"
WALLET = "/v5/account/wallet-balance"
TEN_MINUTES_MS = 600_000

_ORDER = Vital(
    at=("result", "list"), damaged=("leavesQty", "cumExecQty"), missing=("reduceOnly", "orderLinkId")
)

VITALS: Mapping[str, Vital] = MappingProxyType(
    {
        POSITIONS: Vital(at=("result", "list"), damaged=("positionMM",), missing=("positionMM",)),
        "/v5/market/instruments-info": Vital(
            at=("result", "list", "lotSizeFilter"), damaged=("qtyStep",), missing=("qtyStep",)
        ),
        "/v5/account/info": Vital(at=("result",), damaged=("marginMode",), missing=("marginMode",)),
        "/v5/order/realtime": _ORDER,
        "/v5/order/history": _ORDER,
        "/v5/user/query-api": Vital(at=("result", "permissions"), damaged=("Wallet",), missing=("Wallet",)),
        "/v5/asset/transfer/query-account-coins-balance": Vital(
            at=("result", "balance"), damaged=("transferBalance",), missing=("transferBalance",)
        ),
        "/v5/asset/transfer/query-inter-transfer-list": Vital(
            at=("result", "list"), damaged=("amount",), missing=("transferId",)
        ),
    }
)
"""What each answer cannot do without, beside the wallet's own figures."""

TIME = "/v5/market/time"
TIME_VITALS = (
    Vital(damaged=("time",), missing=("time",)),
    Vital(at=("result",), damaged=("timeNano", "timeSecond"), missing=("timeNano", "timeSecond")),
)
"""The clock is told twice over."""

EQUITY = ("totalEquity", "totalMarginBalance", "totalWalletBalance", "totalAvailableBalance")


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return a successful `payload` of `path` with the fault `kind` in it; see `Wire.deform`."""
    if not isinstance(payload, dict) or payload.get("retCode") != 0:
        return payload
    payload = deepcopy(payload)
    if kind == "stale_timestamp":
        payload["time"] -= TEN_MINUTES_MS
    elif kind == "empty_positions":
        if path == POSITIONS:
            payload["result"].update(list=[], nextPageCursor="")
    elif path == WALLET:
        _deform_wallet(kind, payload["result"]["list"][0])
    for vital in TIME_VITALS if path == TIME else (VITALS[path],) if path in VITALS else ():
        vital.spoil(kind, payload)
    return payload


def _deform_wallet(kind: str, account: dict[str, Any]) -> None:
    isolated = account["totalMarginBalance"] == ""
    if kind == "zero_equity":
        account.update({name: "0" for name in EQUITY if account[name] != ""})
        for coin in account["coin"]:
            coin.update(equity="0", usdValue="0", walletBalance="0")
        return
    row, name = (account["coin"][0], "totalPositionIM") if isolated else (account, "totalMarginBalance")
    if kind == "nan":
        row[name] = "NaN"
    elif kind == "missing_field":
        del row[name]
