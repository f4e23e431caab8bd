"""The state of one account: wallets, positions, settings and orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from brokers.models import ContractKind, MarginMode, Side
from brokers.numbers import ZERO
from brokers.sandbox.figures import ACCOUNT_POOL
from brokers.sandbox.history import Transferred
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.order_store import OrderStore
from brokers.sandbox.orders import Fill
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningWallet
from brokers.sandbox.wallet import CoinWallet

PositionKey: TypeAlias = tuple[str, Side | None, MarginMode]
"""Symbol, leg (`None` in one-way mode) and margin mode: what identifies a position of an account."""


@dataclass(slots=True, kw_only=True)
class Holding:
    """An open position. `quantity` is signed (long > 0) and never zero; `isolated_wallet` is in settle."""

    instrument: Instrument
    leg: Side | None
    mode: MarginMode
    quantity: Decimal
    entry: Decimal
    isolated_wallet: Decimal = ZERO
    realized: Decimal = ZERO
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def key(self) -> PositionKey:
        """What identifies it."""
        return (self.instrument.name, self.leg, self.mode)

    @property
    def side(self) -> Side:
        """The side it gains on."""
        return Side.LONG if self.quantity > 0 else Side.SHORT


@dataclass(slots=True)
class Seizure:
    """A pool in the hands of the venue: the venue's doing since it was seized, in settle currency."""

    realized: Decimal = ZERO
    fees: Decimal = ZERO
    insurance: Decimal = ZERO


def isolated_pool(symbol: str, leg: Side | None) -> str:
    """Return the key of an isolated position's own pool."""
    return f"{symbol}:{leg or 'net'}"


class Account:
    """One account. Whoever changes it says so with `touch`, which makes what was computed from it stale."""

    __slots__ = (
        "fills",
        "funding",
        "leverages",
        "liquidating",
        "margin_modes",
        "orders",
        "positions",
        "reserved",
        "spec",
        "timer_ms",
        "transfers",
        "version",
        "wallets",
    )

    def __init__(self, spec: AccountSpec, now_ms: int) -> None:
        self.spec = spec
        self.wallets = {name: CoinWallet(opening, now_ms) for name, opening in spec.wallets.items()}
        self.funding: dict[str, Decimal] = dict(spec.funding)
        self.positions: dict[PositionKey, Holding] = {}
        self.orders = OrderStore()
        self.leverages: dict[tuple[str, Side | None], Decimal] = {}
        self.margin_modes: dict[str, MarginMode] = dict(spec.margin_modes)
        self.transfers: list[Transferred] = []
        self.fills: list[Fill] = []
        self.liquidating: dict[str, Seizure] = {}
        self.reserved: tuple[int, Mapping[PositionKey, Decimal]] = (-1, {})
        self.timer_ms: int | None = None  # when every open order is cancelled
        self.version = 0

    @property
    def name(self) -> str:
        """The account's name."""
        return self.spec.name

    def touch(self) -> None:
        """Say that something changed."""
        self.version += 1

    def wallet(self, currency: str, now_ms: int) -> CoinWallet:
        """Return the wallet of a currency, opening an empty one if there is none."""
        found = self.wallets.get(currency)
        if found is None:
            found = self.wallets[currency] = CoinWallet(OpeningWallet(balance=ZERO), now_ms)
        return found

    def leverage(self, symbol: str, leg: Side | None) -> Decimal:
        """Return the leverage setting of a symbol and leg."""
        default = self.spec.leverages.get(symbol, self.spec.default_leverage)
        return self.leverages.get((symbol, leg), default)

    def margin_mode(self, symbol: str) -> MarginMode:
        """Return the margin mode in which the symbol opens."""
        return self.margin_modes.get(symbol, self.spec.margin_mode)

    def cross_pool(self, instrument: Instrument) -> str:
        """Return the key of the pool that backs cross positions in an instrument."""
        pool = self.spec.margin_pool
        pooled = pool is MarginPool.ACCOUNT or (
            pool is MarginPool.SPLIT and instrument.kind is ContractKind.LINEAR
        )
        return ACCOUNT_POOL if pooled else instrument.settle

    def pool_of(self, instrument: Instrument, leg: Side | None, mode: MarginMode) -> str:
        """Return the key of the pool that a position answers to."""
        if mode is MarginMode.ISOLATED:
            return isolated_pool(instrument.name, leg)
        return self.cross_pool(instrument)

    def isolated_by_currency(self) -> Mapping[str, Decimal]:
        """Return how much of each wallet is given to isolated positions."""
        given: dict[str, Decimal] = {}
        for holding in self.positions.values():
            if holding.mode is MarginMode.ISOLATED:
                settle = holding.instrument.settle
                given[settle] = given.get(settle, ZERO) + holding.isolated_wallet
        return given
