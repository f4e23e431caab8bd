"""Margin levels -> risk units, turned so that 1 is where Binance liquidates.

Cross margin, classic: margin level = assets / (debts + interest); liquidated at 1.1. Cross margin, pro: (net
collateral - open order loss) / maintenance margin; liquidated at 1.0. Isolated: as classic, by pair, at the
liquidation ratio of the pair's tier.

Where the margin level is assets / debts, L of debt is lent while equity is at least L x (initial level - 1)
and liquidated when it is L x (liquidation level - 1): these are its initial and its maintenance margin.

Source: Binance support, "Binance Margin Level and Margin Call", "Introduction to Binance Cross Margin Pro",
"How to Calculate the Margin Level on Cross Margin Pro"; Binance docs, "Get Summary of Margin account".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import (
    AccountMode,
    Finding,
    FindingCode,
    MarginMode,
    Measure,
    PositionMode,
    RiskUnit,
    UnitKind,
)
from brokers.numbers import ONE, ZERO
from brokers.venues.binance.margin_positions import Levels

ACCOUNT_UNIT = "account"
USDT = "USDT"

CLASSIC = AccountMode(
    label="cross margin classic", margin_mode=MarginMode.CROSS, position_mode=PositionMode.ONE_WAY
)
PRO = AccountMode(label="cross margin pro", margin_mode=MarginMode.CROSS, position_mode=PositionMode.ONE_WAY)
UNSTATED = AccountMode(
    label="cross margin, type unknown", margin_mode=MarginMode.CROSS, position_mode=PositionMode.ONE_WAY
)
MODES: Mapping[str, AccountMode] = {"MARGIN_1": CLASSIC, "MARGIN_2": PRO}

CLASSIC_LEVELS = Levels(initial=Decimal("1.5"), liquidation=Decimal("1.1"))
"""Of a classic account that states none: 3x lends least, and both multiples are liquidated at 1.1."""

PRO_LIQUIDATES_AT = ONE

NO_DEBT_LEVEL = Decimal(999)
"""The margin level of an account without debts."""

LEVEL_TOLERANCE = Decimal("0.01")
"""How far two figures of one answer may differ that must agree, as a fraction of the larger."""

BTC_GRAIN = Decimal("0.00000003")
"""Totals have eight places."""

ASSETS_TOLERANCE = Decimal("0.10")
"""How far the totals, by Binance's index, may be from the assets at the last prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """The assets' sum at the prices of the picture, in USDT; `complete`: every one has a price."""

    held: Decimal
    owed: Decimal
    complete: bool


def read_mode(account: Mapping[str, Any]) -> AccountMode:
    """Return the account's type out of `GET /sapi/v1/margin/account`."""
    return MODES.get(str(account.get("accountType")), UNSTATED)


def read_levels(payload: object) -> Levels:
    """Read `GET /sapi/v1/margin/tradeCoeff` of a classic account; what makes no sense is taken as for 3x."""
    found = Fields(payload, []) if isinstance(payload, Mapping) else Fields({}, [])
    initial, liquidation = found.optional("normalBar"), found.optional("forceLiquidationBar")
    if initial is None or liquidation is None or not ONE < liquidation < initial < CLASSIC_LEVELS_END:
        return CLASSIC_LEVELS
    return Levels(initial=initial, liquidation=liquidation)


CLASSIC_LEVELS_END = Decimal(3)
"""A multiple below 1.5 is not offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an account is judged by: type, levels, and the price of BTC in USDT (`None`: not known)."""

    mode: AccountMode
    levels: Levels
    btc: Decimal | None


def cross_unit(account: Mapping[str, Any], terms: Terms, worth: Worth, findings: list[Finding]) -> RiskUnit:
    """Build the unit of a cross margin account, in USDT.

    The totals are stated in BTC, by Binance's index; the price of BTC turns all of them alike, so that no
    ratio depends on it. Without it only the venue's own ratio is known.
    """
    mode, btc = terms.mode, terms.btc
    fields = Fields(account, findings, unit=ACCOUNT_UNIT)
    assets, debts = fields.required("totalAssetOfBtc"), fields.required("totalLiabilityOfBtc")
    net, level = fields.required("totalNetAssetOfBtc"), fields.required("marginLevel")
    _check_totals(fields, assets, debts, net)
    if mode == UNSTATED:
        fields.find(FindingCode.MODE_UNKNOWN, f"accountType is {account.get('accountType')!r}")
    if account.get("tradeEnabled") is False:
        fields.find(FindingCode.VENUE_ACTING, "tradeEnabled is false: the account takes no order")
    if btc is None:
        fields.find(FindingCode.FIELD_MISSING, "no price of BTC in USDT: the totals cannot be turned")
    owes = debts is None or debts > ZERO
    level = _settled_level(fields, level, assets, debts, classic=mode != PRO) if owes else None
    if btc is not None and assets is not None and debts is not None:
        _check_assets(fields, assets * btc, debts * btc, worth)
    equity, debt = _times(net, btc), _times(debts, btc)
    if mode == PRO:
        return _pro_unit(fields, equity, debt, level)
    ratio = None if level is None or level <= ZERO else terms.levels.liquidation / level
    initial = None if debt is None else terms.levels.initial_margin(debt)
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.ACCOUNT,
        currency=USDT,
        margin_equity=equity,
        initial_margin=initial,
        maintenance_margin=None if debt is None else terms.levels.maintenance_margin(debt),
        available_margin=available(equity, initial),
        venue_ratio=ratio,
    )


