from brokers.registry import PRODUCTS as ADAPTERS
from config.accounts import PRODUCTS as KNOWN
from config.accounts import BrokerId


def test_what_can_be_configured_is_what_there_are_adapters_for() -> None:
    for broker, products in ADAPTERS.items():
        known = KNOWN[BrokerId(broker)]
        assert list(products) == list(known)
