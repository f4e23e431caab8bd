"""What a venue answers is damaged while an account runs into danger: no order, an alarm, and then the cut."""

import time
from decimal import Decimal
from typing import Any

import pytest

Workshop = Any
Account = dict[str, Any]  # the types live in conftest

DAMAGE = (
    "html_200",
    "truncated",
    "null_body",
    "empty_positions",
    "zero_equity",
    "nan",
    "missing_field",
    "stale_timestamp",
    "http_500",
    "http_502_html",
    "revoked_key",
)
POLL_S = 1.0
FIGURES = ("html_200", "truncated", "empty_positions", "zero_equity", "nan", "missing_field")
FEWER = {"binance": FIGURES, "krakenfutures": (*FIGURES, "stale_timestamp"), "kraken": FIGURES}
"""These count requests per address, so fewer accounts share it here. Binance's answers carry no time of their
own: a picture with all row times put back is still the present one. Kraken's spot answers carry no time."""
PACE_S = {"kraken": 9.0}
"""How often a venue lets an account be read, where that is less often than it is asked for."""


SLOWLY = pytest.param("kraken", marks=pytest.mark.timeout(240))


def one_each(account: Account, faults: tuple[str, ...]) -> list[Account]:
    """Return an account a fault, all alike."""
    return [
        {
            **account,
            "id": fault.replace("_", "-"),
            "api_key": f"{account['api_key']}-{fault}",
            "secret": f"{account['secret']}{fault}".replace("_", "").ljust(80, "0"),  # base64, for Kraken
        }
        for fault in faults
    ]


@pytest.mark.parametrize("broker", ["bybit", "binance", "okx", "krakenfutures", SLOWLY])
def test_no_damaged_answer_makes_it_act_and_every_one_is_told(
    workshop: Workshop, request: pytest.FixtureRequest, broker: str
) -> None:
    damage, pace_s = FEWER.get(broker, DAMAGE), PACE_S.get(broker, POLL_S)
    accounts = {row["id"]: row for row in one_each(request.getfixturevalue(broker), damage)}
    sandbox = workshop.sandbox(*accounts.values())
    venue = sandbox.venue(broker)
    opening = {name: venue.position(name) for name in accounts}
    daemon = workshop.guard(sandbox, poll={"interval": f"{POLL_S}s"})
    venue.move("0.88")
    for name in accounts:
        daemon.until(event="cycle", account=name, level="critical")

    mark = daemon.mark()
    for fault in damage:
        venue.fault(fault, account=fault.replace("_", "-"), writes=False)
    venue.move("0.985")
    for name in accounts:
        lost = daemon.until(event="protection_lost", account=name, since=mark, within=max(8.0, 3 * pace_s))
        assert lost["reason"] != "rate_limited"
    time.sleep(2 * pace_s)
    assert {name: venue.position(name) for name in accounts} == opening
    assert not [name for name in accounts if venue.orders(name)]
    assert not daemon.rows("intents")

    venue.heal()
    for name in accounts:
        daemon.until(event="episode_ended", account=name, since=mark, within=20 * max(1, pace_s / 3))
        assert venue.position(name) < opening[name] * Decimal("0.7")
        assert venue.only_reduced(name, opening[name])


def test_a_stranger_at_the_gateway_and_a_ban_stop_the_asking_and_not_the_alarm(
    workshop: Workshop, bybit: Account, okx: Account
) -> None:
    sandbox = workshop.sandbox(bybit, okx)
    daemon = workshop.guard(sandbox)
    mark = daemon.mark()
    sandbox.venue("bybit").fault("ban")
    sandbox.venue("okx").fault("http_429_foreign_json")
    for broker in sandbox.endpoints:
        sandbox.venue(broker).move("0.8668")
    reasons = {
        name: daemon.until(event="protection_lost", account=name, since=mark, within=8)["reason"]
        for name in ("bybit-a", "okx-a")
    }
    assert reasons == {"bybit-a": "banned", "okx-a": "rate_limited"}
    assert not daemon.rows("intents")
    sandbox.venue("okx").heal()
    daemon.until(event="episode_ended", account="okx-a", since=mark, within=30)
    assert not sandbox.venue("bybit").orders("bybit-a")


def test_a_venue_clock_that_jumps_is_measured_anew_and_the_cut_comes(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account, krakenfutures: Account
) -> None:
    sandbox = workshop.sandbox(bybit, binance, okx, krakenfutures)
    daemon = workshop.guard(sandbox)
    mark = daemon.mark()
    for broker, ms in (("bybit", 30_000), ("binance", -20_000), ("okx", 60_000), ("krakenfutures", 45_000)):
        sandbox.venue(broker).fault("clock_skew", ms=ms)
        sandbox.venue(broker).move("0.8668")
    for row in sandbox.accounts:
        daemon.until(event="episode_ended", account=row["id"], since=mark, within=30)
        assert sandbox.venue_of(row["id"]).truth(row["id"])["pools"]
        opening = Decimal(str(row["positions"][0]["quantity"]))
        assert sandbox.venue_of(row["id"]).only_reduced(row["id"], opening)
