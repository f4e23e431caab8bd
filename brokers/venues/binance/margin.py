"""Margin accounts of the spot market: cross and isolated, what both share."""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from brokers.answers import Reply
from brokers.ccxt_broker import Ack, CancelBatch, Read, RowResult, SnapshotContext
from brokers.errors import (
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    NotSupported,
    RequestRefused,
    Unauthorized,
)
from brokers.fields import mapping_from, rows_from
from brokers.hooks import Raw, Receipt
from brokers.interest import apr_of_hourly
from brokers.models import AccountSnapshot, MarketRules, Symbol
from brokers.numbers import plain
from brokers.orders import ClientOrderId, OpenOrder, OrderReport, ReduceOrder, Repayment
from brokers.port import Capabilities
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.binance import margin_orders
from brokers.venues.binance.account import BinanceBroker
from brokers.venues.binance.depth import SPOT, depth_calls
from brokers.venues.binance.margin_markets import read_margin_markets
from brokers.venues.binance.margin_outcomes import BINANCE_MARGIN
from brokers.venues.binance.profile import MARGIN, MARGIN_POINTS
from brokers.venues.binance.refusals import is_absent
from brokers.venues.binance.resting import UNKNOWN_ORDER

REPAY, RATES = "sapiPostMarginBorrowRepay", "sapiGetMarginNextHourlyInterestRate"

MOST_RATES = 20
"""Assets that one call tells the rates of."""

_log = logging.getLogger("margind.brokers")


