"""Kraken Futures' traps: refusals that come as a success, and a list that is not there.

Source: Kraken Futures docs, "Send Order" (`sendStatus.status`), "Get Open Positions".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers.sandbox.wire.traps import Trap


def _refused(status: str) -> Trap:
    answer = {"result": "success", "sendStatus": {"status": status}}
    return Trap(path="/sendorder", lay=lambda _: dict(answer), acts=False)


def _without(name: str) -> Any:  # noqa: ANN401 - a function of raw JSON
    return lambda payload: {key: value for key, value in payload.items() if key != name}


TRAPS: Mapping[str, Trap] = MappingProxyType(
    {
        "wouldCauseLiquidation": _refused("wouldCauseLiquidation"),
        "marketIsPostOnly": _refused("marketIsPostOnly"),
        "tooManyOrders": _refused("tooManyOrders"),
        "an unknown status": _refused("somethingNew"),
        "no openPositions": Trap(path="/openpositions", lay=_without("openPositions")),
        "no openOrders": Trap(path="/openorders", lay=_without("openOrders")),
        "no sendStatus": Trap(path="/sendorder", lay=_without("sendStatus")),
    }
)
