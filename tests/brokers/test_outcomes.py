import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.answers import Reply
from brokers.errors import OutcomeUnknown, RequestRefused
from brokers.orders import Verdict
from brokers.outcomes import (
    BINANCE,
    BYBIT,
    COINBASE,
    CRYPTOCOM,
    KRAKEN_FUTURES,
    KRAKEN_SPOT,
    OKX,
    OutcomeTable,
    Write,
    classify,
)

TABLES = {
    "bybit": BYBIT,
    "binance": BINANCE,
    "okx": OKX,
    "kraken": KRAKEN_SPOT,
    "kraken futures": KRAKEN_FUTURES,
    "cryptocom": CRYPTOCOM,
    "coinbase": COINBASE,
}


def refusal(code: str, status: int = 200) -> Reply:
    return Reply(payload={}, status=status, code=code, failure=RequestRefused("no", code=code))


@pytest.mark.parametrize(
    ("venue", "write", "code", "verdict"),
    [
        ("bybit", Write.ORDER, "110072", Verdict.EXISTS),
        ("bybit", Write.ORDER, "110017", Verdict.REJECTED),
        ("bybit", Write.ORDER, "110007", Verdict.REJECTED),
        ("bybit", Write.ORDER, "10002", Verdict.REJECTED),
        ("bybit", Write.ORDER, "10014", Verdict.UNKNOWN),
        ("bybit", Write.ORDER, "10016", Verdict.UNKNOWN),
        ("bybit", Write.ORDER, "110079", Verdict.UNKNOWN),
        ("bybit", Write.CANCEL, "110001", Verdict.REJECTED),
        ("bybit", Write.CANCEL, "110007", Verdict.UNKNOWN),
        ("bybit", Write.LEVERAGE, "110043", Verdict.REJECTED),
        ("bybit", Write.TRANSFER, "131214", Verdict.EXISTS),
        ("bybit", Write.TRANSFER, "131212", Verdict.REJECTED),
        ("bybit", Write.REPAYMENT, "10001", Verdict.REJECTED),
        ("bybit", Write.REPAYMENT, "110072", Verdict.UNKNOWN),
        ("bybit", Write.REPAYMENT, "110007", Verdict.UNKNOWN),
        ("binance", Write.REPAYMENT, "-3041", Verdict.REJECTED),
        ("binance", Write.REPAYMENT, "-3015", Verdict.REJECTED),
        ("binance", Write.ORDER, "-3041", Verdict.UNKNOWN),
        ("binance", Write.REPAYMENT, "-3000", Verdict.UNKNOWN),
        ("binance", Write.REPAYMENT, "-4116", Verdict.UNKNOWN),
        ("okx", Write.REPAYMENT, "51000", Verdict.REJECTED),
        ("okx", Write.REPAYMENT, "51010", Verdict.REJECTED),
        ("okx", Write.REPAYMENT, "50013", Verdict.UNKNOWN),
        ("binance", Write.ORDER, "-4116", Verdict.EXISTS),
        ("binance", Write.ORDER, "-2022", Verdict.REJECTED),
        ("binance", Write.ORDER, "-5028", Verdict.REJECTED),
        ("binance", Write.ORDER, "-2010", Verdict.UNKNOWN),
        ("binance", Write.ORDER, "-1007", Verdict.UNKNOWN),
        ("binance", Write.CANCEL, "-2011", Verdict.REJECTED),
        ("okx", Write.ORDER, "51016", Verdict.EXISTS),
        ("okx", Write.ORDER, "51169", Verdict.REJECTED),
        ("okx", Write.ORDER, "50102", Verdict.REJECTED),
        ("okx", Write.ORDER, "51000", Verdict.UNKNOWN),
        ("okx", Write.ORDER, "50004", Verdict.UNKNOWN),
        ("okx", Write.CANCEL, "51402", Verdict.REJECTED),
        ("okx", Write.CANCEL, "51410", Verdict.UNKNOWN),
        ("cryptocom", Write.ORDER, "204", Verdict.EXISTS),
        ("cryptocom", Write.ORDER, "201", Verdict.REJECTED),
        ("cryptocom", Write.ORDER, "40102", Verdict.REJECTED),
        ("cryptocom", Write.ORDER, "50001", Verdict.UNKNOWN),
        ("cryptocom", Write.CANCEL, "212", Verdict.REJECTED),
        ("cryptocom", Write.CANCEL, "306", Verdict.UNKNOWN),
        ("coinbase", Write.ORDER, "DUPLICATE_CLIENT_ORDER_ID", Verdict.EXISTS),
        ("coinbase", Write.ORDER, "CANNOT_CLOSE_ZERO_POSITION", Verdict.REJECTED),
        ("coinbase", Write.ORDER, "PREVIEW_INSUFFICIENT_FUND", Verdict.REJECTED),
        ("coinbase", Write.ORDER, "401", Verdict.REJECTED),
        ("coinbase", Write.ORDER, "UNKNOWN_FAILURE_REASON", Verdict.UNKNOWN),
        ("coinbase", Write.CANCEL, "NOT_ALLOWED_TO_CANCEL", Verdict.REJECTED),
        ("coinbase", Write.ORDER, "NOT_ALLOWED_TO_CANCEL", Verdict.UNKNOWN),
        ("kraken", Write.ORDER, "EAPI:Invalid nonce", Verdict.REJECTED),
        ("kraken", Write.CANCEL, "EAPI:Invalid nonce", Verdict.REJECTED),
        ("kraken", Write.ORDER, "EOrder:Reduce only:No position exists", Verdict.REJECTED),
        ("kraken", Write.ORDER, "EOrder:Reduce only:Position is closed", Verdict.UNKNOWN),
        ("kraken", Write.ORDER, "EService:Deadline elapsed", Verdict.REJECTED),
        ("kraken", Write.CANCEL, "EService:Deadline elapsed", Verdict.UNKNOWN),
        ("kraken", Write.ORDER, "EService:Unavailable", Verdict.UNKNOWN),
        ("kraken", Write.ORDER, "EAPI:Rate limit exceeded", Verdict.UNKNOWN),
        ("kraken", Write.ORDER, "EOrder:Rate limit exceeded", Verdict.REJECTED),
        ("kraken", Write.ORDER, "EOrder:Insufficient funds | EService:Unavailable", Verdict.UNKNOWN),
        ("kraken", Write.CANCEL, "EOrder:Unknown order", Verdict.REJECTED),
        ("kraken", Write.ORDER, "EOrder:Unknown order", Verdict.UNKNOWN),
    ],
)
def test_reviewed_codes_prove_what_the_venue_documents(
    venue: str, write: Write, code: str, verdict: Verdict
) -> None:
    assert classify(TABLES[venue], write, refusal(code)) is verdict


