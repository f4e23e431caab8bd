"""The funding wallet: coins, balances, transfers."""

from typing import Any
from uuid import UUID

from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Transferred, Wallet
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import Wire
from brokers.sandbox.wire.bybit.listing import amount
from brokers.sandbox.wire.bybit.pages import page_of
from brokers.sandbox.wire.bybit.parameters import Parameters
from brokers.sandbox.wire.bybit.refusals import BybitRefusal, rejected

WALLETS = {"FUND": Wallet.FUNDING, "CONTRACT": Wallet.TRADING, "UNIFIED": Wallet.TRADING}
"""`CONTRACT` is UTA 1.0's; by their coins the engine knows the two apart."""

WORDS = {wallet: word for word, wallet in WALLETS.items()}

Result = dict[str, Any]


class FundingDesk:
    """Answer for the wallet beside the trading account."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._engine: Engine = wire.engine

    def coins(self, asked: Parameters, account: str) -> Result:
        """Answer `asset/coin/query-info`."""
        del asked, account
        return {
            "rows": [
                {"name": asset.name, "coin": asset.name, "remainAmount": "10000000", "chains": []}
                for asset in self._engine.spec.assets
            ]
        }

    def balances(self, asked: Parameters, account: str) -> Result:
        """Answer `asset/transfer/query-account-coins-balance`: coins named are told even when empty."""
        self._check_key(account)
        wallet = asked.word("accountType", WALLETS)
        chosen = asked.text("coin")
        if chosen is None and wallet is Wallet.TRADING:
            raise BybitRefusal(10001, "coin is required for UNIFIED")
        known = [asset.name for asset in self._engine.spec.assets]
        names = known if chosen is None else [name for name in chosen.split(",") if name in known]
        return {
            "memberId": "24617703",
            "accountType": WORDS[wallet],
            "balance": [self._balance(account, wallet, name) for name in names],
        }

    def transfer(self, asked: Parameters, account: str) -> Result:
        """Answer `asset/transfer/inter-transfer`; the id is the client's own and works once."""
        self._check_key(account)
        transfer_id = asked.required("transferId")
        try:
            UUID(transfer_id)
        except ValueError:
            raise BybitRefusal(131203, "transferId must be a UUID") from None
        value = asked.number("amount")
        if value is None:
            raise BybitRefusal(131215)
        source = asked.word("fromAccountType", WALLETS)
        target = asked.word("toAccountType", WALLETS)
        try:
            self._engine.transfer(
                account,
                asked.required("coin"),
                value,
                source=source,
                target=target,
                client_id=transfer_id,
            )
        except Rejection as rejection:
            raise rejected(rejection) from None
        return {"transferId": transfer_id, "status": "SUCCESS"}

    def transfers(self, asked: Parameters, account: str) -> Result:
        """Answer `asset/transfer/query-inter-transfer-list`, newest first."""
        transfer_id, coin = asked.text("transferId"), asked.text("coin")
        rows = [
            self._row(done)
            for done in reversed(self._engine.transfers(account))
            if transfer_id in {None, done.client_id} and coin in {None, done.currency}
        ]
        page, cursor = page_of(rows, asked, default=20, most=50)
        return {"list": page, "nextPageCursor": cursor}

    def _balance(self, account: str, wallet: Wallet, currency: str) -> dict[str, str]:
        if wallet is Wallet.FUNDING:
            held = free = self._engine.funding_balance(account, currency)
        else:
            coin = self._engine.figures(account).coin(currency)
            held = coin.wallet_balance if coin else self._engine.funding_balance(account, currency) * 0
            free = coin.transferable if coin else held
        return {
            "coin": currency,
            "walletBalance": amount(held),
            "transferBalance": amount(free),
            "bonus": "",
        }

    def _row(self, done: Transferred) -> dict[str, str]:
        return {
            "transferId": done.client_id or done.transfer_id,
            "coin": done.currency,
            "amount": amount(done.amount),
            "fromAccountType": WORDS[done.source],
            "toAccountType": WORDS[done.target],
            "timestamp": str(self._wire.stamp(done.ms)),
            "status": "SUCCESS",
        }

    def _check_key(self, account: str) -> None:
        if not self._engine.accounts[account].permissions.can_transfer:
            raise BybitRefusal(10005)
