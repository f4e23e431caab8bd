"""Balance figures -> risk units: the account in USD, each settle currency, each isolated position."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import BOTH_MEASURES, Finding, FindingCode, Measure, RiskUnit, UnitKind
from brokers.numbers import ONE, ZERO, NumberError, decimal_or_none
from brokers.venues.okx.positions import ACCOUNT_UNIT, USD, Book, Holding

NO_MEASURES: frozenset[Measure] = frozenset()

MILLIONTH = Decimal("1e-6")


def account_unit(
    account: Mapping[str, Any], details: Sequence[Mapping[str, Any]], book: Book, findings: list[Finding]
) -> RiskUnit:
    """Build the one unit of a multi-currency or portfolio account or a spot account in debt, in USD.

    `adjEq` is what counts as margin (`totalEq` does not: it holds what is no collateral); `imr` and `mmr` are
    of cross positions, orders and borrowing together; `mgnRatio` = `adjEq` / (`mmr` + liquidation fees).
    `availEq` may be `""` beside them, and is in spot mode. `upl` is of all rows; beside options it is not
    held against the positions.
    """
    fields = Fields(account, findings, unit=ACCOUNT_UNIT)
    at_risk = any(holding.is_cross for holding in book.holdings) or bool(book.other_currencies)
    equity = _total(fields, "adjEq")
    maintenance = _total(fields, "mmr")
    _note_torn_account(fields, maintenance, details, book)
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.ACCOUNT,
        currency=USD,
        margin_equity=equity,
        initial_margin=_total(fields, "imr"),
        maintenance_margin=maintenance,
        available_margin=fields.optional("availEq"),
        unrealized_pnl=None if book.other_currencies else fields.optional("upl"),
        venue_ratio=_venue_ratio(fields, equity, must_be_stated=at_risk),
    )


def owes_nothing(account: Mapping[str, Any], details: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a spot account shows no debt, and no requirement for one or for an order that would borrow."""
    figures = (account.get(name) for name in ("imr", "mmr", "mgnRatio", "borrowFroz", "notionalUsdForBorrow"))
    return not any(map(_is_stated, figures)) and not any(map(_owes, details))


def cash_unit(account: Mapping[str, Any], findings: list[Finding]) -> RiskUnit:
    """Build the unit of a spot account that owes nothing: it owns what it holds, and nobody liquidates it."""
    equity = Fields(account, findings, unit=ACCOUNT_UNIT).optional("totalEq")
    return RiskUnit(
        key=ACCOUNT_UNIT,
        kind=UnitKind.CASH,
        currency=USD,
        margin_equity=equity,
        initial_margin=None,
        maintenance_margin=None,
        available_margin=None,
        wallet_balance=equity,
        measures=NO_MEASURES,
    )


def currency_units(
    details: Sequence[Mapping[str, Any]],
    settle_currencies: Collection[str],
    book: Book,
    findings: list[Finding],
) -> list[RiskUnit]:
    """Build one unit for every currency that margins something, or could.

    A currency with cross positions must state all its figures; without any, OKX states none (`""`) and there
    is nothing to measure.
    """
    rows = {str(row.get("ccy") or ""): row for row in details}
    held = {holding.currency for holding in book.holdings}
    wanted = [name for name in rows if name in settle_currencies or name in held or _is_margined(rows[name])]
    missing = sorted(held - rows.keys())
    findings.extend(
        Finding(
            code=FindingCode.TOTALS_MISSING,
            detail=f"positions are margined in {name or '(unnamed)'}, and the balance does not list it",
            unit=name,
        )
        for name in missing
    )
    return [_currency_unit(name, rows.get(name, {}), book, findings) for name in (*wanted, *missing)]


def _is_margined(row: Mapping[str, Any]) -> bool:
    return any(_is_stated(row.get(name)) for name in ("imr", "mmr", "mgnRatio"))


