"""Crypto.com's traps: lists without a row where the account is told of, and ids that are nobody's.

Source: Crypto.com Exchange docs, "private/user-balance", "private/get-open-orders", "Response Codes".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.traps import Trap


def _with(result: object) -> Any:  # noqa: ANN401 - a function of raw JSON
    return lambda payload: {**payload, "result": result}


TRAPS: Mapping[str, Trap] = MappingProxyType(
    {
        "empty data": Trap(path="/user-balance", lay=_with({"data": []})),
        "no data": Trap(path="/get-positions", lay=_with({})),
        "no list of orders": Trap(path="/get-open-orders", lay=_with({})),
        "no order id": Trap(path="/close-position", lay=_with({})),
    }
)
