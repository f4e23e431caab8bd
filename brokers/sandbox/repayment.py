"""Repaying debt: at the owner's request, or out of collateral as a venue does before it touches positions."""

from decimal import Decimal

from brokers.numbers import ZERO
from brokers.sandbox.account import Account
from brokers.sandbox.history import LedgerKind, Repaid, RepaymentRefused
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.state import VenueState

CONVERSION_COST = Decimal("0.005")
"""What selling collateral for the owed currency loses against the index."""


def repayable(account: Account, currency: str) -> Decimal:
    """Return how much of a debt the currency's own balance could give back, isolated margins left alone."""
    wallet = account.wallets.get(currency)
    if wallet is None:
        return ZERO
    free = wallet.balance - account.isolated_by_currency().get(currency, ZERO)
    return max(ZERO, min(wallet.owed, free))


def repay(
    state: VenueState, account: Account, currency: str, amount: Decimal, *, clip: bool = False
) -> Repaid:
    """Give back `amount` of a debt out of the currency's own balance; with `clip` as much of it as there is.

    Raises:
        Rejection: AMOUNT, UNKNOWN_CURRENCY, REPAY_BLOCKED, IN_LIQUIDATION, NO_DEBT, REPAY_TOO_MUCH,
            INSUFFICIENT_BALANCE.
    """
    try:
        _check(state, account, currency, amount, clip=clip)
    except Rejection as refusal:
        state.journal.add(
            RepaymentRefused, account.name, currency=currency, asked=amount, reason=refusal.reason
        )
        raise
    given = account.wallets[currency].repay(min(amount, repayable(account, currency)), state.now_ms)
    account.touch()
    return state.journal.add(Repaid, account.name, currency=currency, asked=amount, amount=given)


def _check(state: VenueState, account: Account, currency: str, amount: Decimal, *, clip: bool) -> None:
    if not state.market.has_asset(currency):
        raise Rejection(Refusal.UNKNOWN_CURRENCY, currency)
    if amount <= 0:
        raise Rejection(Refusal.AMOUNT, str(amount))
    if state.controls.repayments_blocked:
        raise Rejection(Refusal.REPAY_BLOCKED, currency)
    if account.liquidating:
        raise Rejection(Refusal.IN_LIQUIDATION, currency)
    wallet = account.wallets.get(currency)
    if wallet is None or wallet.owed <= 0:
        raise Rejection(Refusal.NO_DEBT, currency)
    if amount > wallet.owed and not clip:
        raise Rejection(Refusal.REPAY_TOO_MUCH, f"{wallet.owed} {currency} are owed")
    there = repayable(account, currency)
    if there <= 0 or (there < amount <= wallet.owed and not clip):
        raise Rejection(Refusal.INSUFFICIENT_BALANCE, f"{there} {currency}")


def repay_debts(state: VenueState, account: Account, *, convert: bool) -> None:
    """Repay what is owed: from the currency's own balance, then, if `convert`, by selling other balances.

    Margins of isolated positions stay where they are. What cannot be repaid stays owed.
    """
    isolated = account.isolated_by_currency()
    for currency, wallet in account.wallets.items():
        free = wallet.balance - isolated.get(currency, ZERO)
        if wallet.owed > 0 and free > 0:
            wallet.repay(free, state.now_ms)
    for currency, wallet in account.wallets.items():
        lacking = wallet.owed + max(ZERO, isolated.get(currency, ZERO) - wallet.balance)
        if convert and lacking > 0:
            _buy(state, account, currency, lacking)
            wallet.repay(max(ZERO, wallet.balance - isolated.get(currency, ZERO)), state.now_ms)
    account.touch()


def _buy(state: VenueState, account: Account, currency: str, lacking: Decimal) -> None:
    """Buy up to `lacking` of a currency with whatever other currencies have free, dearest balance first."""
    isolated = account.isolated_by_currency()
    price = state.market.usd(currency)
    target = account.wallets[currency]

    def worth(name: str) -> Decimal:
        wallet = account.wallets[name]
        free = wallet.balance - isolated.get(name, ZERO) - wallet.owed
        return max(ZERO, free) * state.market.usd(name)

    for name in sorted(account.wallets, key=worth, reverse=True):
        if name == currency or lacking <= 0:
            continue
        rate = state.market.usd(name) * (1 - CONVERSION_COST) / price
        sold = min(worth(name) / state.market.usd(name), lacking / rate)
        if sold > 0:
            account.wallets[name].change(LedgerKind.CONVERSION, -sold, state.now_ms)
            target.change(LedgerKind.CONVERSION, sold * rate, state.now_ms)
            lacking -= sold * rate
