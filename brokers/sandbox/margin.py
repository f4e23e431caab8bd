"""Margin arithmetic: what every position requires and what every pool has."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from brokers.models import ContractKind, MarginMode, UnitKind
from brokers.numbers import ONE, ZERO
from brokers.sandbox.account import Account, Holding, PositionKey
from brokers.sandbox.figures import ACCOUNT_POOL, USD, PoolFigures
from brokers.sandbox.lending import all_balances
from brokers.sandbox.market import Market
from brokers.sandbox.reservation import reserved_margins
from brokers.sandbox.spec import Asset, MarginPool, MarginPrice, VenueRules


@dataclass(slots=True)
class PositionMargin:
    """What one position is worth and requires now, in settle currency."""

    holding: Holding
    pool: str
    mark: Decimal
    notional: Decimal
    entry_notional: Decimal
    leverage: Decimal
    unrealized: Decimal
    initial: Decimal
    maintenance: Decimal
    liquidation_fee: Decimal
    bankruptcy: Decimal | None


@dataclass(slots=True)
class CoinSums:
    """Sums over the positions and orders settled in one currency."""

    cross_unrealized: Decimal = ZERO
    isolated_unrealized: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    cross_initial: Decimal = ZERO
    isolated_initial: Decimal = ZERO
    cross_maintenance: Decimal = ZERO
    isolated_maintenance: Decimal = ZERO
    cross_fee: Decimal = ZERO
    cross_orders: Decimal = ZERO
    isolated_orders: Decimal = ZERO
    has_cross: bool = False

    @property
    def orders(self) -> Decimal:
        """Margin of all resting orders: also an isolated position is paid for out of the pool."""
        return self.cross_orders + self.isolated_orders


@dataclass(slots=True)
class Assessment:
    """The margin of a whole account at one moment. `due` are the pools that the venue must liquidate."""

    rows: list[PositionMargin]
    coins: dict[str, CoinSums]
    pools: dict[str, PoolFigures]
    reserved: Mapping[PositionKey, Decimal]
    headroom: dict[str, Decimal]  # margin balance - initial margin of cross pools, may be negative
    due: list[str]


def position_margin(holding: Holding, account: Account, market: Market, rules: VenueRules) -> PositionMargin:
    """Return what a position is worth and requires at mark.

    Maintenance is `notional x rate - deduction` of its tier; where the rules say so, both margins also hold
    the taker fee of closing at the bankruptcy price (Bybit: positionIM 12.95542633 and positionMM
    0.81072399 in the position of ccxt's static test are `value / 6` and `value x 1 %`, each plus such a
    fee).
    """
    instrument = holding.instrument
    mark = market.mark(instrument.name)
    size = abs(holding.quantity)
    notional = instrument.notional(size, mark)
    entry_notional = instrument.notional(size, holding.entry)
    leverage = account.leverage(instrument.name, holding.leg)
    base = notional if rules.margin_price is MarginPrice.MARK else entry_notional
    initial = rules.initial_margin(instrument, base, leverage, holding.mode, size)
    maintenance = instrument.maintenance(base)
    if rules.maintenance_share is not None:
        maintenance = initial * rules.maintenance_share
    bankruptcy = bankruptcy_price(holding, entry_notional / leverage)
    if rules.closing_fee_margined and bankruptcy:
        closing = instrument.notional(size, bankruptcy) * instrument.taker_fee
        initial += closing
        maintenance += closing
    return PositionMargin(
        holding,
        account.pool_of(instrument, holding.leg, holding.mode),
        mark,
        notional,
        entry_notional,
        leverage,
        instrument.pnl(holding.quantity, holding.entry, mark),
        initial,
        maintenance,
        notional * instrument.liquidation_fee,
        bankruptcy,
    )


def bankruptcy_price(holding: Holding, cross_margin: Decimal) -> Decimal | None:
    """Return the price at which the position's margin is lost; `None` if no positive price does it.

    The margin is the isolated wallet, or for a cross position what its leverage setting would give it.
    """
    margin = holding.isolated_wallet if holding.mode is MarginMode.ISOLATED else cross_margin
    if holding.instrument.kind is ContractKind.LINEAR:
        price = holding.entry - margin / holding.quantity
        return price if price > 0 else None
    reciprocal = ONE / holding.entry + margin / holding.quantity
    return ONE / reciprocal if reciprocal > 0 else None


def assess(account: Account, market: Market, rules: VenueRules) -> Assessment:
    """Measure every position and pool of an account at the present prices."""
    rows = [position_margin(holding, account, market, rules) for holding in account.positions.values()]
    debts = _charge(rows, account, market, rules)
    reserved = reserved_margins(account, market.instruments, rules)
    found = Assessment(
        rows=rows,
        coins=_coin_sums(account, rows, reserved, market),
        pools={},
        reserved=reserved,
        headroom={},
        due=[],
    )
    pooled = {currency for currency in found.coins if _is_pooled(account, market.asset(currency))}
    if account.spec.margin_pool in {MarginPool.ACCOUNT, MarginPool.SPLIT}:
        _add_account_pool(found, account, pooled, market, rules, lent=debts.get(ACCOUNT_POOL, ZERO))
    for currency in found.coins:
        if currency not in pooled:
            _add_currency_pool(found, account, currency, market, rules)
    for row in rows:
        if row.holding.mode is MarginMode.ISOLATED:
            _add_isolated_pool(found, row, rules, debts.get(row.pool, ZERO))
    return found


def _charge(
    rows: list[PositionMargin], account: Account, market: Market, rules: VenueRules
) -> dict[str, Decimal]:
    """Charge positions for the debts behind them where the venue lends; return what each pool owes.

    A short's debt is its coins. The longs of one quote currency share what it lacks by their notionals.
    The account owes in USD, an isolated pair in its quote currency. Without lending nobody owes here.
    """
    lending = rules.lending
    if lending is None:
        return {}
    balances = all_balances(account, market.instruments)
    owed: dict[str, Decimal] = {}
    for balance in balances:
        rate = market.usd(balance.currency)
        if balance.pool != ACCOUNT_POOL:
            settle = next(row.holding.instrument.settle for row in rows if row.pool == balance.pool)
            rate /= market.usd(settle)
        owed[balance.pool] = owed.get(balance.pool, ZERO) + balance.owed * rate
    net = {(balance.pool, balance.currency): balance.net for balance in balances}
    for row in rows:
        settle, size = row.holding.instrument.settle, row.holding.quantity
        debt = -size * row.mark if size < 0 else ZERO
        lacking = max(ZERO, -net.get((row.pool, settle), ZERO))
        if size > 0 and lacking > 0:
            longs = [r for r in rows if _shares_debt(r, row)]
            debt = lacking * row.notional / sum((r.notional for r in longs), ZERO)
        row.initial = debt * (lending.initial - 1)
        row.maintenance = debt * (lending.liquidation - 1)
    return owed


def _shares_debt(one: PositionMargin, other: PositionMargin) -> bool:
    """Whether both are longs of one pool that cost the same currency."""
    same = one.pool == other.pool and one.holding.instrument.settle == other.holding.instrument.settle
    return same and one.holding.quantity > 0


def _is_pooled(account: Account, asset: Asset) -> bool:
    """Whether a currency answers together with others."""
    pool = account.spec.margin_pool
    return pool is MarginPool.ACCOUNT or (pool is MarginPool.SPLIT and asset.stable)


def collateral_value(equity: Decimal, asset: Asset, price: Decimal) -> Decimal:
    """Return what an equity counts in a USD pool: after the haircut if positive, in full if owed."""
    value = equity * price
    return value * asset.collateral_ratio if value > 0 else value


def _coin_sums(
    account: Account,
    rows: list[PositionMargin],
    reserved: Mapping[PositionKey, Decimal],
    market: Market,
) -> dict[str, CoinSums]:
    coins = {currency: CoinSums() for currency in account.wallets}
    for row in rows:
        settle = row.holding.instrument.settle
        sums = coins.get(settle)
        if sums is None:
            sums = coins[settle] = CoinSums()
        if row.holding.mode is MarginMode.ISOLATED:
            sums.isolated_wallet += row.holding.isolated_wallet
            sums.isolated_unrealized += row.unrealized
            sums.isolated_initial += row.initial
            sums.isolated_maintenance += row.maintenance
        else:
            sums.has_cross = True
            sums.cross_unrealized += row.unrealized
            sums.cross_initial += row.initial
            sums.cross_maintenance += row.maintenance
            sums.cross_fee += row.liquidation_fee
    for key, margin in reserved.items():
        sums = coins.setdefault(market.instruments[key[0]].settle, CoinSums())
        if key[2] is MarginMode.ISOLATED:
            sums.isolated_orders += margin
        else:
            sums.cross_orders += margin
    return coins


def _add_account_pool(
    found: Assessment,
    account: Account,
    pooled: Collection[str],
    market: Market,
    rules: VenueRules,
    *,
    lent: Decimal,
) -> None:
    wallet = unrealized = equity = balance = ZERO
    positions = orders = maintenance = fee = debt_initial = debt_maintenance = haircut = ZERO
    coins = {currency: sums for currency, sums in found.coins.items() if currency in pooled}
    for currency, sums in coins.items():
        price = market.usd(currency)
        asset = market.asset(currency)
        held = account.wallets.get(currency)
        cross = (held.balance if held else ZERO) - sums.isolated_wallet
        owed = held.owed if held else ZERO
        coin_equity = cross + sums.cross_unrealized - owed
        wallet += cross * price
        unrealized += sums.cross_unrealized * price
        equity += coin_equity * price
        counted = collateral_value(coin_equity, asset, price)
        if rules.haircut_margined:
            haircut += coin_equity * price - counted
            counted = coin_equity * price
        balance += counted
        positions += sums.cross_initial * price
        orders += sums.orders * price
        maintenance += sums.cross_maintenance * price
        fee += sums.cross_fee * price
        debt = (owed + max(ZERO, -cross)) * price
        if debt:
            debt_initial += debt * asset.borrow_initial_rate
            debt_maintenance += debt * asset.borrow_maintenance_rate
    if rules.lending is not None:
        debt_initial = lent * (rules.lending.initial - 1) - positions
        debt_maintenance = lent * (rules.lending.liquidation - 1) - maintenance
    _add(
        found,
        rules,
        key=ACCOUNT_POOL,
        kind=UnitKind.ACCOUNT,
        currency=USD,
        wallet=wallet,
        unrealized=unrealized,
        equity=equity,
        balance=balance,
        positions=positions,
        orders=orders,
        debt=debt_initial,
        haircut=haircut,
        maintenance=maintenance + debt_maintenance + haircut * (rules.maintenance_share or ZERO),
        fee=fee,
        risky=any(sums.has_cross for sums in coins.values()),
    )


def _add_currency_pool(
    found: Assessment, account: Account, currency: str, market: Market, rules: VenueRules
) -> None:
    sums = found.coins[currency]
    asset = market.asset(currency)
    held = account.wallets.get(currency)
    cross = (held.balance if held else ZERO) - sums.isolated_wallet
    owed = held.owed if held else ZERO
    equity = cross + sums.cross_unrealized - owed
    debt = owed + max(ZERO, -cross)
    _add(
        found,
        rules,
        key=currency,
        kind=UnitKind.CURRENCY,
        currency=currency,
        wallet=cross,
        unrealized=sums.cross_unrealized,
        equity=equity,
        balance=equity,
        positions=sums.cross_initial,
        orders=sums.orders,
        debt=debt * asset.borrow_initial_rate,
        maintenance=sums.cross_maintenance + debt * asset.borrow_maintenance_rate,
        fee=sums.cross_fee,
        risky=sums.has_cross,
    )


def _add_isolated_pool(found: Assessment, row: PositionMargin, rules: VenueRules, lent: Decimal) -> None:
    equity = row.holding.isolated_wallet + row.unrealized
    debt, maintenance = ZERO, row.maintenance
    if rules.lending is not None:
        debt = lent * (rules.lending.initial - 1) - row.initial
        maintenance = lent * (rules.lending.liquidation - 1)
    _add(
        found,
        rules,
        key=row.pool,
        kind=UnitKind.ISOLATED_POSITION,
        currency=row.holding.instrument.settle,
        wallet=row.holding.isolated_wallet,
        unrealized=row.unrealized,
        equity=equity,
        balance=equity,
        positions=row.initial,
        orders=ZERO,
        debt=debt,
        maintenance=maintenance,
        fee=row.liquidation_fee,
        risky=rules.lending is None or lent > 0,
        spendable=rules.lending is not None,
    )


def _add(
    found: Assessment,
    rules: VenueRules,
    *,
    key: str,
    kind: UnitKind,
    currency: str,
    wallet: Decimal,
    unrealized: Decimal,
    equity: Decimal,
    balance: Decimal,
    positions: Decimal,
    orders: Decimal,
    debt: Decimal,
    maintenance: Decimal,
    fee: Decimal,
    risky: bool,
    spendable: bool = True,
    haircut: Decimal = ZERO,
) -> None:
    required = maintenance + fee if rules.liquidation_fee_margined else maintenance
    threshold = balance * rules.liquidation_ratio
    risky = risky or required > 0
    if risky and required >= threshold:
        found.due.append(key)
    headroom = balance - positions - orders - debt - haircut
    found.headroom[key] = headroom
    found.pools[key] = PoolFigures(
        key=key,
        kind=kind,
        currency=currency,
        wallet_balance=wallet,
        unrealized_pnl=unrealized,
        equity=equity,
        margin_balance=balance,
        position_initial_margin=positions,
        order_initial_margin=orders,
        debt_initial_margin=debt,
        haircut_margin=haircut,
        maintenance_margin=maintenance,
        liquidation_fee=fee,
        available=headroom if spendable and headroom > 0 else ZERO,
        ratio=required / threshold if risky and threshold > 0 else None,
    )
