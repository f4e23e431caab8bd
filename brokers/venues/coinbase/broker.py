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
    keys = spec.credentials
    spec = replace(spec, credentials=replace(keys, secret=keys.secret.replace("\\n", "\n")))
    return FuturesBroker(spec) if spec.product == "futures" else SpotBroker(spec)
