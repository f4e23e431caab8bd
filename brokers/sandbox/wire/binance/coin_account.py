"""COIN-M's account endpoints: no totals, margins in the account's rows, leverage in those of `positionRisk`.

Source: Binance Open Platform, COIN-M futures "Account Information", "Position Information".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from brokers.models import MarginMode, Side
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.binance.account import LARGEST_NOTIONAL, AccountDesk, margin_mode_of
from brokers.sandbox.wire.binance.parameters import Parameters

LEGS: Mapping[str, Side | None] = MappingProxyType({"BOTH": None, "LONG": Side.LONG, "SHORT": Side.SHORT})
MARGINS = ("initialMargin", "maintMargin", "positionInitialMargin", "openOrderInitialMargin")


class CoinAccountDesk(AccountDesk):
    """Answer what an account holds; every coin by itself."""

    def account(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /dapi/v1/account`."""
        del request
        figures = self._engine.figures(account)
        can_trade = self._engine.accounts[account].permissions.can_trade
        return WireAnswer(
            payload={
                "assets": self._assets(figures),
                "positions": [self._account_row(account, row) for row in self._rows(account, figures)],
                "canDeposit": True,
                "canTrade": can_trade,
                "canWithdraw": True,  # of the account, whatever the key may do
                "feeTier": 0,
                "updateTime": 0,
            }
        )

    def position_risk(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /dapi/v1/positionRisk`, of all symbols or those of one pair."""
        pair = Parameters(request).text("pair")
        rows = self._rows(account, self._engine.figures(account))
        return WireAnswer(
            payload=[
                self._risk_row(account, row)
                for row in rows
                if pair in {None, row["symbol"].partition("_")[0]}
            ]
        )

    def leverage_bracket(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `GET /dapi/v2/leverageBracket`: edges in coin."""
        del account
        return WireAnswer(
            payload=[
                {"symbol": symbol, "brackets": _brackets(self._listing.instrument(symbol))}
                for symbol in self._asked(request)
            ]
        )

    def _settings(self, account: str, symbol: str, side: str) -> tuple[int, bool]:
        name = self._listing.instrument(symbol).name
        leverage = self._engine.leverage(account, name, LEGS[side])
        return int(leverage), margin_mode_of(self._engine, account, name) is MarginMode.ISOLATED

    def _account_row(self, account: str, row: dict[str, Any]) -> dict[str, Any]:
        leverage, isolated = self._settings(account, row["symbol"], row["positionSide"])
        shared = ("symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "updateTime")
        return {
            **{name: row[name] for name in (*shared, *MARGINS)},
            "unrealizedProfit": row["unRealizedProfit"],
            "leverage": str(leverage),
            "isolated": isolated,
            "maxQty": "1000",
        }

    def _risk_row(self, account: str, row: dict[str, Any]) -> dict[str, Any]:
        leverage, isolated = self._settings(account, row["symbol"], row["positionSide"])
        shared = ("symbol", "positionSide", "positionAmt", "entryPrice", "breakEvenPrice", "markPrice")
        figures = ("unRealizedProfit", "liquidationPrice", "isolatedMargin", "isolatedWallet", "updateTime")
        return {
            **{name: row[name] for name in (*shared, *figures)},
            "notionalValue": row["notional"],
            "leverage": str(leverage),
            "marginType": "isolated" if isolated else "cross",
            "isAutoAddMargin": "false",
            "maxQty": "1000",
        }


def _brackets(one: Instrument) -> list[dict[str, Any]]:
    caps = [tier.floor for tier in one.tiers[1:]] + [LARGEST_NOTIONAL]
    return [
        {
            "bracket": number,
            "initialLeverage": int(one.max_leverage_at(tier.floor)),
            "qtyCap": float(cap),
            "qtyFloor": float(tier.floor),
            "maintMarginRatio": float(tier.rate),
            "cum": float(tier.deduction),
        }
        for number, (tier, cap) in enumerate(zip(one.tiers, caps, strict=True), start=1)
    ]
