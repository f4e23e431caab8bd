"""OKX's envelope `{"code", "msg", "data"}`: its rows, and what its codes mean."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from brokers.errors import (
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.fields import mapping_from, rows_from
from brokers.profile import Headers

SUCCESS = "0"
ALL_FAILED = "1"
SOME_FAILED = "2"

CLOCK = frozenset({"50102"})

HUMAN = frozenset(
    {
        "50030",  # no permission for this endpoint
        "50035",  # the endpoint wants a key bound to an address
        "50100",  # key frozen
        "50101",  # key of the other environment (live, demo)
        "50103",
        "50104",
        "50105",  # passphrase
        "50106",
        "50107",
        "50110",  # address not on the key's list
        "50111",
        "50112",
        "50113",  # signature
        "50114",
        "50119",  # key does not exist, or belongs to another OKX entity
        "50120",  # key without this permission
        "50121",  # no service for this address
    }
)
"""Codes that only a human can cure. Source: OKX docs, "Error Code", general and API class."""

WINDOW_S = 2.0
"""OKX counts requests in windows of two seconds."""

LIMITED: Mapping[str, float | None] = MappingProxyType(
    {"50011": WINDOW_S, "50061": WINDOW_S, "50040": None, "58102": None}
)
"""Codes of too many requests -> seconds to wait, where the limit's window says it."""

UNAVAILABLE = frozenset(
    {
        "50001",  # service temporarily unavailable (HTTP 503)
        "50004",  # endpoint timeout: "does not mean success or failure" (HTTP 400)
        "50005",  # endpoint inactive (HTTP 410)
        "50013",  # systems busy (HTTP 429)
        "50026",  # system error (HTTP 500)
        "51054",  # request timed out (HTTP 500)
        "51149",  # order timed out (HTTP 500): nothing is known of the order
    }
)


def rows_of(payload: object, what: str) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of the envelope's `data`.

    Raises:
        MalformedAnswer: there is no such list of objects.
    """
    return rows_from(mapping_from(payload, what).get("data"), f"data of {what}")


def row_of(payload: object, what: str) -> Mapping[str, Any]:
    """Return the one row that `data` must hold.

    Raises:
        MalformedAnswer: there is none, or more than one.
    """
    rows = rows_of(payload, what)
    if len(rows) != 1:
        raise MalformedAnswer(f"{what}: {len(rows)} rows where one is documented")
    return rows[0]


def read_refusal(status: int, headers: Headers, payload: Any) -> BrokerError | None:  # noqa: ANN401 - raw JSON
    """Say what an answer's envelope means; see `VenueProfile.read_refusal`.

    `2` (part of a batch failed) is no refusal: its rows speak for themselves. `1` (all of it failed) is told
    by the code of its rows. Statuses follow the codes only loosely (50013 comes as 429, 50004 as 400), so the
    code is asked first; an answer without OKX's envelope is left to the common reading of its status, except
    that a successful status needs the envelope.
    """
    del headers
    stated = payload.get("code") if isinstance(payload, Mapping) else None
    code = str(stated) if isinstance(stated, (str, int)) and not isinstance(stated, bool) else ""
    if not code:
        if payload is not None and status < HTTPStatus.BAD_REQUEST:
            return MalformedAnswer("no code in the answer")
        return None
    if code == SOME_FAILED:
        return None
    if code == SUCCESS:
        return None if isinstance(payload.get("data"), list) else MalformedAnswer("no data in the answer")
    message = str(payload.get("msg") or "")
    if code == ALL_FAILED:
        code, message = _first_failure(payload.get("data"), message)
    return _error_of(code, f"{code} {message}".strip())


def _first_failure(data: object, message: str) -> tuple[str, str]:
    for row in data if isinstance(data, list) else ():
        if isinstance(row, Mapping) and row.get("sCode") not in (None, "", SUCCESS):
            return str(row["sCode"]), str(row.get("sMsg") or message)
    return ALL_FAILED, message


def _error_of(code: str, message: str) -> BrokerError:
    if code in CLOCK:
        return ClockRefused(message, code=code)
    if code in HUMAN:
        return Unauthorized(message, code=code)
    if code in LIMITED:
        return RateLimited(message, retry_after=LIMITED[code])
    if code in UNAVAILABLE:
        return VenueUnavailable(message)
    return RequestRefused(message, code=code)
