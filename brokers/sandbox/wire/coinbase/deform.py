"""Good answers with one thing wrong in them, as venues have been seen to give them."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.coinbase.answers import moment
from brokers.sandbox.wire.vitals import MISSING_FIELD, NAN, Vital

V3 = "/api/v3/brokerage/"
TIME, SUMMARY, POSITIONS, WALLETS = "time", "cfm/balance_summary", "cfm/positions", "accounts"
TEN_MINUTES_MS = 600_000

_PRODUCT = Vital(at=("products",), damaged=("base_increment",), missing=("base_increment",))

VITALS: Mapping[str, Vital] = MappingProxyType(
    {
        TIME: Vital(damaged=("epochMillis",), missing=("epochMillis",)),
        "market/products": _PRODUCT,
        "products": _PRODUCT,
        "key_permissions": Vital(damaged=("can_transfer",), missing=("can_transfer",)),
        "orders/historical/batch": Vital(
            at=("orders",), damaged=("filled_size",), missing=("client_order_id", "order_type")
        ),
    }
)
"""What each answer cannot do without, beside the figures of wallets and futures account."""


def deform(kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Return a successful `payload` of `path` with the fault `kind` in it; see `Wire.deform`."""
    name, spoilt = path.removeprefix(V3), deepcopy(payload)
    if name == TIME and kind == "stale_timestamp":
        ms = int(spoilt["epochMillis"]) - TEN_MINUTES_MS
        spoilt.update(iso=moment(ms), epochSeconds=str(ms // 1000), epochMillis=str(ms))
    elif name == POSITIONS and kind == "empty_positions":
        spoilt["positions"] = []
    elif name == SUMMARY:
        _deform_summary(kind, spoilt["balance_summary"])
    elif name == WALLETS and kind in {NAN, MISSING_FIELD}:
        for row in spoilt["accounts"]:
            damaged = {"value": "NaN", "currency": row["currency"]}
            row["available_balance"] = damaged if kind == NAN else {}
    elif name in VITALS:
        VITALS[name].spoil(kind, spoilt)
    return spoilt


def _deform_summary(kind: str, summary: dict[str, Any]) -> None:
    if kind == "zero_equity":
        summary["available_margin"]["value"] = "0"
    elif kind == NAN:
        summary["initial_margin"]["value"] = "NaN"
    elif kind == MISSING_FIELD:
        del summary["liquidation_threshold"]
