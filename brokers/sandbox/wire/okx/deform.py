"""Good answers with one thing wrong in them, as OKX might give them in trouble."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.vitals import Vital

PREFIX = "/api/v5/"
BACK_MS = 600_000
EQUITY_FIELDS = ("adjEq", "totalEq", "eq", "eqUsd", "disEq", "cashBal")
TIMES = frozenset({"uTime", "ts"})

_DATA = ("data",)
_ORDER = Vital(at=_DATA, damaged=("accFillSz",), missing=("clOrdId",))
_RESTING = Vital(at=_DATA, damaged=("sz",), missing=("accFillSz", "reduceOnly"))

VITALS: Mapping[str, Vital] = MappingProxyType(
    {
        "public/time": Vital(at=_DATA, damaged=("ts",), missing=("ts",)),
        "public/instruments": Vital(at=_DATA, damaged=("lotSz",), missing=("lotSz",)),
        "account/config": Vital(at=_DATA, damaged=("acctLv", "perm"), missing=("acctLv", "perm")),
        "trade/order": _ORDER,
        "trade/orders-history": _ORDER,
        "trade/orders-pending": _RESTING,
        "trade/orders-algo-pending": _RESTING,
        "asset/balances": Vital(at=_DATA, damaged=("availBal",), missing=("availBal",)),
        "asset/transfer-state": Vital(at=_DATA, damaged=("amt",), missing=("state",)),
    }
)
"""What each answer cannot do without, beside the figures of balance and positions."""


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return a successful `payload` of `path` with the fault `kind` in it; see `Wire.deform`."""
    name = path.removeprefix(PREFIX)
    spoilt = deepcopy(payload)
    if kind == "stale_timestamp":
        return _put_back(spoilt)
    if name == "account/positions":
        return _spoil_positions(kind, spoilt)
    if name == "account/balance":
        for row in spoilt["data"]:
            _spoil_balance(kind, row)
    if name in VITALS:
        VITALS[name].spoil(kind, spoilt)
    return spoilt


def _spoil_positions(kind: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    if kind == "empty_positions":
        payload["data"] = []
    for row in payload["data"]:
        if kind == "nan":
            row["mmr"] = "NaN"
        elif kind == "missing_field":
            del row["mmr"]
    return payload


def _spoil_balance(kind: str, row: dict[str, Any]) -> None:
    """Spoil the account's own figures, and those of its currencies where these are the ones that count."""
    for part in (row, *row["details"]):
        if kind == "zero_equity":
            part |= {field: "0" for field in EQUITY_FIELDS if part.get(field)}
        elif part.get("mmr"):
            if kind == "nan":
                part["mmr"] = "NaN"
            elif kind == "missing_field":
                del part["mmr"]


def _put_back(part: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Set every time in a payload ten minutes back."""
    if isinstance(part, list):
        return [_put_back(member) for member in part]
    if not isinstance(part, dict):
        return part
    return {
        name: str(int(value) - BACK_MS) if name in TIMES and value else _put_back(value)
        for name, value in part.items()
    }
