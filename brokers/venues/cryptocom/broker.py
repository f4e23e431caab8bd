"""A Crypto.com Exchange account over ccxt: which calls, in which order."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from brokers.answers import ForeignAnswer
from brokers.budget import boot_seconds
from brokers.ccxt_broker import CcxtBroker
from brokers.errors import (
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    NotSupported,
    RequestRefused,
    Unauthorized,
)
from brokers.fields import Fields
from brokers.hooks import Ack, CancelBatch, Read, SnapshotContext
from brokers.models import AccountMode, AccountSnapshot, KeyPermissions, MarketRules, PositionMode, Symbol
from brokers.numbers import plain
from brokers.orders import (
    CancelReport,
    ClientOrderId,
    OpenOrder,
    OrderReport,
    OrderState,
    ReduceOrder,
    SentOrder,
    Verdict,
)
from brokers.outcomes import CRYPTOCOM
from brokers.port import Broker, Capabilities
from brokers.profile import Json, Request
from brokers.reading import Reader, parsing
from brokers.registry import BrokerSpec
from brokers.venues.cryptocom.depth import BOOKS
from brokers.venues.cryptocom.dispatches import Dispatch, Dispatches
from brokers.venues.cryptocom.envelope import NOT_FOUND, result_of, row_of, rows_of
from brokers.venues.cryptocom.freshness import Freshness
from brokers.venues.cryptocom.listing import Listing
from brokers.venues.cryptocom.markets import read_instruments
from brokers.venues.cryptocom.orders import ADVANCED, close_params, read_held, read_open_order, read_report
from brokers.venues.cryptocom.positions import is_flat
from brokers.venues.cryptocom.profile import (
    CANCEL_ADVANCED,
    CRYPTOCOM_EXCHANGE,
    OPEN_ADVANCED,
    ORDER_TIME_TO_LIVE,
    POINTS,
)
from brokers.venues.cryptocom.snapshot import RawSnapshot, newest_price_time, read_prices, read_snapshot
from brokers.witness import ClockWitness

POSITIONS = "v1PrivatePostPrivateGetPositions"
TICKERS = "v1PublicGetPublicGetTickers"
OPEN_ORDERS = "v1PrivatePostPrivateGetOpenOrders"
HISTORY = "v1PrivatePostPrivateGetOrderHistory"
DETAIL = "v1PrivatePostPrivateGetOrderDetail"
CANCEL = "v1PrivatePostPrivateCancelOrder"

MOST_PAST = "100"

MOST_TICKERS = 5
"""Of more instruments than this the tickers are read all at once."""

PRICE_PATIENCE_S = 1.0

REREADS, REREAD_PAUSE_S = 6, 0.15
"""Acknowledgements only say that a request is queued: so often the lists are asked what became of it."""

SMART_CROSS = AccountMode(label="smart cross margin", margin_mode=None, position_mode=PositionMode.ONE_WAY)
"""The only mode there is: one wallet behind everything, beside positions isolated one by one."""

_log = logging.getLogger("margind.brokers")


class CryptocomBroker(CcxtBroker[RawSnapshot]):
    """A Crypto.com Exchange account.

    Positions are closed by close-position, which is bound to the position and takes no id of ours: see
    `dispatches`. It takes no time in force either, so what is left of a limit is cancelled as soon as the
    venue shows it, and again by every lookup that still finds it.
    """

    profile = CRYPTOCOM_EXCHANGE
    outcomes = CRYPTOCOM
    book_calls = BOOKS
    capabilities: ClassVar = Capabilities(
        order_time_to_live=ORDER_TIME_TO_LIVE,
        ids_unique_for_ever=False,
        reduce_only=True,
        transfer_in=False,
        key_permissions=False,
        points=POINTS,
        position_bound=True,
        lookup_by_id=False,
    )

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._freshness = Freshness()
        self._listing = Listing()
        self._witness = ClockWitness(self.transport)
        self._dispatches = Dispatches()
        self._sending = asyncio.Lock()
        self._symbols: frozenset[Symbol] = frozenset()
        self._venue_account: str | None = None

    # ------------------------------------------------------------------ reading

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read every instrument; they come in one answer."""
        return read_instruments(await read("v1PublicGetPublicGetInstruments"))

    async def load_mode(self, read: Read) -> AccountMode:
        """Return the only mode there is, once the key has been seen to work."""
        self._learn(rows_of(await read(POSITIONS), "private/get-positions"))
        return SMART_CROSS

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Refuse: Crypto.com tells nobody what a key may do."""
        del read
        raise NotSupported("cryptocom: no call tells what a key may do")

    async def gather(self, read: Read) -> RawSnapshot:
        """Read balance and positions, and the tickers of what was held before; then of what is new.

        No nonce is refused for a clock a little ahead of the venue's: it is the prices that tell of it.
        """
        began, known = boot_seconds(), self._symbols
        balance, positions, *tickers = await asyncio.gather(
            read("v1PrivatePostPrivateUserBalance"), read(POSITIONS), *_ticker_reads(read, known)
        )
        self._learn(rows_of(positions, "private/get-positions"))
        tickers += await asyncio.gather(*_ticker_reads(read, self._symbols - known))
        answers = tuple(answer for answer in tickers if answer is not None)
        await self._witness.hear(newest_price_time(answers))
        asked_at = self.venue_now() - timedelta(seconds=boot_seconds() - began)
        return RawSnapshot(balance=balance, positions=positions, tickers=answers, asked_at=asked_at)

    def parse_snapshot(self, raw: RawSnapshot, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot, dated by what earlier ones showed, and held against what they added up to."""
        rows = rows_of(raw.positions, "private/get-positions")
        as_of = self._freshness.date(rows, read_prices(raw.tickers), raw.asked_at)
        snapshot = read_snapshot(raw, context, as_of)
        totals = Fields(row_of(raw.balance, "private/user-balance"), [])
        worth, margin = totals.optional("total_position_cost"), totals.optional("total_position_im")
        found = self._listing.check(worth, margin, snapshot.positions)
        return replace(snapshot, findings=(*snapshot.findings, *found)) if found else snapshot

    def _learn(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Remember what is held, and the venue's own name of the account."""
        names = (str(row.get("instrument_name") or "") for row in rows if not is_flat(row))
        self._symbols = frozenset(Symbol(name) for name in names if name)
        named = (str(row["account_id"]) for row in rows if row.get("account_id"))
        self._venue_account = next(named, self._venue_account)

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read resting orders and the advanced list, beside the positions that they may protect."""
        positions, plain_orders, advanced = await asyncio.gather(
            read(POSITIONS), read(OPEN_ORDERS), _read_or_none(read, OPEN_ADVANCED)
        )
        held = read_held(rows_of(positions, "private/get-positions"))
        found = [
            read_open_order(row, held, advanced=False)
            for row in rows_of(plain_orders, "private/get-open-orders")
        ]
        listed = {order.order_id for order in found}
        for row in () if advanced is None else rows_of(advanced, "private/advanced/get-open-orders"):
            order = read_open_order(row, held, advanced=True)
            if order.order_id not in listed:
                found.append(order)
        return tuple(found)

    # ------------------------------------------------------------------ closing

    async def submit(self, order: ReduceOrder) -> OrderReport:
        """Send one reducing order, once and one at a time; a limit's remainder does not stay.

        Nothing is sent under an id that was sent before, or for an instrument with an unresolved order.
        """
        async with self._sending:
            if self._dispatches.of(order.client_order_id) is not None:
                return _unsent(order, Verdict.EXISTS, "this id was sent before")
            if self._dispatches.unresolved(order.symbol, self.venue_now()) is not None:
                return _unsent(order, Verdict.REJECTED, "not sent: an earlier close has no verdict yet")
            dispatch = self._dispatches.note(order, self.venue_now())
            report = await super().submit(order)
            dispatch.order_id = report.order_id
            dispatch.open = report.verdict in {Verdict.UNKNOWN, Verdict.EXISTS}
            if report.verdict is Verdict.ACCEPTED and order.limit_price is not None:
                return await self._end_limit(dispatch, report)
            return report

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the closing order."""
        return Request(call="v1PrivatePostPrivateClosePosition", params=close_params(order))

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the acknowledgement: the venue's id; its `client_oid` is the venue's own, too."""
        del order
        return Ack(order_id=str(result_of(payload, "private/close-position").get("order_id") or "") or None)

    async def _end_limit(self, dispatch: Dispatch, report: OrderReport) -> OrderReport:
        """Cancel what a limit has not filled at once, and return what became of it as far as it shows."""
        cancelled = False
        for _ in range(REREADS):
            try:
                reader = Reader(self.transport, protective=True)
                with parsing("order"):
                    seen = await self._look_up_sent(reader, dispatch)
            except BrokerError as error:
                _log.info("%s: left to the next lookup: %s", self.account_id, error)
                return report
            if seen is not None and seen.is_final:
                return seen
            if seen is not None and seen.state is OrderState.OPEN and not cancelled:
                await self._cancel_rest(dispatch)  # not before: what does not show may be matching still
                cancelled = True
            await asyncio.sleep(REREAD_PAUSE_S)
        return report

    async def _cancel_rest(self, dispatch: Dispatch) -> None:
        if dispatch.order_id is not None:
            await self._write(Request(call=CANCEL, params={"order_id": dispatch.order_id}))

    # ------------------------------------------------------------------ looking up

    def recall(self, order: SentOrder) -> None:
        """Remember what an earlier process may have sent: the venue keeps no id by which to ask for it."""
        self._dispatches.recall(order)

    async def find_order(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        """Look an order up; one of ours that still rests is cancelled, for none of ours may."""
        report = await super().find_order(client_order_id, symbol)
        dispatch = self._dispatches.of(client_order_id)
        if dispatch is not None and report is not None and report.state is OrderState.OPEN:
            await self._cancel_rest(dispatch)
        return report

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Find what became of an order that was sent by this process, or recalled.

        Of any other the venue cannot be asked. That there was none is certain only when the instrument shows
        no order at all that is not known to be another.

        Raises:
            MalformedAnswer: there are orders that could be it.
        """
        dispatch = self._dispatches.of(client_order_id)
        if dispatch is not None:
            return await self._look_up_sent(read, dispatch)
        for row in await self._listed(read, symbol):
            if row.get("client_oid") == client_order_id:
                return read_report(row, client_order_id, symbol)
            if not self._dispatches.knows(str(row.get("order_id"))):
                raise MalformedAnswer("an order of which nothing is known cannot be told from others")
        return None

    async def _look_up_sent(self, read: Read, dispatch: Dispatch) -> OrderReport | None:
        sent = dispatch.sent
        if dispatch.order_id is not None:
            return await self._detail(read, dispatch, dispatch.order_id)
        rows = await self._listed(read, sent.symbol)
        row = self._dispatches.recognise(dispatch, rows)
        if row is None:
            return None
        report = read_report(row, sent.client_order_id, sent.symbol)
        dispatch.order_id, dispatch.open = report.order_id, False
        return report

    async def _detail(self, read: Read, dispatch: Dispatch, order_id: str) -> OrderReport | None:
        """Read one order by the venue's id; what was acknowledged a moment ago may not show yet."""
        sent = dispatch.sent
        try:
            answer = await read(DETAIL, {"order_id": order_id})
        except RequestRefused as error:
            if error.code != NOT_FOUND:
                raise
            if dispatch.is_forgotten(self.venue_now()):
                return None
            return OrderReport(
                client_order_id=sent.client_order_id,
                symbol=sent.symbol,
                verdict=Verdict.ACCEPTED,
                order_id=order_id,
            )
        row = result_of(answer, "private/get-order-detail")
        if str(row.get("order_id")) != order_id:
            raise MalformedAnswer("private/get-order-detail: the row of another order")
        return read_report(row, sent.client_order_id, sent.symbol)

    async def _listed(self, read: Read, symbol: Symbol) -> list[Mapping[str, Any]]:
        """Return the instrument's orders, open ones first: what ends in between shows in the later list.

        The history is the newest hundred of a day; which moments count is compared here.
        """
        named = {"instrument_name": str(symbol)}
        open_rows = rows_of(await read(OPEN_ORDERS, named), "private/get-open-orders")
        past = await read(HISTORY, {**named, "limit": MOST_PAST})
        return [*open_rows, *rows_of(past, "private/get-order-history")]

    # ------------------------------------------------------------------ cancelling and leverage

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel one order a call, by the calls that list it."""
        return [
            CancelBatch(
                request=Request(
                    call=CANCEL_ADVANCED if order.kind.startswith(ADVANCED) else CANCEL,
                    params={"order_id": order.order_id},
                ),
                orders=(order,),
            )
            for order in orders
        ]

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[CancelReport, ...]:
        """Cancel exactly `orders`; what the lists still show afterwards is not known to be cancelled."""
        reports = await super().cancel_orders(orders)
        queued = {report.order_id for report in reports if report.verdict is Verdict.ACCEPTED}
        left = queued
        for number in range(REREADS if queued else 0):
            if number:
                await asyncio.sleep(REREAD_PAUSE_S)
            try:
                left = queued & {order.order_id for order in await self.fetch_open_orders()}
            except BrokerError as error:
                _log.info("%s: cancellations not confirmed: %s", self.account_id, error)
            if not left:
                break
        doubt = "acknowledged, and still listed or not looked up"
        return tuple(
            replace(report, verdict=Verdict.UNKNOWN, message=doubt) if report.order_id in left else report
            for report in reports
        )

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Set the leverage of the whole account: Crypto.com has no other for cross positions."""
        if self._venue_account is None:
            raise NotSupported(f"cryptocom: no account id known to set the leverage of {symbol} by")
        params = {"account_id": self._venue_account, "leverage": plain(leverage)}
        return [Request(call="v1PrivatePostPrivateChangeAccountLeverage", params=params)]


def _unsent(order: ReduceOrder, verdict: Verdict, message: str) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id, symbol=order.symbol, verdict=verdict, message=message
    )


