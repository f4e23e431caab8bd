from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.answers import Answer, ForeignAnswer, judge, pause_of, retry_after, told_time
from brokers.errors import (
    Banned,
    BrokerError,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    VenueUnavailable,
)
from brokers.profile import BudgetRules, BudgetScope, VenueProfile

HTML = "<html><body>Under maintenance</body></html>"
WHOLE = '{"retCode": 0, "result": {"list": [{"size": "0.1"}]}}'


def read_refusal(status: int, headers: object, payload: object) -> BrokerError | None:
    if payload is None:
        return None
    code = payload["retCode"]  # type: ignore[index]  # a foreign payload fails here, as in a real profile
    return None if code == 0 else RequestRefused("no", code=str(code))


PROFILE = VenueProfile(
    venue="test",
    ccxt_class="bybit",
    budget=BudgetRules(capacity=1, period_s=1, scope=BudgetScope.KEY),
    time_call="",
    read_time=int,
    read_refusal=read_refusal,
)


def error_of(status: int, body: str, content_type: str = "application/json") -> BrokerError | None:
    return judge(PROFILE, Answer(status, {"content-type": content_type}, body)).error


@pytest.mark.parametrize(
    ("status", "content_type", "body", "expected"),
    [
        (200, "text/html", HTML, MalformedAnswer),
        (200, "application/json", HTML, MalformedAnswer),
        (200, "application/json", "", MalformedAnswer),
        (200, "application/json", "null", MalformedAnswer),
        (200, "application/json", "0", MalformedAnswer),
        (200, "application/json", '"ok"', MalformedAnswer),
        (200, "application/json", '{"retCode": 0, "x": NaN}', MalformedAnswer),
        (200, "application/json", "{}", MalformedAnswer),
        (200, "application/json", "[]", MalformedAnswer),
        (200, "application/json", '{"code": "0"}', MalformedAnswer),
        (301, "text/html", HTML, VenueUnavailable),
        (404, "text/plain", "no such page", ForeignAnswer),
        (403, "text/html", HTML, VenueUnavailable),
        (405, "text/plain", "", ForeignAnswer),
        (501, "text/plain", "", ForeignAnswer),
        (408, "text/plain", "", VenueUnavailable),
        (425, "text/plain", "", VenueUnavailable),
        (418, "text/plain", "", Banned),
        (429, "text/plain", "slow down", RateLimited),
        (429, "application/json", '{"error": "rate"}', RateLimited),
        (500, "text/plain", "oops", VenueUnavailable),
        (502, "application/json", '{"error": "bad gateway"}', VenueUnavailable),
        (503, "text/html", HTML, VenueUnavailable),
        (504, "application/json", "null", VenueUnavailable),
        (200, "application/json", '{"retCode": 110001}', RequestRefused),
        (400, "application/json", '{"retCode": 110001}', RequestRefused),
        (403, "application/json", '{"retCode": 10010}', RequestRefused),
    ],
)
def test_an_answer_is_worth_what_it_proves(
    status: int, content_type: str, body: str, expected: type[BrokerError]
) -> None:
    assert type(error_of(status, body, content_type)) is expected


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "text/plain", ""]
)
def test_a_whole_json_answer_is_taken_whatever_it_is_called(content_type: str) -> None:
    judgement = judge(PROFILE, Answer(200, {"content-type": content_type}, WHOLE))
    assert judgement.error is None
    assert judgement.payload == {"retCode": 0, "result": {"list": [{"size": "0.1"}]}}


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_an_answer_cut_anywhere_is_malformed(length: int) -> None:
    assert type(error_of(200, WHOLE[:length])) is MalformedAnswer


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_refusal_in_an_unavailable_status_keeps_its_code_but_proves_nothing(status: int) -> None:
    judgement = judge(PROFILE, Answer(status, {}, '{"retCode": 110007}'))
    assert isinstance(judgement.error, VenueUnavailable)
    assert judgement.code == "110007"


def test_a_refused_payload_is_kept() -> None:
    judgement = judge(PROFILE, Answer(200, {}, '{"retCode": 110007, "result": {"row": 1}}'))
    assert judgement.payload == {"retCode": 110007, "result": {"row": 1}}
    assert judgement.code == "110007"


@given(body=st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")), status=st.integers(100, 599))
def test_no_answer_whatever_it_is_counts_as_success_without_the_venues_word(body: str, status: int) -> None:
    judgement = judge(PROFILE, Answer(status, {}, body))
    assert judgement.error is not None


@pytest.mark.parametrize(
    ("raw", "seconds"), [("30", 30.0), ("0", 0.0), ("9999999999", 86_400.0), ("soon", None), ("-1", None)]
)
def test_retry_after_is_plain_seconds_or_nothing(raw: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": raw}) == seconds


def test_a_limit_that_the_venue_names_without_a_time_takes_it_from_the_header() -> None:
    limited = replace(PROFILE, read_refusal=lambda *_: RateLimited("too many"))
    error = judge(limited, Answer(200, {"retry-after": "7"}, WHOLE)).error
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7


def test_a_rate_limit_without_a_time_pauses_for_seconds_and_a_ban_for_minutes() -> None:
    assert pause_of(RateLimited("")) == 5
    assert pause_of(Banned("")) == 120
    assert pause_of(Banned("", retry_after=600)) == 600
    assert pause_of(RateLimited("", retry_after=-3)) == 0


# ---------------------------------------------------------------- the venue's time

DATED = replace(PROFILE, read_time=None, read_dated_time=lambda dated_ms, payload: dated_ms + payload["ms"])


def test_the_time_call_tells_the_time_by_its_payload() -> None:
    assert told_time(PROFILE, Answer(200, {}, ""), "1700000000123") == 1_700_000_000_123


def test_without_a_time_call_the_date_of_an_answer_does() -> None:
    answer = Answer(200, {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}, "")
    assert told_time(DATED, answer, {"ms": 5}) == 1_700_000_000_005


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_an_answer_without_a_date_tells_none(headers: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        told_time(DATED, Answer(200, headers, ""), {"ms": 5})


@pytest.mark.parametrize("changes", [{"read_time": None}, {"read_dated_time": max}])
def test_a_profile_has_one_way_to_tell_the_time(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not both"):
        replace(PROFILE, **changes)


@pytest.mark.parametrize("content_type", ["application/json", "text/html; charset=utf-8", "text/plain", ""])
def test_whole_json_is_an_answer_however_it_is_labelled(content_type: str) -> None:
    assert error_of(200, WHOLE, content_type) is None
