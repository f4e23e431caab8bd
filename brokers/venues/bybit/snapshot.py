"""From a unified account's wallet and position rows to an account snapshot; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    Collateral,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Measure,
    RiskUnit,
    Symbol,
    UnitKind,
)
from brokers.numbers import ONE, ZERO
from brokers.venues.bybit.contract_wallet import ContractWallet, contract_units
from brokers.venues.bybit.contracts import STABLECOINS
from brokers.venues.bybit.positions import (
    HeldPosition,
    SweptRow,
    contract_key,
    isolated_key,
    read_positions,
)
from brokers.venues.bybit.repaying import repayable
from brokers.venues.bybit.wallet import ACCOUNT, UTA_1, AccountInfo, Coin, Wallet

RATE_ROUNDING = Decimal("0.001")
"""The venue prints its own rates with four decimals. They may be higher than ours (haircuts), never lower."""

MISSING_SHARE = Decimal("0.1")
"""How much less maintenance margin the positions of a coin may show than the coin itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedAnswers:
    """What one snapshot of a unified account was read from.

    `times` are those of the sweeps' answers; `options` holds the rules of the options held, which no list of
    all instruments contains. `contract` is UTA 1.0's wallet of inverse contracts.
    """

    info: AccountInfo
    wallet: Wallet
    rows: tuple[SweptRow, ...]
    times: tuple[datetime | None, ...]
    options: Mapping[Symbol, MarketRules] = field(default_factory=dict)
    contract: ContractWallet | None = None


def read_snapshot(answers: UnifiedAnswers, context: SnapshotContext) -> AccountSnapshot:
    """Assemble the account from its mode, its wallet and the rows of the position sweeps.

    In cross and portfolio margin there is one risk unit, the account in USD. In isolated margin each position
    is a unit of its own (maintenance only) under the unit of its settle coin (utilization only). In UTA 1.0
    the wallet of inverse contracts adds a unit for each of its coins.
    """
    info, wallet, contract = answers.info, answers.wallet, answers.contract
    findings = [*wallet.findings, *(contract.findings if contract is not None else ())]
    held = read_positions(answers.rows, info.margin_mode, findings, inverse_apart=contract is not None)
    _check_mode(answers, context.mode, held, findings)
    unified = tuple(one for one in held if not one.in_contract_wallet)
    if info.margin_mode is MarginMode.ISOLATED:
        units = _isolated_units(wallet, unified, findings)
    else:
        units = (_account_unit(wallet, findings),)
    _check_complete(wallet, unified, findings)
    stamps = [wallet.time, *answers.times]
    coins = wallet.coins
    if contract is not None:
        units += contract_units(contract, held, findings)
        apart = (one for one in held if one.in_contract_wallet and one.is_isolated)
        units += tuple(_position_unit(one, contract_key(one.position.settle)) for one in apart)
        stamps.append(contract.time)
        coins += tuple(coin for coin in contract.coins if wallet.coin(coin.currency) is None)
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) < len(stamps):
        findings.append(Finding(code=FindingCode.TIME_MISSING, detail="an answer carries no venue time"))
    positions = tuple(one.position for one in held)
    symbols = {position.symbol for position in positions}
    rules = {symbol: answers.options.get(symbol) or context.markets.get(symbol) for symbol in symbols}
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=min(known, default=context.now),
        fetched_at=context.now,
        mode=account_mode(info),
        units=units,
        positions=positions,
        collaterals=tuple(_collateral(coin, info.margin_mode) for coin in coins),
        findings=_about_units(findings, units),
        markets={symbol: one for symbol, one in rules.items() if one is not None},
        tiers={symbol: context.tiers[symbol] for symbol in symbols if symbol in context.tiers},
    )


