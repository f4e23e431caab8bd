"""An OKX trading account over ccxt: which calls, in which order."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from brokers.answers import Reply
from brokers.ccxt_broker import CcxtBroker
from brokers.errors import MalformedAnswer, RequestRefused
from brokers.hooks import Ack, CancelBatch, Read, Receipt, RowResult, SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    KeyPermissions,
    MarginMode,
    MarketRules,
    Position,
    Symbol,
)
from brokers.numbers import plain
from brokers.orders import ClientOrderId, OpenOrder, OrderReport, ReduceOrder, Repayment, TransferReport
from brokers.outcomes import OKX
from brokers.port import Broker, Capabilities
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.okx import cancelling, repaying, wallet
from brokers.venues.okx.account import account_mode, key_permissions, read_config
from brokers.venues.okx.borrowing import read_borrow_rates
from brokers.venues.okx.depth import BOOKS
from brokers.venues.okx.envelope import SUCCESS, row_of, rows_of
from brokers.venues.okx.markets import INSTRUMENT_TYPES, instrument_type, read_instruments
from brokers.venues.okx.orders import (
    ALGO_TYPES,
    margin_currency,
    order_params,
    read_algo_order,
    read_open_order,
    read_report,
    trade_mode,
)
from brokers.venues.okx.pages import PAGE, read_algo_rows, read_or_none, read_pages
from brokers.venues.okx.profile import OKX_UNIFIED, ORDER_TIME_TO_LIVE, POINTS
from brokers.venues.okx.snapshot import RawSnapshot, read_snapshot

ORDER_UNKNOWN = "51603"
TRANSFER_UNKNOWN = "58129"


class OkxBroker(CcxtBroker[RawSnapshot]):
    """An OKX account of any level and position mode.

    A partial reduction relies on OKX's reduce-only flag (net mode) or on the leg it names (long/short mode).
    OKX documents the flag for futures and multi-currency mode only; what a portfolio account makes of it is
    not documented, so there the order's size, taken from a fresh position, is all that is certain.
    """

    profile = OKX_UNIFIED
    outcomes = OKX
    book_calls = BOOKS
    capabilities: ClassVar = Capabilities(
        order_time_to_live=ORDER_TIME_TO_LIVE,
        ids_unique_for_ever=False,
        reduce_only=True,
        transfer_in=True,
        key_permissions=True,
        points=POINTS,
        deadline="`expTime`",
        repay=True,
    )

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._held: tuple[Position, ...] = ()

    # ------------------------------------------------------------------ reading

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read the instruments of each type; a host without one type has none of it."""
        lists = await asyncio.gather(
            read("publicGetPublicInstruments", {"instType": INSTRUMENT_TYPES[0]}),
            *(
                read_or_none(read, "publicGetPublicInstruments", {"instType": kind})
                for kind in INSTRUMENT_TYPES[1:]
            ),
        )
        return {
            symbol: rules
            for payload in lists
            if payload is not None
            for symbol, rules in read_instruments(payload).items()
        }

    async def load_mode(self, read: Read) -> AccountMode:
        """Read account level and position mode."""
        return account_mode(read_config(await read("privateGetAccountConfig", cost=4)))

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the key may do."""
        return key_permissions(read_config(await read("privateGetAccountConfig", cost=4)))

    async def load_borrow_rates(self, read: Read) -> Mapping[str, Decimal]:
        """Read what borrowing each currency costs, all of them at once."""
        return read_borrow_rates(await read("privateGetAccountInterestRate", cost=4))

    async def gather(self, read: Read) -> RawSnapshot:
        """Read balance and positions; each is one answer over all currencies and instrument types."""
        balance, positions = await asyncio.gather(
            read("privateGetAccountBalance", cost=2), read("privateGetAccountPositions", cost=2)
        )
        return RawSnapshot(balance=balance, positions=positions)

    def parse_snapshot(self, raw: RawSnapshot, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot, and remember whose leverage setting is whose."""
        snapshot = read_snapshot(raw, context)
        self._held = snapshot.positions
        return snapshot

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read resting orders and every algo book, each to its last page."""
        active, *algos = await asyncio.gather(
            read_pages(read, "privateGetTradeOrdersPending", "ordId", cost=1 / 3),
            *(read_algo_rows(read, kind) for kind in ALGO_TYPES),
        )
        resting = [read_open_order(row) for row in active]
        return (*resting, *(read_algo_order(row) for rows in algos for row in rows))

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Read one order by client id; not known only when the order history does not hold it either.

        Of several orders with one id OKX returns the latest.
        """
        params = {"instId": str(symbol), "clOrdId": str(client_order_id)}
        documented = False
        try:
            rows = rows_of(await read("privateGetTradeOrder", params, cost=1 / 3), "trade/order")
        except RequestRefused as error:
            if error.code != ORDER_UNKNOWN:
                raise
            documented, rows = True, ()
        if rows:
            return read_report(rows[0], client_order_id, symbol)
        history = {"instType": instrument_type(symbol), "instId": str(symbol), "limit": str(PAGE)}
        payload = await read_or_none(read, "privateGetTradeOrdersHistory", history, cost=1 / 2)
        if payload is None and not documented:
            raise MalformedAnswer("trade/order: an answer without a row")
        for row in () if payload is None else rows_of(payload, "trade/orders-history"):
            if row.get("clOrdId") == client_order_id:
                return read_report(row, client_order_id, symbol)
        return None

    # ------------------------------------------------------------------ writing

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the reducing order, as a single one: a batch would count and answer otherwise."""
        rules = self._rulebook.rules.get(order.symbol)
        step = None if rules is None else rules.price_step
        return Request(call="privatePostTradeOrder", params=order_params(order, step), cost=1 / 3)

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the acknowledgement: it holds the venue's id and ours, and nothing of a fill."""
        del order
        row = row_of(payload, "trade/order")
        if row.get("sCode") not in {None, "", SUCCESS}:
            raise MalformedAnswer(f"trade/order: sCode {row.get('sCode')!r} in a success")
        return Ack(
            order_id=str(row.get("ordId") or "") or None,
            client_order_id=str(row.get("clOrdId") or "") or None,
        )

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel in batches, resting and algo orders apart."""
        return cancelling.cancel_batches(orders)

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Read the rows of a batch, also where the answer as a whole is a failure."""
        return cancelling.read_cancel_rows(batch, reply.payload)

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Set the leverage of every margin mode held in `symbol`, of the cross mode when flat.

        OKX keeps one setting per margin mode, for isolated legs one per leg, and for pairs one per margin
        currency.
        """
        held = [position for position in self._held if position.symbol == symbol]
        wanted: dict[tuple[str, str, str], None] = {}
        for position in held:
            leg = position.hedged and position.margin_mode is MarginMode.ISOLATED
            currency = margin_currency(position) or ""
            wanted[trade_mode(position), position.side.value if leg else "", currency] = None
        if not wanted:
            wanted["cross", "", ""] = None
        return [
            Request(
                call="privatePostAccountSetLeverage",
                params={
                    "instId": str(symbol),
                    "lever": plain(leverage),
                    "mgnMode": mode,
                    **({"posSide": leg} if leg else {}),
                    **({"ccy": currency} if currency else {}),
                },
            )
            for mode, leg, currency in wanted
        ]

    def repay_request(self, repayment: Repayment) -> Request:
        """Build the repayment of spot mode; elsewhere no collateral says that anything can be given back."""
        return repaying.repay_request(repayment)

    def parse_receipt(self, repayment: Repayment, payload: Json) -> Receipt:
        """Read what was taken."""
        return repaying.read_receipt(repayment, payload)

    # ------------------------------------------------------------------ funding wallet

    async def look_up_funding(self, read: Read, currency: str) -> Decimal:
        """Read the funding wallet."""
        answer = await read("privateGetAssetBalances", {"ccy": currency}, cost=5 / 3)
        return wallet.read_funding(answer, currency)

    def transfer_request(self, currency: str, amount: Decimal, client_id: str) -> Request:
        """Build the transfer from the funding into the trading account."""
        return wallet.transfer_request(currency, amount, client_id)

    def parse_transfer(self, payload: Json) -> str | None:
        """Read the venue's transfer id."""
        return str(row_of(payload, "asset/transfer").get("transId") or "") or None

    async def look_up_transfer(
        self, read: Read, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Read a transfer of the last two weeks by our id."""
        del since
        try:
            answer = await read("privateGetAssetTransferState", {"clientId": client_id, "type": "0"})
        except RequestRefused as error:
            if error.code != TRANSFER_UNKNOWN:
                raise
            return None
        return wallet.read_transfer_state(answer, client_id, currency, amount)


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of an OKX account."""
    return OkxBroker(spec)
