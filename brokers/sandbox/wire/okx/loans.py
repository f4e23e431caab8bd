"""`account/spot-manual-borrow-repay`: what is owed in spot mode, given back out of the same currency."""

from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.okx.envelope import body_object, failure, figure, needed, number, refuse, success
from brokers.sandbox.wire.okx.statement import Statement

SPOT = "1"
MODE, AMOUNT = "51010", "51000"


class Loans:
    """The loan side of the wire; the sandbox lends nothing."""

    def __init__(self, engine: Engine, statement: Statement) -> None:
        self._engine = engine
        self._statement = statement

    def repay(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer a repayment: in spot mode only, of no more than is owed and there."""
        body = body_object(request)
        currency, side, amount = needed(body, "ccy"), needed(body, "side"), number(needed(body, "amt"))
        if self._statement.level(account) != SPOT:
            raise refuse(MODE)
        if side != "repay" or amount is None:
            raise refuse(AMOUNT, "amt" if side == "repay" else "side")
        try:
            done = self._engine.repay(account, currency, amount)
        except Rejection:
            return failure(AMOUNT, "amt")
        return success([{"ccy": currency, "side": side, "amt": figure(done.amount)}])
