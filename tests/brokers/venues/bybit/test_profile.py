"""Which answers are refusals, and of what kind."""

import pytest

from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.venues.bybit.profile import PROFILE, read_refusal, read_time


def answer(code: object, message: str = "") -> dict[str, object]:
    return {"retCode": code, "retMsg": message, "result": {}, "time": 1_700_000_000_000}


@pytest.mark.parametrize("code", [0, "0"])
def test_zero_is_success(code: object) -> None:
    assert read_refusal(200, {}, answer(code, "OK")) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (10002, ClockRefused),
        (10003, Unauthorized),
        (10004, Unauthorized),
        (10005, Unauthorized),
        (10007, Unauthorized),
        (10010, Unauthorized),
        (33004, Unauthorized),
        (10006, RateLimited),
        (10018, RateLimited),
        (10009, Banned),
        (10000, VenueUnavailable),
        (10016, VenueUnavailable),
        (10429, VenueUnavailable),
        (3400214, VenueUnavailable),
        (10001, RequestRefused),
        (110001, RequestRefused),
        (110017, RequestRefused),
        (110043, RequestRefused),
        (999999, RequestRefused),
    ],
)
def test_codes(code: object, kind: type[BrokerError]) -> None:
    assert type(read_refusal(200, {}, answer(code, "words"))) is kind


def test_a_refusal_keeps_the_raw_code() -> None:
    error = read_refusal(200, {}, answer(110017, "position is zero"))
    assert isinstance(error, RequestRefused)
    assert error.code == "110017"


def test_a_banned_address_is_no_bad_key() -> None:
    error = read_refusal(200, {}, answer(10009, "IP has been banned"))
    assert isinstance(error, Banned)
    assert error.retry_after == 600


@pytest.mark.parametrize(
    ("payload", "pause"),
    [(None, 120), ({"retCode": 403, "retMsg": "403, access too frequent"}, 600), ({"error": "no"}, 120)],
)
def test_forbidden_is_a_ban(payload: object, pause: int) -> None:
    error = read_refusal(403, {}, payload)
    assert isinstance(error, Banned)
    assert error.retry_after == pause


def test_a_forbidden_request_with_the_venues_own_code_is_no_ban() -> None:
    error = read_refusal(403, {}, answer(10005, "Permission denied for current apikey."))
    assert isinstance(error, Unauthorized)
    assert error.code == "10005"
    assert isinstance(read_refusal(403, {}, answer(10009, "IP has been banned")), Banned)


def test_the_limit_header_tells_how_long_to_wait() -> None:
    headers = {"x-bapi-limit-reset-timestamp": "1700000000400"}
    error = read_refusal(200, headers, answer(10006, "Too many visits!"))
    assert isinstance(error, RateLimited)
    assert error.retry_after == pytest.approx(0.4)


@pytest.mark.parametrize("stamp", ["", "soon", "1900000000000"])
def test_without_a_usable_header_the_wait_is_short(stamp: str) -> None:
    error = read_refusal(200, {"x-bapi-limit-reset-timestamp": stamp}, answer(10006))
    assert isinstance(error, RateLimited)
    assert 0 < error.retry_after <= 5


@pytest.mark.parametrize("payload", [{}, [], {"error": "gateway"}, {"retCode": None}])
def test_json_without_a_code_is_not_bybits(payload: object) -> None:
    assert isinstance(read_refusal(200, {}, payload), MalformedAnswer)


def test_no_json_is_left_to_the_status() -> None:
    assert read_refusal(502, {}, None) is None


def test_time_comes_from_the_envelope_or_in_nanoseconds() -> None:
    """Source: Bybit docs, Get Bybit Server Time sample."""
    payload = {"result": {"timeSecond": "1688639403", "timeNano": "1688639403423213947"}}
    assert read_time({**payload, "time": 1688639403423}) == 1688639403423
    assert read_time(payload) == 1688639403423


def test_reads_of_one_address_share_a_budget_of_600_in_5_seconds() -> None:
    assert (PROFILE.budget.capacity, PROFILE.budget.period_s) == (600, 5)
    assert PROFILE.write_window_ms == 3000
