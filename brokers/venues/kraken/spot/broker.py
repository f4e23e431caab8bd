"""A Kraken spot margin account over ccxt: which calls, in which order."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from brokers.answers import ForeignAnswer, Reply
from brokers.ccxt_broker import CcxtBroker
from brokers.errors import (
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    NonceRefused,
    NotSupported,
    RequestRefused,
    Unauthorized,
)
from brokers.hooks import Ack, CancelBatch, Read, RowResult, SnapshotContext
from brokers.models import AccountMode, AccountSnapshot, KeyPermissions, MarketRules, Position, Symbol
from brokers.nonces import READ_GAP_S
from brokers.orders import (
    CancelReport,
    ClientOrderId,
    OpenOrder,
    OrderReport,
    ReduceOrder,
    SentOrder,
    Verdict,
)
from brokers.outcomes import KRAKEN_SPOT as OUTCOMES
from brokers.port import Broker, Capabilities
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.kraken.spot import cancelling, keys
from brokers.venues.kraken.spot.depth import BOOKS
from brokers.venues.kraken.spot.envelope import object_of, result_of, rows_by_id
from brokers.venues.kraken.spot.markets import find_rules, rate_pair, read_pairs
from brokers.venues.kraken.spot.orders import order_params, read_ack, read_open_order, read_report
from brokers.venues.kraken.spot.positions import quotes_of
from brokers.venues.kraken.spot.profile import (
    KRAKEN_SPOT,
    ORDER_TIME_TO_LIVE,
    PACE,
    PICTURE,
    POINTS,
    PROTECTIVE_PACE,
)
from brokers.venues.kraken.spot.snapshot import SPOT_MARGIN, RawSnapshot, read_rates, read_snapshot

BALANCE, POSITIONS = "privatePostTradeBalance", "privatePostOpenPositions"
OPEN_ORDERS, CLOSED_ORDERS = "privatePostOpenOrders", "privatePostClosedOrders"
QUERY_ORDERS = "privatePostQueryOrders"
TIMER = "privatePostCancelAllOrdersAfter"
TICKER = "publicGetTicker"
LOOKS = ((OPEN_ORDERS, "open"), (CLOSED_ORDERS, "closed"))

MOST_TOLD = 1_000
"""So many orders' ids are remembered."""

_log = logging.getLogger("margind.brokers")


