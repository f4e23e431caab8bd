"""`account/*`: balance, positions, configuration and leverage, as OKX prints them at each account level."""

from collections.abc import Collection
from decimal import Decimal
from hashlib import sha256
from typing import Any

from brokers.models import MarginMode, PositionMode, Side
from brokers.numbers import ZERO
from brokers.sandbox.figures import ACCOUNT_POOL, AccountFigures, CoinFigures, PoolFigures, PositionFigures
from brokers.sandbox.orders import Rejection
from brokers.sandbox.spec import AccountSpec, MarginPool
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.okx.envelope import (
    body_object,
    failure,
    figure,
    needed,
    number,
    refuse,
    row_refusal,
    success,
)
from brokers.sandbox.wire.okx.listing import Listing
from brokers.sandbox.wire.okx.position_rows import empty_row, in_pairs

SPOT, FUTURES, MULTI_CURRENCY, PORTFOLIO = "1", "2", "3", "4"

NOT_IN_SPOT = ("availEq", "isoEq", "notionalUsdForFutures", "notionalUsdForSwap", "upl")
NOT_OF_SPOT_CURRENCIES = ("availEq", "imr", "isoEq", "isoLiab", "isoUpl", "mgnRatio", "mmr", "upl", "uplLiab")
"""What OKX leaves empty in spot mode: of the account, and of each currency."""

POSITION_MODES = {PositionMode.ONE_WAY: "net_mode", PositionMode.HEDGE: "long_short_mode"}
LEGS = {"long": Side.LONG, "short": Side.SHORT}


def account_level(spec: AccountSpec, portfolio: Collection[str], spot: Collection[str] = ()) -> str:
    """Return OKX's account level: pools of single currencies are futures mode."""
    if spec.name in spot:
        return SPOT
    if spec.margin_pool is not MarginPool.ACCOUNT:
        return FUTURES
    named = spec.name in portfolio or spec.margin_mode is MarginMode.PORTFOLIO
    return PORTFOLIO if named else MULTI_CURRENCY


