from brokers.registry import PRODUCTS as ADAPTERS
from config.accounts import PRODUCTS as KNOWN
from config.accounts import BrokerId


def test_every_adapter_can_be_configured_and_defaults_agree() -> None:
    for broker, products in ADAPTERS.items():
        known = KNOWN[BrokerId(broker)]
        assert set(products) <= set(known)
        assert list(products) == [product for product in known if product in products]
