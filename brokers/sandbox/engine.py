"""The sandbox venue: one clock, one market and its accounts; every act goes through here."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from brokers.models import MarginMode, OrderSide, Side
from brokers.numbers import ZERO
from brokers.sandbox.account import Account
from brokers.sandbox.figures import AccountFigures
from brokers.sandbox.hands import deleverage, deleverage_winners, open_positions, trade_externally
from brokers.sandbox.history import Event, LedgerKind, Repaid, Transferred, Wallet
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.liquidation import liquidate
from brokers.sandbox.matching import (
    cancel_order,
    end_order,
    find_order,
    place_order,
    work_orders,
)
from brokers.sandbox.orders import CancelReason, Fill, Order, OrderSpec, Refusal, Rejection
from brokers.sandbox.prices import Depth, Ticker, depth, ticker
from brokers.sandbox.repayment import repay, repayable
from brokers.sandbox.scenarios import Scenario
from brokers.sandbox.settings import set_leverage, set_margin_mode
from brokers.sandbox.spec import AccountSpec, Asset, SandboxSpec
from brokers.sandbox.state import Controls, VenueState
from brokers.sandbox.statement import account_figures
from brokers.sandbox.trading import closing_side
from brokers.sandbox.treasury import accrue_interest, pay_funding, transfer

__all__ = ["Controls", "Depth", "Engine", "Ticker"]


class Engine:
    """A venue in memory. Deterministic: the same spec, seed and calls give the same history.

    Accounts are named by `AccountSpec.name`, instruments by `Instrument.name`. Requests raise
    `brokers.sandbox.orders.Rejection` and then have changed nothing but the history. Everything returned is
    frozen.
    """

    def __init__(self, spec: SandboxSpec, seed: int = 0) -> None:
        self.spec = spec
        self._state = VenueState(spec, seed)
        self.controls = self._state.controls
        self._last_tick_ms = spec.start_ms
        self._by_key = {account.api_key: account for account in spec.accounts}
        self._figures: dict[str, tuple[int, int, AccountFigures]] = {}
        for account in self._state.accounts.values():
            open_positions(self._state, account)

    # --- clock and market

    @property
    def now_ms(self) -> int:
        """The venue's clock, in milliseconds since the epoch."""
        return self._state.now_ms

    def advance(self, to_ms: int) -> None:
        """Let time pass up to `to_ms`, and the venue act on every tick on the way; never goes back."""
        tick = self.spec.tick_ms
        if not any(self._busy(account) for account in self._state.accounts.values()):
            self._last_tick_ms = max(self._last_tick_ms, to_ms - (to_ms - self.spec.start_ms) % tick)
        while self._last_tick_ms + tick <= to_ms:
            self._tick(self._last_tick_ms + tick)
        if to_ms > self.now_ms:
            self._state.market.set_clock(to_ms)

    def play(self, scenario: Scenario) -> None:
        """Start `scenario` now, from the prices of now."""
        self._state.market.play(scenario)

    @property
    def is_out(self) -> bool:
        """Whether the scenario has the venue answer nobody now."""
        return self._state.market.is_out

    @property
    def latency_factor(self) -> Decimal:
        """How many times slower than on a calm day the scenario has the venue answer now."""
        return self._state.market.latency_factor

    def move_price(self, asset: str, factor: Decimal) -> None:
        """Multiply the price of `asset` from now on, and let the venue act on it at once."""
        if not self._state.market.has_asset(asset):
            raise Rejection(Refusal.UNKNOWN_CURRENCY, asset)
        if factor <= 0:
            raise ValueError(f"a price cannot be multiplied by {factor}")
        self._state.market.move(asset, factor)
        self._act()

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument; `Rejection(UNKNOWN_SYMBOL)` if not listed."""
        return self._state.instrument(symbol)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Everything that is listed."""
        return self.spec.instruments

    def ticker(self, symbol: str) -> Ticker:
        """Return the prices of now."""
        self.instrument(symbol)
        return ticker(self._state.market, symbol)

    def depth(self, symbol: str, levels: int = 25) -> Depth:
        """Return the order book of now."""
        self.instrument(symbol)
        return depth(self._state.market, symbol, levels, self.controls.depth_factor)

    def usd_price(self, currency: str) -> Decimal:
        """Return the index price of a currency in USD."""
        if not self._state.market.has_asset(currency):
            raise Rejection(Refusal.UNKNOWN_CURRENCY, currency)
        return self._state.market.usd(currency)

    def asset(self, currency: str) -> Asset:
        """Return the description of a currency; `Rejection(UNKNOWN_CURRENCY)` if there is none."""
        if not self._state.market.has_asset(currency):
            raise Rejection(Refusal.UNKNOWN_CURRENCY, currency)
        return self._state.market.asset(currency)

    # --- accounts

    @property
    def accounts(self) -> Mapping[str, AccountSpec]:
        """The accounts as specified, by name."""
        return MappingProxyType({account.name: account for account in self.spec.accounts})

    def account_by_key(self, api_key: str) -> AccountSpec | None:
        """Return whose key it is; `None` if nobody's."""
        return self._by_key.get(api_key)

    def figures(self, account: str) -> AccountFigures:
        """Return what the venue would print of the account now."""
        state = self._state
        held = state.account(account)
        version, revision, figures = self._figures.get(account, (-1, -1, None))
        if figures is None or version != held.version or revision != state.market.revision:
            figures = account_figures(held, state.market, state.rules)
            self._figures[account] = (held.version, state.market.revision, figures)
        return figures

    def leverage(self, account: str, symbol: str, position_side: Side | None = None) -> Decimal:
        """Return the leverage setting of the symbol (and leg)."""
        self.instrument(symbol)
        return self._state.account(account).leverage(symbol, position_side)

    def margin_mode(self, account: str, symbol: str) -> MarginMode:
        """Return the margin mode in which orders of the symbol open when they do not name one."""
        self.instrument(symbol)
        return self._state.account(account).margin_mode(symbol)

    def set_leverage(
        self, account: str, symbol: str, leverage: Decimal, *, position_side: Side | None = None
    ) -> Decimal:
        """Set the leverage of the symbol (`position_side` `None`: of every leg) and return the one before.

        Initial margins change at once; an isolated position draws or returns margin. Setting the same value
        changes nothing: a venue that refuses that compares the returned value.

        Raises:
            Rejection: LEVERAGE, LEVERAGE_TIER, LEVERAGE_LOCKED, INSUFFICIENT_MARGIN, UNKNOWN_SYMBOL.
        """
        return set_leverage(self._state, self._state.account(account), symbol, leverage, position_side)

    def set_margin_mode(self, account: str, symbol: str, mode: MarginMode) -> None:
        """Set how orders of the symbol open from now on.

        Raises:
            Rejection: NOT_MODIFIED, MARGIN_MODE, MARGIN_MODE_BUSY (open position or orders), UNKNOWN_SYMBOL.
        """
        set_margin_mode(self._state, self._state.account(account), symbol, mode)

    # --- orders

    def place(self, account: str, order: OrderSpec) -> Order:
        """Accept an order and execute what executes at once; returns it as it is then.

        Raises:
            Rejection: any reason of a refused order; the refusal is in the history.
        """
        return place_order(self._state, self._state.account(account), order)

    def cancel(
        self,
        account: str,
        *,
        order_id: str | None = None,
        client_id: str | None = None,
        symbol: str | None = None,
    ) -> Order:
        """Cancel one open order, by its id or the latest with that client id; `symbol` must match if given.

        Raises:
            Rejection: ORDER_NOT_FOUND, or ORDER_CLOSED when it is filled or cancelled already.
        """
        return cancel_order(
            self._state,
            self._state.account(account),
            order_id=order_id,
            client_id=client_id,
            symbol=symbol,
        )

    def open_orders(self, account: str, symbol: str | None = None) -> tuple[Order, ...]:
        """Return resting and untriggered orders, oldest first."""
        found = self._state.account(account).orders.open()
        return found if symbol is None else tuple(o for o in found if o.symbol == symbol)

    def orders(self, account: str, symbol: str | None = None) -> tuple[Order, ...]:
        """Return every order there ever was, oldest first."""
        found = self._state.account(account).orders.all()
        return tuple(o for o in found if symbol is None or o.symbol == symbol)

    def find_order(
        self,
        account: str,
        *,
        order_id: str | None = None,
        client_id: str | None = None,
        symbol: str | None = None,
    ) -> Order | None:
        """Return one order, open or not; of several with that client id the latest; or `None`."""
        held = self._state.account(account)
        return find_order(held, order_id=order_id, client_id=client_id, symbol=symbol)

    def fills(
        self, account: str, *, order_id: str | None = None, symbol: str | None = None
    ) -> tuple[Fill, ...]:
        """Return executions, oldest first."""
        return tuple(
            fill
            for fill in self._state.account(account).fills
            if (order_id is None or fill.order_id == order_id) and (symbol is None or fill.symbol == symbol)
        )

    def arm_timer(self, account: str, after_ms: int) -> None:
        """Have every open order cancelled when `after_ms` have passed; 0: never."""
        self._state.account(account).timer_ms = self.now_ms + after_ms if after_ms else None

    def close_position(
        self,
        account: str,
        symbol: str,
        *,
        position_side: Side | None = None,
        margin_mode: MarginMode | None = None,
        client_id: str | None = None,
        cancel_orders: bool = False,
    ) -> Order:
        """Close a whole position at market, first cancelling the symbol's orders on that leg if asked.

        Raises:
            Rejection: NO_POSITION and whatever a market order may meet.
        """
        held = self._state.account(account)
        mode = margin_mode or held.margin_mode(symbol)
        key = (symbol, position_side, mode)
        holding = held.positions.get(key)
        if cancel_orders:
            for order in held.orders.open():
                if order.key == key:
                    end_order(self._state, held, order, CancelReason.BY_USER)
        side = OrderSide.SELL if holding is None else closing_side(holding.quantity)
        return self.place(
            account,
            OrderSpec(
                symbol=symbol,
                side=side,
                quantity=None,
                client_id=client_id,
                close_position=True,
                position_side=position_side,
                margin_mode=mode,
            ),
        )

    # --- money

    def transfer(
        self,
        account: str,
        currency: str,
        amount: Decimal,
        *,
        source: Wallet,
        target: Wallet,
        client_id: str | None = None,
    ) -> Transferred:
        """Move money between the account's own wallets.

        Raises:
            Rejection: AMOUNT, INSUFFICIENT_BALANCE, TRANSFER_BLOCKED, DUPLICATE_TRANSFER (a client id used
            before), UNKNOWN_CURRENCY.
        """
        held = self._state.account(account)
        return transfer(
            self._state, held, currency, amount, source=source, target=target, client_id=client_id
        )

    def transfers(self, account: str) -> tuple[Transferred, ...]:
        """Return executed transfers, oldest first; a client id is found in them."""
        return tuple(self._state.account(account).transfers)

    def funding_balance(self, account: str, currency: str) -> Decimal:
        """Return what lies in the funding wallet."""
        if not self._state.market.has_asset(currency):
            raise Rejection(Refusal.UNKNOWN_CURRENCY, currency)
        return self._state.account(account).funding.get(currency, ZERO)

    def repay(self, account: str, currency: str, amount: Decimal, *, clip: bool = False) -> Repaid:
        """Give back debt out of the currency's own balance, selling nothing; `clip`: as much as there is.

        Raises:
            Rejection: AMOUNT, UNKNOWN_CURRENCY, REPAY_BLOCKED, IN_LIQUIDATION, NO_DEBT, REPAY_TOO_MUCH,
            INSUFFICIENT_BALANCE.
        """
        return repay(self._state, self._state.account(account), currency, amount, clip=clip)

    def repayable(self, account: str, currency: str) -> Decimal:
        """Return how much of a debt `repay` could give back now."""
        return repayable(self._state.account(account), currency)

    def ledger(self, account: str) -> Mapping[tuple[str, LedgerKind], Decimal]:
        """Return the sum of every kind of change of every trading wallet since the start."""
        wallets = self._state.account(account).wallets
        return {
            (currency, kind): amount
            for currency, wallet in wallets.items()
            for kind, amount in wallet.ledger.items()
        }

    # --- other hands

    def external_trade(
        self,
        account: str,
        symbol: str,
        side: OrderSide,
        quantity: Decimal,
        *,
        price: Decimal | None = None,
        position_side: Side | None = None,
        margin_mode: MarginMode | None = None,
    ) -> Fill:
        """Trade as somebody else with access to the account: unchecked, at `price` or mark, with fee."""
        return trade_externally(
            self._state,
            self._state.account(account),
            symbol,
            side,
            quantity,
            price=price,
            position_side=position_side,
            margin_mode=margin_mode,
        )

    def deleverage(
        self, account: str, symbol: str, fraction: Decimal, *, position_side: Side | None = None
    ) -> Fill | None:
        """Close `fraction` of a position at mark without fee, as the venue (ADL); `None` if flat."""
        return deleverage(self._state, self._state.account(account), symbol, fraction, position_side)

    @property
    def history(self) -> tuple[Event, ...]:
        """Everything that happened, in order."""
        return self._state.journal.since(0)

    def history_since(self, sequence: int) -> tuple[Event, ...]:
        """Return the events after number `sequence`."""
        return self._state.journal.since(sequence)

    # --- the venue's own doing

    def _busy(self, account: Account) -> bool:
        """Whether time changes anything about the account but its prices."""
        if account.positions or account.orders.open_count or account.liquidating or account.timer_ms:
            return True
        return any(wallet.owed or wallet.balance < 0 for wallet in account.wallets.values())

    def _tick(self, ms: int) -> None:
        since = self._last_tick_ms
        self._last_tick_ms = ms
        market = self._state.market
        market.set_clock(ms)
        for account in self._state.accounts.values():
            pay_funding(self._state, account, since)
            accrue_interest(self._state, account, since)
        if since < market.worst_ms <= ms and market.stress.adl_fraction > 0:
            deleverage_winners(self._state, market.stress.adl_fraction)
        self._act()

    def _act(self) -> None:
        for account in self._state.accounts.values():
            if self._busy(account):
                work_orders(self._state, account)
                liquidate(self._state, account)
