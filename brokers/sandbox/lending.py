"""Spot margin: what an account holds and owes of every currency, out of its wallets and positions.

A position of the engine is here a trade that was paid for: a long is its coins, and their cost gone from the
quote currency's wallet; a short is coins owed, and their proceeds come to it. What a currency then lacks is
lent, without a word: that is its implicit debt, and what comes in gives it back. A wallet's own `borrowed` is
debt that stays until somebody repays it. What resting orders would spend is locked; it is lent as well where
it is not there.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from brokers.models import MarginMode, OrderSide
from brokers.numbers import ZERO
from brokers.sandbox.account import Account, Holding, isolated_pool
from brokers.sandbox.figures import ACCOUNT_POOL, Balance
from brokers.sandbox.history import LedgerKind
from brokers.sandbox.instrument import HOUR_MS, Instrument
from brokers.sandbox.market import Market
from brokers.sandbox.orders import Order
from brokers.sandbox.spec import HOURS_PER_YEAR


def net_cash(account: Account, currency: str) -> Decimal:
    """Return what a currency's cross wallet comes to after all trades, loans included; may be negative."""
    held = account.wallets.get(currency)
    net = ZERO if held is None else held.balance - account.isolated_by_currency().get(currency, ZERO)
    for holding in account.positions.values():
        if holding.mode is MarginMode.ISOLATED:
            continue
        if holding.instrument.settle == currency:
            net -= holding.quantity * holding.entry
        if holding.instrument.base == currency:
            net += holding.quantity
    return net


def cross_balances(account: Account, instruments: Mapping[str, Instrument]) -> tuple[Balance, ...]:
    """Return every currency of the cross account."""
    locked = _locked(
        (order for order in account.orders.open() if order.margin_mode is not MarginMode.ISOLATED),
        instruments,
    )
    traded = {
        currency
        for holding in account.positions.values()
        if holding.mode is not MarginMode.ISOLATED
        for currency in (holding.instrument.base, holding.instrument.settle)
    }
    rows = []
    for currency in sorted({*account.wallets, *traded, *locked}):
        wallet = account.wallets.get(currency)
        rows.append(
            _balance(
                ACCOUNT_POOL,
                currency,
                net_cash(account, currency),
                locked.get(currency, ZERO),
                borrowed=ZERO if wallet is None else wallet.borrowed,
                interest=ZERO if wallet is None else wallet.interest,
            )
        )
    return tuple(rows)


def pair_balances(
    account: Account, holding: Holding, instruments: Mapping[str, Instrument]
) -> tuple[Balance, Balance]:
    """Return base and quote of an isolated position: its own margin paid for it."""
    instrument = holding.instrument
    orders = (order for order in account.orders.open() if order.key == holding.key)
    locked = _locked(orders, instruments)
    cash = holding.isolated_wallet - holding.quantity * holding.entry
    pool = isolated_pool(instrument.name, holding.leg)
    base = _balance(pool, instrument.base, holding.quantity, locked.get(instrument.base, ZERO))
    return base, _balance(pool, instrument.settle, cash, locked.get(instrument.settle, ZERO))


def all_balances(account: Account, instruments: Mapping[str, Instrument]) -> tuple[Balance, ...]:
    """Return the cross account's currencies and those of every isolated position."""
    isolated = [h for h in account.positions.values() if h.mode is MarginMode.ISOLATED]
    pairs = [pair_balances(account, holding, instruments) for holding in isolated]
    return (*cross_balances(account, instruments), *(balance for pair in pairs for balance in pair))


def _balance(
    pool: str,
    currency: str,
    net: Decimal,
    locked: Decimal,
    *,
    borrowed: Decimal = ZERO,
    interest: Decimal = ZERO,
) -> Balance:
    held = max(net, locked)
    return Balance(
        pool=pool,
        currency=currency,
        held=held,
        locked=locked,
        borrowed=borrowed + held - net,
        interest=interest,
    )


def _locked(orders: Iterable[Order], instruments: Mapping[str, Instrument]) -> dict[str, Decimal]:
    """Return what orders would spend: coins for a sale, their price for a purchase."""
    found: dict[str, Decimal] = {}
    for order in orders:
        instrument = instruments[order.symbol]
        currency, amount = instrument.base, order.remaining
        if order.side is OrderSide.BUY:
            trigger = order.spec.trigger
            price = order.spec.price or (trigger.price if trigger is not None else ZERO)
            currency, amount = instrument.settle, order.remaining * price
        found[currency] = found.get(currency, ZERO) + amount
    return found


def keep_loans(account: Account, currency: str, now_ms: int) -> None:
    """Make a currency's implicit debt one that stays: what comes in will not give it back."""
    lacking = -net_cash(account, currency)
    if lacking > ZERO:
        wallet = account.wallet(currency, now_ms)
        wallet.borrowed += lacking
        wallet.change(LedgerKind.LOAN, lacking, now_ms)


def give_back(account: Account, currencies: Iterable[str], now_ms: int) -> None:
    """Repay explicit debts and interest out of what the currencies have come to."""
    for currency in currencies:
        wallet = account.wallets.get(currency)
        there = net_cash(account, currency)
        if wallet is not None and wallet.owed > ZERO and there > ZERO:
            wallet.repay(there, now_ms)
    account.touch()


def accrue(account: Account, market: Market, hours: int, now_ms: int) -> dict[str, Decimal]:
    """Charge `hours` of interest on every debt, and return what was charged by currency."""
    charged: dict[str, Decimal] = {}
    for balance in cross_balances(account, market.instruments):
        amount = balance.borrowed * market.asset(balance.currency).borrow_apr / HOURS_PER_YEAR * hours
        if amount > ZERO:
            account.wallet(balance.currency, now_ms).interest += amount
            charged[balance.currency] = charged.get(balance.currency, ZERO) + amount
    for holding in account.positions.values():
        if holding.mode is not MarginMode.ISOLATED:
            continue
        quote = pair_balances(account, holding, market.instruments)[1]
        amount = quote.borrowed * market.asset(quote.currency).borrow_apr / HOURS_PER_YEAR * hours
        if amount > ZERO:
            holding.isolated_wallet -= amount
            account.wallet(quote.currency, now_ms).change(LedgerKind.INTEREST, -amount, now_ms)
            charged[quote.currency] = charged.get(quote.currency, ZERO) + amount
    return charged


def hours_between(since_ms: int, now_ms: int) -> int:
    """Return how many full hours ended in (`since_ms`, `now_ms`]."""
    return now_ms // HOUR_MS - since_ms // HOUR_MS
