"""The venue's own liquidation: the event that the daemon exists to come before."""

from decimal import Decimal

from brokers.models import UnitKind
from brokers.numbers import ZERO, ceil_to_step
from brokers.sandbox.account import Account, Seizure
from brokers.sandbox.figures import PoolFigures
from brokers.sandbox.history import Actor, LedgerKind, LiquidationEnded, LiquidationStarted
from brokers.sandbox.margin import Assessment, PositionMargin, assess
from brokers.sandbox.matching import end_order, sweep_reduce_only
from brokers.sandbox.orders import CancelReason
from brokers.sandbox.repayment import repay_debts
from brokers.sandbox.state import VenueState
from brokers.sandbox.trading import Trade, book_trade, closing_side


def liquidate(state: VenueState, account: Account) -> None:
    """Act on every pool of the account that is due, one step each; a pool stays seized until it is sound.

    A step closes part of the position with the largest maintenance margin at mark, for the instrument's
    liquidation fee: down to the floor of its tier, or all of it in the lowest tier or where the venue does
    not liquidate in parts. Before the first step the pool's orders are cancelled and its debts repaid.
    """
    if not account.positions and not account.liquidating and not _owes(account):
        return
    found = assess(account, state.market, state.rules)
    for key in found.due:
        if key not in account.liquidating:
            _seize(state, account, found.pools[key])
    for key in list(account.liquidating):
        found = assess(account, state.market, state.rules)
        if key in found.due:
            _step(state, account, key, found)
            found = assess(account, state.market, state.rules)
        if key not in found.due or not any(row.pool == key for row in found.rows):
            _release(state, account, key, found)


def _owes(account: Account) -> bool:
    return any(wallet.liability > 0 for wallet in account.wallets.values())


def _seize(state: VenueState, account: Account, pool: PoolFigures) -> None:
    account.liquidating[pool.key] = Seizure()
    state.journal.add(
        LiquidationStarted,
        account.name,
        pool=pool.key,
        equity=pool.margin_balance,
        maintenance=pool.maintenance_margin,
    )
    isolated = pool.kind is UnitKind.ISOLATED_POSITION
    for order in account.orders.open():
        instrument = state.instrument(order.symbol)
        answers = account.pool_of(instrument, order.key[1], order.margin_mode)
        backed = not isolated and account.cross_pool(instrument) == pool.key
        if answers == pool.key or backed:
            end_order(state, account, order, CancelReason.LIQUIDATION)
    if not isolated:
        repay_debts(state, account, convert=pool.kind is UnitKind.ACCOUNT)
    account.touch()


def _step(state: VenueState, account: Account, key: str, found: Assessment) -> None:
    """Close one part of one position of the pool."""
    rows = [row for row in found.rows if row.pool == key]
    if not rows:
        return
    row = max(rows, key=lambda r: r.maintenance)
    holding = row.holding
    quantity = _part(state, row)
    seizure = account.liquidating[key]
    wallet = account.wallet(holding.instrument.settle, state.now_ms)
    insured = wallet.ledger.get(LedgerKind.INSURANCE, ZERO)
    fill = book_trade(
        state,
        account,
        Trade(
            key=holding.key,
            side=closing_side(holding.quantity),
            quantity=quantity,
            price=row.mark,
            actor=Actor.LIQUIDATION,
            fee_rate=holding.instrument.liquidation_fee,
            fee_kind=LedgerKind.LIQUIDATION_FEE,
            reduce_only=True,
        ),
    )
    seizure.fees += fill.fee
    seizure.realized += fill.realized_pnl
    seizure.insurance += wallet.ledger.get(LedgerKind.INSURANCE, ZERO) - insured
    sweep_reduce_only(state, account, holding.key)


def _part(state: VenueState, row: PositionMargin) -> Decimal:
    """Return how much of a position one step closes."""
    instrument = row.holding.instrument
    size = abs(row.holding.quantity)
    floor = instrument.tier(row.notional).floor
    if not state.rules.partial_liquidation or floor == 0:
        return size
    excess = size * (row.notional - floor) / row.notional
    return min(size, ceil_to_step(excess, instrument.lot_step) + instrument.lot_step)


def _release(state: VenueState, account: Account, key: str, found: Assessment) -> None:
    """Give a sound or empty pool back; what it owes beyond its equity the venue bears."""
    seizure = account.liquidating.pop(key)
    pool = found.pools.get(key)
    if pool is not None and pool.kind is not UnitKind.ISOLATED_POSITION:
        seizure.insurance += _make_whole(state, account, pool, found)
    account.touch()
    state.journal.add(
        LiquidationEnded,
        account.name,
        pool=key,
        realized_pnl=seizure.realized,
        fees=seizure.fees,
        insurance=seizure.insurance,
    )


def _make_whole(state: VenueState, account: Account, pool: PoolFigures, found: Assessment) -> Decimal:
    """Bring an empty cross pool back to zero if it is below, and return what that cost."""
    if pool.equity >= 0 or any(row.pool == pool.key for row in found.rows):
        return ZERO
    if pool.kind is UnitKind.CURRENCY:
        account.wallet(pool.currency, state.now_ms).change(LedgerKind.INSURANCE, -pool.equity, state.now_ms)
        return -pool.equity
    deficit = -pool.equity
    for currency, sums in found.coins.items():
        wallet = account.wallet(currency, state.now_ms)
        short = (sums.isolated_wallet + wallet.owed - wallet.balance) * state.market.usd(currency)
        if deficit > 0 and short > 0:
            given = min(deficit, short)
            wallet.change(LedgerKind.INSURANCE, given / state.market.usd(currency), state.now_ms)
            deficit -= given
    repay_debts(state, account, convert=False)
    return -pool.equity
