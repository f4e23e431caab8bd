"""USD-M and COIN-M futures: the raw payloads of one read -> the account's snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.fields import mapping_from, rows_from
from brokers.hooks import SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    ContractKind,
    Finding,
    FindingCode,
    MarginMode,
    PositionMode,
    Symbol,
)
from brokers.numbers import ONE, ZERO, NumberError, decimal_from
from brokers.venues.binance.positions import ACCOUNT_UNIT, Rows, Surroundings, read_holdings
from brokers.venues.binance.settings import SymbolSetting
from brokers.venues.binance.units import account_unit, collaterals, currency_units, isolated_units

MULTI_ASSETS = "multi-assets"
SINGLE_ASSET = "single-asset"
COIN_MARGINED = "coin-margined"
UNSTATED = AccountMode(label="unknown", margin_mode=None, position_mode=None)
"""The mode of an account whose venue offers none of the calls that would tell."""

_FLAGS = MappingProxyType({"true": True, "false": False})

TOTALS_ASSET = "USDT"
"""What the account's totals count in single-asset mode: this asset alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPicture:
    """One read of a futures account. `as_of` as `brokers.venues.binance.freshness` dates it.

    `account_positions` is `None` where the account answer has no positions of its own to compare with.
    `mode` is the account's as it was known when the picture was complete; it overrules what was known before.
    """

    account: Mapping[str, Any]
    assets: Rows
    account_positions: Rows | None
    risk: Rows
    as_of: datetime
    mode: AccountMode | None = None
    settings: Mapping[Symbol, SymbolSetting] = field(default_factory=lambda: MappingProxyType({}))


def split_account(payload: object) -> tuple[Mapping[str, Any], Rows, Rows | None]:
    """Take `GET /fapi/v3/account` or `GET /dapi/v1/account` apart: totals, assets, positions.

    Raises:
        MalformedAnswer: it is not that answer.
    """
    account = mapping_from(payload, "the account")
    assets = rows_from(account.get("assets"), "the account's assets")
    if not all(isinstance(row.get("asset"), str) and row["asset"] for row in assets):
        raise MalformedAnswer("an asset row without a name")
    positions = account.get("positions")
    return account, assets, None if positions is None else rows_from(positions, "the account's positions")


def read_mode(payload: object) -> AccountMode:
    """Read `GET /fapi/v1/accountConfig`.

    Raises:
        MalformedAnswer: it does not say how the account is margined.
    """
    config = mapping_from(payload, "the account configuration")
    multi = _FLAGS.get(str(config.get("multiAssetsMargin")).lower())
    if multi is None:
        raise MalformedAnswer("the account configuration does not state multiAssetsMargin")
    return mode_of(multi_assets=multi, dual_side=_FLAGS.get(str(config.get("dualSidePosition")).lower()))


def mode_of(*, multi_assets: bool, dual_side: bool | None) -> AccountMode:
    """Name the account's mode; in multi-assets mode every position is cross."""
    return AccountMode(
        label=MULTI_ASSETS if multi_assets else SINGLE_ASSET,
        margin_mode=MarginMode.CROSS if multi_assets else None,
        position_mode=None
        if dual_side is None
        else (PositionMode.HEDGE if dual_side else PositionMode.ONE_WAY),
    )


def read_coinm_mode(payload: object) -> AccountMode:
    """Read `GET /dapi/v1/positionSide/dual`: every coin is margined by itself."""
    dual = mapping_from(payload, "the position mode").get("dualSidePosition")
    hedged = mode_of(multi_assets=False, dual_side=_FLAGS.get(str(dual).lower()))
    return replace(hedged, label=COIN_MARGINED)


def contradicts(mode: AccountMode, account: Mapping[str, Any], assets: Rows, risk: Rows) -> bool:
    """Tell whether a picture cannot be one of an account in `mode`, so that the mode is worth another read.

    In single-asset mode the totals are the USDT row's; in one-way mode no row names a side.
    """
    sided = any(row.get("positionSide") in {"LONG", "SHORT"} for row in risk)
    if mode.position_mode is PositionMode.ONE_WAY and sided:
        return True
    if mode.label != SINGLE_ASSET:
        return False
    row = next((row for row in assets if row.get("asset") == TOTALS_ASSET), {})
    try:
        total = decimal_from(account.get("totalMarginBalance"))
        own = decimal_from(row.get("marginBalance", "0"))
    except NumberError:
        return False
    return abs(total - own) > max(abs(total), abs(own), ZERO) * ONE / 100


def parse_snapshot(raw: RawPicture, context: SnapshotContext) -> AccountSnapshot:
    """Build the snapshot.

    Single-asset mode, and COIN-M: a unit per margin asset. Multi-assets mode: one unit in USD. Every isolated
    position is a unit of its own, below the one its margin returns to.
    """
    findings: list[Finding] = []
    mode = raw.mode or context.mode
    multi_assets = mode.label == MULTI_ASSETS
    if mode != context.mode:
        detail = f"account mode went from {context.mode.label} to {mode.label}"
        findings.append(Finding(code=FindingCode.MODE_UNKNOWN, detail=detail))
    if mode == UNSTATED:
        detail = "the venue does not say whether assets are margined together; judged one by one"
        findings.append(Finding(code=FindingCode.MODE_UNKNOWN, detail=detail))
    asset_rows = {str(row["asset"]): row for row in raw.assets}
    around = Surroundings(
        multi_assets=multi_assets,
        assets=asset_rows.keys(),
        markets=context.markets,
        settings=raw.settings,
        kind=ContractKind.INVERSE if mode.label == COIN_MARGINED else ContractKind.LINEAR,
    )
    holdings = read_holdings(raw.risk, raw.account_positions, around, findings)
    pools = (
        (account_unit(raw.account, holdings, findings),)
        if multi_assets
        else currency_units(asset_rows, holdings, findings)
    )
    isolated = isolated_units(holdings, lambda asset: ACCOUNT_UNIT if multi_assets else asset, findings)
    positions = tuple(holding.position for holding in holdings)
    held = {position.symbol for position in positions}
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=raw.as_of,
        fetched_at=context.now,
        mode=mode,
        units=(*pools, *isolated),
        positions=positions,
        collaterals=collaterals(asset_rows, findings),
        findings=tuple(findings),
        markets=MappingProxyType({s: context.markets[s] for s in held if s in context.markets}),
        tiers=MappingProxyType({s: context.tiers[s] for s in held if s in context.tiers}),
    )
