"""A Kraken Futures account over ccxt: which calls, in which order."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from brokers.answers import ForeignAnswer, Reply
from brokers.ccxt_broker import CcxtBroker
from brokers.errors import BrokerError, MalformedAnswer, NotSupported, RequestRefused, Unauthorized
from brokers.fields import mapping_from
from brokers.hooks import Ack, CancelBatch, Read, RowResult, SnapshotContext
from brokers.models import AccountMode, AccountSnapshot, KeyPermissions, MarketRules, Symbol
from brokers.orders import ClientOrderId, OpenOrder, OrderReport, ReduceOrder
from brokers.outcomes import KRAKEN_FUTURES as OUTCOMES
from brokers.port import Broker, Capabilities
from brokers.profile import NO_PARAMS, Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.kraken.futures import cancelling, keys
from brokers.venues.kraken.futures.depth import BOOKS
from brokers.venues.kraken.futures.envelope import list_of
from brokers.venues.kraken.futures.markets import read_instruments
from brokers.venues.kraken.futures.orders import (
    order_params,
    read_ack,
    read_fills,
    read_history,
    read_open_order,
    read_resting,
    read_status,
)
from brokers.venues.kraken.futures.profile import (
    COSTS,
    KEY_CHECK,
    KRAKEN_FUTURES,
    ORDER_TIME_TO_LIVE,
    ORDERS_STATUS,
    POINTS,
    TIMER,
)
from brokers.venues.kraken.futures.snapshot import RawSnapshot, account_mode, newest_time, read_snapshot
from brokers.witness import ClockWitness

_log = logging.getLogger("margind.brokers")


class KrakenFuturesBroker(CcxtBroker[RawSnapshot]):
    """A Kraken Futures account: the multi-collateral wallet and the inverse wallets of single coins.

    There is no leverage to set: Kraken's leverage preference takes a contract out of the cross margin.
    Money is not moved in: Kraken gives a transfer neither an id of ours nor one of its own, so that a lost
    answer could not be settled. Kraken's timer that cancels all orders takes the owner's stops with it: it is
    armed only where the operator asks for it.
    """

    profile = KRAKEN_FUTURES
    outcomes = OUTCOMES
    book_calls = BOOKS
    capabilities: ClassVar = Capabilities(
        order_time_to_live=ORDER_TIME_TO_LIVE,
        ids_unique_for_ever=True,
        reduce_only=True,
        transfer_in=False,
        key_permissions=True,
        set_leverage=False,
        points=POINTS,
        deadline="`processBefore`",
        timer=True,
    )

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._witness = ClockWitness(self.transport)

    # ------------------------------------------------------------------ reading

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read the list of contracts, margin schedules included."""
        return read_instruments(await _ask(read, "publicGetInstruments"))

    async def load_mode(self, read: Read) -> AccountMode:
        """Read which wallets the account has."""
        for key in self.spec.keys:
            keys.check_secret(key.secret)
        return account_mode(await _ask(read, "privateGetAccounts"))

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the key may do; unknown where a host has no key service."""
        answer = await _ask_or_none(read, KEY_CHECK)
        return keys.UNKNOWN if answer is None else keys.read_permissions(answer)

    async def gather(self, read: Read) -> RawSnapshot:
        """Read wallets, positions and prices; the clock is measured again when their times do not fit it.

        Kraken signs no time and so never refuses ours: its own times are the only way to notice.
        """
        accounts, positions, tickers = await asyncio.gather(
            _ask(read, "privateGetAccounts"),
            _ask(read, "privateGetOpenpositions"),
            self._tickers(read),
        )
        raw = RawSnapshot(accounts=accounts, positions=positions, tickers=tickers)
        await self._witness.hear(newest_time(raw))
        return raw

    async def _tickers(self, read: Read) -> Json:
        """Read the prices of all contracts; without them the wallets' own figures still tell of danger."""
        try:
            answer = await _ask(read, "publicGetTickers")
            list_of(answer, "tickers")
        except BrokerError as error:
            _log.warning("%s: no prices: %s", self.account_id, error)
            return None
        return answer

    def parse_snapshot(self, raw: RawSnapshot, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot."""
        return read_snapshot(raw, context)

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every resting and trigger order; Kraken lists them all in one answer."""
        rows = list_of(await _ask(read, "privateGetOpenorders"), "openOrders")
        return tuple(self._named(read_open_order(row)) for row in rows)

    def _named(self, order: OpenOrder) -> OpenOrder:
        """Return an order with its contract spelled as the list of contracts does."""
        rules = self._rulebook.rules
        if order.symbol in rules:
            return order
        name = order.symbol.upper()
        symbol = next((symbol for symbol in rules if symbol.upper() == name), order.symbol)
        return replace(order, symbol=symbol)

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Find an order among the open and just ended ones, then among the fills, then in the history.

        `orders/status` knows an order for five seconds after its end; fills tell price and quantity of the
        last hundred executions. Not known only when no source has it and at least two of them answered.
        """
        status, fills = await asyncio.gather(
            _rows_or_none(read, ORDERS_STATUS, "orders", {"cliOrdIds": str(client_order_id)}),
            _rows_or_none(read, "privateGetFills", "fills"),
        )
        if status is None:
            if fills is None:
                raise MalformedAnswer("neither orders/status nor fills is to be had")
            resting = list_of(await _ask(read, "privateGetOpenorders"), "openOrders")
            report = read_resting(resting, client_order_id, symbol)
        else:
            report = read_status(status, client_order_id, symbol)
        executed = None if fills is None else read_fills(fills, client_order_id, symbol)
        if report is not None:
            return replace(report, average_price=None if executed is None else executed.average_price)
        if executed is not None:
            return executed
        wanted = {"tradeable": str(symbol), "sort": "desc"}
        history = await _rows_or_none(read, "historyGetOrders", "elements", wanted)
        if history is None:
            if fills is None:
                raise MalformedAnswer("neither fills nor the order history is to be had")
            return None
        return read_history(history, client_order_id, symbol)

    # ------------------------------------------------------------------ writing

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the reducing order."""
        call = "privatePostSendorder"
        return Request(call=call, params=order_params(order), cost=COSTS[call])

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the acknowledgement."""
        return read_ack(order, payload)

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel one by one or in batches; resting and trigger orders go together."""
        return cancelling.cancel_batches(orders)

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Read what an answer says of its orders; a failure speaks for all of them."""
        return None if reply.failure is not None else cancelling.read_cancelled(batch, reply.payload)

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Refuse: a leverage preference would turn the contract from cross to isolated."""
        del leverage
        raise NotSupported(f"{self.profile.venue}: a leverage preference would isolate {symbol}")

    async def set_timer(self, read: Read, after: timedelta) -> None:
        """Arm or disarm the timer. Source: Kraken docs, Futures REST, "Dead man's switch"."""
        seconds = round(after.total_seconds())
        answer = mapping_from(await _ask(read, TIMER, {"timeout": seconds}), TIMER)
        told = mapping_from(answer.get("status"), "status of the timer")
        if seconds and not told.get("triggerTime"):
            raise MalformedAnswer("cancelallordersafter: no triggerTime, so the timer may not be armed")


async def _ask(read: Read, call: str, params: Mapping[str, object] = NO_PARAMS) -> Json:
    return await read(call, params, cost=COSTS[call])


async def _ask_or_none(read: Read, call: str, params: Mapping[str, object] = NO_PARAMS) -> Json:
    """Read what a host may not have; `None` when it says so, or something answers in its place.

    Raises:
        BrokerError: nobody answered, or not to this key.
    """
    try:
        return await _ask(read, call, params)
    except Unauthorized:
        raise
    except (RequestRefused, ForeignAnswer) as error:
        _log.info("kraken futures: %s is not to be had: %s", call, error)
        return None


async def _rows_or_none(
    read: Read, call: str, name: str, params: Mapping[str, object] = NO_PARAMS
) -> tuple[Mapping[str, Any], ...] | None:
    """Read a list that a host may not have; an answer that leaves the list out tells nothing either."""
    answer = await _ask_or_none(read, call, params)
    left_out = answer is None or (isinstance(answer, Mapping) and name not in answer)
    return None if left_out else list_of(answer, name)


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of a Kraken Futures account."""
    return KrakenFuturesBroker(spec)
