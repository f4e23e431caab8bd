"""What was borrowed, given back: out of the coin's own balance, never by selling another."""

from typing import Any

from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.bybit.listing import amount
from brokers.sandbox.wire.bybit.parameters import Parameters
from brokers.sandbox.wire.bybit.refusals import BybitRefusal

Result = dict[str, Any]


class LoanDesk:
    """Answer for manual repayments."""

    def __init__(self, wire: Wire) -> None:
        self._engine: Engine = wire.engine

    def available(self, asked: Parameters, account: str) -> Result:
        """Answer `spot-margin-trade/repayment-available-amount`."""
        currency = asked.required("currency")
        return {
            "currency": currency,
            "lossLessRepaymentAmount": amount(self._engine.repayable(account, currency)),
        }

    def repay(self, asked: Parameters, account: str) -> Result:
        """Answer `account/no-convert-repay`: without an amount, all that is owed and there."""
        currency, wanted = asked.required("coin"), asked.number("amount")
        if wanted is None:
            wanted = self._engine.repayable(account, currency)
        try:
            self._engine.repay(account, currency, wanted)
        except Rejection as rejection:
            raise BybitRefusal(10001, f"params error: {rejection.detail or rejection.reason}") from None
        return {"resultStatus": "SU"}
