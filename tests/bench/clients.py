"""The two sides: margind's own cycle of an account, and plain ccxt reading the same one."""

import asyncio
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import ccxt.async_support

from brokers.doors import redirect
from brokers.models import AccountId
from brokers.port import Broker
from brokers.profile import BudgetRules, BudgetScope
from brokers.registry import BrokerSpec, Credentials, open_broker
from daemon.clock import Clock
from daemon.cycle import Cycle, Guarded
from daemon.risk.assessment import Protection
from daemon.risk.policy import MarginPolicy, Mode
from daemon.topup import TopUpCaps
from database.journal import Journal
from tests.bench.market import Holder

PRODUCTS: Mapping[str, str] = {"bybit": "unified", "binance": "usdm", "okx": "unified"}
CCXT_CLASSES: Mapping[str, str] = {"bybit": "bybit", "binance": "binanceusdm", "okx": "okx"}
CCXT_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "bybit": {"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}},
    "binance": {},
    "okx": {"fetchMarkets": {"types": ["swap"]}},
}


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

    def __init__(self, broker: str, holder: Holder, url: str, *, journal: Journal, clock: Clock) -> None:
        self._holder = holder
        spec = BrokerSpec(
            account_id=AccountId(f"{broker}-{holder.name}"),
            broker=broker,
            product=PRODUCTS[broker],
            credentials=Credentials(
                api_key=holder.name, secret=holder.secret, password=holder.passphrase_at(broker)
            ),
            endpoint=url,
        )
        self._broker = _adapter(broker)(spec)
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
def _adapter(broker: str) -> Callable[[BrokerSpec], Broker]:
    """Return the adapter as it is at a venue whose address limits hold nobody back: we wait for CPU alone."""
    nobody = Credentials(api_key="", secret="", password="")
    spec = BrokerSpec(
        account_id=AccountId("nobody"), broker=broker, product=PRODUCTS[broker], credentials=nobody
    )
    shipped: Any = type(open_broker(spec))
    return type(shipped.__name__, (shipped,), {"profile": replace(shipped.profile, budget=VAST)})


class CcxtClient:
    """An account as ccxt's unified calls read it; markets are loaded with the first reading."""

    def __init__(self, broker: str, holder: Holder, url: str) -> None:
        self._holder = holder
        self.exchange = getattr(ccxt.async_support, CCXT_CLASSES[broker])(
            {
                "apiKey": holder.name,
                "secret": holder.secret,
                "password": holder.passphrase_at(broker),
                "enableRateLimit": False,
                "options": {**CCXT_OPTIONS[broker], "fetchCurrencies": False},
            }
        )
        self.exchange.has["fetchCurrencies"] = False
        self.exchange.urls["api"] = redirect(self.exchange.urls["api"], url)

    async def once(self) -> None:
        """Fetch balance and positions."""
        balance = await self.exchange.fetch_balance()
        positions = await self.exchange.fetch_positions()
        if len(positions) != self._holder.positions or not balance["USDT"]["total"]:
            raise Wrong(f"ccxt {self._holder.name}: {len(positions)} positions, {balance.get('USDT')}")

    async def aclose(self) -> None:
        """Close its connections."""
        await self.exchange.close()
