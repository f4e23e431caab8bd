"""What OKX's codes prove of a write, from the raw answer to the verdict."""

import json

import pytest

from brokers.answers import Answer, Reply, judge
from brokers.orders import Verdict
from brokers.outcomes import OKX, Write, classify
from brokers.venues.okx.profile import OKX_UNIFIED


def reply(status: int, payload: object) -> Reply:
    """Judge an answer as the transport does."""
    judged = judge(OKX_UNIFIED, Answer(status, {"content-type": "application/json"}, json.dumps(payload)))
    return Reply(payload=judged.payload, status=status, code=judged.code, failure=judged.error)


def row_answer(code: str, status: int = 200) -> Reply:
    """An order refused in its row."""
    row = {"clOrdId": "a", "ordId": "", "sCode": code, "sMsg": "words"}
    return reply(status, {"code": "1", "data": [row], "msg": "All operations failed"})


def whole_answer(code: str, status: int = 200) -> Reply:
    """A request refused as a whole."""
    return reply(status, {"code": code, "data": [], "msg": "words"})


def test_success_is_only_a_candidate() -> None:
    accepted = reply(200, {"code": "0", "data": [{"ordId": "1", "sCode": "0"}], "msg": ""})
    assert classify(OKX, Write.ORDER, accepted) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "code",
    [
        "51008",
        "51121",
        "51202",
        "51020",
        "51169",
        "51170",
        "51023",
        "51112",
        "51205",
        "51006",
        "51138",
        "50020",
    ],
)
def test_documented_refusal_in_a_row_proves_that_nothing_was_done(code: str) -> None:
    assert classify(OKX, Write.ORDER, row_answer(code)) is Verdict.REJECTED


@pytest.mark.parametrize(
    ("code", "status"),
    [("50036", 200), ("50037", 200), ("50102", 401), ("50113", 401), ("50120", 200), ("50119", 200)],
)
def test_refusal_before_matching_proves_that_nothing_was_done(code: str, status: int) -> None:
    assert classify(OKX, Write.ORDER, whole_answer(code, status)) is Verdict.REJECTED


@pytest.mark.parametrize("code", ["51016", "50071"])
def test_known_client_id_exists(code: str) -> None:
    assert classify(OKX, Write.ORDER, row_answer(code)) is Verdict.EXISTS


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("50004", 400),  # "does not mean that the request was successful or failed"
        ("51149", 500),
        ("51054", 500),
        ("50001", 503),
        ("50013", 429),
        ("50026", 500),
        ("50011", 429),
        ("50042", 200),
        ("51000", 400),  # nautilus_trader reports it for client ids in use
        ("99999", 200),
    ],
)
def test_anything_else_proves_nothing(code: str, status: int) -> None:
    assert classify(OKX, Write.ORDER, whole_answer(code, status)) is Verdict.UNKNOWN
    assert classify(OKX, Write.ORDER, row_answer(code, status)) is Verdict.UNKNOWN


@pytest.mark.parametrize("code", ["51008", "51169"])
def test_refusal_under_a_server_error_proves_nothing(code: str) -> None:
    assert classify(OKX, Write.ORDER, row_answer(code, 500)) is Verdict.UNKNOWN


@pytest.mark.parametrize("code", ["51400", "51401", "51402", "51603"])
def test_cancelling_what_is_gone_is_harmless(code: str) -> None:
    assert OKX.is_benign(Write.CANCEL, code)
    assert OKX.verdict_of(Write.CANCEL, code) is Verdict.REJECTED


@pytest.mark.parametrize("code", ["51410", "51412"])
def test_cancellation_under_way_is_unknown(code: str) -> None:
    assert OKX.verdict_of(Write.CANCEL, code) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("58350", Verdict.REJECTED),
        ("58110", Verdict.REJECTED),
        ("58124", Verdict.EXISTS),
        ("58112", Verdict.UNKNOWN),
    ],
)
def test_transfers(code: str, verdict: Verdict) -> None:
    assert classify(OKX, Write.TRANSFER, whole_answer(code)) is verdict
