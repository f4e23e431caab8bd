"""The spot host's part: key restrictions, funding wallet, transfers."""

from collections.abc import Mapping
from types import MappingProxyType

from brokers.sandbox.history import Wallet
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.listing import money
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import refuse, rejected


def _directions(source: str, product: str) -> Mapping[str, tuple[Wallet, Wallet]]:
    """Return the transfers between a product and the one wallet that the sandbox has beside it."""
    return MappingProxyType(
        {
            f"{source}_{product}": (Wallet.FUNDING, Wallet.TRADING),
            f"{product}_{source}": (Wallet.TRADING, Wallet.FUNDING),
        }
    )


MOST_ROWS = 100


class WalletDesk:
    """Answer `sapi` calls."""

    def __init__(self, wire: Wire, *, product: str = "UMFUTURE", source: str = "FUNDING") -> None:
        self._wire = wire
        self._directions = _directions(source, product)
        self._spot = product == "MARGIN"
        self._engine = wire.engine

    def restrictions(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/account/apiRestrictions`."""
        del request
        may = self._engine.accounts[account].permissions
        return WireAnswer(
            payload={
                "ipRestrict": may.ip_bound,
                "createTime": self._wire.stamp(self._engine.spec.start_ms),
                "enableReading": may.can_read,
                "enableSpotAndMarginTrading": self._spot and may.can_trade,
                "enableWithdrawals": may.can_withdraw,
                "enableInternalTransfer": False,
                "permitsUniversalTransfer": may.can_transfer,
                "enableVanillaOptions": False,
                "enableMargin": self._spot and may.can_trade,
                "enableFutures": not self._spot and may.can_trade,
                "enablePortfolioMarginTrading": may.can_trade,
            }
        )

    def funding(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST /sapi/v1/asset/get-funding-asset`: what is not empty."""
        asked = Parameters(request).text("asset")
        rows = []
        for asset in [one.name for one in self._engine.spec.assets]:
            free = self._engine.funding_balance(account, asset)
            if free and asked in {None, asset}:
                nothing = dict.fromkeys(("locked", "freeze", "withdrawing", "btcValuation"), "0")
                rows.append({"asset": asset, "free": money(free), **nothing})
        return WireAnswer(payload=rows)

    def transfer(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST /sapi/v1/asset/transfer`."""
        if not self._engine.accounts[account].permissions.can_transfer:
            raise refuse(-2015)
        asked = Parameters(request)
        source, target = asked.word("type", self._directions, -9000)
        amount = asked.number("amount")
        if amount is None:
            raise refuse(-1102, "Mandatory parameter 'amount' was not sent, was empty/null, or malformed.")
        try:
            done = self._engine.transfer(
                account, asked.required("asset"), amount, source=source, target=target
            )
        except Rejection as rejection:
            raise rejected(rejection) from None
        return WireAnswer(payload={"tranId": int(done.transfer_id)})

    def transfers(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /sapi/v1/asset/transfer`: latest first, by pages."""
        asked = Parameters(request)
        kind = asked.required("type")
        source, target = asked.word("type", self._directions, -9000)
        since, until = asked.integer("startTime") or 0, asked.integer("endTime") or request.now_ms + 1000
        size = min(asked.integer("size") or 10, MOST_ROWS)
        page = asked.integer("current") or 1
        rows = [
            {
                "asset": one.currency,
                "amount": money(one.amount),
                "type": kind,
                "status": "CONFIRMED",
                "tranId": int(one.transfer_id),
                "timestamp": self._wire.stamp(one.ms),
            }
            for one in reversed(self._engine.transfers(account))
            if (one.source, one.target) == (source, target) and since <= self._wire.stamp(one.ms) <= until
        ]
        if not rows:
            return WireAnswer(payload={"total": 0})
        return WireAnswer(payload={"total": len(rows), "rows": rows[(page - 1) * size : page * size]})