@given(
    code=st.integers(-9999, 199_999).map(str),
    write=st.sampled_from(Write),
    venue=st.sampled_from(list(TABLES)),
)
def test_a_code_that_nobody_reviewed_proves_nothing(code: str, write: Write, venue: str) -> None:
    table = TABLES[venue]
    reviewed = {*table.rejected, *table.rejected_orders, *table.exists}
    reviewed |= {benign for codes in table.benign.values() for benign in codes}
    if code not in reviewed:
        assert classify(table, write, refusal(code)) is Verdict.UNKNOWN


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_code_proves_one_thing_only_and_says_why(table: OutcomeTable) -> None:
    assert not table.exists & {*table.rejected, *table.rejected_orders}
    assert not table.rejected.keys() & {*table.rejected_orders, *table.rejected_cancels}
    for reasons in (table.rejected, table.rejected_orders, table.rejected_cancels, *table.benign.values()):
        assert all(len(reason) > 10 for reason in reasons.values())


@pytest.mark.parametrize("status", [408, 418, 425, 429, 500, 502, 503, 504])
def test_a_reviewed_code_in_a_status_of_unavailability_proves_nothing(status: int) -> None:
    assert classify(BINANCE, Write.ORDER, refusal("-2019", status=status)) is Verdict.UNKNOWN


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_code_that_proves_despite_its_status_is_a_reviewed_one(table: OutcomeTable) -> None:
    benign = {code for codes in table.benign.values() for code in codes}
    assert table.despite_status <= {*table.rejected, *table.rejected_orders, *benign}
    for code in table.despite_status:
        kinds = [write for write in Write if classify(table, write, refusal(code, 500)) is Verdict.REJECTED]
        assert kinds
    assert classify(table, Write.ORDER, refusal("99999", status=500)) is Verdict.UNKNOWN


def test_what_never_left_was_rejected_and_what_got_no_answer_is_unknown() -> None:
    failure = OutcomeUnknown("no answer")
    assert classify(BYBIT, Write.ORDER, Reply(failure=failure, sent=False)) is Verdict.REJECTED
    assert classify(BYBIT, Write.ORDER, Reply(failure=failure)) is Verdict.UNKNOWN
    assert classify(BYBIT, Write.ORDER, Reply(failure=failure, status=200)) is Verdict.UNKNOWN


def test_benign_is_per_kind_of_write() -> None:
    assert BYBIT.is_benign(Write.LEVERAGE, "110043")
    assert not BYBIT.is_benign(Write.ORDER, "110043")
    assert BINANCE.is_benign(Write.CANCEL, "-2011")
    assert not OKX.is_benign(Write.CANCEL, None)
