"""What OKX's codes mean, whatever the HTTP status they come with."""

import pytest

from brokers.errors import (
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.venues.okx.envelope import read_refusal, row_of, rows_of


def refusal(code: str, status: int = 200, **more: object) -> BrokerError | None:
    return read_refusal(status, {}, {"code": code, "msg": "words", "data": [], **more})


def test_success_is_no_refusal() -> None:
    assert refusal("0") is None


def test_success_without_data_is_no_answer() -> None:
    assert isinstance(refusal("0", data=None), MalformedAnswer)


def test_partly_failed_batch_is_read_by_its_rows() -> None:
    assert refusal("2") is None


@pytest.mark.parametrize(
    "code",
    [
        "50101", "50103", "50104", "50105", "50106", "50107", "50110", "50111", "50112", "50113", "50114",
        # plain ExchangeErrors in ccxt: a deleted key would never look like a credential problem there
        "50119", "50120", "50030",
    ],
)  # fmt: skip
def test_credentials_are_for_a_human(code: str) -> None:
    error = refusal(code, 401)
    assert isinstance(error, Unauthorized)
    assert error.code == code


def test_timestamp_is_not_a_credential_problem() -> None:
    assert isinstance(refusal("50102", 401), ClockRefused)


@pytest.mark.parametrize(("code", "wait"), [("50011", 2.0), ("50061", 2.0), ("50040", None)])
@pytest.mark.parametrize("status", [200, 429])
def test_too_many_requests(code: str, wait: float | None, status: int) -> None:
    error = refusal(code, status)
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait


@pytest.mark.parametrize(
    ("code", "status"),
    [("50001", 503), ("50004", 400), ("50005", 410), ("50013", 429), ("50026", 500), ("51149", 500)],
)
def test_unavailable_whatever_the_status(code: str, status: int) -> None:
    error = refusal(code, status)
    assert type(error) is VenueUnavailable


def test_all_failed_is_told_by_its_first_row() -> None:
    rows = [{"ordId": "", "sCode": "51008", "sMsg": "Insufficient USDT margin in account"}]
    error = refusal("1", data=rows)
    assert isinstance(error, RequestRefused)
    assert error.code == "51008"
    assert "Insufficient" in str(error)


def test_all_failed_without_rows_keeps_its_code() -> None:
    error = refusal("1")
    assert isinstance(error, RequestRefused)
    assert error.code == "1"


def test_rate_limit_inside_a_row_is_a_rate_limit() -> None:
    assert isinstance(refusal("1", data=[{"sCode": "50061", "sMsg": ""}]), RateLimited)


@pytest.mark.parametrize(
    "payload", [{}, {"status": "ok"}, [], {"code": True, "data": []}, {"code": None, "data": []}]
)
def test_success_status_without_the_envelope_is_malformed(payload: object) -> None:
    assert isinstance(read_refusal(200, {}, payload), MalformedAnswer)


@pytest.mark.parametrize("payload", [None, {"error": "bad gateway"}])
def test_foreign_error_is_left_to_its_status(payload: object) -> None:
    assert read_refusal(502, {}, payload) is None


def test_rows_are_objects() -> None:
    assert rows_of({"data": [{"a": "1"}]}, "x") == ({"a": "1"},)
    for foreign in ({"data": ["a"]}, {"data": None}, {}, None):
        with pytest.raises(MalformedAnswer):
            rows_of(foreign, "x")
    with pytest.raises(MalformedAnswer):
        row_of({"data": [{}, {}]}, "x")


def test_a_code_may_come_as_a_number() -> None:
    assert read_refusal(200, {}, {"code": 0, "data": []}) is None
    error = read_refusal(200, {}, {"code": 50113, "msg": "Invalid Sign", "data": []})
    assert isinstance(error, Unauthorized)
