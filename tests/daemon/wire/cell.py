"""One account at a venue of its own on loopback, seen from the venue's side.

Unless told otherwise an account is long 2 BTC with a leverage of 10 on 45,000 USDT: at 88,000 it is CRITICAL,
at 86,680 beyond that.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.models import OrderSide, Side
from brokers.sandbox.catalogue import ASSETS
from brokers.sandbox.engine import Engine
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.history import Actor, Filled, OrderPlaced, OrderRefused, Transferred
from brokers.sandbox.orders import Order, OrderSpec, OrderType, TimeInForce, Trigger
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import VENUES

D = Decimal
MODES = {"bybit": "cross", "binance": "single_asset", "okx": "futures", "binancepm": "portfolio_margin"}
PRICES = {"BTC": D(100_000), "ETH": D(4_000)}
HELD = D(2)
WALLET = OpeningWallet(balance=D(45_000))


class Cell:
    """One account at a venue of its own, seen from the venue's side."""

    def __init__(
        self,
        name: str,
        venue: str,
        *,
        funding: Decimal,
        wallet: OpeningWallet = WALLET,
        held: Decimal = HELD,
        side: Side = Side.LONG,
        mode: str | None = None,
    ) -> None:
        self.name = name
        self.venue = VENUES[venue]
        self.broker = self.venue.broker or venue
        self.symbol = self.venue.listed_as("BTC-USDT")
        self.sign = 1 if side is Side.LONG else -1
        self.opened = held * self.sign
        mode = mode or MODES[venue]
        account = AccountSpec(
            name=name,
            api_key=f"key-of-{name}",
            secret=f"secret-of-{name}",
            password="phrase",
            wallets={"USDT": wallet},
            funding={"USDT": funding},
            margin_pool=self.venue.pools[mode],
            positions=(OpeningPosition(symbol=self.symbol, side=side, quantity=held),) if held else (),
        )
        self.engine = Engine(
            SandboxSpec(
                instruments=self.venue.instruments,
                assets=tuple(replace(one, usd_price=PRICES.get(one.name, one.usd_price)) for one in ASSETS),
                accounts=(account,),
                rules=self.venue.rules,
                scenario=calm(noise=0.0),
                start_ms=round(time.time() * 1000),
            )
        )
        self.server = SandboxServer(self.venue.build(self.engine, {name: mode}))

    # --- how a daemon reaches it

    def settings(self) -> dict[str, Any]:
        """The account's entry in a configuration; its secrets are in `environment`."""
        names = ("api_key", "secret", *(["password"] if self.broker == "okx" else []))
        return {
            "id": self.name,
            "broker": self.broker,
            **({"product": self.venue.product} if self.venue.product else {}),
            "endpoint": self.server.url,
            "credentials": {name: f"env:{self._variable(name)}" for name in names},
        }

    def environment(self) -> Mapping[str, str]:
        """The variables that hold its secrets."""
        account = self.engine.accounts[self.name]
        keys = {"api_key": account.api_key, "secret": account.secret, "password": account.password}
        return {self._variable(name): value for name, value in keys.items()}

    def _variable(self, key: str) -> str:
        return f"{self.name}_{key}".upper().replace("-", "_")

    # --- hands on the venue

    def fault(self, kind: FaultKind, **more: Any) -> None:  # noqa: ANN401 - fields of a fault
        self.server.faults.set(Fault(kind=kind, **more))

    def heal(self) -> None:
        self.server.faults.clear()

    def fall_to(self, price: object) -> None:
        """Put BTC at that price."""
        self.engine.move_price("BTC", D(str(price)) / self.engine.usd_price("BTC"))

    def rest(self, side: OrderSide, quantity: object, **more: Any) -> Order:  # noqa: ANN401
        """Leave an order resting as the account's owner: `price` of a limit order, `trigger` of a stop."""
        price, trigger = more.pop("price", None), more.pop("trigger", None)
        return self.engine.place(
            self.name,
            OrderSpec(
                symbol=self.symbol,
                side=side,
                quantity=D(str(quantity)),
                type=OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                price=None if price is None else D(str(price)),
                trigger=None if trigger is None else Trigger(price=D(str(trigger))),
                **more,
            ),
        )

    # --- what the venue has and got

    @property
    def contract_size(self) -> Decimal:
        """How much BTC one of the venue's order units is."""
        return self.engine.instrument(self.symbol).contract_size

    def held(self) -> Decimal:
        """The signed BTC held, in base units."""
        rows = self.engine.figures(self.name).positions
        return sum((row.quantity if row.side is Side.LONG else -row.quantity for row in rows), D(0))

    def utilization(self) -> Decimal:
        """Initial margin over margin equity of the account's pool, as the venue reckons it now."""
        pool = max(self.engine.figures(self.name).pools, key=lambda one: one.initial_margin)
        return pool.initial_margin / pool.margin_balance

    def received(self) -> list[OrderSpec]:
        """Every order of ours that reached the venue's books, accepted or not."""
        specs = [
            event.order.spec if isinstance(event, OrderPlaced) else event.spec
            for event in self.engine.history
            if isinstance(event, (OrderPlaced, OrderRefused))
        ]
        return [spec for spec in specs if spec.client_id]

    def asked(self, method: str, path: str) -> int:
        """How many such requests came."""
        return sum(request[:2] == (method, path) for request in self.server.received)

    def resting(self) -> set[str]:
        return {order.order_id for order in self.engine.open_orders(self.name)}

    def moved(self) -> list[Decimal]:
        """What was moved between the wallets, in order."""
        return [event.amount for event in self.engine.history if isinstance(event, Transferred)]

    def check_that_it_only_reduced(self) -> None:
        """Every fill was ours and made the position smaller without turning it; no id came twice."""
        held, specs = self.opened, self.received()
        assert len({spec.client_id for spec in specs}) == len(specs), (self.name, specs)
        assert all(spec.reduce_only for spec in specs), (self.name, specs)
        for event in self.engine.history:
            if isinstance(event, Filled):
                assert event.actor is Actor.API, (self.name, event)
                after = held + (
                    event.fill.quantity if event.fill.side is OrderSide.BUY else -event.fill.quantity
                )
                assert 0 <= after * self.sign < held * self.sign, (self.name, event)
                held = after
        assert held == self.held()
