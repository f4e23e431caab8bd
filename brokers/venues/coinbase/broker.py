"""Coinbase Advanced Trade: the adapter of each product."""

from dataclasses import replace

from brokers.port import Broker
from brokers.registry import BrokerSpec
from brokers.venues.coinbase.futures import FuturesBroker
from brokers.venues.coinbase.spot import SpotBroker


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of a futures or spot account.

    A PEM key out of an environment variable has its line ends spelled out.
    """
    credentials, *second = (replace(key, secret=key.secret.replace("\\n", "\n")) for key in spec.keys)
    spec = replace(spec, credentials=credentials, emergency=second[0] if second else None)
    return FuturesBroker(spec) if spec.product == "futures" else SpotBroker(spec)
