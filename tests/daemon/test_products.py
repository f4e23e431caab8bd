"""The lists of venues that may not import one another say the same."""

from brokers.registry import PRODUCTS as ADAPTERS
from brokers.sandbox.venues import VENUES
from config.accounts import NO_TESTNET, BrokerId
from config.accounts import PRODUCTS as KNOWN
from config.sandbox import BROKERS, Listen, SandboxBroker
from config.sandbox import PRODUCTS as PLAYED
from config.schema import BrokersSettings


def test_what_can_be_configured_is_what_there_are_adapters_for() -> None:
    for broker, products in ADAPTERS.items():
        known = KNOWN[BrokerId(broker)]
        assert list(products) == list(known)


def test_every_broker_of_the_configuration_has_products_and_a_block_of_its_own() -> None:
    brokers = {broker.value for broker in BrokerId}

    assert set(ADAPTERS) == {broker.value for broker in KNOWN} == set(BrokersSettings.model_fields) == brokers
    assert all(product in KNOWN[broker] for broker, product in NO_TESTNET)


def test_the_sandbox_plays_what_its_file_can_name() -> None:
    venues = {venue.value for venue in SandboxBroker}

    assert set(VENUES) == {venue.value for venue in PLAYED} == set(Listen.model_fields) == venues


def test_a_sandbox_venue_has_the_same_modes_and_names_on_both_sides() -> None:
    for venue, products in PLAYED.items():
        played, broker = VENUES[venue], BROKERS.get(venue, venue.value)
        assert {mode for modes in products.values() for mode in modes} == set(played.pools), venue
        assert (played.broker or venue) == broker
        assert set(products) <= set(ADAPTERS[broker])
        assert (played.product or ADAPTERS[broker][0]) in products


def test_every_adapter_can_be_rehearsed() -> None:
    played = {
        (BROKERS.get(venue, venue.value), product)
        for venue, products in PLAYED.items()
        for product in products
    }

    assert played == {(broker, product) for broker, products in ADAPTERS.items() for product in products}