def _about_units(findings: list[Finding], units: tuple[RiskUnit, ...]) -> tuple[Finding, ...]:
    """Make findings about what is no unit of this account, as a coin of a cross one, about all of it."""
    keys = {None, *(unit.key for unit in units)}
    return tuple(one if one.unit in keys else replace(one, unit=None) for one in findings)


def account_mode(info: AccountInfo) -> AccountMode:
    """Return the mode as people and the port see it; one-way or hedge is said per position."""
    label = f"{info.label}, UTA 1.0" if info.status in UTA_1 else info.label
    return AccountMode(label=label, margin_mode=info.margin_mode, position_mode=None)


def _check_mode(
    answers: UnifiedAnswers, known: AccountMode, held: tuple[HeldPosition, ...], findings: list[Finding]
) -> None:
    info, details = answers.info, []
    if info.margin_mode is None:
        details.append(f"marginMode {info.label!r} is not known")
    elif not answers.wallet.fits(info.margin_mode):
        details.append(f"the wallet does not look like {info.label}")
    if known != (mode := account_mode(info)):
        details.append(f"account mode went from {known.label} to {mode.label}")
    findings.extend(Finding(code=FindingCode.MODE_UNKNOWN, detail=detail) for detail in details)
    if info.inverse_in_wallet or answers.contract is not None:
        return
    findings.extend(
        Finding(
            code=FindingCode.MODE_UNKNOWN,
            detail=f"unifiedMarginStatus {info.status}: the unified wallet may not margin inverse contracts",
            symbol=one.position.symbol,
        )
        for one in held
        if one.position.settle not in STABLECOINS
    )


def _account_unit(wallet: Wallet, findings: list[Finding]) -> RiskUnit:
    totals = {
        "totalMarginBalance": wallet.margin_balance,
        "totalInitialMargin": wallet.initial_margin,
        "totalMaintenanceMargin": wallet.maintenance_margin,
        "totalAvailableBalance": wallet.available_balance,
    }
    if missing := [name for name, value in totals.items() if value is None]:
        detail = f"no {', '.join(missing)}"
        findings.append(Finding(code=FindingCode.TOTALS_MISSING, detail=detail, unit=ACCOUNT))
    for name, rate, part in (
        ("accountIMRate", wallet.initial_rate, wallet.initial_margin),
        ("accountMMRate", wallet.maintenance_rate, wallet.maintenance_margin),
    ):
        if _rate_contradicts(rate, part, wallet.margin_balance):
            detail = f"{name} {rate} is below {part} / {wallet.margin_balance}"
            findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail, unit=ACCOUNT))
    return RiskUnit(
        key=ACCOUNT,
        kind=UnitKind.ACCOUNT,
        currency="USD",
        margin_equity=wallet.margin_balance,
        initial_margin=wallet.initial_margin,
        maintenance_margin=wallet.maintenance_margin,
        available_margin=wallet.available_balance,
        wallet_balance=wallet.wallet_balance,
        unrealized_pnl=wallet.unrealized_pnl,
        venue_ratio=wallet.maintenance_rate,
        venue_utilization=wallet.initial_rate,
    )


def _rate_contradicts(rate: Decimal | None, part: Decimal | None, whole: Decimal | None) -> bool:
    if not rate or part is None or whole is None:
        return False  # "0" is also what rounding makes of a small rate, so it says nothing
    if whole <= 0:
        return 0 < rate < ONE and part > 0
    return rate < min(part / whole, ONE) - RATE_ROUNDING


def _isolated_units(
    wallet: Wallet, held: tuple[HeldPosition, ...], findings: list[Finding]
) -> tuple[RiskUnit, ...]:
    """Build the units of the settle coins in use (of every coin while none is) and of the positions."""
    settles = {one.position.settle for one in held}
    settles |= {coin.currency for coin in wallet.coins if coin.order_margin or coin.position_margin}
    if not settles:
        settles = {coin.currency for coin in wallet.coins if (coin.wallet_balance or ZERO) > 0}
    currencies = (_currency_unit(currency, wallet.coin(currency), findings) for currency in sorted(settles))
    return (*currencies, *(_position_unit(one) for one in held))