class KrakenSpotBroker(CcxtBroker[RawSnapshot]):
    """A Kraken account by its spot margin positions; spot balances are collateral and no positions.

    Leverage is a word in an order, not a setting. Money is not moved in: spot collateral lies in the same
    wallet, and Kraken transfers the other way only. Kraken's timer that cancels all orders takes the owner's
    stops with it: it is armed only where the operator asks for it.
    """

    profile = KRAKEN_SPOT
    outcomes = OUTCOMES
    book_calls = BOOKS
    capabilities: ClassVar = Capabilities(
        order_time_to_live=ORDER_TIME_TO_LIVE,
        ids_unique_for_ever=False,
        reduce_only=True,
        transfer_in=False,
        key_permissions=True,
        set_leverage=False,
        pace=PACE,
        protective_pace=PROTECTIVE_PACE,
        points=POINTS,
        deadline="`deadline`",
        timer=True,
    )
    mode_every: ClassVar = 1_000_000
    """There is one mode: it is enough to ask when connecting."""

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._held: tuple[Position, ...] = ()
        self._deadlines: dict[ClientOrderId, datetime] = {}
        self._picture_cost = PICTURE
        self._told: dict[ClientOrderId, str] = {}
        self._batches = True

    # ------------------------------------------------------------------ reading

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read the list of pairs, margin levels and leverages included."""
        return read_pairs(await read("publicGetAssetPairs", cost=0))

    async def load_mode(self, read: Read) -> AccountMode:
        """Return the one mode there is, of an account that has totals at all."""
        for key in self.spec.keys:
            keys.check_secret(key.secret)
        object_of(await read(BALANCE, {"asset": "ZUSD"}), "TradeBalance")
        return SPOT_MARGIN

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the key may do; unknown where a host has no such call."""
        try:
            return keys.read_permissions(await read("privatePostGetApiKeyInfo"))
        except (Unauthorized, NonceRefused, ClockRefused):
            raise
        except (RequestRefused, ForeignAnswer) as error:
            _log.info("%s: the key cannot be asked about: %s", self.account_id, error)
            return keys.UNKNOWN

    async def gather(self, read: Read) -> RawSnapshot:
        """Read totals, then positions: nonces must arrive in order, so the calls of one key take turns.

        Totals that are long in coming are not waited for.
        """
        asked_at = self.transport.venue_now()
        totals = asyncio.ensure_future(read(BALANCE, {"asset": "ZUSD"}))
        try:
            await asyncio.wait({totals}, timeout=READ_GAP_S)
            if totals.done():
                totals.result()
            balance, positions = await asyncio.gather(totals, read(POSITIONS, {"docalcs": "true"}))
        finally:
            totals.cancel()
        quotes = quotes_of(result_of(positions, "OpenPositions"), self._rulebook.rules)
        rates = await self._rates(read, quotes)
        return RawSnapshot(balance=balance, positions=positions, rates=rates, asked_at=asked_at)

    async def _rates(self, read: Read, currencies: frozenset[str]) -> Mapping[str, Decimal]:
        """Read what other quote currencies are worth in USD; what is not to be had is left out."""
        rules = self._rulebook.rules
        pairs = {name: pair for name in sorted(currencies) if (pair := rate_pair(name, rules)) is not None}
        if not pairs:
            return {}
        try:
            return read_rates(await read(TICKER, {"pair": ",".join(pairs.values())}, cost=0), pairs)
        except BrokerError as error:
            _log.info("%s: no prices of %s: %s", self.account_id, ", ".join(pairs), error)
            return {}

    def parse_snapshot(self, raw: RawSnapshot, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot, and remember what is held: it tells whose protection a stop is."""
        snapshot = read_snapshot(raw, context)
        self._held = snapshot.positions
        return snapshot

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every order that rests or waits; Kraken lists them all in one answer."""
        rows = rows_by_id(await read(OPEN_ORDERS), "open", "OpenOrders")
        rules = self._rulebook.rules
        return tuple(read_open_order(txid, row, rules, self._held) for txid, row in rows.items())

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Find an order by Kraken's id, once told; else among closed ones, after its deadline also open ones.

        Orders are immediate-or-cancel, so one that arrived is closed, and before its deadline absence proves
        nothing: one look must do, for each counts. After it no order arrives any more, and one moves from
        open to closed and never back: what is in neither list, looked at in this order, does not exist.
        """
        txid = self._told.get(client_order_id)
        if txid is not None and (row := await self._order(read, txid)) is not None:
            report = read_report({txid: row}, client_order_id, symbol, txid)
            if report is not None:
                return report
        ours = {"cl_ord_id": str(client_order_id)}
        deadline = self._deadlines.get(client_order_id)
        is_over = deadline is None or self.transport.venue_now() > deadline
        for call, name in LOOKS if is_over else LOOKS[1:]:
            rows = rows_by_id(await read(call, ours), name, call)
            report = read_report(rows, client_order_id, symbol, txid)
            if report is not None:
                return report
        return None

    async def _order(self, read: Read, txid: str) -> Mapping[str, Json] | None:
        """Read one order by Kraken's id; `None` where that is not to be had: the lists tell, too."""
        try:
            found = object_of(await read(QUERY_ORDERS, {"txid": txid}), QUERY_ORDERS).get(txid)
        except (Unauthorized, NonceRefused, ClockRefused):
            raise
        except (RequestRefused, ForeignAnswer) as error:
            _log.info("%s: %s is not to be had by its id: %s", self.account_id, txid, error)
            return None
        return found if isinstance(found, Mapping) else None

    def recall(self, order: SentOrder) -> None:
        """Remember Kraken's id of an order, for a list may leave ours out, and until when it may arrive."""
        self._remember(order.client_order_id, order.order_id)
        self._expect(order.client_order_id, order.deadline)

    def _expect(self, client_order_id: ClientOrderId, deadline: datetime) -> None:
        while len(self._deadlines) >= MOST_TOLD:
            del self._deadlines[next(iter(self._deadlines))]
        self._deadlines[client_order_id] = deadline

    def _remember(self, client_order_id: ClientOrderId, txid: str | None) -> None:
        if txid is not None:
            while len(self._told) >= MOST_TOLD:
                del self._told[next(iter(self._told))]
            self._told[client_order_id] = txid

    # ------------------------------------------------------------------ writing

    async def submit(self, order: ReduceOrder) -> OrderReport:
        """Send one reducing order, once, and remember Kraken's id of it."""
        report = await super().submit(order)
        self._remember(order.client_order_id, report.order_id)
        return report

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[CancelReport, ...]:
        """Cancel exactly `orders`; after a batch that told nothing of any, one by one from then on."""
        reports = await super().cancel_orders(orders)
        if len(orders) > cancelling.FEW and all(report.verdict is Verdict.UNKNOWN for report in reports):
            self._batches = False
        return reports

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the reducing order; placing and cancelling do not count against the call counter."""
        self._expect(order.client_order_id, order.deadline)
        params = order_params(order, find_rules(order.symbol, self._rulebook.rules))
        return Request(call="privatePostAddOrder", params=params, cost=0)

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the acknowledgement."""
        del order
        return read_ack(payload)

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel a few one by one, many in batches; resting and trigger orders go together."""
        return cancelling.cancel_batches(orders, singly=not self._batches)

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Read the count of a batch; a failure speaks for all of it."""
        return None if reply.failure is not None else cancelling.read_count(batch, reply.payload)

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Refuse: an order names its own leverage, and positions keep theirs."""
        del leverage
        raise NotSupported(f"{self.profile.venue}: no leverage setting for {symbol}")

    async def set_timer(self, read: Read, after: timedelta) -> None:
        """Arm or disarm the timer; any order may overtake the call, which then is refused and asked again.

        Source: Kraken docs, "Cancel All Orders After X".
        """
        seconds = round(after.total_seconds())
        told = object_of(await read(TIMER, {"timeout": seconds}), "CancelAllOrdersAfter")
        if seconds and not told.get("triggerTime"):
            raise MalformedAnswer("CancelAllOrdersAfter: no triggerTime, so the timer may not be armed")


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of a Kraken spot margin account."""
    return KrakenSpotBroker(spec)
