"""Money is neither made nor lost: after any sequence of acts the books agree."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from brokers.models import MarginMode, OrderSide
from brokers.sandbox.catalogue import BTC_USDT, venue
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Actor, Filled, FundingPaid, LedgerKind, LiquidationEnded, Wallet
from brokers.sandbox.orders import OrderSpec, OrderType, Rejection, TimeInForce
from brokers.sandbox.scenarios import flash_crash
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet
from tests.depth import examples

D = Decimal
OPENING = D(30_000)
ROUNDING = D("1e-12")

symbols = st.sampled_from(["BTC-USDT", "ETH-USDT", "SOL-USDT"])
sides = st.sampled_from(OrderSide)
modes = st.sampled_from([MarginMode.CROSS, MarginMode.ISOLATED])


class BooksAgree(RuleBasedStateMachine):
    """Wallets, ledger, fills and positions tell one story in every pool and margin mode."""

    def __init__(self) -> None:
        super().__init__()
        self.engine: Engine

    @initialize(pool=st.sampled_from(MarginPool))
    def open(self, pool: MarginPool) -> None:
        account = AccountSpec(
            name="a",
            api_key="key",
            secret="secret",
            wallets={"USDT": OpeningWallet(balance=OPENING), "BTC": OpeningWallet(balance=D("0.1"))},
            funding={"USDT": D(10_000)},
            margin_pool=pool,
        )
        self.engine = Engine(venue([account], scenario=flash_crash(600_000)), seed=3)

    @rule(
        symbol=symbols,
        side=sides,
        lots=st.integers(1, 5000),
        mode=modes,
        offset=st.sampled_from([None, None, -2, 0, 2]),
        tif=st.sampled_from(TimeInForce),
        reduce_only=st.booleans(),
    )
    def place(self, **drawn: object) -> None:
        instrument = self.engine.instrument(drawn["symbol"])
        price = None
        if drawn["offset"] is not None:
            mark = self.engine.ticker(instrument.name).mark
            price = instrument.round_price(mark * (1 + D(drawn["offset"]) / 1000))
        spec = OrderSpec(
            symbol=instrument.name,
            side=drawn["side"],
            quantity=drawn["lots"] * instrument.lot_step,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            price=price,
            time_in_force=drawn["tif"],
            reduce_only=drawn["reduce_only"],
            margin_mode=drawn["mode"],
        )
        try:
            self.engine.place("a", spec)
        except Rejection:
            return

    @rule(symbol=symbols, side=sides, lots=st.integers(1, 3000), mode=modes)
    def somebody_else_trades(self, symbol: str, side: OrderSide, lots: int, mode: MarginMode) -> None:
        step = self.engine.instrument(symbol).lot_step
        self.engine.external_trade("a", symbol, side, lots * step, margin_mode=mode)

    @rule(hours=st.integers(0, 9), ms=st.integers(0, 60_000))
    def wait(self, hours: int, ms: int) -> None:
        steps = 12 if hours else 1
        for _ in range(steps):
            self.engine.advance(self.engine.now_ms + ms // steps + 1)

    @rule(asset=st.sampled_from(["BTC", "ETH", "SOL"]), percent=st.integers(-25, 25))
    def jump(self, asset: str, percent: int) -> None:
        self.engine.move_price(asset, 1 + D(percent) / 100)

    @rule(symbol=symbols, leverage=st.integers(1, 50))
    def set_leverage(self, symbol: str, leverage: int) -> None:
        try:
            self.engine.set_leverage("a", symbol, D(leverage))
        except Rejection:
            return

    @rule(amount=st.integers(1, 3000), inwards=st.booleans())
    def transfer(self, amount: int, inwards: bool) -> None:  # noqa: FBT001 - drawn by name
        source, target = (Wallet.FUNDING, Wallet.TRADING) if inwards else (Wallet.TRADING, Wallet.FUNDING)
        try:
            self.engine.transfer("a", "USDT", D(amount), source=source, target=target)
        except Rejection:
            return

    @invariant()
    def wallet_is_opening_plus_ledger(self) -> None:
        ledger = self.engine.ledger("a")
        for coin in self.engine.figures("a").coins:
            opening = {"USDT": OPENING, "BTC": D("0.1")}.get(coin.currency, D(0))
            changes = sum(amount for (currency, _), amount in ledger.items() if currency == coin.currency)
            assert abs(coin.wallet_balance - opening - changes) < ROUNDING

    @invariant()
    def ledger_is_what_the_journal_says(self) -> None:
        told: dict[LedgerKind, Decimal] = defaultdict(Decimal)
        for event in self.engine.history:
            if isinstance(event, Filled):
                liquidated = event.actor is Actor.LIQUIDATION
                told[LedgerKind.LIQUIDATION_FEE if liquidated else LedgerKind.FEE] -= event.fill.fee
                told[LedgerKind.REALIZED_PNL] += event.fill.realized_pnl
            elif isinstance(event, FundingPaid):
                told[LedgerKind.FUNDING] += event.amount
        ledger = self.engine.ledger("a")
        for kind, amount in told.items():
            assert abs(ledger.get(("USDT", kind), D(0)) - amount) < ROUNDING

    @invariant()
    def profit_is_what_was_paid_and_got_for_the_quantities(self) -> None:
        cash: dict[str, Decimal] = defaultdict(Decimal)
        for fill in self.engine.fills("a"):
            cash[fill.symbol] += fill.quantity * fill.price * (1 if fill.side is OrderSide.SELL else -1)
            cash[fill.symbol] -= fill.realized_pnl
        for row in self.engine.figures("a").positions:
            cash[row.symbol] += row.signed_quantity * row.mark_price - row.unrealized_pnl
        assert all(abs(left) < D("1e-9") for left in cash.values())

    @invariant()
    def equity_of_the_pools_is_wallet_plus_unrealized(self) -> None:
        figures = self.engine.figures("a")
        usdt = figures.coin("USDT")
        isolated = sum((p.equity for p in figures.pools if ":" in p.key), D(0))
        cross = usdt.cross_wallet + usdt.cross_unrealized_pnl - usdt.interest - usdt.borrowed
        assert abs(isolated + cross - usdt.equity) < ROUNDING
        if figures.margin_pool not in {MarginPool.ACCOUNT, MarginPool.SPLIT}:
            assert figures.pool("USDT").equity == cross

    @invariant()
    def margins_are_never_negative(self) -> None:
        figures = self.engine.figures("a")
        for pool in figures.pools:
            margins = (pool.position_initial_margin, pool.order_initial_margin, pool.maintenance_margin)
            assert min(*margins, pool.available, pool.liquidation_fee) >= 0
        for row in figures.positions:
            assert min(row.initial_margin, row.maintenance_margin, row.isolated_wallet) >= 0
            assert row.quantity > 0

    @invariant()
    def no_liquidation_takes_more_than_there_was_and_all_of_them_end(self) -> None:
        for event in self.engine.history:
            if isinstance(event, LiquidationEnded):
                assert event.insurance >= 0


TestBooksAgree = BooksAgree.TestCase
TestBooksAgree.settings = settings(max_examples=examples(60), stateful_step_count=25, deadline=None)


@settings(max_examples=200, deadline=None)
@given(notional=st.decimals("0.01", "2000000000", places=2), step=st.decimals("0", "1000", places=2))
def test_maintenance_is_continuous_and_rises(notional: Decimal, step: Decimal) -> None:
    lower, upper = BTC_USDT.maintenance(notional), BTC_USDT.maintenance(notional + step)
    assert 0 <= upper - lower <= step * BTC_USDT.tiers[-1].rate


@settings(max_examples=50, deadline=None)
@given(first=st.integers(50, 150), cents=st.integers(0, 100))
def test_equity_is_continuous_in_price(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition], first: int, cents: int
) -> None:
    engine = build(positions=(long_x(10),))
    engine.move_price("X", D(first) / 100)
    before = engine.figures("a").pool("USDT").equity
    target = D(first) + D(cents) / 100
    engine.move_price("X", target / D(first))
    assert abs(engine.figures("a").pool("USDT").equity - before - D(cents) / 10) <= D("0.05")
