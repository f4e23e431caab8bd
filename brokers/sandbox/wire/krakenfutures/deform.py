"""Good answers with one thing wrong in them, as Kraken Futures might give them in trouble."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.krakenfutures.account import FLEX
from brokers.sandbox.wire.krakenfutures.envelope import iso
from brokers.sandbox.wire.vitals import Vital

TRADING = "/derivatives/api/v3/"
POSITIONS, WALLETS, ORDERS = (f"{TRADING}{name}" for name in ("openpositions", "accounts", "openorders"))
BACK_MS = 600_000

_PRECISION = ("contractValueTradePrecision",)
_ORDER = Vital(damaged=("unfilledSize",), missing=("reduceOnly", "unfilledSize"))
"""Of every open order: resting and trigger orders stand in one list, in any order."""

VITALS: Mapping[str, Vital] = MappingProxyType(
    {
        f"{TRADING}instruments": Vital(at=("instruments",), damaged=_PRECISION, missing=_PRECISION),
        f"{TRADING}tickers": Vital(at=("tickers",), damaged=("markPrice",), missing=("markPrice",)),
        ORDERS: Vital(damaged=("serverTime",), missing=("serverTime",)),
        f"{TRADING}orders/status": Vital(
            at=("orders", "order"), damaged=("filled",), missing=("cliOrdId", "filled")
        ),
        f"{TRADING}fills": Vital(at=("fills",), damaged=("size", "price"), missing=("size",)),
        "/api/history/v2/orders": Vital(damaged=("elements",), missing=("elements",)),
        "/api/auth/v1/api-keys/v3/check": Vital(
            at=("permissions",), damaged=("general", "transfer"), missing=("general", "transfer")
        ),
    }
)
"""What each answer cannot do without, beside wallets, positions and the rows of open orders."""


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return a successful `payload` of `path` with the fault `kind` in it; see `Wire.deform`."""
    spoilt = deepcopy(payload)
    if kind == "stale_timestamp":
        return _put_back(spoilt)
    if path == POSITIONS:
        _spoil_positions(kind, spoilt)
    elif path == WALLETS:
        _spoil_wallets(kind, spoilt["accounts"])
    elif path == ORDERS:
        for row in spoilt["openOrders"]:
            _ORDER.spoil(kind, row)
    if path in VITALS:
        VITALS[path].spoil(kind, spoilt)
    return spoilt


def _spoil_positions(kind: str, payload: dict[str, Any]) -> None:
    """A field that is missing here is the list itself: Kraken has answered so."""
    if kind == "empty_positions":
        payload["openPositions"] = []
    elif kind == "missing_field":
        del payload["openPositions"]
    elif kind == "nan":
        for row in payload["openPositions"]:
            row["size"] = "NaN"


def _spoil_wallets(kind: str, wallets: dict[str, Any]) -> None:
    flex = wallets[FLEX]
    margined = [wallet for wallet in wallets.values() if wallet["type"] == "marginAccount"]
    if kind == "zero_equity":
        flex |= {"marginEquity": 0.0, "availableMargin": 0.0, "portfolioValue": 0.0}
        for wallet in margined:
            wallet["auxiliary"] |= {"pv": 0.0, "af": 0.0}
    elif kind == "nan":
        flex["maintenanceMargin"] = "NaN"
        for wallet in margined:
            wallet["marginRequirements"]["mm"] = "NaN"
    elif kind == "missing_field":
        del flex["maintenanceMargin"]
        for wallet in margined:
            del wallet["marginRequirements"]["mm"]


def _put_back(payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Set the answer's own time ten minutes back."""
    if isinstance(payload, dict) and "serverTime" in payload:
        moment = datetime.fromisoformat(payload["serverTime"])
        payload["serverTime"] = iso(round(moment.timestamp() * 1000) - BACK_MS)
    return payload
