"""UTA 1.0's second wallet: `accountType=CONTRACT` holds inverse contracts, each coin by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.errors import MalformedAnswer
from brokers.fields import rows_from
from brokers.models import BOTH_MEASURES, Finding, FindingCode, Measure, RiskUnit, UnitKind
from brokers.numbers import ZERO
from brokers.venues.bybit.envelope import rows_of, time_of
from brokers.venues.bybit.positions import HeldPosition, contract_key
from brokers.venues.bybit.wallet import Coin, read_coins

CONTRACT = "CONTRACT"

MILLIONTH = Decimal("1e-6")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractWallet:
    """Its coins. It has no totals: nothing is summed over them."""

    time: datetime | None
    coins: tuple[Coin, ...]
    findings: tuple[Finding, ...] = ()


def read_contract_wallet(payload: object) -> ContractWallet:
    """Parse the answer of `wallet-balance` for `CONTRACT`.

    Raises:
        MalformedAnswer: there is not exactly one account in it, it is another, or a coin has no name.
    """
    accounts = rows_of(payload, "contract wallet")
    if len(accounts) != 1 or accounts[0].get("accountType") not in {None, CONTRACT}:
        raise MalformedAnswer("contract wallet: not the one account that is due")
    findings: list[Finding] = []
    rows = rows_from(accounts[0].get("coin"), "contract wallet: coin")
    coins = read_coins(rows, findings, unit=contract_key)
    return ContractWallet(time=time_of(payload), coins=coins, findings=tuple(findings))


def contract_units(
    wallet: ContractWallet, held: Sequence[HeldPosition], findings: list[Finding]
) -> tuple[RiskUnit, ...]:
    """Build the unit of every coin that margins something."""
    coins = {coin.currency: coin for coin in wallet.coins}
    inside = [one for one in held if one.in_contract_wallet]
    settles = {one.position.settle for one in inside}
    settles |= {name for name, coin in coins.items() if coin.order_margin or coin.position_margin}
    return tuple(
        _coin_unit(name, coins.get(name), [one for one in inside if one.position.settle == name], findings)
        for name in sorted(settles)
    )


def _coin_unit(
    name: str, coin: Coin | None, held: Sequence[HeldPosition], findings: list[Finding]
) -> RiskUnit:
    """Build one coin's unit, without what was given to its isolated positions, which are units themselves.

    Equity is the coin's own, used is the margin of positions and orders, and available what Bybit says could
    be withdrawn. A coin whose positions are all isolated has no maintenance of its own.

    Source: Bybit docs, Get Wallet Balance (account totals do not apply to UTA 1.0's CONTRACT wallet).
    """
    apart = [one for one in held if one.is_isolated]
    measures = BOTH_MEASURES
    equity = used = maintenance = available = None
    if coin is not None:
        available = coin.available
        equity = _without(coin.equity, [one.isolated_equity for one in apart])
        if coin.position_margin is not None and coin.order_margin is not None:
            margins = [one.position.initial_margin for one in apart]
            used = _without(coin.position_margin + coin.order_margin, margins)
        maintenance = _without(coin.maintenance_margin, [one.position.maintenance_margin for one in apart])
    if apart and len(apart) == len(held):
        measures, maintenance = frozenset({Measure.UTILIZATION}), None
    elif maintenance is not None:
        maintenance = max(maintenance, ZERO)
    key = contract_key(name)
    if None in (equity, used) or (maintenance is None and Measure.MAINTENANCE in measures):
        detail = f"no equity, margins or maintenance margin of {name} in the wallet of inverse contracts"
        findings.append(Finding(code=FindingCode.TOTALS_MISSING, detail=detail, unit=key))
    if maintenance and not held:
        detail = f"the wallet of inverse contracts needs {maintenance} {name}, and no position is listed"
        findings.append(Finding(code=FindingCode.INCOMPLETE, detail=detail, unit=key))
    if maintenance == 0 and held:
        detail = f"positions are listed, and the wallet of inverse contracts needs nothing in {name}"
        findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail, unit=key))
    if coin is not None and _is_zeroed(coin):
        detail = f"equity of {name} is 0 in the wallet of inverse contracts, and other figures contradict it"
        findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail, unit=key))
    return RiskUnit(
        key=key,
        kind=UnitKind.CURRENCY,
        currency=name,
        margin_equity=equity,
        initial_margin=used,
        maintenance_margin=maintenance,
        available_margin=available,
        wallet_balance=None if apart or coin is None else coin.wallet_balance,
        unrealized_pnl=None if apart or coin is None else coin.unrealized_pnl,
        measures=measures,
    )


def _is_zeroed(coin: Coin) -> bool:
    """Whether an equity of zero or less stands beside what could be withdrawn, or beside a PnL it lacks."""
    if coin.equity is None or coin.equity > 0:
        return False
    parts = (coin.wallet_balance, coin.unrealized_pnl)
    known = [part for part in parts if part is not None]
    rounding = sum(map(abs, known), ZERO) * MILLIONTH
    torn = len(known) == len(parts) and abs(sum(known, ZERO) - coin.equity) > rounding
    return torn or (coin.available is not None and coin.available > 0)


def _without(whole: Decimal | None, parts: Sequence[Decimal | None]) -> Decimal | None:
    known = [part for part in parts if part is not None]
    if whole is None or len(known) < len(parts):
        return None
    return whole - sum(known, ZERO)