class MarginBroker(BinanceBroker[Raw]):
    """What both margin accounts share. There is no test environment with margin.

    Nothing is reduce-only here: an order is bound by the quantity of its position and by what is free, and
    may never borrow. Leverage is the debt itself, not a setting.
    """

    profile = MARGIN
    book_calls = depth_calls(lambda _: "publicGetDepth", SPOT)
    outcomes = BINANCE_MARGIN
    trades = "enableSpotAndMarginTrading"
    isolated: ClassVar[bool]
    capabilities: ClassVar = Capabilities(
        order_time_to_live=timedelta(milliseconds=MARGIN.write_window_ms),
        ids_unique_for_ever=False,
        reduce_only=False,
        transfer_in=False,
        key_permissions=True,
        set_leverage=False,
        repay=True,
        points=MARGIN_POINTS,
    )

    def __init__(self, spec: BrokerSpec) -> None:
        if spec.testnet:
            raise NotSupported(f"binance {spec.product} margin has no test environment")
        super().__init__(spec)
        self._owed: tuple[str, ...] = ()

    # ------------------------------------------------------------------ reading

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read `exchangeInfo` of every pair that trades on margin; a host that cannot choose lists all."""
        params = {"permissions": "MARGIN", "showPermissionSets": "false"}
        try:
            answer = await read("publicGetExchangeInfo", params, cost=20)
        except (ClockRefused, Unauthorized):
            raise
        except RequestRefused:
            answer = await read("publicGetExchangeInfo", cost=20)
        return read_margin_markets(answer)

    async def load_borrow_rates(self, read: Read) -> Mapping[str, Decimal]:
        """Read the next hour's rate of what is owed."""
        if not self._owed:
            return {}
        params = {
            "assets": ",".join(self._owed[:MOST_RATES]),
            "isIsolated": margin_orders.isolated_flag(isolated=self.isolated),
        }
        rows = rows_from(await read(RATES, params, cost=100), "the interest rates")
        rates = {str(row.get("asset")): apr_of_hourly(row.get("nextHourlyInterestRate")) for row in rows}
        return {asset: rate for asset, rate in rates.items() if rate is not None}

    def remember(self, snapshot: AccountSnapshot) -> AccountSnapshot:
        """Remember what is owed, to ask for its rate; return the snapshot."""
        self._owed = tuple(sorted({one.currency for one in snapshot.collaterals if one.owed}))
        return snapshot

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every order that rests or waits; what is held now tells whose protection a stop is.

        Raises:
            MalformedAnswer: the picture of what is held is not to be trusted, and there are stops, or it
                is what tells which pairs to ask for.
        """
        raw = await self.gather(read)
        believed = not self.parse_snapshot(raw, await self._context(read)).findings
        if self.isolated and not believed:
            raise MalformedAnswer("open orders: which pairs there are is not known")
        held = self.net_bases(raw) if believed else None
        found = await asyncio.gather(*(self._resting(read, params, held) for params in self.order_lists()))
        return tuple(order for orders in found for order in orders)

    @abstractmethod
    def net_bases(self, raw: Raw) -> Mapping[Symbol, Decimal]:
        """Pure: of each pair, what is held of its base less what is owed."""

    @abstractmethod
    def order_lists(self) -> Sequence[Mapping[str, object]]:
        """Return what each call that lists open orders must say to cover all of the account."""

    async def _context(self, read: Read) -> SnapshotContext:
        return SnapshotContext(
            account_id=self.spec.account_id,
            broker=self.spec.broker,
            product=self.spec.product,
            now=self.venue_now(),
            mode=await self.load_mode(read) if self._account_mode is None else self._account_mode,
            markets=self._rulebook.rules,
        )

    async def _resting(
        self, read: Read, params: Mapping[str, object], held: Mapping[Symbol, Decimal] | None
    ) -> tuple[OpenOrder, ...]:
        """Read open orders and the lists that some of them belong to; a host without lists has none."""
        orders, lists = await asyncio.gather(
            read(margin_orders.OPEN, params, cost=10), _or_none(read, margin_orders.LISTS, params)
        )
        return margin_orders.read_open_orders(
            orders, margin_orders.read_lists(lists or []), held, isolated=self.isolated
        )

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Read one order by client id."""
        params = {
            "symbol": symbol,
            "isIsolated": margin_orders.isolated_flag(isolated=self.isolated),
            "origClientOrderId": client_order_id,
        }
        try:
            answer = await read(margin_orders.FIND, params, cost=10)
        except RequestRefused as error:
            if error.code != UNKNOWN_ORDER:
                raise
            return None
        return margin_orders.read_report(answer, client_order_id, symbol)

    # ------------------------------------------------------------------ writing

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the reducing order."""
        return margin_orders.order_request(order, isolated=self.isolated)

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the answer to an order."""
        del order
        return margin_orders.read_ack(payload)

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel order by order."""
        return margin_orders.cancel_batches(orders)

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Read which orders an answer says it cancelled."""
        del batch
        return margin_orders.read_cancel(reply)

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Refuse: leverage is what was borrowed, not a setting of a pair."""
        del leverage
        raise NotSupported(f"{self.profile.venue}: no leverage setting for {symbol}")

    def repay_request(self, repayment: Repayment) -> Request:
        """Give debt back by `POST /sapi/v1/margin/borrow-repay`, and by no other type than REPAY."""
        params: dict[str, object] = {
            "asset": repayment.currency,
            "isIsolated": margin_orders.isolated_flag(isolated=self.isolated),
            "amount": plain(repayment.amount),
            "type": "REPAY",
        }
        return Request(call=REPAY, params={**params, **self.owner_of(repayment)}, cost=1)

    def owner_of(self, repayment: Repayment) -> Mapping[str, object]:
        """Return what names the pair that owes; a cross account needs no naming."""
        del repayment
        return {}

    def parse_receipt(self, repayment: Repayment, payload: Json) -> Receipt:
        """Read the transaction's id: it was taken, and the debt, read again, says what it did."""
        del repayment
        transaction = mapping_from(payload, "the repayment")["tranId"]
        return Receipt(message=f"tranId {transaction}")


async def _or_none(read: Read, call: str, params: Mapping[str, object]) -> Json:
    """Return an answer, or `None` where the host has no such call."""
    try:
        return await read(call, params, cost=10)
    except BrokerError as error:
        if not is_absent(error):
            raise
        _log.info("no such call at this host: %s", error)
        return None
