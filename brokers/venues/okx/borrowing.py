"""`account/interest-rate`: what borrowing each currency costs this account."""

from collections.abc import Mapping
from decimal import Decimal

from brokers.interest import apr_of_hourly
from brokers.profile import Json
from brokers.venues.okx.envelope import rows_of


def read_borrow_rates(payload: Json) -> Mapping[str, Decimal]:
    """Return the APR of every currency that states a usable rate; OKX states it per hour.

    It is the market rate. What OKX lends free of interest is not taken off: only its history of accrued
    interest tells that part.

    Source: OKX docs, Get interest rate: `interestRate` is the hourly borrowing interest rate.

    Raises:
        MalformedAnswer: the answer is no list in OKX's envelope.
    """
    rates = {
        str(row.get("ccy")): apr_of_hourly(row.get("interestRate"))
        for row in rows_of(payload, "account/interest-rate")
    }
    return {currency: apr for currency, apr in rates.items() if apr is not None}
