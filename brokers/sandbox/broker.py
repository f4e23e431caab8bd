"""The broker port straight onto the sandbox engine: a venue without a wire."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.errors import RequestRefused
from brokers.models import AccountId, AccountSnapshot, ClockOffset, KeyPermissions, Symbol
from brokers.numbers import ms_from_time, time_from_ms
from brokers.order_book import LEVELS, OrderBook, PriceLevel
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
from brokers.port import Capabilities
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Repaid, Transferred, Wallet
from brokers.sandbox.mishaps import Doom, Fate, Mishaps
from brokers.sandbox.orders import Order, OrderSpec, OrderStatus, OrderType, Refusal, Rejection, TimeInForce
from brokers.sandbox.snapshot import open_order, snapshot_of
from brokers.sandbox.spec import DuplicateRule

STATES = {
    OrderStatus.UNTRIGGERED: OrderState.OPEN,
    OrderStatus.OPEN: OrderState.OPEN,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELLED: OrderState.CANCELLED,
}


class SandboxBroker:
    """One account of an engine, as a `brokers.port.Broker`.

    The engine's clock is the venue's, and whoever owns the engine lets time pass; orders that a mishap delays
    arrive when `advance` passes their moment. `mishaps` are the failures to come. `freeze` makes snapshots
    repeat an old picture, with its old `as_of`.
    """

    def __init__(self, engine: Engine, account: str, account_id: AccountId | None = None) -> None:
        self.engine = engine
        self.mishaps = Mishaps()
        self._account = account
        self._account_id = AccountId(account) if account_id is None else account_id
        self._frozen: AccountSnapshot | None = None
        self._late: list[tuple[int, Callable[[], object]]] = []

    @property
    def account_id(self) -> AccountId:
        """The operator's name for the account."""
        return self._account_id

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do: it honours the deadline of every order."""
        rules = self.engine.spec.rules
        return Capabilities(
            order_time_to_live=timedelta(seconds=5),
            ids_unique_for_ever=rules.duplicate_client_ids is DuplicateRule.FOR_EVER,
            reduce_only=True,
            transfer_in=True,
            repay=True,
            key_permissions=True,
            timer=True,
        )

    # --- what only the sandbox has

    def advance(self, to_ms: int) -> None:
        """Let the engine's time pass up to `to_ms`, and delayed writes arrive on the way."""
        for late in sorted(self._late, key=lambda late: late[0]):
            due_ms, write = late
            if due_ms <= to_ms:
                self._late.remove(late)
                self.engine.advance(due_ms)
                _unheard(write)
        self.engine.advance(to_ms)

    def freeze(self) -> None:
        """Let snapshots show this moment until `thaw`, and say so in `as_of`."""
        self._frozen = snapshot_of(self.engine, self._account, self._account_id, self.venue_now())

    def thaw(self) -> None:
        """Let snapshots show the present again."""
        self._frozen = None

    # --- reads

    async def connect(self) -> None:
        """Answer whether the venue answers; there is nothing to load."""
        self.mishaps.on_read("connect")

    async def fetch_snapshot(self, *, protective: bool = False) -> AccountSnapshot:  # noqa: ARG002 - one door here
        """Return the account as it is, or as it was when frozen."""
        self.mishaps.on_read("fetch_snapshot")
        if self._frozen is not None:
            return replace(self._frozen, fetched_at=self.venue_now())
        return snapshot_of(self.engine, self._account, self._account_id, self.venue_now())

    async def fetch_open_orders(self) -> tuple[OpenOrder, ...]:
        """Return resting and untriggered orders."""
        self.mishaps.on_read("fetch_open_orders")
        orders = self.engine.open_orders(self._account)
        return tuple(open_order(order, self.engine.instrument(order.symbol)) for order in orders)

    async def fetch_order_book(self, symbol: Symbol, *, levels: int = LEVELS) -> OrderBook:
        """Return the order book of now."""
        self.mishaps.on_read("fetch_order_book")
        try:
            depth, instrument = self.engine.depth(symbol, levels), self.engine.instrument(symbol)
        except Rejection as refusal:
            raise RequestRefused(str(refusal), code=refusal.reason.value) from refusal
        bids, asks = (
            tuple(PriceLevel(price=price, quantity=instrument.to_contracts(size)) for price, size in side)
            for side in (depth.bids, depth.asks)
        )
        now = self.venue_now()
        return OrderBook(symbol=symbol, bids=bids, asks=asks, as_of=time_from_ms(depth.ms), fetched_at=now)

    async def find_order(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        """Return the latest order with that client id; `None` if the venue has none."""
        self.mishaps.on_read("find_order")
        order = self.engine.find_order(self._account, client_id=client_order_id, symbol=symbol)
        return None if order is None else self._report(order)

    def recall(self, order: SentOrder) -> None:
        """Nothing to remember: the engine finds an order by its client id."""

    async def fetch_funding_balance(self, currency: str) -> Decimal:
        """Return what lies in the funding wallet."""
        self.mishaps.on_read("fetch_funding_balance")
        try:
            return self.engine.funding_balance(self._account, currency)
        except Rejection as refusal:
            raise RequestRefused(str(refusal), code=refusal.reason.value) from refusal

    async def find_transfer(
        self, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Return the transfer with that client id; `None` if the venue has none."""
        self.mishaps.on_read("find_transfer")
        for done in reversed(self.engine.transfers(self._account)):
            same = (done.client_id, done.currency, done.amount) == (client_id, currency, amount)
            if same and time_from_ms(done.ms) >= since:
                return _transfer_report(done, client_id)
        return None

    async def fetch_permissions(self, *, emergency: bool = False) -> KeyPermissions:
        """Return what the specification gives the key; there is only one."""
        del emergency
        self.mishaps.on_read("fetch_permissions")
        granted = self.engine.accounts[self._account].permissions
        return KeyPermissions(
            can_read=granted.can_read,
            can_trade=granted.can_trade,
            can_withdraw=granted.can_withdraw,
            can_transfer=granted.can_transfer,
            ip_bound=granted.ip_bound,
        )

    async def measure_clock(self) -> ClockOffset:
        """Return no offset: the engine's clock is the only one here."""
        self.mishaps.on_read("measure_clock")
        return ClockOffset(offset_ms=0.0, error_ms=0.0)

    def venue_now(self) -> datetime:
        """The engine's clock."""
        return time_from_ms(self.engine.now_ms)

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""

    # --- writes

    async def submit(self, order: ReduceOrder) -> OrderReport:
        """Place one reducing order at the engine; a mishap may take the answer away, or the order."""
        spec = self._order_spec(order)
        doom = self.mishaps.on_write()
        if doom is not None:
            self._doom(doom, lambda: self.engine.place(self._account, spec))
            return OrderReport(
                client_order_id=order.client_order_id, symbol=order.symbol, verdict=Verdict.UNKNOWN
            )
        try:
            placed = self.engine.place(self._account, spec)
        except Rejection as refusal:
            return OrderReport(
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                verdict=_verdict(refusal),
                state=None if _verdict(refusal) is Verdict.EXISTS else OrderState.REJECTED,
                code=refusal.reason.value,
                message=refusal.detail,
            )
        return self._report(placed)

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[CancelReport, ...]:
        """Cancel each order by its id."""
        return tuple(self._cancel(order) for order in orders)

    async def arm_timer(self, after: timedelta) -> None:
        """Arm or disarm the engine's timer."""
        self.mishaps.on_read("arm_timer")
        self.engine.arm_timer(self._account, round(after.total_seconds()) * 1000)

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> None:
        """Set the leverage of a symbol and all its legs."""
        try:
            self.engine.set_leverage(self._account, symbol, leverage)
        except Rejection as refusal:
            raise RequestRefused(str(refusal), code=refusal.reason.value) from refusal

    async def transfer_in(self, currency: str, amount: Decimal, client_id: str) -> TransferReport:
        """Move money from the funding wallet; a mishap may take the answer away, or the transfer."""

        def move() -> Transferred:
            return self.engine.transfer(
                self._account,
                currency,
                amount,
                source=Wallet.FUNDING,
                target=Wallet.TRADING,
                client_id=client_id,
            )

        doom = self.mishaps.on_write()
        if doom is not None:
            self._doom(doom, move)
            return TransferReport(
                client_id=client_id, currency=currency, amount=amount, verdict=Verdict.UNKNOWN
            )
        try:
            done = move()
        except Rejection as refusal:
            exists = refusal.reason is Refusal.DUPLICATE_TRANSFER
            return TransferReport(
                client_id=client_id,
                currency=currency,
                amount=amount,
                verdict=Verdict.EXISTS if exists else Verdict.REJECTED,
                code=refusal.reason.value,
                message=refusal.detail,
            )
        return _transfer_report(done, client_id)

    async def repay(self, repayment: Repayment) -> RepaymentReport:
        """Give back debt at the engine; a mishap may take the answer away, or the repayment."""

        def give_back() -> Repaid:
            return self.engine.repay(self._account, repayment.currency, repayment.amount)

        doom = self.mishaps.on_write()
        if doom is not None:
            self._doom(doom, give_back)
            return RepaymentReport(repayment=repayment, verdict=Verdict.UNKNOWN)
        try:
            done = give_back()
        except Rejection as refusal:
            return RepaymentReport(
                repayment=repayment,
                verdict=Verdict.REJECTED,
                code=refusal.reason.value,
                message=refusal.detail,
            )
        return RepaymentReport(repayment=repayment, verdict=Verdict.ACCEPTED, repaid=done.amount)

    def _order_spec(self, order: ReduceOrder) -> OrderSpec:
        position = order.position
        limited = order.limit_price is not None
        return OrderSpec(
            symbol=order.symbol,
            side=order.side,
            quantity=self.engine.instrument(order.symbol).from_contracts(order.quantity),
            type=OrderType.LIMIT if limited else OrderType.MARKET,
            time_in_force=TimeInForce.IOC if limited else TimeInForce.GTC,
            price=order.limit_price,
            client_id=order.client_order_id,
            reduce_only=True,
            position_side=position.side if position.hedged else None,
            margin_mode=position.margin_mode,
            deadline_ms=ms_from_time(order.deadline),
        )

    def _doom(self, doom: Doom, write: Callable[[], object]) -> None:
        """Let a write meet its fate; a NEVER_ARRIVED one is simply not done."""
        if doom.fate is Fate.LATE:
            self._late.append((self.engine.now_ms + doom.delay_ms, write))
        elif doom.fate is Fate.ANSWER_LOST:
            _unheard(write)

    def _cancel(self, order: OpenOrder) -> CancelReport:
        try:
            self.engine.cancel(self._account, order_id=order.order_id, symbol=order.symbol)
        except Rejection as refusal:
            return CancelReport(
                order_id=order.order_id,
                symbol=order.symbol,
                verdict=Verdict.REJECTED,
                code=refusal.reason.value,
                message=refusal.detail,
            )
        return CancelReport(order_id=order.order_id, symbol=order.symbol, verdict=Verdict.ACCEPTED)

    def _report(self, order: Order) -> OrderReport:
        instrument = self.engine.instrument(order.symbol)
        return OrderReport(
            client_order_id=ClientOrderId(order.client_id or ""),
            symbol=Symbol(order.symbol),
            verdict=Verdict.ACCEPTED,
            state=STATES[order.status],
            order_id=order.order_id,
            filled=instrument.to_contracts(order.filled),
            average_price=order.average_price,
            fee=order.fee,
            code=None if order.cancel_reason is None else order.cancel_reason.value,
        )


def _verdict(refusal: Rejection) -> Verdict:
    duplicate = refusal.reason is Refusal.DUPLICATE_CLIENT_ID
    return Verdict.EXISTS if duplicate else Verdict.REJECTED


def _transfer_report(done: Transferred, client_id: str) -> TransferReport:
    return TransferReport(
        client_id=client_id,
        currency=done.currency,
        amount=done.amount,
        verdict=Verdict.ACCEPTED,
        transfer_id=done.transfer_id,
    )


def _unheard(write: Callable[[], object]) -> None:
    """Do a write whose sender learns nothing: a refusal is in the engine's history only."""
    with suppress(Rejection):
        write()
