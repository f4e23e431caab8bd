"""Good answers with one thing wrong in them, as Kraken might give them in trouble."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.vitals import FIRST, Vital

PUBLIC, PRIVATE = "/0/public/", "/0/private/"
POSITIONS, BALANCE, TIME = "OpenPositions", "TradeBalance", "Time"
TEN_MINUTES_S = 600

_RESULT = ("result",)

VITALS: Mapping[str, Vital] = MappingProxyType(
    {
        TIME: Vital(at=_RESULT, damaged=("unixtime",), missing=("unixtime",)),
        "AssetPairs": Vital(at=("result", FIRST), damaged=("lot_decimals",), missing=("lot_decimals",)),
        BALANCE: Vital(at=_RESULT, damaged=("m",), missing=("mf",)),
        POSITIONS: Vital(at=("result", FIRST), damaged=("vol",), missing=("vol_closed",)),
        "OpenOrders": Vital(at=("result", "open", FIRST), damaged=("vol",), missing=("vol", "reduce_only")),
        "ClosedOrders": Vital(
            at=("result", "closed", FIRST), damaged=("vol_exec",), missing=("vol_exec", "status")
        ),
        "QueryOrders": Vital(at=("result", FIRST), damaged=("vol_exec",), missing=("vol_exec", "status")),
        "GetApiKeyInfo": Vital(at=_RESULT, damaged=("permissions",), missing=("permissions",)),
    }
)
"""What each answer cannot do without."""


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return a successful `payload` of `path` with the fault `kind` in it; see `Wire.deform`."""
    if payload.get("error") or "result" not in payload:
        return payload
    name, spoilt = path.removeprefix(PUBLIC).removeprefix(PRIVATE), deepcopy(payload)
    if kind == "stale_timestamp" and name == TIME:
        spoilt["result"]["unixtime"] -= TEN_MINUTES_S
    elif kind == "empty_positions" and name == POSITIONS:
        spoilt["result"] = {}
    elif kind == "zero_equity" and name == BALANCE:
        spoilt["result"] |= dict.fromkeys(("eb", "tb", "e", "mf"), "0.0000")
    elif name in VITALS:
        VITALS[name].spoil(kind, spoilt)
    return spoilt
