"""Kraken's envelope `{"error": [], "result": ...}`: its result, and what its errors mean."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

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
from brokers.fields import mapping_from
from brokers.profile import Headers

INVALID_NONCE = "EAPI:Invalid nonce"
UNKNOWN_ORDER = "EOrder:Unknown order"

DEADLINE_ELAPSED, WRONG_DEADLINE = "EService:Deadline elapsed", "EGeneral:Invalid arguments:deadline"
"""An order's deadline has passed, or is too near or too far: so it is when our clock is wrong."""

HUMAN = frozenset(
    {
        "EAPI:Invalid key",
        "EAPI:Invalid signature",
        "EAPI:Feature disabled",
        "EGeneral:Permission denied",
        "EAccount:Invalid permissions",
        "EAuth:Account temporary disabled",
        "EAuth:Account unconfirmed",
        "ETrade:User Locked",
    }
)
"""Errors that only a human can cure. Source: Kraken docs, "Spot Error Messages"."""

LIMITED = frozenset(
    {
        "EAPI:Rate limit exceeded",
        "EAuth:Rate limit exceeded",
        "EAuth:Too many requests",
        "EGeneral:Too many requests",
        "EService:Throttled",
    }
)
PAUSE_S = 8.0
"""The call counter loses what a picture costs in this time at the lowest tier; the next poll follows."""

LOCKOUT, LOCKOUT_S = "EGeneral:Temporary lockout", 900.0

UNAVAILABLE = frozenset(
    {
        "EService:Unavailable",
        "EService:Busy",
        "EService:Timeout",
        "EGeneral:Internal error",
        "EDatabase:Internal error",
    }
)

DETAILED = ("EGeneral:Invalid arguments", "EGeneral:Internal error", "EService:Throttled")
"""Errors behind whose text a detail may follow a colon: the detail is no part of the code."""

WARNING = "W"
"""The severity of an entry that refuses nothing."""


def result_of(payload: object, what: str) -> Any:  # noqa: ANN401 - raw JSON
    """Return what stands under `result`.

    Raises:
        MalformedAnswer: the answer is no object, or has no result.
    """
    envelope = mapping_from(payload, what)
    if envelope.get("result") is None:
        raise MalformedAnswer(f"{what}: no result")
    return envelope["result"]


def object_of(payload: object, what: str) -> Mapping[str, Any]:
    """Return the object that stands under `result`.

    Raises:
        MalformedAnswer: there is none.
    """
    return mapping_from(result_of(payload, what), f"result of {what}")


def rows_by_id(payload: object, name: str, what: str) -> dict[str, Mapping[str, Any]]:
    """Return the orders that `result` must hold under `name`, by transaction id.

    Raises:
        MalformedAnswer: it holds no such object; an answer without one says nothing of what is there.
    """
    rows = mapping_from(object_of(payload, what).get(name), f"{name} of {what}")
    return {str(txid): mapping_from(row, f"an order of {what}") for txid, row in rows.items()}


def read_refusal(status: int, headers: Headers, payload: Any) -> BrokerError | None:  # noqa: ANN401 - raw JSON
    """Say what an answer means; see `VenueProfile.read_refusal`.

    Kraken refuses with HTTP 200 and a list of errors. Several different errors have no code of one of them:
    what they prove together is not known.
    """
    del headers
    errors = payload.get("error") if isinstance(payload, Mapping) else None
    if not isinstance(errors, list) or not all(isinstance(error, str) for error in errors):
        if payload is not None and status < HTTPStatus.BAD_REQUEST:
            return MalformedAnswer("no list of errors in the answer")
        return None
    refusals = list(dict.fromkeys(error for error in errors if not error.startswith(WARNING)))
    if refusals:
        if refusals in ([DEADLINE_ELAPSED], [WRONG_DEADLINE]):
            return ClockRefused(refusals[0], code=_code_of(refusals[0]))
        return _error_of(" | ".join(sorted({_code_of(error) for error in refusals})), "; ".join(refusals))
    if status < HTTPStatus.BAD_REQUEST and payload.get("result") is None:
        return MalformedAnswer("neither an error nor a result")
    return None


def _code_of(error: str) -> str:
    return next((code for code in DETAILED if error == code or error.startswith(f"{code}:")), error)


def _error_of(code: str, message: str) -> BrokerError:
    if code == INVALID_NONCE:
        return NonceRefused(message, code=code)
    if code in HUMAN:
        return Unauthorized(message, code=code)
    if code == LOCKOUT:
        return Banned(message, retry_after=LOCKOUT_S)
    if code in LIMITED:
        return RateLimited(message, retry_after=PAUSE_S)
    if code in UNAVAILABLE:
        return VenueUnavailable(message)
    return RequestRefused(message, code=code)
