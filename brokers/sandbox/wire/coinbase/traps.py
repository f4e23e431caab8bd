"""Coinbase's traps: a cancellation that tells of a part, and a page that ends the list too early.

Source: Coinbase Advanced Trade docs, "Cancel Orders", "List Orders".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.traps import Trap

FAILED = {"success": False, "failure_reason": "COMMANDER_REJECTED_CANCEL_ORDER"}


def _last_left_out(payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    return {**payload, "results": payload["results"][:-1]}


def _refused(_: Any) -> Any:  # noqa: ANN401 - raw JSON
    return {"results": [{**FAILED, "order_id": ""}]}


def _without_orders(payload: Any) -> Any:  # noqa: ANN401 - raw JSON
    return {key: value for key, value in payload.items() if key != "orders"}


TRAPS: Mapping[str, Trap] = MappingProxyType(
    {
        "partial batch_cancel": Trap(path="/orders/batch_cancel", lay=_last_left_out),
        "nothing cancelled": Trap(path="/orders/batch_cancel", lay=_refused, acts=False),
        "no list of orders": Trap(path="/orders/historical/batch", lay=_without_orders),
        "success without an id": Trap(
            path="/orders/close_position", lay=lambda _: {"success": True, "success_response": {}}
        ),
    }
)
