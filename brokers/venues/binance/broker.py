"""The adapters of Binance's products."""

from collections.abc import Callable, Mapping

from brokers.errors import NotSupported
from brokers.port import Broker
from brokers.registry import BrokerSpec
from brokers.venues.binance.coinm import CoinmBroker
from brokers.venues.binance.margin_cross import CrossMarginBroker
from brokers.venues.binance.margin_isolated import IsolatedMarginBroker
from brokers.venues.binance.portfolio import PortfolioBroker
from brokers.venues.binance.usdm import UsdmBroker


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of `spec.product`.

    Raises:
        NotSupported: there is none yet.
    """
    products: Mapping[str, Callable[[BrokerSpec], Broker]] = {
        "usdm": UsdmBroker,
        "coinm": CoinmBroker,
        "portfolio": PortfolioBroker,
        "cross": CrossMarginBroker,
        "isolated": IsolatedMarginBroker,
    }
    if spec.product not in products:
        raise NotSupported(f"binance {spec.product} is not supported yet")
    return products[spec.product](spec)
