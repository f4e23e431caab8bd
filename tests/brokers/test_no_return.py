"""Each product's points of no return, and that none is missing."""

from decimal import Decimal

import pytest

from brokers.models import AccountId, Measure
from brokers.no_return import Regime
from brokers.port import Capabilities
from brokers.registry import PRODUCTS, BrokerSpec, Credentials, open_broker

LISTED = [(broker, product) for broker, products in PRODUCTS.items() for product in products]


def capabilities_of(broker: str, product: str) -> Capabilities:
    keys = Credentials(api_key="key", secret="c2VjcmV0", password="word")
    spec = BrokerSpec(account_id=AccountId("desk"), broker=broker, product=product, credentials=keys)
    return open_broker(spec).capabilities


@pytest.mark.parametrize(("broker", "product"), LISTED)
def test_every_measure_a_product_is_judged_by_has_its_end_and_no_other_has(broker: str, product: str) -> None:
    able = capabilities_of(broker, product)
    measured = {point.measure for point in able.points}

    assert measured <= able.measures
    assert (Measure.MAINTENANCE in able.measures) is (Measure.MAINTENANCE in measured)
    ends = {point.ratio for point in able.points if point.regime is Regime.VENUE_ACTS}
    assert ends <= {Decimal(1)}
    assert bool(ends) is bool(able.measures)


def test_portfolio_margin_takes_only_reducing_orders_long_before_it_liquidates() -> None:
    points = capabilities_of("binance", "portfolio").points

    assert [(point.measure, point.ratio, point.regime, point.words) for point in points] == [
        (Measure.MAINTENANCE, Decimal("1.05") / Decimal("1.20"), Regime.REFUSES_OPENING, "uniMMR 1.20"),
        (Measure.MAINTENANCE, Decimal(1), Regime.VENUE_ACTS, "uniMMR 1.05"),
    ]


def test_a_cash_account_has_none() -> None:
    able = capabilities_of("coinbase", "spot")

    assert (able.points, able.measures) == ((), frozenset())
