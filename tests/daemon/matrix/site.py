"""Every product the sandbox plays, and an account at each: long one BTC, with a stop below it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.models import ContractKind, OrderSide, Side
from brokers.registry import PRODUCTS as ADAPTERS
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import Actor, Filled, LiquidationStarted
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES, SandboxVenue
from config.accounts import WITHDRAWAL_WORDS
from config.sandbox import PRODUCTS
from tests.brokers.conformance.cases import EC_SECRET, SECRET
from tests.daemon.wire.cell import Cell

D = Decimal
CALM = D("0.45")
"""The share of its equity that an account has in use at first."""

MARGIN_FREE = "cash"
"""The mode of an account that holds nothing on margin."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product at one venue of the sandbox, in one of its account modes."""

    venue_name: str
    broker: str
    name: str
    mode: str
    is_first: bool = True  # of its modes

    @property
    def venue(self) -> SandboxVenue:
        """Where it is traded."""
        return VENUES[self.venue_name]

    @property
    def label(self) -> str:
        """How a report calls it."""
        return f"{self.broker} {self.name}" + ("" if self.is_first else f" {self.mode}")

    @property
    def small_change(self) -> str:
        """About ten dollars in its venue's currency: too little to be of any help."""
        price = next(one.usd_price for one in self.venue.assets if one.name == self.venue.currency)
        return f"{10 / price:.6f}"

    @property
    def is_margined(self) -> bool:
        """Whether there is anything to liquidate."""
        return self.mode != MARGIN_FREE

    @property
    def pool(self) -> MarginPool:
        """What backs its positions."""
        return self.venue.pools[self.mode]


def _products() -> Iterator[Product]:
    for venue, products in PRODUCTS.items():
        played = VENUES[venue.value]
        for name, modes in products.items():
            broker = played.broker or venue.value
            for mode in modes if name in ADAPTERS[broker] else ():
                yield Product(
                    venue_name=venue.value, broker=broker, name=name, mode=mode, is_first=mode == modes[0]
                )


CATALOGUE = {product.label: product for product in _products()}
"""What the sandbox's own lists of venues and products hold; nothing is named here."""


class Site(Cell):
    """One account of a product, alone at a venue of its own."""

    def __init__(self, name: str, product: Product, *, calm: Decimal = CALM) -> None:
        self.name = name
        self.guarded_in = ""  # a mode of its own
        self.product = product
        self.broker = product.broker
        self.venue = product.venue
        self.symbol = self.venue.listed_as("BTC-USDT")
        self.engine = self._engine(self._needed() / calm)
        self.server = SandboxServer(self.venue.build(self.engine, {name: product.mode}))
        self.opened = self.held()
        self.began_ms = self.engine.now_ms
        self.stop = ""
        if product.is_margined:
            bound = self.opened / (10 if self.venue.rules.lending else 1)  # a spot stop locks its coins
            self.stop = self.rest(
                OrderSide.SELL, bound, trigger=self.price * D("0.5"), reduce_only=True
            ).order_id

    def _needed(self) -> Decimal:
        """Return the initial margin of the position, in the currency of its pool."""
        if not self.product.is_margined:
            return D(10_000)
        lending = self.venue.rules.lending
        if lending is not None:  # a coin, bought with as much of one's own that the rest may be lent
            coin = next(one.usd_price for one in self.venue.assets if one.name == "BTC")
            return CALM * coin * (lending.initial - 1) / (CALM + lending.initial - 1)
        figures = self._engine(D(10) ** 7).figures(self.name)
        pool = max(figures.pools, key=lambda one: one.initial_margin)
        dollars = self.product.pool is MarginPool.ACCOUNT
        asset = next(one for one in self.venue.assets if one.name == self.venue.currency)
        return pool.initial_margin / (asset.usd_price if dollars else 1)

    def _engine(self, wallet: Decimal) -> Engine:
        alone = self.product.pool is MarginPool.ISOLATED_ONLY
        listed = {one.name: one for one in self.venue.instruments}
        positions: tuple[OpeningPosition, ...] = ()
        if self.product.is_margined:
            contract = listed[self.symbol]
            price = next(one.usd_price for one in self.venue.assets if one.name == "BTC")
            positions = (
                OpeningPosition(
                    symbol=self.symbol,
                    side=Side.LONG,
                    quantity=D(1) if contract.kind is ContractKind.LINEAR else price,
                    isolated_margin=wallet if alone else None,
                ),
            )
        account = AccountSpec(
            name=self.name,
            api_key=f"key-of-{self.name}",
            secret=EC_SECRET if self.broker == "coinbase" else SECRET,
            password="phrase",
            wallets={self.venue.currency: OpeningWallet(balance=wallet * (2 if alone else 1))},
            funding={self.venue.currency: wallet},
            margin_pool=self.product.pool,
            positions=positions,
        )
        return Engine(
            SandboxSpec(
                instruments=self.venue.instruments,
                assets=self.venue.assets,
                accounts=(account,),
                rules=self.venue.rules,
                scenario=calm(noise=0.0),
                start_ms=round(time.time() * 1000),
            )
        )

    def settings(self) -> dict[str, Any]:
        """The account's entry in a configuration."""
        return {
            **super().settings(),
            "product": self.product.name,
            "allow_withdrawal_key": WITHDRAWAL_WORDS,
            **({"mode": self.guarded_in} if self.guarded_in else {}),
        }

    @property
    def price(self) -> Decimal:
        """What a BTC costs."""
        return self.engine.usd_price("BTC")

    def drop(self, factor: Decimal) -> None:
        """Multiply the price."""
        self.engine.move_price("BTC", factor)

    def fills(self) -> list[Filled]:
        """Every trade of the account, in order."""
        return [event for event in self.engine.history if isinstance(event, Filled)]

    def offences(self, *, flagged: bool) -> Iterator[str]:
        """Tell what margind must never have done, or let happen, as the venue saw it.

        `flagged`: its orders carry a flag by which they can only reduce; not every mode has one.
        """
        held, ids = self.opened, [spec.client_id for spec in self.received()]
        if len(set(ids)) != len(ids):
            yield "a client id came twice"
        lends = self.venue.rules.lending is not None  # there nothing is reduce-only, and it must not borrow
        if flagged and not all(not spec.borrows if lends else spec.reduce_only for spec in self.received()):
            yield "an order came that could open a position"
        for event in self.fills():
            signed = event.fill.quantity * (1 if event.fill.side is OrderSide.BUY else -1)
            if event.actor is Actor.API and not 0 <= held + signed < held:
                yield f"a trade of {signed} on {held} opened, flipped or closed what it must not"
            if event.actor not in {Actor.API, Actor.EXTERNAL}:
                yield f"the venue acted: {event.actor}"
            held += signed
        if any(isinstance(event, LiquidationStarted) for event in self.engine.history):
            yield "the venue liquidated"
        if self.stop and self.opened == held and self.stop not in self.resting():
            yield "the owner's stop is gone"
