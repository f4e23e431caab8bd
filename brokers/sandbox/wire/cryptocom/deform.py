"""Good answers with one thing wrong in them, as Crypto.com might give them in trouble."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.cryptocom.envelope import ROOT
from brokers.sandbox.wire.vitals import Vital

POSITIONS, BALANCE = "private/get-positions", "private/user-balance"
BACK_MS = 600_000
TIMES = frozenset({"t", "update_timestamp_ms", "update_time", "create_time"})
EQUITY_FIELDS = ("total_margin_balance", "total_cash_balance", "total_collateral_value")

_DATA = ("result", "data")
_RESTING = Vital(at=_DATA, damaged=("quantity",), missing=("quantity", "exec_inst", "client_oid"))

VITALS: Mapping[str, Vital] = MappingProxyType(
    {
        "public/get-instruments": Vital(at=_DATA, damaged=("qty_tick_size",), missing=("qty_tick_size",)),
        "public/get-tickers": Vital(at=_DATA, damaged=("a", "b", "k", "t"), missing=("a", "b", "k", "t")),
        "private/get-open-orders": _RESTING,
        "private/advanced/get-open-orders": _RESTING,
        "private/get-order-detail": Vital(
            at=("result",), damaged=("cumulative_quantity",), missing=("order_id", "cumulative_quantity")
        ),
        "private/get-order-history": Vital(
            at=_DATA, damaged=("cumulative_quantity",), missing=("order_id", "status")
        ),
    }
)
"""What each answer cannot do without, beside the figures of balance and positions."""


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return a successful `payload` of `path` with the fault `kind` in it; see `Wire.deform`."""
    if payload.get("code") != 0:
        return payload
    name = path.removeprefix(ROOT)
    spoilt = deepcopy(payload)
    if kind == "stale_timestamp":
        return _put_back(spoilt)
    if name == POSITIONS:
        _spoil_positions(kind, spoilt["result"])
    elif name == BALANCE:
        for row in spoilt["result"]["data"]:
            _spoil_balance(kind, row)
    elif name in VITALS:
        VITALS[name].spoil(kind, spoilt)
    return spoilt


def _spoil_positions(kind: str, result: dict[str, Any]) -> None:
    if kind == "empty_positions":
        result["data"] = []
    for row in result["data"]:
        if kind == "nan":
            row["open_position_pnl"] = "NaN"
        elif kind == "missing_field":
            del row["open_position_pnl"]


def _spoil_balance(kind: str, row: dict[str, Any]) -> None:
    if kind == "zero_equity":
        row |= dict.fromkeys(EQUITY_FIELDS, "0.00000000")
    elif kind == "nan":
        row["total_maintenance_margin"] = "NaN"
    elif kind == "missing_field":
        del row["total_maintenance_margin"]


def _put_back(part: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Set every time in a payload ten minutes back."""
    if isinstance(part, list):
        return [_put_back(member) for member in part]
    if not isinstance(part, dict):
        return part
    return {
        name: value - BACK_MS if name in TIMES and isinstance(value, int) else _put_back(value)
        for name, value in part.items()
    }
