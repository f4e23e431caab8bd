"""`GET /v5/account/collateral-info`: what borrowing each coin costs this account."""

from collections.abc import Mapping
from decimal import Decimal

from brokers.interest import apr_of_hourly
from brokers.profile import Json
from brokers.venues.bybit.envelope import rows_of


def read_borrow_rates(payload: Json) -> Mapping[str, Decimal]:
    """Return the APR of every coin that states a usable rate; Bybit states it per hour.

    A coin that nobody may borrow has no rate, and a zero there is none either. The interest-free part of a
    debt (`freeBorrowAmount`) is not taken off: the rate is that of the part which bears interest.

    Source: Bybit docs, Get Collateral Info.

    Raises:
        MalformedAnswer: the answer is no list in Bybit's envelope.
    """
    rates: dict[str, Decimal] = {}
    for row in rows_of(payload, "collateral info"):
        apr = apr_of_hourly(row.get("hourlyBorrowRate"))
        if apr is not None and (apr or row.get("borrowable") is not False):
            rates[str(row.get("currency"))] = apr
    return rates
