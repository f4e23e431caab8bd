"""The broker port over the transport: what every venue shares. A venue overrides the hooks, nothing else."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

from brokers.answers import Reply
from brokers.book_calls import BookQuery
from brokers.budget import boot_seconds
from brokers.depth import DepthReader
from brokers.doors import NotSent
from brokers.doubts import doubts_of
from brokers.errors import BrokerError, MalformedAnswer, NotSupported
from brokers.hooks import Ack, CancelBatch, Raw, Read, RowResult, SnapshotContext, VenueHooks
from brokers.interest import BorrowRates
from brokers.models import (
    AccountId,
    AccountMode,
    AccountSnapshot,
    ClockOffset,
    Finding,
    FindingCode,
    KeyPermissions,
    MarginTier,
    MarketRules,
    Symbol,
)
from brokers.numbers import ZERO
from brokers.order_book import LEVELS, OrderBook
from brokers.orders import (
    CancelReport,
    ClientOrderId,
    OpenOrder,
    OrderReport,
    OrderState,
    ReduceOrder,
    Repayment,
    RepaymentReport,
    SentOrder,
    TransferReport,
    Verdict,
)
from brokers.outcomes import Write, classify
from brokers.profile import Request
from brokers.reading import Reader, parsing
from brokers.registry import BrokerSpec
from brokers.reports import cancel_reports, order_report, repayment_report
from brokers.rulebook import NEWCOMER_S, REFRESH_S, shared_rulebook
from brokers.transport import Transport

__all__ = ["Ack", "CancelBatch", "CcxtBroker", "Read", "RowResult", "SnapshotContext"]

SLOW_DEADLINE_S = 15.0
"""For reads that no cycle waits for: instrument lists."""

_CANCELS_AT_ONCE = 5
_TIERS_AGE_S = 3600.0

T = TypeVar("T")

_log = logging.getLogger("margind.brokers")


class CcxtBroker(VenueHooks[Raw]):
    """One account at one venue. Implements `brokers.port.Broker`; see there for what each method promises."""

    def __init__(self, spec: BrokerSpec) -> None:
        self.spec = spec
        self.transport = Transport(spec, self.profile)
        self._rulebook = shared_rulebook(
            spec.broker, spec.product, spec.endpoint or "", "testnet" if spec.testnet else ""
        )
        self._account_mode: AccountMode | None = None
        self._mode_left = 0
        self._picture_cost = 1.0  # what the last picture cost
        self._tiers: dict[Symbol, tuple[float, tuple[MarginTier, ...]]] = {}
        self._borrow_rates = BorrowRates()
        self._depth = DepthReader(self.transport)
        self._aside: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec.account_id}>"

    # ------------------------------------------------------------------ the port: reading

    @property
    def account_id(self) -> AccountId:
        """The operator's name for the account."""
        return self.spec.account_id

    async def connect(self) -> None:
        """Measure the clock, then load market rules and the account's mode; repeatable after a failure.

        An unmeasurable clock is a warning: requests are then signed by the local one. An emergency key is
        used once: that it is a wrong one must be known before it is needed.
        """
        try:
            await self.transport.measure_clock()
        except BrokerError as error:
            _log.warning("%s: signing by the local clock: %s", self.account_id, error)
        await self._rulebook.refresh(self._read_markets)
        await self._read_mode(Reader(self.transport))
        if self.spec.emergency is not None:
            try:
                await self.fetch_open_orders()
            except BrokerError as error:
                error.args = (f"emergency key: {error}",)
                raise

    async def fetch_snapshot(self, *, protective: bool = False) -> AccountSnapshot:
        """Read balances, positions and mode as one picture.

        Raises:
            BrokerError: no picture; a picture with gaps comes with findings instead.
        """
        if self._rulebook.needs(float("inf")):
            await self._rulebook.refresh(self._read_markets)
        await self.transport.take_turn(self._picture_cost, protective=protective)
        reader = Reader(self.transport, protective=protective)
        mode, changed = await self._current_mode(reader)
        reader = reader.again()
        with parsing("snapshot"):
            raw = await self.gather(reader)
        self._picture_cost = reader.cost
        context = SnapshotContext(
            account_id=self.spec.account_id,
            broker=self.spec.broker,
            product=self.spec.product,
            now=self.transport.venue_now(),
            mode=mode,
            markets=self._rulebook.rules,
            tiers=MappingProxyType({symbol: tiers for symbol, (_, tiers) in self._tiers.items() if tiers}),
        )
        with parsing("snapshot"):
            snapshot = self.parse_snapshot(raw, context)
        findings = [*changed, *doubts_of(snapshot, reader.spread_s)]
        self._catch_up(snapshot)
        if not protective and self._borrow_rates.ask(snapshot.collaterals, boot_seconds()):
            self._start(self._read_borrow_rates)
        collaterals = self._borrow_rates.told(snapshot.collaterals, boot_seconds())
        if not findings and collaterals is snapshot.collaterals:
            return snapshot
        return replace(snapshot, collaterals=collaterals, findings=(*snapshot.findings, *findings))

    async def fetch_open_orders(self) -> tuple[OpenOrder, ...]:
        """Read every resting order of every settle currency, product and trigger or algo book."""
        with parsing("open orders"):
            return await self.load_open_orders(Reader(self.transport, protective=True))

    async def fetch_order_book(self, symbol: Symbol, *, levels: int = LEVELS) -> OrderBook:
        """Read the best `levels` of both sides of an order book, or as many as the venue tells."""
        if self.book_calls is None:
            raise NotSupported(f"{self.profile.venue}: no order book of {symbol}")
        query = BookQuery(symbol=symbol, levels=levels, markets=self._rulebook.rules)
        return await self._depth.read(query, self.book_calls)

    async def fetch_permissions(self, *, emergency: bool = False) -> KeyPermissions:
        """Read what the API key, or the emergency key, may do."""
        with parsing("permissions"):
            return await self.load_permissions(Reader(self.transport, protective=emergency))

    async def fetch_funding_balance(self, currency: str) -> Decimal:
        """Return what the funding wallet could give, in `currency`; zero only if the venue says so."""
        with parsing("funding balance"):
            return await self.look_up_funding(Reader(self.transport, protective=True), currency)

    async def find_order(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        """Look an order up by its client id; `None` when the venue says it does not know it."""
        with parsing("order"):
            return await self.look_up_order(Reader(self.transport, protective=True), client_order_id, symbol)

    def recall(self, order: SentOrder) -> None:
        """Nothing to remember: the venue finds an order by its client id."""

    async def find_transfer(
        self, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Look a transfer up, by id where the venue has one, else by amount and time; `None`: not known."""
        with parsing("transfer"):
            reader = Reader(self.transport, protective=True)
            return await self.look_up_transfer(reader, client_id, currency, amount, since)

    # ------------------------------------------------------------------ the port: writing

    async def submit(self, order: ReduceOrder) -> OrderReport:
        """Send one reducing order, once; the venue must not accept it after its deadline.

        An order that cannot be put in the venue's words is refused unsent.
        """
        try:
            request = self.order_request(order)
        except NotSupported as error:
            reply = Reply(payload=None, status=None, code=None, message=str(error), failure=error, sent=False)
        else:
            reply = await self._write(request, expires_at=order.deadline)
        verdict = classify(self.outcomes, Write.ORDER, reply)
        ack = None
        if verdict is Verdict.ACCEPTED:
            ack = _or_none(lambda: self.parse_ack(order, reply.payload))
        report = order_report(order, verdict, ack, reply)
        if report.verdict is Verdict.REJECTED and report.code in self.outcomes.unfilled:
            report = replace(report, state=OrderState.CANCELLED, filled=ZERO)
        return report

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[CancelReport, ...]:
        """Cancel exactly `orders`, whatever book each rests in; one report per order, in that order."""
        at_once = asyncio.Semaphore(_CANCELS_AT_ONCE)

        async def cancel(batch: CancelBatch) -> tuple[CancelReport, ...]:
            async with at_once:
                reply = await self._write(batch.request)
            rows = None
            if reply.payload is not None:
                rows = _or_none(lambda: self.parse_cancel(batch, reply))
            return cancel_reports(self.outcomes, batch, reply, rows)

        done = await asyncio.gather(*(cancel(batch) for batch in self.cancel_batches(orders)))
        reports = {report.order_id: report for batch in done for report in batch}
        return tuple(
            reports.get(order.order_id)
            or CancelReport(
                order_id=order.order_id,
                symbol=order.symbol,
                verdict=Verdict.REJECTED,
                message="not sent: no call covers it",
            )
            for order in orders
        )

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> None:
        """Set the venue's leverage setting; "not modified" is success.

        Raises:
            BrokerError: refused, or not known to have worked; setting it again is harmless.
        """
        for request in self.leverage_requests(symbol, leverage):
            reply = await self._write(request)
            if reply.failure is not None and not self.outcomes.is_benign(Write.LEVERAGE, reply.code):
                raise reply.failure

    async def transfer_in(self, currency: str, amount: Decimal, client_id: str) -> TransferReport:
        """Move collateral from the funding wallet into the margin account, once."""
        reply = await self._write(self.transfer_request(currency, amount, client_id))
        verdict = classify(self.outcomes, Write.TRANSFER, reply)
        transfer_id = None
        if verdict is Verdict.ACCEPTED:
            transfer_id = _or_none(lambda: self.parse_transfer(reply.payload))
            verdict = verdict if transfer_id else Verdict.UNKNOWN
        return TransferReport(
            client_id=client_id,
            currency=currency,
            amount=amount,
            verdict=verdict,
            transfer_id=transfer_id,
            code=reply.code,
            message=reply.message,
        )

    async def repay(self, repayment: Repayment) -> RepaymentReport:
        """Give back debt, once, out of what the account has free of that currency; never sells for it."""
        reply = await self._write(self.repay_request(repayment))
        verdict = classify(self.outcomes, Write.REPAYMENT, reply)
        receipt = None
        if verdict is Verdict.ACCEPTED:
            receipt = _or_none(lambda: self.parse_receipt(repayment, reply.payload))
        return repayment_report(repayment, verdict, receipt, reply)

    async def arm_timer(self, after: timedelta) -> None:
        """Have the venue cancel every order unless asked again in time; zero disarms. Delays no order."""
        with parsing("timer"):
            await self.set_timer(Reader(self.transport, protective=True), after)

    # ------------------------------------------------------------------ the port: clock and end

    async def measure_clock(self) -> ClockOffset:
        """Measure the venue's clock against ours, and sign by it from now on."""
        return await self.transport.measure_clock()

    def venue_now(self) -> datetime:
        """The venue's time, by the last measurement."""
        return self.transport.venue_now()

    async def aclose(self) -> None:
        """Close every connection, after writes in flight have ended."""
        for task in self._aside:
            task.cancel()
        await self.transport.aclose()

    # ------------------------------------------------------------------ inside

    async def _write(self, request: Request, *, expires_at: datetime | None = None) -> Reply:
        return await self.transport.write(
            request.call, request.params, cost=request.cost, expires_at=expires_at
        )

    async def _read_markets(self) -> Mapping[Symbol, MarketRules]:
        with parsing("market rules"):
            markets = await self.load_markets(Reader(self.transport, deadline_s=SLOW_DEADLINE_S))
        if self.has_markets and not markets:
            raise MalformedAnswer("market rules: not one instrument could be read")
        return markets

    async def _read_mode(self, reader: Reader) -> AccountMode:
        with parsing("account mode"):
            mode = await self.load_mode(reader)
        self._account_mode = mode
        self._mode_left = self.mode_every
        return mode

    async def _current_mode(self, reader: Reader) -> tuple[AccountMode, list[Finding]]:
        """Return the account's mode, read again when it is time, and a finding in the cycle it changed.

        A known mode outlives a failed reading; it is tried again in the next cycle.
        """
        known = self._account_mode
        self._mode_left -= 1
        if known is not None and self._mode_left > 0:
            return known, []
        try:
            mode = await self._read_mode(reader)
        except BrokerError as error:
            if known is None:
                raise
            if self._mode_left == 0:  # the first of several; the next cycle tries again
                _log.warning("%s: account mode taken as it was, %s: %s", self.account_id, known.label, error)
            return known, []
        if known is None or mode == known:
            return mode, []
        detail = f"account mode went from {known.label} to {mode.label}"
        return mode, [Finding(code=FindingCode.MODE_UNKNOWN, detail=detail)]

    def _catch_up(self, snapshot: AccountSnapshot) -> None:
        """Start reading what the next snapshot could use: rules of new symbols, brackets of held ones."""
        symbols = {position.symbol for position in snapshot.positions}
        unknown = {one.symbol for one in snapshot.findings if one.code is FindingCode.SYMBOL_UNKNOWN}
        is_complete = symbols | unknown - {None} <= self._rulebook.rules.keys()
        max_age = REFRESH_S if is_complete else NEWCOMER_S
        if self._rulebook.needs(max_age):
            self._start(lambda: self._rulebook.refresh(self._read_markets, max_age_s=max_age))
        now = boot_seconds()
        due = sorted(s for s in symbols if s not in self._tiers or now - self._tiers[s][0] > _TIERS_AGE_S)
        if due:
            self._tiers |= {symbol: (now, self._tiers.get(symbol, (0.0, ()))[1]) for symbol in due}
            self._start(lambda: self._read_tiers(due))

    async def _read_tiers(self, symbols: Sequence[Symbol]) -> None:
        with parsing("brackets"):
            found = await self.load_tiers(Reader(self.transport), symbols)
        now = boot_seconds()
        self._tiers |= {symbol: (now, tiers) for symbol, tiers in found.items()}

    async def _read_borrow_rates(self) -> None:
        rates: Mapping[str, Decimal] = {}
        try:
            with parsing("borrow rates"):
                rates = await self.load_borrow_rates(self.transport.read_aside)
        except NotSent:
            self._borrow_rates.take_back()
            return
        except BrokerError as error:
            _log.debug("%s: no borrow rates: %s", self.account_id, error)
        self._borrow_rates.learn(rates, boot_seconds())

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        async def aside() -> None:
            try:
                await work()
            except BrokerError as error:
                _log.info("%s: left aside: %s", self.account_id, error)

        task = asyncio.ensure_future(aside())
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)


def _or_none(parse: Callable[[], T]) -> T | None:
    """Return what `parse` makes of an answer to a write, or `None` when the answer is foreign to it."""
    try:
        with parsing("answer"):
            return parse()
    except MalformedAnswer:
        return None
