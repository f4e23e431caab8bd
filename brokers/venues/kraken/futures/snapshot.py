"""Raw answers of accounts, positions and tickers -> one account snapshot.

What is a risk unit: the multi-collateral wallet (`flex`) with its cross positions, each coin's inverse
wallet, each isolated position. They are never summed. The cash wallet backs nothing and is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from brokers.fields import Fields, mapping_from
from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    Collateral,
    Finding,
    FindingCode,
    PositionMode,
    RiskUnit,
)
from brokers.numbers import NumberError
from brokers.venues.kraken.futures.envelope import list_of, time_from_iso
from brokers.venues.kraken.futures.markets import common_name, maintenance_tiers
from brokers.venues.kraken.futures.positions import FLEX, Holding, read_positions, surroundings
from brokers.venues.kraken.futures.units import (
    MULTI_COLLATERAL,
    SINGLE_COLLATERAL,
    coin_unit,
    flex_unit,
    is_used,
    isolated_unit,
    scaled,
)

LONGEST_SPREAD = timedelta(seconds=5)
"""Answers asked for together and further apart than a read may take: one of them is a stale copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSnapshot:
    """The answers of `accounts`, `openpositions` and `tickers`, with their envelopes.

    `tickers` `None`: they are not to be had, and no position has a price.
    """

    accounts: Any
    positions: Any
    tickers: Any


def account_mode(payload: object) -> AccountMode:
    """Return how Kraken margins the account; contracts choose between cross and isolated.

    Raises:
        MalformedAnswer: the answer holds no wallets.
    """
    pooled = isinstance(accounts_of(payload).get(FLEX), Mapping)
    label = "multi-collateral" if pooled else "single-collateral"
    return AccountMode(label=label, margin_mode=None, position_mode=PositionMode.ONE_WAY)


def accounts_of(payload: object) -> Mapping[str, Any]:
    """Return the wallets of an answer by name.

    Raises:
        MalformedAnswer: it holds none.
    """
    return mapping_from(mapping_from(payload, "accounts").get("accounts"), "accounts")


def newest_time(raw: RawSnapshot) -> datetime | None:
    """Return the latest of the venue's times in the answers; `None`: none tells one."""
    times = [_time(payload) for payload in (raw.accounts, raw.positions, raw.tickers)]
    return max((time for time in times if time is not None), default=None)


def read_snapshot(raw: RawSnapshot, context: SnapshotContext) -> AccountSnapshot:
    """Build the snapshot; `as_of` is the oldest of the answers' times, of which prices may lack theirs.

    Raises:
        MalformedAnswer: an answer holds no list of what it is asked for: that is unknown, never flat.
    """
    findings: list[Finding] = []
    accounts = accounts_of(raw.accounts)
    tickers = () if raw.tickers is None else list_of(raw.tickers, "tickers")
    around = surroundings(context.markets, tickers)
    holdings = read_positions(list_of(raw.positions, "openPositions"), around, findings)
    units, holdings = _units(accounts, holdings, findings)
    times = [_time(payload) for payload in (raw.accounts, raw.positions, raw.tickers)]
    if None in times[:2]:
        findings.append(Finding(code=FindingCode.TIME_MISSING, detail="an answer without serverTime"))
    stamped = [time for time in times if time is not None]
    if stamped and max(stamped) - min(stamped) > LONGEST_SPREAD:
        detail = (
            f"its answers are of {min(stamped):%H:%M:%S} to {max(stamped):%H:%M:%S}, by the venue's clock"
        )
        findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail))
    positions = tuple(holding.position for holding in holdings)
    markets = context.markets
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=min(stamped, default=context.now),
        fetched_at=context.now,
        mode=context.mode,
        units=units,
        positions=positions,
        collaterals=_collaterals(accounts, findings),
        findings=tuple(dict.fromkeys(findings)),
        markets=markets,
        tiers={
            position.symbol: tiers
            for position in positions
            if position.symbol in markets
            and position.mark_price is not None
            and (tiers := maintenance_tiers(markets[position.symbol], position.mark_price))
        },
    )


def _units(
    accounts: Mapping[str, Any], holdings: tuple[Holding, ...], findings: list[Finding]
) -> tuple[tuple[RiskUnit, ...], tuple[Holding, ...]]:
    """Build every unit, and give cross positions their share of what their wallet states."""
    units: dict[str, RiskUnit] = {}
    scales = {}
    for name in _wallets(accounts, holdings):
        raw = accounts.get(name)
        if raw is None:
            detail = f"positions are margined in {name}, and no such wallet is listed"
            findings.append(Finding(code=FindingCode.TOTALS_MISSING, detail=detail, unit=name))
        account = mapping_from(raw or {}, name)
        if name == FLEX:
            units[name], scales[name] = flex_unit(account, holdings, findings)
        else:
            units[name], scales[name] = coin_unit(name, account, holdings, findings)
    holdings = tuple(
        replace(holding, position=scaled(holding.position, scales[holding.wallet]))
        if holding.is_cross
        else holding
        for holding in holdings
    )
    isolated = [isolated_unit(holding, findings) for holding in holdings if not holding.is_cross]
    return (*units.values(), *isolated), holdings


def _wallets(accounts: Mapping[str, Any], holdings: tuple[Holding, ...]) -> list[str]:
    """Return the margin wallets that hold anything, and those that positions need."""
    found = [
        name
        for name, account in accounts.items()
        if isinstance(account, Mapping)
        and (
            account.get("type") == MULTI_COLLATERAL
            or name == FLEX
            or (account.get("type") == SINGLE_COLLATERAL and is_used(account))
        )
    ]
    return [*found, *sorted({holding.wallet for holding in holdings} - set(found))]


def _collaterals(accounts: Mapping[str, Any], findings: list[Finding]) -> tuple[Collateral, ...]:
    """Read the currencies of the multi-collateral wallet.

    A negative dollar quantity is fees and losses that Kraken settles by selling collateral: no loan.
    """
    flex = accounts.get(FLEX)
    currencies = flex.get("currencies") if isinstance(flex, Mapping) else None
    found = []
    for name, row in currencies.items() if isinstance(currencies, Mapping) else ():
        if not isinstance(row, Mapping):
            continue
        fields = Fields(row, findings, unit=FLEX)
        quantity = fields.optional("quantity")
        if quantity:
            found.append(
                Collateral(
                    currency=common_name(str(name)),
                    wallet_balance=quantity,
                    equity=quantity,
                    value=fields.optional("value"),
                )
            )
    return tuple(found)


def _time(payload: object) -> datetime | None:
    if payload is None:
        return None
    try:
        return time_from_iso(mapping_from(payload, "answer").get("serverTime"))
    except NumberError:
        return None
