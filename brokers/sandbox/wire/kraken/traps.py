"""Kraken's traps: empty objects and lists where an account is told of, and a margin level that is not there.

Without used margin Kraken states no margin level; with it one is owed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.traps import Trap


def _with(result: object) -> Any:  # noqa: ANN401 - raw JSON
    return lambda payload: {**payload, "result": result}


def _without_level(payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    payload["result"].pop("ml", None)
    return payload


TRAPS: Mapping[str, Trap] = MappingProxyType(
    {
        "no margin level": Trap(path="/TradeBalance", lay=_without_level),
        "empty balance": Trap(path="/TradeBalance", lay=_with({})),
        "positions {}": Trap(path="/OpenPositions", lay=_with({})),
        "positions []": Trap(path="/OpenPositions", lay=_with([])),
        "open orders {}": Trap(path="/OpenOrders", lay=_with({})),
        "order without txid": Trap(path="/AddOrder", lay=_with({"descr": {}})),
    }
)
