"""Crypto.com's envelope `{"id", "method", "code", "result"}`: its rows, and what its codes mean."""

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
NOT_FOUND = "40401"

CLOCK = frozenset({"40102"})

HUMAN = frozenset(
    {
        "202",  # account suspended
        "409",
        "410",  # user not active
        "411",
        "412",  # no access to derivatives
        "40101",  # key or signature
        "40103",  # address not on the key's list
        "40104",  # user tier
    }
)
"""Codes that only a human can cure. Source: Exchange API v1, "Response and Reason Codes"."""

LIMITED: Mapping[str, float] = MappingProxyType({"42901": 1.0})
"""Codes of too many requests -> seconds to wait: every limit is counted over a second or less."""

UNAVAILABLE = frozenset({"40801", "50001"})
"""The venue timed out or failed inside: nothing is known."""


def result_of(payload: object, what: str) -> Mapping[str, Any]:
    """Return the envelope's `result`.

    Raises:
        MalformedAnswer: there is no such object.
    """
    return mapping_from(mapping_from(payload, what).get("result"), f"result of {what}")


def rows_of(payload: object, what: str) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of `result.data`.

    Raises:
        MalformedAnswer: there is no such list of objects.
    """
    return rows_from(result_of(payload, what).get("data"), f"data of {what}")


def row_of(payload: object, what: str) -> Mapping[str, Any]:
    """Return the one row that `result.data` must hold.

    Raises:
        MalformedAnswer: there is none, or more than one: nothing is known then, least of all that it is flat.
    """
    rows = rows_of(payload, what)
    if len(rows) != 1:
        raise MalformedAnswer(f"{what}: {len(rows)} rows where one is documented")
    return rows[0]


def read_refusal(status: int, headers: Headers, payload: Any) -> BrokerError | None:  # noqa: ANN401 - raw JSON
    """Say what an answer's envelope means; see `VenueProfile.read_refusal`.

    The code is a number or the same number as text. An answer without it is left to the common reading of its
    status, except that a successful status needs the envelope.
    """
    del headers
    code = _code_of(payload)
    if code is None:
        if payload is not None and status < HTTPStatus.BAD_REQUEST:
            return MalformedAnswer("no code in the answer")
        return None
    if code == SUCCESS:
        return None
    return _error_of(code, f"{code} {payload.get('message') or ''}".strip())


def _code_of(payload: object) -> str | None:
    code = payload.get("code") if isinstance(payload, Mapping) else None
    if isinstance(code, bool) or not isinstance(code, (int, str)) or code == "":
        return None
    return str(code)


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
