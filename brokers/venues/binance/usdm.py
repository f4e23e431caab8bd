"""USD-M futures accounts."""

import asyncio
from collections.abc import Mapping

from brokers.ccxt_broker import Read
from brokers.errors import BrokerError
from brokers.fields import mapping_from, rows_from
from brokers.models import AccountMode, MarketRules, Symbol
from brokers.profile import Json
from brokers.venues.binance import books, markets, snapshot, wallet
from brokers.venues.binance.depth import depth_calls
from brokers.venues.binance.futures import FuturesBroker
from brokers.venues.binance.positions import Rows
from brokers.venues.binance.profile import USDM
from brokers.venues.binance.refusals import is_absent
from brokers.venues.binance.settings import SymbolSetting, read_settings


class UsdmBroker(FuturesBroker):
    """A USD-M futures account: single-asset or multi-assets, one-way or hedge, cross and isolated.

    It shows no debt and no borrow rate: no documented call of USD-M futures states one, not even of a wallet
    that went negative in multi-assets mode and waits to be exchanged.
    """

    profile = USDM
    book = books.USDM
    book_calls = depth_calls(lambda _: "fapiPublicGetDepth")
    transfer_kind = wallet.FUNDING_TO_USDM
    brackets_call = "fapiPrivateGetLeverageBracket"

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read `exchangeInfo`."""
        return markets.read_usdm_markets(await read("fapiPublicGetExchangeInfo"))

    async def load_mode(self, read: Read) -> AccountMode:
        """Read the account's configuration; where it has no such call, the two older ones."""
        try:
            return snapshot.read_mode(await read("fapiPrivateGetAccountConfig", cost=5))
        except BrokerError as error:
            if not is_absent(error):
                raise
        return await _older_mode(read)

    async def _picture(self, read: Read) -> tuple[Mapping[str, Json], Rows, Rows | None, Rows]:
        account, risk = await asyncio.gather(
            read("fapiPrivateV3GetAccount", cost=5), read("fapiPrivateV3GetPositionRisk", cost=5)
        )
        return (*snapshot.split_account(account), rows_from(risk, "positionRisk"))

    async def _public_mark(self, read: Read, symbol: Symbol | None) -> Mapping[str, Json] | None:
        if symbol is None:
            return None
        return mapping_from(await read("fapiPublicGetPremiumIndex", {"symbol": symbol}), "premiumIndex")

    async def _due_settings(self, read: Read) -> Mapping[Symbol, SymbolSetting] | None:
        if not self._settings.is_due:
            return None
        answer = await read("fapiPrivateGetSymbolConfig", cost=5)
        return read_settings(rows_from(answer, "symbolConfig"))


async def _older_mode(read: Read) -> AccountMode:
    try:
        multi, dual = await asyncio.gather(
            read("fapiPrivateGetMultiAssetsMargin", cost=30),
            read("fapiPrivateGetPositionSideDual", cost=30),
        )
    except BrokerError as error:
        if not is_absent(error):
            raise
        return snapshot.UNSTATED
    both = {**mapping_from(dual, "the position mode"), **mapping_from(multi, "the asset mode")}
    return snapshot.read_mode(both)
