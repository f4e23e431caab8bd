"""Money that moves without a trade: transfers, funding, interest."""

from decimal import Decimal

from brokers.models import MarginMode
from brokers.numbers import ZERO
from brokers.sandbox.account import Account
from brokers.sandbox.history import (
    FundingPaid,
    InterestAccrued,
    LedgerKind,
    Transferred,
    TransferRefused,
    Wallet,
)
from brokers.sandbox.lending import accrue, hours_between
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.spec import HOURS_PER_YEAR
from brokers.sandbox.state import VenueState
from brokers.sandbox.statement import transferable_balance


def transfer(
    state: VenueState,
    account: Account,
    currency: str,
    amount: Decimal,
    *,
    source: Wallet,
    target: Wallet,
    client_id: str | None,
) -> Transferred:
    """Move money between the account's trading and funding wallets.

    Raises:
        Rejection: AMOUNT, INSUFFICIENT_BALANCE, TRANSFER_BLOCKED, DUPLICATE_TRANSFER, UNKNOWN_CURRENCY.
    """
    try:
        _check(state, account, currency, amount, source=source, target=target, client_id=client_id)
    except Rejection as refusal:
        state.journal.add(
            TransferRefused,
            account.name,
            client_id=client_id,
            currency=currency,
            amount=amount,
            reason=refusal.reason,
        )
        raise
    inward = amount if target is Wallet.TRADING else -amount
    account.funding[currency] = account.funding.get(currency, ZERO) - inward
    account.wallet(currency, state.now_ms).change(LedgerKind.TRANSFER, inward, state.now_ms)
    account.touch()
    event = state.journal.add(
        Transferred,
        account.name,
        transfer_id=state.next_id(),
        client_id=client_id,
        currency=currency,
        amount=amount,
        source=source,
        target=target,
    )
    account.transfers.append(event)
    return event


def _check(
    state: VenueState,
    account: Account,
    currency: str,
    amount: Decimal,
    *,
    source: Wallet,
    target: Wallet,
    client_id: str | None,
) -> None:
    if not state.market.has_asset(currency):
        raise Rejection(Refusal.UNKNOWN_CURRENCY, currency)
    if amount <= 0 or source is target:
        raise Rejection(Refusal.AMOUNT, f"{amount} from {source} to {target}")
    if state.controls.transfers_blocked or state.market.stress.transfer_blocked:
        raise Rejection(Refusal.TRANSFER_BLOCKED, currency)
    used = client_id is not None and any(done.client_id == client_id for done in account.transfers)
    if used and state.rules.transfer_ids_unique:
        raise Rejection(Refusal.DUPLICATE_TRANSFER, client_id or "")
    if source is Wallet.FUNDING:
        there = account.funding.get(currency, ZERO)
    else:
        there = transferable_balance(account, currency, state.market, state.rules)
    if amount > there:
        raise Rejection(Refusal.INSUFFICIENT_BALANCE, f"{there} {currency} in {source}")


def pay_funding(state: VenueState, account: Account, since_ms: int) -> None:
    """Exchange funding for every interval that ended in (`since_ms`, now].

    Longs pay a positive rate and shorts get it: `notional at mark x rate`; an isolated position pays out of
    its own margin.
    """
    for holding in list(account.positions.values()):
        instrument = holding.instrument
        due = state.now_ms // instrument.funding_interval_ms - since_ms // instrument.funding_interval_ms
        if due <= 0 or instrument.funding_rate == 0:
            continue
        notional = instrument.notional(holding.quantity, state.market.mark(instrument.name))
        amount = -notional * instrument.funding_rate * due
        account.wallet(instrument.settle, state.now_ms).change(LedgerKind.FUNDING, amount, state.now_ms)
        if holding.mode is MarginMode.ISOLATED:
            holding.isolated_wallet = max(ZERO, holding.isolated_wallet + amount)
        account.touch()
        state.journal.add(
            FundingPaid,
            account.name,
            symbol=instrument.name,
            position_side=holding.leg,
            amount=amount,
            currency=instrument.settle,
            rate=instrument.funding_rate,
        )


def accrue_interest(state: VenueState, account: Account, since_ms: int) -> None:
    """Add a year's rate / 8760 to every debt for every full hour that ended in (`since_ms`, now]."""
    hours = hours_between(since_ms, state.now_ms)
    if hours <= 0:
        return
    if state.rules.lending is not None:
        for currency, amount in accrue(account, state.market, hours, state.now_ms).items():
            account.touch()
            state.journal.add(InterestAccrued, account.name, currency=currency, amount=amount)
        return
    for currency, wallet in account.wallets.items():
        apr = state.market.asset(currency).borrow_apr
        if apr == 0 or wallet.liability == 0:
            continue
        amount = wallet.liability * apr / HOURS_PER_YEAR * hours
        wallet.interest += amount
        account.touch()
        state.journal.add(InterestAccrued, account.name, currency=currency, amount=amount)
