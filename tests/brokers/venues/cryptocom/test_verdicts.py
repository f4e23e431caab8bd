"""What Crypto.com's codes mean, and what they prove of a write."""

import json

import pytest

from brokers.answers import Answer, Reply, judge
from brokers.errors import (
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.orders import Verdict
from brokers.outcomes import CRYPTOCOM, Write, classify
from brokers.venues.cryptocom.profile import CRYPTOCOM_EXCHANGE

HTML = "<html><body>502 Bad Gateway</body></html>"


def reply(status: int, body: object, content_type: str = "application/json") -> Reply:
    """Judge an answer as the transport does."""
    text = body if isinstance(body, str) else json.dumps(body)
    judged = judge(CRYPTOCOM_EXCHANGE, Answer(status, {"content-type": content_type}, text))
    return Reply(payload=judged.payload, status=status, code=judged.code, failure=judged.error)


def refused(code: object, status: int) -> Reply:
    return reply(status, {"id": 1, "method": "private/close-position", "code": code, "message": "WORDS"})


@pytest.mark.parametrize("code", [0, "0"])
def test_success_is_the_number_or_its_text(code: object) -> None:
    accepted = reply(200, {"id": 1, "code": code, "result": {"order_id": "1"}})
    assert classify(CRYPTOCOM, Write.ORDER, accepted) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (213, 400),
        ("213", 400),
        (220, 400),
        (306, 500),
        (304, 500),
        (311, 500),
        (320, 500),
        (415, 500),
        (501, 500),
        (314, 400),
        (1110, 400),
        (43004, 500),
        (40004, 400),
        (40102, 400),
        (40101, 401),
        (40103, 401),
    ],
)
def test_a_documented_refusal_proves_that_nothing_was_done(code: object, status: int) -> None:
    assert classify(CRYPTOCOM, Write.ORDER, refused(code, status)) is Verdict.REJECTED


@pytest.mark.parametrize(("code", "status"), [(201, 500), (317, 500), (613, 500)])
def test_a_close_of_what_is_flat_is_a_benign_rejection(code: int, status: int) -> None:
    answer = refused(code, status)
    assert classify(CRYPTOCOM, Write.ORDER, answer) is Verdict.REJECTED
    assert CRYPTOCOM.is_benign(Write.ORDER, answer.code)
    assert not CRYPTOCOM.is_benign(Write.CANCEL, answer.code)


@pytest.mark.parametrize(("code", "status"), [(212, 500), (316, 500), (40401, 200)])
def test_a_cancellation_of_what_is_gone_is_a_benign_rejection(code: int, status: int) -> None:
    answer = refused(code, status)
    assert classify(CRYPTOCOM, Write.CANCEL, answer) is Verdict.REJECTED
    assert CRYPTOCOM.is_benign(Write.CANCEL, answer.code)
    assert classify(CRYPTOCOM, Write.ORDER, answer) is Verdict.UNKNOWN


@pytest.mark.parametrize("code", [204, 40006])
def test_a_duplicate_means_that_the_first_may_stand(code: int) -> None:
    assert classify(CRYPTOCOM, Write.ORDER, refused(code, 400)) is Verdict.EXISTS


@pytest.mark.parametrize(
    ("code", "status"), [(50001, 400), (50001, 500), (40801, 408), (42901, 429), (620, 500), (99999, 500)]
)
def test_what_is_not_reviewed_proves_nothing(code: int, status: int) -> None:
    assert classify(CRYPTOCOM, Write.ORDER, refused(code, status)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (502, HTML, "text/html"),
        (200, HTML, "text/html"),
        (429, "Too Many Requests", "text/plain"),
        (500, "", "text/plain"),
        (200, "null", "application/json"),
        (200, '{"id": 1}', "application/json"),
        (500, '{"error": "upstream"}', "application/json"),
    ],
)
def test_a_gateways_answer_proves_nothing(status: int, body: str, content_type: str) -> None:
    assert classify(CRYPTOCOM, Write.ORDER, reply(status, body, content_type)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (40102, 400, ClockRefused),
        (40101, 401, Unauthorized),
        (40103, 401, Unauthorized),
        (42901, 429, RateLimited),
        (50001, 400, VenueUnavailable),
        (40801, 408, VenueUnavailable),
        (40401, 200, RequestRefused),
        (201, 500, VenueUnavailable),  # to a read a status of 5xx says: ask again
    ],
)
def test_a_read_learns_what_to_do_next(code: int, status: int, error: type[BrokerError]) -> None:
    assert type(refused(code, status).failure) is error


@pytest.mark.parametrize("body", [{"id": 1}, {"code": None}, {"code": True}, {"code": ""}, []])
def test_a_successful_status_needs_the_envelope(body: object) -> None:
    assert type(reply(200, body).failure) is MalformedAnswer


@pytest.mark.parametrize(
    ("status", "body", "content_type", "error"),
    [
        (502, HTML, "text/html", VenueUnavailable),
        (429, "Too Many Requests", "text/plain", RateLimited),
        (200, HTML, "text/html", MalformedAnswer),
    ],
)
def test_no_json_is_a_failure_of_the_way_and_not_a_refusal(
    status: int, body: str, content_type: str, error: type[BrokerError]
) -> None:
    assert type(reply(status, body, content_type).failure) is error
