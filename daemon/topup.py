"""Moving collateral in from the funding wallet: within the operator's caps, each transfer sent once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from brokers.errors import BrokerError
from brokers.numbers import ZERO, ceil_to_step, floor_to_step
from brokers.orders import TransferReport, Verdict
from brokers.port import Broker
from daemon.arrivals import watch_arrivals
from daemon.clock import Clock
from database.ids import client_order_id
from database.journal import Journal
from database.records import Transfer, TransferState

DAY = timedelta(hours=24)
FORGET_AFTER = timedelta(minutes=10)
"""A transfer no lookup has found by then never happened: venues move between own wallets within seconds."""

CATCH_UP_S = 5.0
"""After a transfer, pictures may for a while not show what has come: nothing more is moved meanwhile."""

PATIENCE_S = 0.5
"""How long a look at the account waits for what became of a transfer."""

DOLLARS = ("USDT", "USDC", "USD")
"""What counts one to one in a unit stated in USD."""

CENT, GRAIN = Decimal("0.01"), Decimal("1e-8")
"""The finest amounts of dollars and of other currencies that every venue moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpCaps:
    """The most that may move, per currency; a currency without a daily cap never moves."""

    per_transfer: Mapping[str, Decimal] = field(default_factory=dict)
    per_day: Mapping[str, Decimal] = field(default_factory=dict)

    def currency_for(self, unit_currency: str) -> str | None:
        """Return which currency to move into a unit; `None`: none is allowed."""
        wanted = DOLLARS if unit_currency == "USD" else (unit_currency,)
        return next((currency for currency in wanted if currency in self.per_day), None)


class TopUp:
    """One account's way to its funding wallet, with the ledger of what is under way."""

    def __init__(self, *, broker: Broker, journal: Journal, clock: Clock, caps: TopUpCaps) -> None:
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._caps = caps
        self._quiet_until = float("-inf")
        self._settling: asyncio.Task[None] | None = None

    async def funds(self, unit_currency: str) -> Decimal | None:
        """Return what may be moved into a unit now, in its currency; `None`: nothing, or not known."""
        currency = self._caps.currency_for(unit_currency)
        account = self._broker.account_id
        if currency is None or not self._broker.capabilities.transfer_in:
            return None
        if self._journal.transfers.in_flight(account) or self._clock.uptime() < self._quiet_until:
            return None
        try:
            balance = await self._broker.fetch_funding_balance(currency)
        except BrokerError:
            return None
        return floor_to_step(max(min(balance, self._allowance(currency)), ZERO), _grain(currency))

    def amount(self, unit_currency: str, wanted: Decimal) -> Decimal:
        """Return what a transfer of `wanted` into a unit may be: whole grains, within the caps, or zero."""
        currency = self._caps.currency_for(unit_currency)
        if currency is None:
            return ZERO
        grain = _grain(currency)
        return max(min(ceil_to_step(wanted, grain), floor_to_step(self._allowance(currency), grain)), ZERO)

    def _allowance(self, currency: str) -> Decimal:
        """Return what the caps leave for one transfer now; transfers without a verdict count as moved."""
        day_cap = self._caps.per_day[currency]
        since = self._clock.now() - DAY
        moved = self._journal.transfers.total_since(self._broker.account_id, currency, since)
        return min(self._caps.per_transfer.get(currency, day_cap), day_cap - moved)

    def write_down(self, unit_currency: str, amount: Decimal, *, episode: int, step: int) -> Transfer:
        """Journal a transfer within the caller's transaction; nothing may be sent before it commits."""
        currency = self._caps.currency_for(unit_currency)
        if currency is None:
            raise ValueError(f"no currency may be moved into {unit_currency}")
        account = self._broker.account_id
        transfer = Transfer(
            client_id=client_order_id(
                self._journal.install.install_id,
                account=account,
                symbol=currency,
                side="transfer",
                margin_mode="",
                episode=episode,
                step=step,
                attempt=1,
            ),
            account=account,
            currency=currency,
            amount=amount,
            created_at=self._clock.now(),
            episode=episode,
            step=step,
        )
        self._journal.transfers.add(transfer)
        return self._journal.transfers.advance(transfer.client_id, TransferState.SENT, self._clock.now())

    async def send(self, transfer: Transfer) -> Transfer:
        """Send a journaled transfer once and journal the verdict."""
        report = await self._broker.transfer_in(transfer.currency, transfer.amount, transfer.client_id)
        self._quiet_until = self._clock.uptime() + CATCH_UP_S
        return self._record(transfer, report)

    async def settle(self) -> None:
        """Ask once for each transfer under way; one that is nowhere after ten minutes never happened.

        A venue that answers for an account but not for its transfers keeps no look at the account waiting:
        the asking goes on beside the cycles until it is answered or has run into its own deadline.
        """
        watch_arrivals(self._journal, self._broker.account_id, self._clock.now())
        if self._settling is None:
            if not self._journal.transfers.in_flight(self._broker.account_id):
                return
            asking = self._settle()
            self._settling = asyncio.create_task(asking, name=f"transfers of {self._broker.account_id}")
            await asyncio.wait({self._settling}, timeout=PATIENCE_S)
        if self._settling.done():
            settling, self._settling = self._settling, None
            settling.result()

    async def _settle(self) -> None:
        for transfer in self._journal.transfers.in_flight(self._broker.account_id):
            try:
                report = await self._broker.find_transfer(
                    transfer.client_id, transfer.currency, transfer.amount, transfer.created_at
                )
            except BrokerError:
                continue
            if report is not None:
                self._record(transfer, report)
            elif self._clock.now() - transfer.created_at > FORGET_AFTER:
                with self._journal.transaction():
                    self._journal.transfers.advance(
                        transfer.client_id, TransferState.ABSENT, self._clock.now()
                    )

    def _record(self, transfer: Transfer, report: TransferReport) -> Transfer:
        states = {
            Verdict.ACCEPTED: TransferState.COMPLETED,
            Verdict.REJECTED: TransferState.REJECTED,
            Verdict.EXISTS: TransferState.UNKNOWN,
            Verdict.UNKNOWN: TransferState.UNKNOWN,
        }
        with self._journal.transaction():
            return self._journal.transfers.advance(
                transfer.client_id,
                states[report.verdict],
                self._clock.now(),
                transfer_id=report.transfer_id,
                code=report.code,
                message=report.message,
            )


def _grain(currency: str) -> Decimal:
    return CENT if currency in DOLLARS else GRAIN
