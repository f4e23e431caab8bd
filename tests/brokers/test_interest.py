"""What a debt costs per year, and how often a venue is asked for it."""

from decimal import Decimal

import pytest

from brokers.interest import BorrowRates, apr_of_hourly
from brokers.models import Collateral

D = Decimal
HOUR = 3600.0


def coin(currency: str, debt: str | None) -> Collateral:
    return Collateral(
        currency=currency,
        wallet_balance=None,
        equity=None,
        value=None,
        debt=None if debt is None else D(debt),
        interest=None,
    )


OWING = (coin("USDT", "100"), coin("BTC", "0"), coin("ETH", None))


@pytest.mark.parametrize(
    ("hourly", "debt", "charged"),
    [
        # OKX docs, Get interest accrued data: `liab` 100 at this rate costs `interest` 0.0004083333333334.
        ("0.0000040833333333", "100", "0.00040833333333"),
        # Bybit docs, Get Borrow History: this `borrowAmount` at this rate costs `borrowCost` 0.00000129.
        ("0.000001216904", "1.06333265702840778", "0.00000129"),
    ],
)
def test_the_year_holds_the_hours_that_the_venues_charge(hourly: str, debt: str, charged: str) -> None:
    apr = apr_of_hourly(hourly)
    assert apr == D(hourly) * 8760
    an_hour = D(debt) * apr / 365 / 24
    assert an_hour.quantize(D(charged)) == D(charged)


def test_a_published_rate_is_the_apr_it_stands_for() -> None:
    assert apr_of_hourly("0.0000040833333333") == D("0.035769999999708")  # 0.0098 % a day
    assert apr_of_hourly("0.00000147") == D("0.0128772")  # Bybit docs, Get Collateral Info
    assert apr_of_hourly("0") == 0


@pytest.mark.parametrize("raw", [None, "", "NaN", "1,000", "-0.00001", "1", "12.5", True, [], {"rate": "0"}])
def test_what_is_no_rate_is_missing_and_never_zero(raw: object) -> None:
    assert apr_of_hourly(raw) is None


def test_a_venue_is_asked_when_there_is_debt_and_once_an_hour() -> None:
    rates = BorrowRates()
    assert not rates.ask((), 0.0)
    assert not rates.ask((coin("BTC", "0"), coin("ETH", None)), 0.0)
    assert rates.ask(OWING, 0.0)
    assert not rates.ask(OWING, 1.0)
    rates.learn({}, 2.0)
    assert not rates.ask(OWING, HOUR - 0.1)
    assert rates.ask(OWING, HOUR)
    assert not rates.ask(OWING, 2 * HOUR - 0.1)


def test_what_was_not_sent_was_not_asked() -> None:
    rates = BorrowRates()
    assert rates.ask(OWING, 0.0)
    rates.take_back()
    assert rates.ask(OWING, 1.0)
    assert not rates.ask(OWING, HOUR)


def test_only_a_debt_with_a_stated_rate_has_one() -> None:
    rates = BorrowRates()
    rates.learn({"USDT": D("0.05"), "BTC": D("0.01"), "ETH": D("0.02")}, 0.0)
    told = rates.told((*OWING, coin("SOL", "3")), 1.0)
    assert [one.interest_rate for one in told] == [D("0.05"), None, None, None]
    assert rates.told(OWING, 2 * HOUR - 1)[0].interest_rate == D("0.05")
    assert rates.told(OWING, 2 * HOUR) == OWING


def test_an_answer_without_the_rate_takes_the_old_one_away() -> None:
    rates = BorrowRates()
    rates.learn({"USDT": D("0.05")}, 0.0)
    rates.learn({"BTC": D("0.01")}, 1.0)
    assert rates.told(OWING, 2.0) == OWING
