"""What each of Binance's codes and statuses means, whatever the host they come from."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from brokers.answers import Answer, ForeignAnswer, Reply, judge
from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    NotSupported,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.numbers import ms_from_time
from brokers.orders import Verdict
from brokers.outcomes import BINANCE, Write, classify
from brokers.venues.binance.profile import USDM, read_time
from brokers.venues.binance.refusals import is_absent, read_refusal, used_weight

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def refusal(code: object, status: int = 400, **headers: str) -> BrokerError | None:
    return read_refusal(status, headers, {"code": code, "msg": "words"})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-1000, VenueUnavailable),
        (-1001, VenueUnavailable),
        (-1003, RateLimited),
        (-1006, VenueUnavailable),
        (-1007, VenueUnavailable),
        (-1008, VenueUnavailable),
        (-1015, RateLimited),
        (-1016, VenueUnavailable),
        (-1021, ClockRefused),
        (-1022, Unauthorized),
        (-1102, RequestRefused),
        (-1106, RequestRefused),
        (-1121, RequestRefused),
        (-2011, RequestRefused),
        (-2013, RequestRefused),
        (-2014, Unauthorized),
        (-2015, Unauthorized),
        (-2019, RequestRefused),
        (-2022, RequestRefused),
        (-4061, RequestRefused),
        (-4116, RequestRefused),
        (-4400, RequestRefused),
        (-5028, RequestRefused),
        (100001003, RequestRefused),
    ],
)
def test_codes(code: int, kind: type[BrokerError]) -> None:
    error = refusal(code)
    assert type(error) is kind
    if isinstance(error, RequestRefused):
        assert error.code == str(code)


def test_a_revoked_key_is_not_taken_for_a_ban_after_a_success() -> None:
    # ccxt raises DDoSProtection for -2015 once an earlier call has succeeded.
    assert refusal(200, 200) is None
    assert type(refusal(-2015, 401)) is Unauthorized


@pytest.mark.parametrize(
    "payload",
    [
        {"code": 200, "msg": "success"},
        {"code": "200", "msg": "success", "algoId": 1},
        {"code": 0},
        {"orderId": 1},
        [],
        {},
        [{"code": -2011, "msg": "Unknown order sent."}],
    ],
)
def test_success_bodies_may_carry_a_code(payload: object) -> None:
    assert read_refusal(200, {}, payload) is None


def test_a_refusal_in_a_good_status_is_still_one() -> None:
    assert type(refusal(-2015, 200)) is Unauthorized
    assert type(refusal(-1121, 200)) is RequestRefused


def test_rate_limits_say_when_to_come_back() -> None:
    for status, code in ((429, -1003), (429, -1015), (400, -1003)):
        error = refusal(code, status, **{"retry-after": "7"})
        assert type(error) is RateLimited
        assert error.retry_after == 7
    silent = refusal(-1003, 429)
    assert isinstance(silent, RateLimited)
    assert silent.retry_after is None


def test_a_ban_lasts_until_the_moment_it_names() -> None:
    until = ms_from_time(NOW) + 90_000
    payload = {
        "code": -1003,
        "msg": f"Way too many requests; IP banned until {until}. Please use the websocket.",
    }
    error = read_refusal(418, {"date": format_datetime(NOW, usegmt=True)}, payload)
    assert type(error) is Banned
    assert error.retry_after == 90
    stated = read_refusal(418, {"retry-after": "33"}, payload)
    assert isinstance(stated, Banned)
    assert stated.retry_after == 33
    assert isinstance(read_refusal(418, {}, None), Banned)


def test_the_firewall_is_a_rate_limit() -> None:
    assert type(read_refusal(403, {}, None)) is RateLimited
    assert type(read_refusal(403, {}, {"message": "Forbidden"})) is RateLimited


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            Answer(503, {}, '{"code":-1008,"msg":"Request throttled by system-level protection."}'),
            VenueUnavailable,
        ),
        (Answer(503, {}, "Service Unavailable"), VenueUnavailable),
        (Answer(502, {"content-type": "text/html"}, "<html></html>"), VenueUnavailable),
        (Answer(500, {}, '{"code":-2022,"msg":"ReduceOnly Order is rejected."}'), VenueUnavailable),
        (Answer(408, {}, '{"code":-1007,"msg":"Timeout"}'), VenueUnavailable),
        (Answer(404, {}, "Not Found"), ForeignAnswer),
        (Answer(404, {}, '{"status":404,"error":"Not Found"}'), ForeignAnswer),
        (Answer(200, {"content-type": "text/html"}, "<html>maintenance</html>"), MalformedAnswer),
        (Answer(200, {}, "null"), MalformedAnswer),
        (Answer(200, {}, ""), MalformedAnswer),
        (Answer(200, {}, '[{"symbol":"BTCUSDT"'), MalformedAnswer),
    ],
)
def test_answers_that_prove_nothing(answer: Answer, kind: type[BrokerError]) -> None:
    judgement = judge(USDM, answer)
    assert type(judgement.error) is kind
    reply = Reply(status=answer.status, failure=judgement.error, code=judgement.code)
    assert classify(BINANCE, Write.ORDER, reply) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("code", "write", "verdict"),
    [
        (-2022, Write.ORDER, Verdict.REJECTED),
        (-2019, Write.ORDER, Verdict.REJECTED),
        (-4061, Write.ORDER, Verdict.REJECTED),
        (-4164, Write.ORDER, Verdict.REJECTED),
        (-1021, Write.ORDER, Verdict.REJECTED),
        (-5028, Write.ORDER, Verdict.REJECTED),
        (-2015, Write.ORDER, Verdict.REJECTED),
        (-4116, Write.ORDER, Verdict.EXISTS),
        (-2011, Write.CANCEL, Verdict.REJECTED),
        (-2011, Write.ORDER, Verdict.UNKNOWN),
        (-2013, Write.ORDER, Verdict.UNKNOWN),
        (-1000, Write.ORDER, Verdict.UNKNOWN),
        (-1001, Write.ORDER, Verdict.UNKNOWN),
        (-1006, Write.ORDER, Verdict.UNKNOWN),
        (-1007, Write.ORDER, Verdict.UNKNOWN),
        (-1008, Write.ORDER, Verdict.UNKNOWN),
        (-1003, Write.ORDER, Verdict.UNKNOWN),
        (-9000, Write.TRANSFER, Verdict.UNKNOWN),
        (-31415, Write.ORDER, Verdict.UNKNOWN),
    ],
)
def test_what_a_refused_write_proves(code: int, write: Write, verdict: Verdict) -> None:
    judgement = judge(USDM, Answer(400, {}, f'{{"code":{code},"msg":"words"}}'))
    reply = Reply(status=400, failure=judgement.error, code=judgement.code)
    assert classify(BINANCE, write, reply) is verdict


def test_a_call_that_the_host_does_not_have_is_told_from_one_that_failed() -> None:
    assert is_absent(RequestRefused("no such path", code="-5000"))
    assert is_absent(NotSupported("no such call"))
    assert is_absent(ForeignAnswer("HTTP 404"))
    assert not is_absent(VenueUnavailable("HTTP 503"))
    assert not is_absent(Unauthorized("key", code="-2015"))


@pytest.mark.parametrize("code", [-1, 404, -1100, -5000])
@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_a_path_that_is_not_there_is_absent_whatever_code_comes_with_it(code: int, status: int) -> None:
    error = refusal(code, status)
    assert error is not None
    assert is_absent(error)
    assert isinstance(refusal(-2015, status), Unauthorized)


def test_the_weight_used_is_read_off_the_header() -> None:
    assert used_weight({"x-mbx-used-weight-1m": "1723"}) == 1723
    assert used_weight({}) is None
    assert used_weight({"x-mbx-used-weight-1m": "many"}) is None


def test_the_venues_time() -> None:
    assert read_time({"serverTime": 1499827319559}) == 1499827319559
    with pytest.raises((KeyError, ValueError)):
        read_time({})
    with pytest.raises(ValueError, match="time"):
        read_time({"serverTime": 12})
