"""COIN-M futures accounts."""

import asyncio
from collections.abc import Mapping

from brokers.ccxt_broker import Read
from brokers.errors import BrokerError, ClockRefused, RequestRefused, Unauthorized
from brokers.fields import rows_from
from brokers.models import AccountMode, MarketRules, Symbol
from brokers.profile import Json
from brokers.venues.binance import books, markets, snapshot, wallet
from brokers.venues.binance.depth import depth_calls
from brokers.venues.binance.futures import FuturesBroker
from brokers.venues.binance.positions import Rows
from brokers.venues.binance.profile import COINM
from brokers.venues.binance.refusals import is_absent


class CoinmBroker(FuturesBroker):
    """A COIN-M futures account: every coin backs its own inverse contracts, cross and isolated.

    There are no totals: each coin is liquidated by itself. Leverage and margin type stand in the position
    rows, margins in the account's.
    """

    profile = COINM
    book = books.COINM
    book_calls = depth_calls(lambda _: "dapiPublicGetDepth")
    transfer_kind = wallet.FUNDING_TO_COINM
    brackets_call = "dapiPrivateV2GetLeverageBracket"

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read `exchangeInfo`."""
        return markets.read_coinm_markets(await read("dapiPublicGetExchangeInfo"))

    async def load_mode(self, read: Read) -> AccountMode:
        """Read whether a symbol may be held on both sides; without the call each position says so itself."""
        try:
            return snapshot.read_coinm_mode(await read("dapiPrivateGetPositionSideDual", cost=30))
        except (Unauthorized, ClockRefused):
            raise
        except BrokerError as error:
            if not is_absent(error) and not isinstance(error, RequestRefused):
                raise
        return snapshot.read_coinm_mode({})

    async def _picture(self, read: Read) -> tuple[Mapping[str, Json], Rows, Rows | None, Rows]:
        account, risk = await asyncio.gather(
            read("dapiPrivateGetAccount", cost=5), read("dapiPrivateGetPositionRisk")
        )
        return (*snapshot.split_account(account), rows_from(risk, "positionRisk"))

    async def _public_mark(self, read: Read, symbol: Symbol | None) -> Mapping[str, Json] | None:
        """Read the public mark price of a symbol: a list even of one."""
        if symbol is None:
            return None
        answer = await read("dapiPublicGetPremiumIndex", {"symbol": symbol}, cost=10)
        rows = rows_from(answer, "premiumIndex")
        return next((row for row in rows if row.get("symbol") == symbol), None)
