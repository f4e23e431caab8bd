"""`asset/*`: the funding wallet and transfers between it and the trading account."""

from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Transferred, Wallet
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.okx.envelope import (
    body_object,
    failure,
    figure,
    needed,
    number,
    refuse,
    row_refusal,
    success,
)
from brokers.sandbox.wire.okx.order_rows import CLIENT_ID

WALLETS = {"6": Wallet.FUNDING, "18": Wallet.TRADING}
NUMBERS = {wallet: name for name, wallet in WALLETS.items()}


class Funding:
    """The wallet side of the wire."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def balances(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `asset/balances`: currencies with a balance, and no others."""
        wanted = set(request.query.get("ccy", "").split(",")) - {""}
        rows = []
        for asset in self._engine.spec.assets:
            balance = self._engine.funding_balance(account, asset.name)
            if balance > 0 and (not wanted or asset.name in wanted):
                text = figure(balance)
                rows.append({"availBal": text, "bal": text, "ccy": asset.name, "frozenBal": "0"})
        return success(rows)

    def transfer(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `asset/transfer`; a client id is no protection against a second transfer."""
        body = body_object(request)
        currency, amount = needed(body, "ccy"), number(needed(body, "amt"))
        source, target = WALLETS.get(needed(body, "from")), WALLETS.get(needed(body, "to"))
        own = str(body.get("clientId") or "")
        if source is None or target is None:
            raise refuse("51000", "from" if source is None else "to")
        if amount is None:
            raise refuse("51000", "amt")
        if own and not CLIENT_ID.fullmatch(own):
            raise refuse("51000", "clientId")
        try:
            done = self._engine.transfer(
                account, currency, amount, source=source, target=target, client_id=own or None
            )
        except Rejection as rejection:
            return failure(row_refusal(rejection).code)
        row = {
            "transId": done.transfer_id,
            "ccy": currency,
            "clientId": own,
            "from": NUMBERS[source],
            "amt": figure(amount),
            "to": NUMBERS[target],
        }
        return success([row])

    def transfer_state(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `asset/transfer-state`, by OKX's id or the client's."""
        number_, own = request.query.get("transId"), request.query.get("clientId")
        if not number_ and not own:
            raise refuse("50014", "transId")
        for done in reversed(self._engine.transfers(account)):
            if done.transfer_id == number_ or (not number_ and done.client_id == own):
                return success([_state(done)])
        raise refuse("58129", "transId" if number_ else "clientId")


def _state(done: Transferred) -> dict[str, str]:
    return {
        "amt": figure(done.amount),
        "ccy": done.currency,
        "clientId": done.client_id or "",
        "from": NUMBERS[done.source],
        "instId": "",
        "state": "success",
        "subAcct": "",
        "to": NUMBERS[done.target],
        "toInstId": "",
        "transId": done.transfer_id,
        "type": "0",
    }
