"""The two sides: margind's own cycle of an account, and plain ccxt reading the same one."""

import asyncio
import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import ccxt.async_support

from brokers.doors import redirect
from brokers.models import AccountId
from brokers.port import Broker
from brokers.profile import BudgetRules, BudgetScope
from brokers.registry import BrokerSpec, Credentials, open_broker
from daemon.clock import Clock
from daemon.cycle import Cycle
from daemon.guarded import Guarded
from daemon.risk.assessment import Protection
from daemon.risk.policy import MarginPolicy, Mode
from daemon.topup import TopUpCaps
from database.journal import Journal
from tests.bench.market import Holder
from tests.bench.products import Product

VAST = BudgetRules(capacity=1e9, period_s=1.0, scope=BudgetScope.KEY)


class Client(Protocol):
    """One account, read over and over."""

    async def once(self) -> None:
        """Read it once, and check that what came is all there."""

    async def aclose(self) -> None:
        """Close its connections."""


async def close_all(clients: Iterable[Client]) -> None:
    """Close every client at once: ccxt takes its time over each."""
    await asyncio.gather(*(client.aclose() for client in clients))


class Wrong(AssertionError):
    """A side did not read what it should have: its figure would mean nothing."""


class MargindClient:
    """An account in enforce mode, one whole cycle at a time, with a real journal."""

    def __init__(self, product: Product, holder: Holder, url: str, *, journal: Journal, clock: Clock) -> None:
        self._holder = holder
        spec = BrokerSpec(
            account_id=AccountId(f"{product.broker}-{product.product}-{holder.name}"),
            broker=product.broker,
            product=product.product,
            credentials=Credentials(
                api_key=holder.key,
                secret=product.secret_of(holder.name),
                password=product.passphrase_of(holder.name),
            ),
            endpoint=url,
        )
        self._broker = _adapter(product)(spec)
        guarded = Guarded(
            broker=self._broker,
            policy=MarginPolicy(),
            mode=Mode.ENFORCE,
            caps=TopUpCaps(),
            config_hash="",
            connect=self._broker.connect,
        )
        self._cycle = Cycle(guarded, journal=journal, clock=clock)

    async def once(self) -> None:
        """Run one cycle."""
        outcome = await self._cycle.run()
        if outcome.positions != self._holder.positions or outcome.protection is not Protection.PROTECTED:
            raise Wrong(f"{outcome.account}: {outcome.positions} positions, {outcome.sentence}")

    async def aclose(self) -> None:
        """Close its connections."""
        await self._broker.aclose()


@functools.cache
def _adapter(product: Product) -> Callable[[BrokerSpec], Broker]:
    """Return the adapter as it is at a venue whose limits hold nobody back: we wait for CPU alone."""
    nobody = Credentials(api_key="", secret="", password="")
    spec = BrokerSpec(
        account_id=AccountId("nobody"), broker=product.broker, product=product.product, credentials=nobody
    )
    shipped: Any = type(open_broker(spec))
    return type(
        shipped.__name__, (shipped,), {"profile": replace(shipped.profile, budget=VAST, call_limits={})}
    )


class CcxtClient:
    """An account as plain ccxt reads it; markets are loaded with the first reading."""

    def __init__(self, product: Product, holder: Holder, url: str) -> None:
        self._reads = product.ccxt
        self._holder = holder
        self.exchange = getattr(ccxt.async_support, self._reads.ccxt_class)(
            {
                "apiKey": holder.key,
                "secret": product.secret_of(holder.name),
                "password": product.passphrase_of(holder.name),
                "enableRateLimit": False,
                "options": {**self._reads.options, "fetchCurrencies": False},
            }
        )
        self.exchange.has["fetchCurrencies"] = False
        self.exchange.urls["api"] = redirect(self.exchange.urls["api"], url)

    async def once(self) -> None:
        """Make the reads of one picture."""
        reads, exchange = self._reads, self.exchange
        if reads.balance is not None:
            balance = await exchange.fetch_balance(dict(reads.balance))
            if not any(balance["total"].values()):
                raise Wrong(f"ccxt {self._holder.name}: {balance}")
        if reads.positions is not None:
            positions = await exchange.fetch_positions(None, dict(reads.positions))
            if not positions:
                raise Wrong(f"ccxt {self._holder.name}: no positions")
        for call, params in reads.raw:
            await getattr(exchange, call)(dict(params))

    async def aclose(self) -> None:
        """Close its connections."""
        await self.exchange.close()