class Statement:
    """The account's side of the wire; `portfolio` and `spot` name the accounts in these modes."""

    def __init__(
        self, wire: Wire, listing: Listing, portfolio: Collection[str], spot: Collection[str]
    ) -> None:
        self._engine = wire.engine
        self._wire = wire
        self._listing = listing
        self._portfolio = portfolio
        self._spot = spot

    def level(self, account: str) -> str:
        """Return the account's level."""
        return account_level(self._engine.accounts[account], self._portfolio, self._spot)

    # ------------------------------------------------------------------ account/config

    def config(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `account/config`."""
        del request
        spec = self._engine.accounts[account]
        granted = spec.permissions
        words = [
            word
            for word, has in (
                ("read_only", granted.can_read),
                ("withdraw", granted.can_withdraw),
                ("trade", granted.can_trade),
            )
            if has
        ]
        uid = _number_of(account)
        return success(
            [
                {
                    "acctLv": self.level(account),
                    "acctStpMode": "cancel_maker",
                    "autoLoan": False,
                    "ctIsoMode": "automatic",
                    "enableSpotBorrow": account in self._spot,
                    "feeType": "0",
                    "greeksType": "PA",
                    "ip": "127.0.0.1" if granted.ip_bound else "",
                    "kycLv": "3",
                    "label": account,
                    "level": "Lv1",
                    "levelTmp": "",
                    "liquidationGear": "-1",
                    "mainUid": uid,
                    "mgnIsoMode": "automatic",
                    "opAuth": "0",
                    "perm": ",".join(words),
                    "posMode": POSITION_MODES[spec.position_mode],
                    "roleType": "0",
                    "spotOffsetType": "",
                    "type": "0",
                    "uid": uid,
                }
            ]
        )

    # ------------------------------------------------------------------ account/balance

    def balance(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `account/balance`; its own time is the answer's."""
        figures = self._engine.figures(account)
        wanted = set(request.query.get("ccy", "").split(",")) - {""}
        details = [
            self._detail(coin, figures)
            for coin in figures.coins
            if (coin.equity or coin.wallet_balance) and (not wanted or coin.currency in wanted)
        ]
        isolated = sum((self._isolated_usd(coin) for coin in figures.coins), ZERO)
        row: dict[str, Any] = {
            "adjEq": "",
            "availEq": "",
            "borrowFroz": "",
            "details": details,
            "imr": "",
            "isoEq": figure(isolated),
            "mgnRatio": "",
            "mmr": "",
            "notionalUsd": "",
            "notionalUsdForBorrow": "",
            "notionalUsdForFutures": "",
            "notionalUsdForOption": "",
            "notionalUsdForSwap": "",
            "ordFroz": "",
            "totalEq": figure(sum((coin.usd_value for coin in figures.coins), ZERO)),
            "uTime": str(request.now_ms),
            "upl": "",
        }
        pool = figures.pool(ACCOUNT_POOL)
        if pool is not None:
            row |= self._pooled(pool, figures)
        if account in self._spot:
            row |= dict.fromkeys(NOT_IN_SPOT, "")
            row["details"] = [self._in_spot(detail, figures) for detail in details]
        return success([row])

    def _pooled(self, pool: PoolFigures, figures: AccountFigures) -> dict[str, str]:
        notional = sum((self._usd(p, p.notional) for p in figures.positions if _is_cross(p)), ZERO)
        owed = sum((coin.liability * coin.usd_price for coin in figures.coins), ZERO)
        return {
            "adjEq": figure(pool.margin_balance),
            "availEq": figure(pool.available),
            "borrowFroz": figure(pool.debt_initial_margin),
            "imr": figure(pool.initial_margin),
            "mgnRatio": margin_ratio(pool),
            "mmr": figure(pool.maintenance_margin),
            "notionalUsd": figure(notional + owed),
            "notionalUsdForBorrow": figure(owed),
            "notionalUsdForFutures": "0",
            "notionalUsdForOption": "0",
            "notionalUsdForSwap": figure(notional),
            "ordFroz": figure(pool.order_initial_margin),
            "upl": figure(pool.unrealized_pnl),
        }

    def _detail(self, coin: CoinFigures, figures: AccountFigures) -> dict[str, Any]:
        pool = figures.pool(coin.currency)
        pooled = figures.pool(ACCOUNT_POOL) is not None
        held = any(_is_cross(p) and p.settle == coin.currency for p in figures.positions)
        own = pool is not None and (held or pool.initial_margin > 0)
        debt = figure(coin.liability) if pooled else ""
        return {
            "availBal": figure(coin.transferable),
            "availEq": figure(coin.available if pool is None else pool.available),
            "borrowFroz": "0" if pooled else "",
            "cashBal": figure(coin.cross_wallet - coin.borrowed),
            "ccy": coin.currency,
            "colBorrAutoConversion": "0",
            "colRes": "0",
            "collateralEnabled": pooled,
            "crossLiab": debt,
            "disEq": figure(coin.collateral_value) if pooled else "",
            "eq": figure(coin.equity),
            "eqUsd": figure(coin.usd_value),
            "fixedBal": "0",
            "frozenBal": figure(coin.cross_order_initial_margin + coin.isolated_wallet),
            "imr": figure(pool.initial_margin) if own and pool else "",
            "interest": figure(coin.interest) if pooled else "",
            "isoEq": figure(coin.isolated_wallet + coin.isolated_unrealized_pnl),
            "isoLiab": "0" if pooled else "",
            "isoUpl": figure(coin.isolated_unrealized_pnl),
            "liab": debt,
            "maxLoan": "",
            "mgnRatio": margin_ratio(pool) if own and pool else "",
            "mmr": figure(pool.maintenance_margin) if own and pool else "",
            "notionalLever": "",
            "ordFrozen": figure(coin.cross_order_initial_margin),
            "stgyEq": "0",
            "twap": "0",
            "uTime": str(self._wire.stamp(coin.updated_ms)),
            "upl": figure(coin.unrealized_pnl),
            "uplLiab": "0" if pooled else "",
        }

    @staticmethod
    def _in_spot(detail: dict[str, Any], figures: AccountFigures) -> dict[str, Any]:
        """Return a currency's row as spot mode has it: what was borrowed there lies among the coins."""
        coin = figures.coin(detail["ccy"])
        there = ZERO if coin is None else max(coin.cross_wallet - coin.order_initial_margin, ZERO)
        return detail | dict.fromkeys(NOT_OF_SPOT_CURRENCIES, "") | {"availBal": figure(there)}

    def interest_rate(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `account/interest-rate`: per hour, of one currency or of all."""
        del account
        wanted = request.query.get("ccy", "")
        rows = [
            {"ccy": asset.name, "interestRate": figure(asset.hourly_borrow_rate)}
            for asset in self._engine.spec.assets
            if wanted in {"", asset.name}
        ]
        return success(rows)

    @staticmethod
    def _isolated_usd(coin: CoinFigures) -> Decimal:
        return (coin.isolated_wallet + coin.isolated_unrealized_pnl) * coin.usd_price

    def _usd(self, position: PositionFigures, amount: Decimal) -> Decimal:
        return amount * self._engine.usd_price(position.settle)

    # ------------------------------------------------------------------ account/positions

    def positions(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `account/positions`.

        An instrument asked for by name that was held before comes back as a row of size 0.
        """
        kind = request.query.get("instType")
        names = [name for name in request.query.get("instId", "").split(",") if name]
        figures = self._engine.figures(account)
        symbols = {
            position.symbol: self._listing.of(position.symbol).symbol for position in figures.positions
        }
        rows = [
            self._position(position, figures, account)
            for position in figures.positions
            if not names or symbols[position.symbol] in names
        ]
        rows = [row for row in rows if kind in (None, "", row["instType"])]
        held = set(symbols.values())
        traded = {self._listing.of(fill.symbol).symbol for fill in self._engine.fills(account)}
        rows += [empty_row(name) for name in names if name not in held and name in traded]
        return success(rows)

    def _position(self, position: PositionFigures, figures: AccountFigures, account: str) -> dict[str, Any]:
        contract = self._listing.of(position.symbol)
        pool = figures.pool(position.pool)
        cross = _is_cross(position)
        shared = cross and self.level(account) == PORTFOLIO
        size = contract.contracts(position.quantity)
        leg = position.position_side
        if leg is None and position.side is Side.SHORT:
            size = -size
        margin = position.initial_margin if cross else position.isolated_wallet
        ticker = self._engine.ticker(position.symbol)
        row = empty_row(contract.symbol) | {
            "adl": "1",
            "availPos": "",
            "avgPx": figure(position.entry_price),
            "cTime": str(self._wire.stamp(position.created_ms)),
            "ccy": position.settle,
            "idxPx": figure(ticker.index),
            "imr": figure(position.initial_margin) if cross else "",
            "last": figure(ticker.last),
            "lever": "" if shared else figure(position.leverage),
            "liqPx": "" if shared else figure(position.liquidation_price),
            "margin": "" if cross else figure(position.isolated_wallet),
            "markPx": figure(position.mark_price),
            "mgnMode": "cross" if cross else "isolated",
            "mgnRatio": "" if pool is None else margin_ratio(pool),
            "mmr": figure(position.maintenance_margin),
            "notionalUsd": figure(self._usd(position, position.notional)),
            "pos": figure(size),
            "posId": _number_of(f"{account} {contract.symbol} {leg} {position.margin_mode}"),
            "posSide": "net" if leg is None else leg.value,
            "realizedPnl": figure(position.realized_pnl),
            "uTime": str(self._wire.stamp(position.updated_ms)),
            "upl": figure(position.unrealized_pnl),
            "uplRatio": figure(position.unrealized_pnl / margin) if margin else "",
            "usdPx": figure(self._engine.usd_price(position.settle)),
        }
        if shared:
            row |= self._risk_unit(position, figures)
        return row | in_pairs(contract, position) if contract.in_pairs else row

    def _risk_unit(self, position: PositionFigures, figures: AccountFigures) -> dict[str, str]:
        """Return the margins of a portfolio's risk unit, which every row of one underlying repeats."""
        base = self._engine.instrument(position.symbol).base
        rows = [
            p for p in figures.positions if _is_cross(p) and self._engine.instrument(p.symbol).base == base
        ]
        rate = self._engine.usd_price(position.settle)
        return {
            "imr": figure(sum((self._usd(p, p.initial_margin) for p in rows), ZERO) / rate),
            "mmr": figure(sum((self._usd(p, p.maintenance_margin) for p in rows), ZERO) / rate),
        }

    # ------------------------------------------------------------------ account/set-leverage

    def set_leverage(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `account/set-leverage`; OKX has no "not modified"."""
        body = body_object(request)
        symbol, mode = needed(body, "instId"), needed(body, "mgnMode")
        leverage = number(needed(body, "lever"))
        leg = str(body.get("posSide") or "net")
        hedged = self._engine.accounts[account].position_mode is PositionMode.HEDGE
        if mode not in {"cross", "isolated"}:
            raise refuse("51000", "mgnMode")
        if leverage is None:
            raise refuse("51000", "lever")
        if leg not in {"net", *LEGS} or (mode == "isolated" and hedged is (leg == "net")):
            raise refuse("51000", "posSide")
        try:
            name = self._listing.named(symbol).instrument.name
            self._engine.set_leverage(account, name, leverage, position_side=LEGS.get(leg))
        except Rejection as rejection:
            code = row_refusal(rejection).code
            return failure("59108" if code == "51008" else code, "posSide")
        row = {"instId": symbol, "lever": figure(leverage), "mgnMode": mode, "posSide": leg}
        return success([row])


def margin_ratio(pool: PoolFigures) -> str:
    """Return OKX's ratio: equity over maintenance margin with liquidation fees; `""` without any."""
    requirement = pool.maintenance_margin + pool.liquidation_fee
    return figure(pool.margin_balance / requirement) if requirement > 0 else ""


def _is_cross(position: PositionFigures) -> bool:
    return position.margin_mode is not MarginMode.ISOLATED


def _number_of(name: str) -> str:
    """Return a long number that stands for `name`."""
    return str(int.from_bytes(sha256(name.encode()).digest()[:7]))
