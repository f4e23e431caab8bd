"""Binance's futures accounts over ccxt: which calls, in which order."""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, TypeVar

from brokers.answers import Reply
from brokers.ccxt_broker import Ack, CancelBatch, CcxtBroker, Read, RowResult, SnapshotContext
from brokers.errors import BrokerError, MalformedAnswer, RequestRefused
from brokers.models import AccountSnapshot, KeyPermissions, MarginTier, Symbol
from brokers.numbers import ms_from_time
from brokers.orders import ClientOrderId, OpenOrder, OrderReport, ReduceOrder, TransferReport
from brokers.outcomes import BINANCE
from brokers.port import Capabilities
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.binance import markets, snapshot, wallet
from brokers.venues.binance.books import Book
from brokers.venues.binance.freshness import Freshness
from brokers.venues.binance.orders import (
    cancel_batches,
    leverage_request,
    order_request,
    read_ack,
    read_cancel,
    read_open_algo_orders,
    read_open_orders,
    read_report,
)
from brokers.venues.binance.positions import Rows, torn
from brokers.venues.binance.profile import USDM
from brokers.venues.binance.refusals import is_absent
from brokers.venues.binance.settings import SettingsBook, SymbolSetting
from brokers.venues.binance.snapshot import RawPicture

Told = TypeVar("Told")

ASIDE_S = 0.5
"""How long a picture waits for what it can do without."""

UNKNOWN_ORDER = "-2013"

_log = logging.getLogger("margind.brokers")


class FuturesBroker(CcxtBroker[RawPicture]):
    """What the accounts of both futures products share; each names its calls and reads its own picture."""

    outcomes = BINANCE
    capabilities: ClassVar = Capabilities(
        order_time_to_live=timedelta(milliseconds=USDM.write_window_ms),
        ids_unique_for_ever=False,
        reduce_only=True,
        transfer_in=True,
        key_permissions=True,
    )
    book: ClassVar[Book]
    transfer_kind: ClassVar[str]
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
            self._picture(read), _aside(self._public_mark(read, watched)), _aside(self._due_settings(read))
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
        """Read both books of every symbol; a host without an algo book has none to read."""
        active, algo = await asyncio.gather(read(self.book.open, cost=40), self._open_algo_orders(read))
        return read_open_orders(active) + algo

    async def _open_algo_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        try:
            return read_open_algo_orders(await read(self.book.algo_open, cost=40), self.book)
        except BrokerError as error:
            if not is_absent(error):
                raise
            _log.info("no algo orders at this host: %s", error)
            return ()

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the key may do; the test environment cannot say."""
        if self.spec.testnet:
            return wallet.NO_PERMISSIONS
        try:
            answer = await read("sapiGetAccountApiRestrictions")
        except BrokerError as error:
            if not is_absent(error):
                raise
            return wallet.NO_PERMISSIONS
        return wallet.read_permissions(answer, trades="enableFutures")

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Read one order by client id; a new one may stay unknown for some hundred milliseconds."""
        params = {"symbol": symbol, "origClientOrderId": client_order_id}
        try:
            answer = await read(self.book.find, params)
        except RequestRefused as error:
            if error.code != UNKNOWN_ORDER:
                raise
            return None
        return read_report(answer, client_order_id, symbol)

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

    # ------------------------------------------------------------------ funding wallet

    async def look_up_funding(self, read: Read, currency: str) -> Decimal:
        """Read what is free in the funding wallet (the spot wallet is another one)."""
        answer = await read("sapiPostAssetGetFundingAsset", {"asset": currency})
        return wallet.read_funding(answer, currency)

    def transfer_request(self, currency: str, amount: Decimal, client_id: str) -> Request:
        """Move from the funding wallet into this product; the venue takes no client id."""
        del client_id
        return wallet.transfer_request(self.transfer_kind, currency, amount)

    def parse_transfer(self, payload: Json) -> str | None:
        """Read the venue's transfer id."""
        return wallet.read_transfer_id(payload)

    async def look_up_transfer(
        self, read: Read, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Find a transfer by asset, amount and time, on every page since `since` (by either clock)."""
        offset = self.transport.clock_offset
        earliest = since - wallet.CLOCK_ERROR - timedelta(milliseconds=abs(offset.offset_ms) if offset else 0)
        params: dict[str, object] = {
            "type": self.transfer_kind,
            "startTime": ms_from_time(earliest),
            "size": wallet.PAGE_SIZE,
        }
        rows: list[Mapping[str, Json]] = []
        for page in range(1, wallet.PAGES + 1):
            found, total = wallet.transfer_rows(
                await read("sapiGetAssetTransfer", {**params, "current": page})
            )
            rows += found
            if len(rows) >= total:
                return wallet.find_transfer(rows, client_id, currency, amount, earliest)
            if not found:
                raise MalformedAnswer(f"{len(rows)} transfers where {total} are due")
        raise MalformedAnswer("more transfers than can be read")


async def _aside(asked: Awaitable[Told]) -> Told | None:
    """Wait a moment for something that may be missing; its failure is no failure of the picture."""
    try:
        async with asyncio.timeout(ASIDE_S):
            return await asked
    except (BrokerError, TimeoutError) as error:
        _log.debug("did without: %s", error)
        return None
