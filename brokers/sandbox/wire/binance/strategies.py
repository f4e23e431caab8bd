"""The conditional book of portfolio margin: the same waiting orders, under names of its own.

Source: Binance Open Platform, Portfolio Margin "Query All Current UM Open Conditional Orders".
"""

from typing import Any

from brokers.sandbox.orders import Order
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.binance.algo_orders import AlgoDesk

SHARED = ("symbol", "side", "timeInForce", "price", "reduceOnly", "positionSide", "workingType", "updateTime")


class StrategyDesk(AlgoDesk):
    """Answer what waits for a trigger."""

    id_field = "strategyId"
    client_id_field = "newClientStrategyId"

    def row(self, order: Order) -> dict[str, Any]:
        """Return a waiting order as its book shows it."""
        algo = self._rows.algo(order)
        return {
            **{name: algo[name] for name in SHARED},
            "strategyId": algo["algoId"],
            "newClientStrategyId": algo["clientAlgoId"],
            "strategyStatus": algo["algoStatus"],
            "strategyType": algo["orderType"],
            "origQty": algo["quantity"],
            "stopPrice": algo["triggerPrice"],
            "bookTime": algo["createTime"],
        }

    def cancel(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `DELETE /papi/v1/um/conditional/order`: with the order as it is then."""
        return WireAnswer(payload=self.row(self.cancelled(request, account)))
