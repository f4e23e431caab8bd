import pytest

from brokers.answers import Answer, judge
from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    NonceRefused,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.venues.kraken.spot.envelope import read_refusal
from brokers.venues.kraken.spot.profile import KRAKEN_SPOT, PACE, read_time


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("EAPI:Invalid nonce", NonceRefused),
        ("EAPI:Invalid key", Unauthorized),
        ("EAPI:Invalid signature", Unauthorized),
        ("EGeneral:Permission denied", Unauthorized),
        ("EAPI:Rate limit exceeded", RateLimited),
        ("EGeneral:Too many requests", RateLimited),
        ("EService:Throttled: 1717000000", RateLimited),
        ("EGeneral:Temporary lockout", Banned),
        ("EService:Unavailable", VenueUnavailable),
        ("EService:Busy", VenueUnavailable),
        ("EGeneral:Internal error:7", VenueUnavailable),
        ("EService:Deadline elapsed", ClockRefused),
        ("EGeneral:Invalid arguments:deadline", ClockRefused),
        ("EOrder:Insufficient funds", RequestRefused),
        ("EOrder:Rate limit exceeded", RequestRefused),
        ("EOrder:Something new", RequestRefused),
    ],
)
def test_each_error_is_what_the_caller_may_do_next(error: str, kind: type[BrokerError]) -> None:
    found = read_refusal(200, {}, {"error": [error]})
    assert type(found) is kind
    assert error in str(found)


def test_a_detail_is_no_part_of_the_code_and_several_errors_are_none_of_them() -> None:
    detailed = read_refusal(200, {}, {"error": ["EGeneral:Invalid arguments:volume"]})
    assert isinstance(detailed, RequestRefused)
    assert detailed.code == "EGeneral:Invalid arguments"
    both = read_refusal(200, {}, {"error": ["EOrder:Insufficient funds", "EService:Unavailable"]})
    assert isinstance(both, RequestRefused)
    assert both.code == "EOrder:Insufficient funds | EService:Unavailable"


def test_an_empty_list_of_errors_beside_a_result_is_success_whatever_the_warnings() -> None:
    assert read_refusal(200, {}, {"error": [], "result": {}}) is None
    assert read_refusal(200, {}, {"error": ["WGeneral:Deprecated"], "result": {"a": 1}}) is None


@pytest.mark.parametrize(
    "payload",
    [
        {"result": {}},
        {"error": "", "result": {}},
        {"error": []},
        {"error": [], "result": None},
        {"error": [3]},
        [],
        {},
    ],
)
def test_a_success_without_its_envelope_is_no_answer(payload: object) -> None:
    assert isinstance(read_refusal(200, {}, payload), MalformedAnswer)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "<html>Under maintenance</html>", MalformedAnswer),
        (502, "<html>Bad Gateway</html>", VenueUnavailable),
        (520, "", VenueUnavailable),
        (200, "", MalformedAnswer),
        (503, '{"error": ["EOrder:Insufficient funds"]}', VenueUnavailable),
    ],
)
def test_what_is_not_krakens_own_answer_proves_nothing(
    status: int, body: str, kind: type[BrokerError]
) -> None:
    judged = judge(KRAKEN_SPOT, Answer(status, {"content-type": "application/json"}, body))
    assert type(judged.error) is kind


def test_time_is_told_in_whole_seconds_and_taken_in_the_middle() -> None:
    assert read_time({"error": [], "result": {"unixtime": 1717000000}}) == 1717000000500


def test_a_picture_of_two_calls_has_its_turn_every_nine_seconds() -> None:
    assert PACE.total_seconds() == pytest.approx(9, abs=0.1)
