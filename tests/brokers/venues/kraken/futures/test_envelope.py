import json
from typing import Any

import pytest

from brokers.answers import Answer, Reply, judge
from brokers.errors import (
    BrokerError,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.numbers import NumberError
from brokers.orders import Verdict
from brokers.outcomes import KRAKEN_FUTURES as OUTCOMES
from brokers.outcomes import Write, classify
from brokers.venues.kraken.futures.envelope import read_refusal, time_from_iso
from brokers.venues.kraken.futures.profile import KRAKEN_FUTURES

Row = dict[str, Any]

EXECUTED = {"type": "EXECUTION", "amount": 0.1, "price": 1}


def error(name: str) -> Row:
    return {"result": "error", "error": name, "serverTime": "2016-02-25T09:45:53.818Z"}


@pytest.mark.parametrize(
    ("status", "payload", "kind", "code"),
    [
        (200, error("apiLimitExceeded"), RateLimited, None),
        (429, error("apiLimitExceeded"), RateLimited, None),
        (429, error("somethingElse"), RateLimited, None),
        (200, error("authenticationError"), Unauthorized, "authenticationError"),
        (401, {"errors": [{"code": 40, "message": "unknown key"}]}, Unauthorized, "40"),
        (403, {"message": "no"}, Unauthorized, "403"),
        (200, error("permissionDenied"), Unauthorized, "permissionDenied"),
        (200, error("Unavailable"), VenueUnavailable, None),
        (200, error("unknownError"), VenueUnavailable, None),
        (400, error("invalidArgument: size"), RequestRefused, "invalidArgument"),
        (200, error("accountInactive"), RequestRefused, "accountInactive"),
        (404, error("notFound"), RequestRefused, "notFound: the request"),
        (
            400,
            {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 11, "message": "bad type"}]},
            RequestRefused,
            "11",
        ),
        (200, {"result": "error", "errors": ["invalidUnit"]}, RequestRefused, "invalidUnit"),
        (200, {}, MalformedAnswer, None),
        (200, {"result": "error"}, MalformedAnswer, None),
        (200, [], MalformedAnswer, None),
        (200, {"result": "success", "sendStatus": {}}, MalformedAnswer, None),
    ],
)
def test_an_error_is_what_the_venue_calls_it(
    status: int, payload: Row, kind: type[BrokerError], code: str | None
) -> None:
    found = read_refusal(status, {}, payload)
    assert type(found) is kind
    assert getattr(found, "code", None) == code


@pytest.mark.parametrize(
    "payload",
    [
        {"result": "success", "accounts": {}},
        {"elements": [], "serverTime": "2023-04-05T12:31:42.677Z"},
        {"permissions": {}},
        {"result": "success", "sendStatus": {"status": "placed", "order_id": "1"}},
        {"result": "success", "sendStatus": {"status": "filled"}},
    ],
)
def test_a_success_is_left_alone(payload: Row) -> None:
    assert read_refusal(200, {}, payload) is None


def test_without_json_the_status_speaks() -> None:
    assert read_refusal(502, {}, None) is None


def verdict_of(payload: Row, write: Write = Write.ORDER, status: int = 200) -> Verdict:
    judged = judge(KRAKEN_FUTURES, Answer(status, {}, json.dumps(payload)))
    return classify(OUTCOMES, write, Reply(status=status, code=judged.code, failure=judged.error))


@pytest.mark.parametrize(
    "word",
    [
        "invalidOrderType",
        "invalidSide",
        "invalidSize",
        "invalidPrice",
        "insufficientAvailableFunds",
        "wouldCauseLiquidation",
        "selfFill",
        "tooManySmallOrders",
        "tooManyOrders",
        "maxPositionViolation",
        "marketSuspended",
        "marketInactive",
        "marketIsPostOnly",
        "clientOrderIdTooLong",
        "clientOrderIdTooBig",
        "clientOrderIdInvalid",
        "outsidePriceCollar",
        "wouldIncreasePriceDislocation",
        "postWouldExecute",
        "iocWouldNotExecute",
        "fixedLeverageTooHigh",
        "wouldProcessAfterSpecifiedTime",
        "wouldNotReducePosition",
    ],
)
def test_every_documented_status_of_an_order_that_was_not_placed_is_a_rejection(word: str) -> None:
    """Kraken calls them all a success."""
    payload = {"result": "success", "sendStatus": {"status": word}}
    assert verdict_of(payload) is Verdict.REJECTED
    payload["sendStatus"] = {"status": word, "orderEvents": [EXECUTED]}
    assert verdict_of(payload) is Verdict.UNKNOWN, "it executed in part"
    payload["sendStatus"] = {"status": word}
    assert verdict_of(payload, status=500) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("payload", "verdict"),
    [
        ({"result": "success", "sendStatus": {"status": "clientOrderIdAlreadyExist"}}, Verdict.EXISTS),
        ({"result": "success", "sendStatus": {"status": "placed"}}, Verdict.ACCEPTED),
        ({"result": "success", "sendStatus": {"status": "cancelled"}}, Verdict.UNKNOWN),
        ({"result": "success", "sendStatus": {"status": "somethingNew"}}, Verdict.UNKNOWN),
        (error("authenticationError"), Verdict.REJECTED),
        (error("requiredArgumentMissing"), Verdict.REJECTED),
        (error("apiLimitExceeded"), Verdict.UNKNOWN),
        (error("marketUnavailable"), Verdict.UNKNOWN),
        (error("Server Error"), Verdict.UNKNOWN),
    ],
)
def test_what_an_answer_to_an_order_proves(payload: Row, verdict: Verdict) -> None:
    assert verdict_of(payload) is verdict


def test_a_call_that_is_not_there_is_no_order_that_is_gone() -> None:
    assert verdict_of(error("notFound"), Write.CANCEL, status=404) is Verdict.UNKNOWN


def test_only_a_position_that_is_gone_is_a_benign_rejection() -> None:
    assert OUTCOMES.is_benign(Write.ORDER, "wouldNotReducePosition")
    assert not OUTCOMES.is_benign(Write.ORDER, "iocWouldNotExecute")
    assert OUTCOMES.is_benign(Write.CANCEL, "notFound")
    assert OUTCOMES.is_benign(Write.CANCEL, "filled")


def test_times_are_iso_with_a_zone() -> None:
    assert time_from_iso("2025-11-17T00:31:01.835715Z").timestamp() == 1763339461.835715
    for damaged in (None, "", 1763339461, "2025-11-17T00:31:01", "0000", "1970-01-01T00:00:00Z"):
        with pytest.raises(NumberError):
            time_from_iso(damaged)