def _currency_unit(currency: str, coin: Coin | None, findings: list[Finding]) -> RiskUnit:
    """Build a settle coin's unit in isolated margin: how much of its wallet is tied up.

    Used is position and order margin plus what spot orders lock; equity is the wallet balance less the bonus,
    which margins nothing here; available is what is left of it. The PnL belongs to the positions' own units.

    Source: Bybit docs, Wallet Stream (derivatives available balance in isolated margin).
    """
    wallet_balance = used = available = equity = None
    if coin is not None:
        wallet_balance = coin.wallet_balance
        if coin.position_margin is not None and coin.order_margin is not None and coin.locked is not None:
            used = coin.position_margin + coin.order_margin + coin.locked
        if wallet_balance is not None and coin.bonus is not None:
            equity = wallet_balance - coin.bonus
        if used is not None and equity is not None:
            available = equity - used
    if available is None:
        detail = f"no wallet balance, bonus, locked amount, position margin or order margin of {currency}"
        findings.append(Finding(code=FindingCode.TOTALS_MISSING, detail=detail, unit=currency))
    if used and wallet_balance is not None and wallet_balance <= 0:
        detail = f"{used} {currency} is tied up out of a wallet balance of {wallet_balance}"
        findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail, unit=currency))
    return RiskUnit(
        key=currency,
        kind=UnitKind.CURRENCY,
        currency=currency,
        margin_equity=equity,
        initial_margin=used,
        maintenance_margin=None,
        available_margin=available,
        wallet_balance=wallet_balance,
        measures=frozenset({Measure.UTILIZATION}),
    )


def _position_unit(one: HeldPosition, parent: str | None = None) -> RiskUnit:
    position = one.position
    return RiskUnit(
        key=isolated_key(position.symbol, position.side),
        kind=UnitKind.ISOLATED_POSITION,
        currency=position.settle,
        margin_equity=one.isolated_equity,
        initial_margin=position.initial_margin,
        maintenance_margin=position.maintenance_margin,
        available_margin=None,
        unrealized_pnl=position.unrealized_pnl,
        measures=frozenset({Measure.MAINTENANCE}),
        parent=parent or position.settle,
    )


def _check_complete(wallet: Wallet, held: tuple[HeldPosition, ...], findings: list[Finding]) -> None:
    """Report coins that tie up maintenance margin for positions which no list showed.

    An answer during maintenance may be well formed and empty; the wallet still knows better. A coin with a
    position that states no margin of its own (an option) is only checked for being there at all. Portfolio
    margin shows nothing per coin; there, an account without positions and debt can have no requirement.
    """
    if not held and wallet.maintenance_margin and not any(coin.borrowed for coin in wallet.coins):
        detail = f"no positions and no debt, yet totalMaintenanceMargin is {wallet.maintenance_margin}"
        findings.append(Finding(code=FindingCode.INCOMPLETE, detail=detail))
    for coin in wallet.coins:
        due = coin.maintenance_margin
        if not due:
            continue
        margins = [one.position.maintenance_margin for one in held if one.position.settle == coin.currency]
        shown = sum((margin for margin in margins if margin is not None), ZERO)
        if not margins or (None not in margins and shown < due * (ONE - MISSING_SHARE)):
            detail = f"positions show {shown} {coin.currency} of maintenance margin, the wallet {due}"
            findings.append(Finding(code=FindingCode.INCOMPLETE, detail=detail))


def _collateral(coin: Coin, mode: MarginMode | None) -> Collateral:
    return Collateral(
        currency=coin.currency,
        wallet_balance=coin.wallet_balance,
        equity=coin.equity,
        value=coin.usd_value,
        debt=coin.borrowed,
        interest=coin.interest,
        repayable=repayable(coin, mode),
    )
