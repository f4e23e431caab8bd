from dataclasses import replace

import pytest

from brokers.ccxt_broker import CcxtBroker
from brokers.errors import NotSupported
from brokers.models import AccountId
from brokers.registry import PRODUCTS, BrokerSpec, Credentials, open_broker


def spec(broker: str, product: str, endpoint: str | None = None) -> BrokerSpec:
    return BrokerSpec(
        account_id=AccountId("desk"),
        broker=broker,
        product=product,
        credentials=Credentials(api_key="CanaryKey", secret="CanarySecret", password="CanaryWord"),
        endpoint=endpoint,
    )


@pytest.mark.parametrize(
    ("broker", "product"),
    [
        ("bybit", "unified"),
        ("binance", "usdm"),
        ("okx", "unified"),
        ("kraken", "futures"),
        ("kraken", "spot"),
    ],
)
async def test_a_broker_is_opened_by_its_id_without_asking_anybody(broker: str, product: str) -> None:
    opened = open_broker(spec(broker, product))
    assert opened.account_id == "desk"
    assert opened.capabilities.order_time_to_live.total_seconds() > 0
    assert "Canary" not in repr(opened)
    await opened.aclose()


@pytest.mark.parametrize(
    ("broker", "product"), [("mtgox", "spot"), ("bybit", "usdm"), ("okx", ""), ("kraken", "unified")]
)
def test_what_is_not_listed_is_not_supported(broker: str, product: str) -> None:
    with pytest.raises(NotSupported):
        open_broker(spec(broker, product))


def test_plain_http_to_another_machine_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="loopback"):
        open_broker(spec("bybit", "unified", "http://10.1.2.3:80"))


async def test_an_adapter_of_kraken_futures_asks_the_test_system_for_keys_too() -> None:
    opened = open_broker(replace(spec("kraken", "futures"), testnet=True))
    assert isinstance(opened, CcxtBroker)
    urls = opened.transport._polling._exchange.urls["api"]
    assert urls["auth"] == "https://demo-futures.kraken.com/api/auth/"
    assert urls["private"] == "https://demo-futures.kraken.com/derivatives/api/"
    await opened.aclose()


def test_a_spec_shows_no_credentials() -> None:
    shown = repr(spec("bybit", "unified"))
    assert "Canary" not in shown
    assert "desk" in shown


def test_every_listed_product_opens() -> None:
    listed = [(broker, product) for broker, products in PRODUCTS.items() for product in products]
    assert listed
    for broker, product in listed:
        assert open_broker(spec(broker, product)).account_id == "desk"
