"""Kraken's products: each is a venue of its own, with hosts, signatures and margin of its own."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from brokers.port import Broker
from brokers.registry import BrokerSpec

if TYPE_CHECKING:
    from collections.abc import Callable


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of the product; its package is imported on first use."""
    module = import_module(f"brokers.venues.kraken.{spec.product}.broker")
    build_product = cast("Callable[[BrokerSpec], Broker]", module.build)
    return build_product(spec)
