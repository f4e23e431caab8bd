from typing import Any

import pytest

from brokers.answers import Answer, Reply, judge
from brokers.errors import (
    BrokerError,
    KeyOrClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.orders import Verdict
from brokers.outcomes import COINBASE, Write, classify
from brokers.venues.coinbase.profile import ADVANCED_TRADE

JSON = {"content-type": "application/json"}
GATEWAY = '{"error": "unknown", "error_details": "proto: unknown field", "message": "proto: unknown field"}'


def refused(**reasons: str) -> str:
    fields = ", ".join(f'"{name}": "{word}"' for name, word in reasons.items())
    return f'{{"success": false, "failure_reason": "UNKNOWN_FAILURE_REASON", "error_response": {{{fields}}}}}'


def reply(status: int, body: str, headers: dict[str, str] | None = None) -> Reply:
    judged = judge(ADVANCED_TRADE, Answer(status, headers or JSON, body))
    return Reply(payload=judged.payload, status=status, code=judged.code, failure=judged.error)


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (401, "Unauthorized\n", KeyOrClockRefused, "401"),
        (401, '{"error": "unauthorized"}', KeyOrClockRefused, "401"),
        (403, '{"error": "PERMISSION_DENIED", "message": "scopes"}', Unauthorized, "PERMISSION_DENIED"),
        (429, '{"error": "rate limit exceeded"}', RateLimited, None),
        (429, "slow down", RateLimited, None),
        (400, '{"error": "INVALID_ARGUMENT", "message": "no"}', RequestRefused, "INVALID_ARGUMENT"),
        (400, GATEWAY, RequestRefused, "unknown"),
        (404, '{"error": "NOT_FOUND"}', RequestRefused, "NOT_FOUND"),
        (500, '{"error": "INTERNAL"}', VenueUnavailable, "INTERNAL"),
        (503, "<html></html>", VenueUnavailable, None),
        (200, "<html></html>", MalformedAnswer, None),
        (200, '{"positions": []', MalformedAnswer, None),
        (200, "null", MalformedAnswer, None),
    ],
)
def test_what_an_answer_means(status: int, body: str, error: type[BrokerError], code: str | None) -> None:
    judged = judge(ADVANCED_TRADE, Answer(status, JSON, body))
    assert type(judged.error) is error, judged.error
    assert judged.code == code


def test_a_refused_order_comes_as_a_success_of_the_request() -> None:
    came = reply(200, refused(error="INSUFFICIENT_FUND", message="not enough"))
    assert isinstance(came.failure, RequestRefused)
    assert str(came.failure) == "not enough"
    assert classify(COINBASE, Write.ORDER, came) is Verdict.REJECTED


@pytest.mark.parametrize(
    ("reasons", "verdict"),
    [
        ({"new_order_failure_reason": "INSUFFICIENT_FUND"}, Verdict.REJECTED),
        ({"preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND"}, Verdict.REJECTED),
        ({"preview_failure_reason": "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES"}, Verdict.REJECTED),
        (
            {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "PREVIEW_INVALID_SIZE_PRECISION"},
            Verdict.REJECTED,
        ),
        (
            {
                "new_order_failure_reason": "UNKNOWN_FAILURE_REASON",
                "preview_failure_reason": "PREVIEW_IN_LIQUIDATION",
            },
            Verdict.REJECTED,
        ),
        ({"new_order_failure_reason": "CANNOT_CLOSE_ZERO_POSITION"}, Verdict.REJECTED),
        ({"new_order_failure_reason": "DUPLICATE_CLIENT_ORDER_ID"}, Verdict.EXISTS),
        ({"error": "UNKNOWN_FAILURE_REASON"}, Verdict.UNKNOWN),
        (
            {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON"},
            Verdict.UNKNOWN,
        ),
        ({"preview_failure_reason": "PREVIEW_RISK_PROXY_FAILURE"}, Verdict.UNKNOWN),
        ({"error": "COMMANDER_REJECTED_NEW_ORDER"}, Verdict.UNKNOWN),
        ({"error": "A_NEW_REASON"}, Verdict.UNKNOWN),
        ({}, Verdict.UNKNOWN),
    ],
)
def test_only_a_reviewed_reason_proves_that_nothing_was_done(
    reasons: dict[str, str], verdict: Verdict
) -> None:
    assert classify(COINBASE, Write.ORDER, reply(200, refused(**reasons))) is verdict


def test_without_the_response_a_refusal_proves_nothing() -> None:
    came = reply(200, '{"success": false, "error_response": null}')
    assert came.code == "UNKNOWN_FAILURE_REASON"
    assert classify(COINBASE, Write.ORDER, came) is Verdict.UNKNOWN


@pytest.mark.parametrize(("status", "body"), [(429, '{"error": "rate limit exceeded"}'), (500, GATEWAY)])
def test_a_status_that_proves_nothing_outweighs_every_word(status: int, body: str) -> None:
    assert classify(COINBASE, Write.ORDER, reply(status, body)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("code", "verdict", "benign"),
    [
        ("UNKNOWN_CANCEL_ORDER", Verdict.REJECTED, True),
        ("ORDER_IS_FULLY_FILLED", Verdict.REJECTED, True),
        ("COMMANDER_REJECTED_CANCEL_ORDER", Verdict.REJECTED, False),
        ("INVALID_CANCEL_FCM_TRADING_SESSION", Verdict.REJECTED, False),
        ("DUPLICATE_CANCEL_REQUEST", Verdict.UNKNOWN, False),
        ("UNKNOWN_CANCEL_FAILURE_REASON", Verdict.UNKNOWN, False),
    ],
)
def test_what_a_refused_cancellation_proves(code: str, verdict: Verdict, benign: bool) -> None:  # noqa: FBT001
    assert COINBASE.verdict_of(Write.CANCEL, code) is verdict
    assert COINBASE.is_benign(Write.CANCEL, code) is benign


@pytest.mark.parametrize("code", ["INSUFFICIENT_FUND", "COMMANDER_REJECTED_CANCEL_ORDER"])
def test_a_reason_counts_for_its_own_kind_of_write(code: str) -> None:
    other: dict[str, Any] = {
        "INSUFFICIENT_FUND": Write.CANCEL,
        "COMMANDER_REJECTED_CANCEL_ORDER": Write.ORDER,
    }
    assert COINBASE.verdict_of(other[code], code) is Verdict.UNKNOWN