def _ticker_reads(read: Read, symbols: frozenset[Symbol]) -> list[Awaitable[Json]]:
    """Return the reads of the tickers of `symbols`."""
    if len(symbols) > MOST_TICKERS:
        return [_price_or_none(read, {})]
    return [_price_or_none(read, {"instrument_name": str(symbol)}) for symbol in sorted(symbols)]


async def _price_or_none(read: Read, params: Mapping[str, object]) -> Json:
    """Read tickers; a public price that is not to be had, or not soon, stands against nothing."""
    try:
        async with asyncio.timeout(PRICE_PATIENCE_S):
            answer = await read(TICKERS, params)
        rows_of(answer, "public/get-tickers")
    except (BrokerError, TimeoutError) as error:
        _log.info("cryptocom: no prices: %s", error)
        return None
    return answer


async def _read_or_none(read: Read, call: str) -> Json:
    """Read what a host may not have; `None` when it says so, or something answers in its place.

    Raises:
        BrokerError: nobody answered, or not to this key.
    """
    try:
        return await read(call)
    except (Unauthorized, ClockRefused):
        raise
    except (RequestRefused, ForeignAnswer) as error:
        _log.info("cryptocom: %s is not to be had: %s", call, error)
        return None


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of a Crypto.com Exchange account."""
    return CryptocomBroker(spec)