def _currency_unit(name: str, row: Mapping[str, Any], book: Book, findings: list[Finding]) -> RiskUnit:
    fields = Fields(row, findings, unit=name)
    at_risk = name in book.other_currencies or any(
        holding.is_cross and holding.currency == name for holding in book.holdings
    )
    margined = at_risk or _is_margined(row)
    if at_risk and row:
        figures = {field: _total(fields, field) for field in ("eq", "imr", "mmr", "availEq")}
    else:
        figures = {field: fields.optional(field) for field in ("eq", "imr", "mmr", "availEq")}
    equity, pnl = _cross_equity(name, fields, figures["eq"], book), _cross_pnl(name, fields, book)
    _note_torn_currency(name, fields, figures["mmr"], book)
    return RiskUnit(
        key=name,
        kind=UnitKind.CURRENCY,
        currency=name,
        margin_equity=equity,
        initial_margin=figures["imr"],
        maintenance_margin=figures["mmr"],
        available_margin=figures["availEq"],
        wallet_balance=_cross_wallet(fields, equity, pnl),
        unrealized_pnl=pnl,
        venue_ratio=_venue_ratio(fields, equity, must_be_stated=at_risk and bool(row)),
        measures=BOTH_MEASURES if margined else NO_MEASURES,
    )


def _cross_equity(name: str, fields: Fields, equity: Decimal | None, book: Book) -> Decimal | None:
    """Return `eq` without what cross positions cannot use: isolated margin with its PnL, and trading bots.

    Where no position of the currency is isolated, `isoEq` need not be stated.
    """
    isolated, bots = fields.optional("isoEq"), _bots_equity(fields, equity)
    if isolated is None and _holds_isolated(name, book):
        fields.required("isoEq")
        return None
    if equity is None:
        return None
    if bots is None:
        if any(holding.is_cross and holding.currency == name for holding in book.holdings):
            fields.required("stgyEq")
        return None
    return equity - (isolated or ZERO) - bots


def _bots_equity(fields: Fields, equity: Decimal | None) -> Decimal | None:
    """Return what trading bots hold of a currency; `None`: not stated, and not to be told otherwise.

    In OKX's balance sample `eq` is cash + PnL + `stgyEq`, so an equity that cash and PnL explain leaves
    nothing to the bots.
    """
    stated = fields.optional("stgyEq")
    cash, pnl = fields.optional("cashBal"), fields.optional("upl")
    if stated is not None or equity is None or cash is None:
        return stated
    if equity == cash or (pnl is not None and abs(equity - cash - pnl) <= abs(equity) * MILLIONTH):
        return ZERO
    return None


def _cross_pnl(name: str, fields: Fields, book: Book) -> Decimal | None:
    """Return the PnL of cross positions; `None` where it cannot be told from that of others."""
    pnl, isolated = fields.optional("upl"), fields.optional("isoUpl")
    if pnl is None or name in book.other_currencies:
        return None
    if isolated is None and _holds_isolated(name, book):
        return None
    return pnl - (isolated or ZERO)


def _cross_wallet(fields: Fields, equity: Decimal | None, pnl: Decimal | None) -> Decimal | None:
    """Return the cash of cross positions.

    OKX does not say whether `cashBal` holds the margin given to isolated positions: of both readings the one
    that fits equity and PnL is taken; `None` where neither can be told.
    """
    cash, isolated, isolated_pnl = (fields.optional(name) for name in ("cashBal", "isoEq", "isoUpl"))
    if cash is None or not isolated:
        return cash
    if isolated_pnl is None or equity is None or pnl is None:
        return None
    return min(cash, cash - (isolated - isolated_pnl), key=lambda wallet: abs(equity - pnl - wallet))


def _holds_isolated(name: str, book: Book) -> bool:
    return any(not holding.is_cross and holding.currency == name for holding in book.holdings)


def isolated_unit(holding: Holding, parent: str, currency: str, findings: list[Finding]) -> RiskUnit:
    """Build the unit of an isolated position.

    OKX's ratio of one is (margin + unrealized PnL) / (maintenance margin + liquidation fee), so margin and
    PnL together are its equity, and without the ratio they judge it alone. Its margin is all used from the
    first moment: there is no utilization. One that is paid in full has nothing to measure.
    """
    position = holding.position
    margin, pnl, ratio = holding.isolated_margin, position.unrealized_pnl, holding.margin_ratio
    equity = None if margin is None or pnl is None else margin + pnl
    if not holding.paid_in_full and ratio is None and None in (equity, position.maintenance_margin):
        findings.append(
            Finding(
                code=FindingCode.TOTALS_MISSING,
                detail="mgnRatio of an isolated position is not stated",
                unit=position.unit,
                symbol=position.symbol,
            )
        )
    return RiskUnit(
        key=position.unit,
        kind=UnitKind.ISOLATED_POSITION,
        currency=currency,
        margin_equity=equity,
        initial_margin=margin,
        maintenance_margin=position.maintenance_margin,
        available_margin=None,
        wallet_balance=margin,
        unrealized_pnl=pnl,
        venue_ratio=ONE / ratio if ratio is not None and ratio > 0 else None,
        measures=NO_MEASURES if holding.paid_in_full else frozenset({Measure.MAINTENANCE}),
        parent=parent,
    )


