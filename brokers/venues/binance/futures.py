"""Binance's futures accounts over ccxt: which calls, in which order."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from brokers.answers import Reply
from brokers.ccxt_broker import Ack, CancelBatch, Read, RowResult, SnapshotContext
from brokers.models import AccountSnapshot, MarginTier, Symbol
from brokers.orders import ClientOrderId, OpenOrder, OrderReport, ReduceOrder
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.binance import markets, snapshot
from brokers.venues.binance.account import BinanceBroker, aside
from brokers.venues.binance.books import Book
from brokers.venues.binance.freshness import Freshness
from brokers.venues.binance.orders import (
    cancel_batches,
    leverage_request,
    order_request,
    read_ack,
    read_cancel,
)
from brokers.venues.binance.positions import Rows, torn
from brokers.venues.binance.profile import FUTURES_POINTS
from brokers.venues.binance.resting import looked_up, resting
from brokers.venues.binance.settings import SettingsBook, SymbolSetting
from brokers.venues.binance.snapshot import RawPicture


class FuturesBroker(BinanceBroker[RawPicture]):
    """What the accounts of both futures products share; each names its calls and reads its own picture."""

    capabilities: ClassVar = replace(BinanceBroker.capabilities, points=FUTURES_POINTS)
    trades = "enableFutures"
    book: ClassVar[Book]
    brackets_call: ClassVar[str]

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._freshness = Freshness()
        self._settings = SettingsBook()

    # ------------------------------------------------------------------ reading

    async def load_tiers(
        self, read: Read, symbols: Sequence[Symbol]
    ) -> Mapping[Symbol, tuple[MarginTier, ...]]:
        """Read the maintenance brackets of `symbols`."""
        answers = await asyncio.gather(*(read(self.brackets_call, {"symbol": symbol}) for symbol in symbols))
        return {symbol: tiers for answer in answers for symbol, tiers in markets.read_tiers(answer).items()}

    async def gather(self, read: Read) -> RawPicture:
        """Read account and positions at once, and once more if a fill fell between them.

        Public mark price and leverage settings come along where the venue offers them; nothing waits long
        for them.
        """
        watched = self._freshness.watched
        asked_at = self.venue_now()
        picture, public, settings = await asyncio.gather(
            self._picture(read), aside(self._public_mark(read, watched)), aside(self._due_settings(read))
        )
        account, assets, listed, risk = picture
        if torn(risk, listed):
            asked_at = self.venue_now()
            account, assets, listed, risk = await self._picture(read)
        mode = self._account_mode
        if mode is not None and snapshot.contradicts(mode, account, assets, risk):
            self._account_mode = mode = await self.load_mode(read)
        self._settings.take(settings, [Symbol(str(row.get("symbol"))) for row in risk])
        as_of = self._freshness.date(assets=assets, positions=risk, public=public, asked_at=asked_at)
        return RawPicture(
            account=account,
            assets=assets,
            account_positions=listed,
            risk=risk,
            as_of=as_of,
            mode=mode,
            settings=self._settings.known,
        )

    @abstractmethod
    async def _picture(self, read: Read) -> tuple[Mapping[str, Json], Rows, Rows | None, Rows]:
        """Read account and positions at once: totals, assets, the account's positions, the risk rows."""

    @abstractmethod
    async def _public_mark(self, read: Read, symbol: Symbol | None) -> Mapping[str, Json] | None:
        """Read the public mark price of a symbol."""

    async def _due_settings(self, read: Read) -> Mapping[Symbol, SymbolSetting] | None:
        """Read the symbols' settings when it is time to, where positions do not carry them."""
        del read
        return None

    def parse_snapshot(self, raw: RawPicture, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot; see `brokers.venues.binance.snapshot`."""
        return snapshot.parse_snapshot(raw, context)

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every book of every symbol."""
        return await resting(read, self.book)

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Read one order by client id; a new one may stay unknown for some hundred milliseconds."""
        return await looked_up(read, self.book, client_order_id, symbol)

    # ------------------------------------------------------------------ writing

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the reducing order."""
        return order_request(order, self.book)

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the answer to an order."""
        del order
        return read_ack(payload)

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel order by order."""
        return cancel_batches(orders, self.book)

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Read which order an answer says it cancelled."""
        return read_cancel(batch, reply, self.book)

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Set a whole number, the one below: the venue takes no fractions."""
        return (leverage_request(symbol, max(1, int(leverage)), self.book),)

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> None:
        """Set the venue's leverage setting, and have it read again with the next snapshot."""
        await super().set_leverage(symbol, leverage)
        self._settings.expire()
