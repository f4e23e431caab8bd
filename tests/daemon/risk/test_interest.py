from decimal import Decimal

from daemon.risk.interest import annual_rate, daily_interest, hourly_interest, rollover_interest

D = Decimal


def test_daily_cost_and_apr_are_each_others_inverse() -> None:
    assert annual_rate(D("0.0002")) == D("0.073")
    assert daily_interest(D(36_500), D("0.10")) == 10
    assert daily_interest(D(1000), annual_rate(D("0.0002"))) == D("0.2")


def test_a_begun_hour_is_charged_whole() -> None:
    assert hourly_interest(D(2400), D("0.01"), D("0.1")) == 1
    assert hourly_interest(D(2400), D("0.01"), D("1.0")) == 1
    assert hourly_interest(D(2400), D("0.01"), D("1.1")) == 2
    assert hourly_interest(D(2400), D("0.01"), D(0)) == 0


def test_rollover_charges_opening_and_each_begun_period() -> None:
    assert rollover_interest(D(1000), D("0.0002"), D(0)) == D("0.2")
    assert rollover_interest(D(1000), D("0.0002"), D(4)) == D("0.4")
    assert rollover_interest(D(1000), D("0.0002"), D("4.5")) == D("0.6")
