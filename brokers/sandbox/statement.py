"""The account statement: everything a venue would print, out of one assessment."""

from decimal import Decimal

from brokers.models import ContractKind, MarginMode
from brokers.numbers import ONE, ZERO
from brokers.sandbox.account import Account
from brokers.sandbox.figures import ACCOUNT_POOL, AccountFigures, CoinFigures, PoolFigures, PositionFigures
from brokers.sandbox.lending import all_balances
from brokers.sandbox.margin import Assessment, CoinSums, PositionMargin, assess, collateral_value
from brokers.sandbox.market import Market
from brokers.sandbox.spec import MarginPrice, VenueRules


def account_figures(account: Account, market: Market, rules: VenueRules) -> AccountFigures:
    """Return the account's statement at the present prices."""
    found = assess(account, market, rules)
    prices = _liquidation_prices(found, market, rules)
    return AccountFigures(
        account=account.name,
        ms=market.now_ms,
        margin_pool=account.spec.margin_pool,
        position_mode=account.spec.position_mode,
        pools=tuple(found.pools.values()),
        coins=tuple(
            coin_figures(account, currency, sums, found, market) for currency, sums in found.coins.items()
        ),
        positions=tuple(
            _position_figures(row, account, found, prices[(row.pool, row.holding.instrument.name)])
            for row in found.rows
        ),
        balances=() if rules.lending is None else all_balances(account, market.instruments),
    )


def coin_figures(
    account: Account, currency: str, sums: CoinSums, found: Assessment, market: Market
) -> CoinFigures:
    """Return one currency's row of the statement."""
    price = market.usd(currency)
    asset = market.asset(currency)
    held = account.wallet(currency, market.now_ms)
    cross = held.balance - sums.isolated_wallet
    cross_equity = cross + sums.cross_unrealized - held.owed
    equity = cross_equity + sums.isolated_wallet + sums.isolated_unrealized
    available, transferable = _spendable(currency, cross - held.owed, found, market)
    return CoinFigures(
        currency=currency,
        usd_price=price,
        collateral_ratio=asset.collateral_ratio,
        wallet_balance=held.balance,
        isolated_wallet=sums.isolated_wallet,
        cross_wallet=cross,
        borrowed=held.borrowed,
        interest=held.interest,
        liability=held.liability,
        unrealized_pnl=sums.cross_unrealized + sums.isolated_unrealized,
        cross_unrealized_pnl=sums.cross_unrealized,
        isolated_unrealized_pnl=sums.isolated_unrealized,
        equity=equity,
        usd_value=equity * price,
        collateral_value=collateral_value(cross_equity, asset, price),
        position_initial_margin=sums.cross_initial + sums.isolated_initial,
        order_initial_margin=sums.orders,
        maintenance_margin=sums.cross_maintenance + sums.isolated_maintenance,
        cross_position_initial_margin=sums.cross_initial,
        cross_order_initial_margin=sums.cross_orders,
        cross_maintenance_margin=sums.cross_maintenance,
        available=available,
        transferable=transferable,
        realized_pnl=held.realized_pnl,
        updated_ms=held.updated_ms,
    )


def transferable_balance(account: Account, currency: str, market: Market, rules: VenueRules) -> Decimal:
    """Return how much of a currency could leave for the funding wallet now."""
    found = assess(account, market, rules)
    held = account.wallets.get(currency)
    if held is None:
        return ZERO
    cross = held.balance - found.coins[currency].isolated_wallet
    return _spendable(currency, cross - held.owed, found, market)[1]


def _spendable(currency: str, free: Decimal, found: Assessment, market: Market) -> tuple[Decimal, Decimal]:
    """Return what can back an order in the currency, and what of `free` can leave.

    `free` is the wallet without isolated margins and debt: unrealized gains never leave.
    """
    if currency in found.pools:
        available = found.pools[currency].available
        return available, max(ZERO, min(available, free))
    pool = found.pools[ACCOUNT_POOL]
    available = pool.available / market.usd(currency)
    ratio = market.asset(currency).collateral_ratio
    leaving = available / ratio if ratio > 0 else free
    return available, max(ZERO, min(leaving, free))


def _liquidation_prices(
    found: Assessment, market: Market, rules: VenueRules
) -> dict[tuple[str, str], Decimal | None]:
    """Return the liquidation price of every (pool, symbol)."""
    groups: dict[tuple[str, str], list[PositionMargin]] = {}
    for row in found.rows:
        groups.setdefault((row.pool, row.holding.instrument.name), []).append(row)
    prices = {}
    for key, group in groups.items():
        rate = market.usd(group[0].holding.instrument.settle) if key[0] == ACCOUNT_POOL else ONE
        prices[key] = liquidation_price(found.pools[key[0]], group, rate, rules)
    return prices


def _position_figures(
    row: PositionMargin, account: Account, found: Assessment, liquidation: Decimal | None
) -> PositionFigures:
    holding = row.holding
    isolated = holding.mode is MarginMode.ISOLATED
    return PositionFigures(
        symbol=holding.instrument.name,
        pool=row.pool,
        side=holding.side,
        position_side=holding.leg,
        margin_mode=holding.mode,
        settle=holding.instrument.settle,
        quantity=abs(holding.quantity),
        entry_price=holding.entry,
        mark_price=row.mark,
        notional=row.notional,
        entry_notional=row.entry_notional,
        leverage=row.leverage,
        unrealized_pnl=row.unrealized,
        realized_pnl=holding.realized,
        initial_margin=row.initial,
        order_initial_margin=found.reserved.get(holding.key, ZERO),
        maintenance_margin=row.maintenance,
        liquidation_fee=row.liquidation_fee,
        isolated_wallet=holding.isolated_wallet,
        isolated_margin=holding.isolated_wallet + row.unrealized if isolated else ZERO,
        bankruptcy_price=row.bankruptcy,
        liquidation_price=liquidation,
        in_liquidation=row.pool in account.liquidating,
        created_ms=holding.created_ms,
        updated_ms=holding.updated_ms,
    )


def liquidation_price(
    pool: PoolFigures, group: list[PositionMargin], rate: Decimal, rules: VenueRules
) -> Decimal | None:
    """Return the mark price of one symbol at which the pool is liquidated, all else standing still.

    `group` are the pool's positions in that symbol (both legs in hedge mode), `rate` turns settle currency
    into the pool's. Solves margin balance = requirement in the present tiers, so it is an estimate;
    haircuts on gains are left out. `None` when no positive price does it. Source of the form: Binance, "How
    to calculate liquidation price of USD-M futures contracts".
    """
    mark = group[0].mark
    instrument = group[0].holding.instrument
    threshold = rules.liquidation_ratio
    required = pool.maintenance_margin + (pool.liquidation_fee if rules.liquidation_fee_margined else ZERO)
    distance = (pool.margin_balance * threshold - required) / rate
    net = slope = ZERO
    for row in group:
        net += row.holding.quantity
        if rules.margin_price is MarginPrice.MARK and row.maintenance > 0:
            whole = rules.maintenance_share is not None and row.notional > 0
            rate_here = row.maintenance / row.notional if whole else instrument.tier(row.notional).rate
            slope += abs(row.holding.quantity) * rate_here
        if rules.liquidation_fee_margined:
            slope += abs(row.holding.quantity) * instrument.liquidation_fee
    net *= threshold
    if instrument.kind is ContractKind.LINEAR:
        if net == slope:
            return None
        price = mark + distance / (slope - net)
        return price if price > 0 else None
    reciprocal = ONE / mark + distance / (net + slope) if net + slope != 0 else ZERO
    return ONE / reciprocal if reciprocal > 0 else None
