"""Broker id and product -> the adapter; the only list of venues there is."""

from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from brokers.errors import NotSupported
from brokers.models import AccountId

if TYPE_CHECKING:
    from collections.abc import Callable

    from brokers.port import Broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One API key; its repr shows nothing."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSpec:
    """Everything needed to open one account.

    `endpoint` is `scheme://host[:port]` put in place of the venue's hosts; plain http only on loopback.
    `emergency` is a second key of the same account, for everything that protects; `None`: one key does all.
    """

    account_id: AccountId
    broker: str
    product: str
    credentials: Credentials
    emergency: Credentials | None = None
    endpoint: str | None = None
    testnet: bool = False

    @property
    def keys(self) -> tuple[Credentials, ...]:
        """Every key there is, the main one first."""
        return (self.credentials,) if self.emergency is None else (self.credentials, self.emergency)


PRODUCTS = MappingProxyType(
    {
        "bybit": ("unified",),
        "binance": ("usdm", "coinm", "portfolio", "cross", "isolated"),
        "okx": ("unified",),
        "coinbase": ("spot", "futures"),
        "kraken": ("spot", "futures"),
        "cryptocom": ("exchange",),
    }
)
"""What there are adapters for; the first product of a broker is its default."""


def open_broker(spec: BrokerSpec) -> "Broker":
    """Build the adapter for `spec`, without connecting it.

    Each venue is a package `brokers.venues.<id>` whose module `broker` has `build(spec) -> Broker`; it is
    imported on first use.

    Raises:
        NotSupported: there is no such broker or product.
    """
    if spec.product not in PRODUCTS.get(spec.broker, ()):
        raise NotSupported(f"no broker {spec.broker!r} with product {spec.product!r}")
    module = import_module(f"brokers.venues.{spec.broker}.broker")
    build = cast("Callable[[BrokerSpec], Broker]", module.build)
    return build(spec)