def _total(fields: Fields, name: str) -> Decimal | None:
    """Return a unit's own figure; its absence means that the unit cannot be judged."""
    value = fields.optional(name)
    if value is None:
        fields.find(FindingCode.TOTALS_MISSING, f"{name} is not stated")
    return value


def _venue_ratio(fields: Fields, equity: Decimal | None, *, must_be_stated: bool) -> Decimal | None:
    """Turn `mgnRatio` (high is safe, 1 is liquidation) around, so that 1 is reached from below.

    A ratio of zero or less goes with equity of zero or less, which speaks for itself; neither comes alone.
    """
    ratio = fields.optional("mgnRatio")
    if ratio is None:
        if must_be_stated:
            fields.find(FindingCode.TOTALS_MISSING, "mgnRatio is not stated though positions are open")
        return None
    if ratio > 0:
        if equity is not None and equity <= 0:
            fields.find(FindingCode.INCONSISTENT, f"mgnRatio is {ratio} with an equity of {equity}")
        return ONE / ratio
    if equity is None or equity > 0:
        fields.find(FindingCode.INCONSISTENT, f"mgnRatio is {ratio} with an equity of {equity}")
    return None


def _note_torn_account(
    fields: Fields, maintenance: Decimal | None, details: Sequence[Mapping[str, Any]], book: Book
) -> None:
    """Find a picture torn between the two answers: totals without rows, or rows without totals."""
    stated = [fields.optional(f"notionalUsdFor{kind}") for kind in ("Swap", "Futures", "Option")]
    if book.is_empty and any(notional for notional in stated):
        fields.find(FindingCode.INCONSISTENT, "the totals speak of open positions, and none is listed")
    elif (
        book.is_empty
        and maintenance
        and all(notional is None for notional in stated)
        and not _explained(fields, maintenance, ("ordFroz", "borrowFroz"))
        and not any(_owes(row) for row in details)
    ):
        fields.find(FindingCode.INCONSISTENT, f"mmr is {maintenance}, and no position is listed")
    if maintenance == ZERO and _needs_margin(book, None):
        fields.find(FindingCode.INCONSISTENT, "cross positions are listed, and mmr is 0")


def _note_torn_currency(name: str, fields: Fields, maintenance: Decimal | None, book: Book) -> None:
    listed = name in book.other_currencies or any(h.is_cross and h.currency == name for h in book.holdings)
    if maintenance and not listed and not _explained(fields, maintenance, ("ordFrozen",)):
        fields.find(FindingCode.INCONSISTENT, f"mmr is {maintenance}, and no cross position is listed")
    if maintenance == ZERO and _needs_margin(book, name):
        fields.find(FindingCode.INCONSISTENT, "cross positions are listed, and mmr is 0")


def _needs_margin(book: Book, currency: str | None) -> bool:
    return any(
        holding.is_cross and currency in (None, holding.currency) and holding.position.maintenance_margin
        for holding in book.holdings
    )


def _explained(fields: Fields, maintenance: Decimal, names: Sequence[str]) -> bool:
    """Whether orders or possible borrowing alone may require `maintenance`: never more than is frozen."""
    return sum((fields.optional(name) or ZERO for name in names), ZERO) >= maintenance


def _owes(row: Mapping[str, Any]) -> bool:
    return any(_is_stated(row.get(name)) for name in ("liab", "crossLiab", "interest"))


def _is_stated(figure: object) -> bool:
    """Whether a figure is there and other than zero; a damaged one is."""
    try:
        return bool(decimal_or_none(figure))
    except NumberError:
        return True
