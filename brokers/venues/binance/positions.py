"""Raw rows of `account` and `positionRisk` -> open positions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import (
    ContractKind,
    Finding,
    FindingCode,
    MarginMode,
    MarketRules,
    Position,
    Side,
    Symbol,
)
from brokers.numbers import ZERO
from brokers.venues.binance.settings import SymbolSetting

ACCOUNT_UNIT = "account"
"""The key of the one unit of a multi-assets account."""

BOTH = "BOTH"
SIDES = {"LONG": Side.LONG, "SHORT": Side.SHORT}

NOTIONALS = ("notional", "notionalValue")
"""What a position's value at mark is called: in quote by USD-M, in coin by COIN-M."""

Rows = Sequence[Mapping[str, Any]]

RowKey = tuple[str, str]
"""(symbol, positionSide): what identifies a row in either payload."""

OpenRows = dict[RowKey, tuple[Decimal, Mapping[str, Any]]]
"""The rows of one payload that hold a position: signed amount and the row itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One open position with what its isolated unit needs.

    `isolated_equity` already includes the unrealized PnL (`isolatedMargin`), `isolated_wallet` does not.
    """

    position: Position
    isolated_equity: Decimal | None
    isolated_wallet: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a position row does not say itself: account mode, assets, market rules, symbol settings.

    `kind` is that of the product's contracts, for one without rules.
    """

    multi_assets: bool
    assets: Collection[str]
    markets: Mapping[Symbol, MarketRules]
    settings: Mapping[Symbol, SymbolSetting]
    kind: ContractKind = ContractKind.LINEAR


def read_holdings(
    risk_rows: Rows, account_rows: Rows | None, around: Surroundings, findings: list[Finding]
) -> tuple[Holding, ...]:
    """Build the open positions from both payloads.

    Rows of amount 0 (open orders only) are no positions; a row with an entry price of 0 is one. A position
    that only one payload holds, or of which they state different amounts, was torn between the two reads:
    it is kept, as `positionRisk` has it, with a finding. `account_rows` is `None` where the answer has none
    to compare with.
    """
    risk = _open_rows(risk_rows, findings)
    account = {} if account_rows is None else _open_rows(account_rows, findings)
    holdings: dict[tuple[Symbol, Side, MarginMode], Holding] = {}
    for key in dict.fromkeys([*risk, *account]):
        if account_rows is not None:
            _compare(key, risk, account, findings)
        amount = (risk.get(key) or account[key])[0]
        row = _merged(*(book[key][1] for book in (risk, account) if key in book))
        holding = _holding(Symbol(key[0]), amount, row, around, findings)
        if holdings.setdefault(holding.position.key, holding) is not holding:
            _find(findings, key, FindingCode.INCONSISTENT, "two rows for one position")
    return tuple(holdings.values())


def torn(risk_rows: Rows, account_rows: Rows | None) -> bool:
    """Tell whether the two payloads disagree on what is open, as when a fill falls between the two reads."""
    if account_rows is None:
        return False
    ignored: list[Finding] = []
    books = [_open_rows(rows, ignored) for rows in (risk_rows, account_rows)]
    amounts = [{key: amount for key, (amount, _) in book.items()} for book in books]
    return amounts[0] != amounts[1]


def isolated_unit_key(symbol: Symbol, side: Side) -> str:
    """Name the unit of an isolated position."""
    return f"isolated:{symbol}:{side}"


def _open_rows(rows: Rows, findings: list[Finding]) -> OpenRows:
    found: OpenRows = {}
    for raw in rows:
        symbol = raw.get("symbol")
        if not isinstance(symbol, str) or not symbol:
            Fields(raw, findings).find(FindingCode.FIELD_MISSING, "a position row names no symbol")
            continue
        fields = Fields(raw, findings, symbol=Symbol(symbol))
        amount = fields.required("positionAmt")
        if amount:
            found[symbol, fields.text("positionSide") or BOTH] = (amount, raw)
    return found


def _compare(key: RowKey, risk: OpenRows, account: OpenRows, findings: list[Finding]) -> None:
    stated = [book[key][0] if key in book else ZERO for book in (account, risk)]
    if stated[0] != stated[1]:
        detail = f"{key[1]}: account says {stated[0]}, positionRisk {stated[1]}"
        _find(findings, key, FindingCode.INCONSISTENT, detail)


def _find(findings: list[Finding], key: RowKey, code: FindingCode, detail: str) -> None:
    findings.append(Finding(code=code, detail=detail, symbol=Symbol(key[0])))


def _merged(*rows: Mapping[str, Any]) -> Mapping[str, Any]:
    """Join rows of one position; the first one that states a field wins."""
    merged: dict[str, Any] = {}
    for row in reversed(rows):
        merged.update({name: value for name, value in row.items() if value is not None and value != ""})
    return merged


def _holding(
    symbol: Symbol, amount: Decimal, row: Mapping[str, Any], around: Surroundings, findings: list[Finding]
) -> Holding:
    fields = Fields(row, findings, symbol=symbol)
    side, hedged = _side(amount, fields)
    rules = around.markets.get(symbol)
    if rules is None:
        fields.find(FindingCode.SYMBOL_UNKNOWN, "no market rules for it")
    asset = _margin_asset(symbol, fields, rules, around)
    equity, wallet = fields.optional("isolatedMargin"), fields.optional("isolatedWallet")
    setting = around.settings.get(symbol)
    mode = _margin_mode(fields, setting, equity, wallet)
    cross_unit = ACCOUNT_UNIT if around.multi_assets else asset
    notional = _notional(amount, row, fields, rules)
    liquidation = fields.optional("liquidationPrice")
    leverage = fields.optional("leverage")
    pnl = "unRealizedProfit" if "unRealizedProfit" in row else "unrealizedProfit"
    position = Position(
        symbol=symbol,
        unit=cross_unit if mode is MarginMode.CROSS else isolated_unit_key(symbol, side),
        side=side,
        quantity=abs(amount),
        settle=asset,
        kind=rules.kind if rules is not None else around.kind,
        margin_mode=mode,
        hedged=hedged,
        entry_price=fields.optional("entryPrice"),
        mark_price=fields.required("markPrice"),
        notional=None if notional is None else abs(notional),
        initial_margin=_initial_margin(fields),
        maintenance_margin=fields.required("maintMargin"),
        unrealized_pnl=fields.optional(pnl),
        leverage_setting=leverage if leverage is not None or setting is None else setting.leverage,
        liquidation_price=liquidation if liquidation is not None and liquidation > 0 else None,
        updated_at=fields.time("updateTime"),
    )
    return Holding(position=position, isolated_equity=equity, isolated_wallet=wallet)


def _notional(
    amount: Decimal, row: Mapping[str, Any], fields: Fields, rules: MarketRules | None
) -> Decimal | None:
    """Return the value at mark as stated; of an inverse contract without one, dollars over mark.

    COIN-M's documented rows of `positionRisk` leave it out, its answers hold it.
    """
    name = next((name for name in NOTIONALS if name in row), None)
    if name is None and rules is not None and rules.kind is ContractKind.INVERSE:
        mark = fields.optional("markPrice")
        return amount * rules.contract_size / mark if mark else None
    return fields.required(name or NOTIONALS[0])


def _side(amount: Decimal, fields: Fields) -> tuple[Side, bool]:
    """Take the side from `positionSide`, and only in one-way mode from the amount's sign.

    In hedge mode an order names the side it closes, so a row whose sign contradicts its side cannot turn a
    reducing order into an opening one.
    """
    stated = fields.text("positionSide") or BOTH
    if stated in SIDES:
        return SIDES[stated], True
    if stated != BOTH:
        fields.find(FindingCode.FIELD_DAMAGED, f"positionSide is {stated!r}")
    return (Side.LONG if amount > 0 else Side.SHORT), False


def _margin_asset(symbol: Symbol, fields: Fields, rules: MarketRules | None, around: Surroundings) -> str:
    """Return the margin asset: as the row states it, as the market's, at last by the symbol's own word."""
    stated = fields.text("marginAsset") or (rules.settle if rules is not None else None)
    if stated is not None:
        return stated
    fields.find(FindingCode.FIELD_MISSING, "marginAsset is missing")
    named = symbol.startswith if around.kind is ContractKind.INVERSE else symbol.endswith
    return max((asset for asset in around.assets if named(asset)), key=len, default="?")


def _margin_mode(
    fields: Fields, setting: SymbolSetting | None, equity: Decimal | None, wallet: Decimal | None
) -> MarginMode:
    """Tell cross from isolated: by the row's own word (v2, dapi), its isolated amounts (v3), or the setting.

    An isolated position whose equity is exactly 0 still has a wallet amount.
    """
    word = (fields.text("marginType") or "").lower()
    if word == "isolated" or equity or wallet:
        return MarginMode.ISOLATED
    if word.startswith("cross") or equity is not None or wallet is not None:
        return MarginMode.CROSS
    if setting is not None and setting.margin_mode is not None:
        return setting.margin_mode
    fields.find(FindingCode.FIELD_MISSING, "isolatedMargin is missing")
    return MarginMode.CROSS


def _initial_margin(fields: Fields) -> Decimal | None:
    """Return what the position alone binds; `initialMargin` of a row includes the symbol's open orders.

    Source: Binance docs, Position Information V3.
    """
    alone = fields.optional("positionInitialMargin")
    if alone is not None:
        return alone
    with_orders, orders = fields.required("initialMargin"), fields.required("openOrderInitialMargin")
    return None if with_orders is None or orders is None else with_orders - orders