def levels_of(unit: RiskUnit, terms: Terms, account: Mapping[str, Any]) -> Levels | None:
    """Return the levels by which a debt requires margin; `None`: they are not known.

    Of a pro account they are what its own margin level makes them: every debt has its share by worth.
    """
    if terms.mode == CLASSIC:
        return terms.levels
    debts = Fields(account, []).optional("totalLiabilityOfBtc")
    debt = _times(debts, terms.btc)
    if unit.maintenance_margin is None or debt is None or debt <= ZERO:
        return None
    return Levels(initial=None, liquidation=ONE + unit.maintenance_margin / debt)


def _pro_unit(fields: Fields, net: Decimal | None, debt: Decimal | None, level: Decimal | None) -> RiskUnit:
    """Build the unit of a pro account: its maintenance margin is what the level says it is.

    What its debts took to be lent depends on brackets of every coin and is not stated: no utilization.
    """
    collateral = fields.optional("TotalCollateralValueInUSDT")
    loss = fields.optional("totalOpenOrderLossInUSDT") or ZERO
    equity = net
    if collateral is not None and net is not None and debt is not None:
        after_haircut = collateral - debt - max(loss, ZERO)
        if after_haircut <= net * (ONE + LEVEL_TOLERANCE):
            equity = after_haircut
    owes = debt is None or debt > ZERO
    known = level is not None and level > ZERO
    maintenance = ZERO if not owes else None
    if owes and known and level is not None and equity is not None:
        maintenance = max(equity, ZERO) / level * PRO_LIQUIDATES_AT
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.ACCOUNT,
        currency=USDT,
        margin_equity=equity,
        initial_margin=None,
        maintenance_margin=maintenance,
        available_margin=None,
        venue_ratio=PRO_LIQUIDATES_AT / level if known and level is not None else None,
        measures=frozenset({Measure.MAINTENANCE}),
    )


def _check_totals(fields: Fields, assets: Decimal | None, debts: Decimal | None, net: Decimal | None) -> None:
    if assets is None or debts is None or net is None:
        return
    if min(assets, debts) < ZERO:
        fields.find(FindingCode.FIELD_DAMAGED, f"totals below zero: {assets} and {debts}")
    if abs(assets - debts - net) > BTC_GRAIN + LEVEL_TOLERANCE * max(abs(assets), abs(debts)):
        detail = f"totalNetAssetOfBtc is {net}, {assets} less {debts} is {assets - debts}"
        fields.find(FindingCode.INCONSISTENT, detail)


def _settled_level(
    fields: Fields,
    level: Decimal | None,
    assets: Decimal | None,
    debts: Decimal | None,
    *,
    classic: bool,
) -> Decimal | None:
    """Return the margin level; a classic one must be assets / debts, and the lower of the two is judged."""
    if not classic or assets is None or debts is None or debts <= ZERO:
        return level
    return agreed_level(fields, level, assets, debts, grain=BTC_GRAIN)


def agreed_level(
    fields: Fields, level: Decimal | None, assets: Decimal, debts: Decimal, *, grain: Decimal
) -> Decimal:
    """Return the stated level, or assets / `debts` (> 0) where it is lower; a difference is a finding.

    `grain` is what rounding alone may change a total by.
    """
    built = assets / debts
    if level is None:
        return built
    slack = LEVEL_TOLERANCE * max(abs(level), built) + grain * (ONE + built) / debts
    if abs(level - built) > slack and min(level, built) < NO_DEBT_LEVEL:
        fields.find(FindingCode.INCONSISTENT, f"marginLevel is {level}, assets / debts is {built:.4f}")
    return min(level, built) if abs(level - built) > slack else level


def _check_assets(fields: Fields, held: Decimal, owed: Decimal, worth: Worth) -> None:
    """Hold the totals against the assets: one that is missing from the list shows in them."""
    for name, total, built in (("assets", held, worth.held), ("debts", owed, worth.owed)):
        slack = ASSETS_TOLERANCE * max(total, built) + ONE
        if built - total > slack or (worth.complete and total - built > slack):
            fields.find(
                FindingCode.INCONSISTENT, f"the {name} total {total:.2f} USDT, those listed {built:.2f}"
            )


def available(equity: Decimal | None, initial: Decimal | None) -> Decimal | None:
    """Return what equity is left to borrow against; `None`: not known."""
    return None if equity is None or initial is None else max(equity - initial, ZERO)


def _times(figure: Decimal | None, factor: Decimal | None) -> Decimal | None:
    return None if figure is None or factor is None else figure * factor
