"""Good answers with one thing wrong in them, as venues have been seen to give them."""

from copy import deepcopy
from typing import Any

POSITIONS = "/v5/position/list"
WALLET = "/v5/account/wallet-balance"
TEN_MINUTES_MS = 600_000

EQUITY = ("totalEquity", "totalMarginBalance", "totalWalletBalance", "totalAvailableBalance")


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return a successful `payload` of `path` with the fault `kind` in it; see `Wire.deform`."""
    if not isinstance(payload, dict) or payload.get("retCode") != 0:
        return payload
    payload = deepcopy(payload)
    if kind == "stale_timestamp":
        payload["time"] -= TEN_MINUTES_MS
    elif path == POSITIONS:
        _deform_positions(kind, payload["result"])
    elif path == WALLET:
        _deform_wallet(kind, payload["result"]["list"][0])
    return payload


def _deform_positions(kind: str, result: dict[str, Any]) -> None:
    if kind == "empty_positions":
        result.update(list=[], nextPageCursor="")
    elif kind == "nan" and result["list"]:
        result["list"][0]["positionMM"] = "NaN"
    elif kind == "missing_field" and result["list"]:
        del result["list"][0]["positionMM"]


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
