"""Kraken Futures' envelope `{"result", "serverTime", ...}`: its time, its rows, and what its errors mean."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from brokers.errors import (
    BrokerError,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    Unauthorized,
    VenueUnavailable,
)
from brokers.fields import mapping_from, rows_from
from brokers.numbers import NumberError
from brokers.profile import Headers

SUCCESS = "success"

TAKEN = frozenset({"placed", "partiallyFilled", "filled"})
"""`sendStatus.status` of an order that the venue holds or has executed."""

EXECUTION = "EXECUTION"

HUMAN = frozenset({"authenticationError", "permissionDenied"})
LIMITED = frozenset({"apiLimitExceeded"})
UNAVAILABLE = frozenset({"Unavailable", "Server Error", "unknownError"})

ABSENT, NO_SUCH_CALL = "notFound", "notFound: the request"
"""As an error of the whole answer the word is about the call, as a status about an order: told apart here."""

BARE = ("elements", "permissions")
"""The history and key services answer without `result`; each of their answers holds one of these."""

FIRST_YEAR, LAST_YEAR = 2000, 2100


def time_from_iso(raw: object) -> datetime:
    """Return a venue's ISO 8601 time as an aware UTC time.

    Raises:
        NumberError: absent, damaged, without a zone, or outside 2000-2100.
    """
    if not isinstance(raw, str):
        raise NumberError(f"not a time: {raw!r}")
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise NumberError(f"not a time: {raw!r}") from None
    if moment.tzinfo is None or not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise NumberError(f"not a time: {raw!r}")
    return moment.astimezone(UTC)


def list_of(payload: object, name: str) -> tuple[Mapping[str, Any], ...]:
    """Return the list of objects that an answer must hold under `name`.

    Raises:
        MalformedAnswer: there is none: a degraded answer leaves it out, which says nothing of what is there.
    """
    return rows_from(mapping_from(payload, name).get(name), name)


def events_of(status: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the `orderEvents` of an order's status; none where it has no such list."""
    events = status.get("orderEvents")
    return tuple(e for e in events if isinstance(e, Mapping)) if isinstance(events, list) else ()


def read_refusal(status: int, headers: Headers, payload: Any) -> BrokerError | None:  # noqa: ANN401 - raw JSON
    """Say what an answer means; see `VenueProfile.read_refusal`.

    An order that was not placed is a success by `result`: its own `sendStatus` tells. One that executed in
    part and is refused all the same is neither; nothing is then made of its status.
    """
    del headers
    if not isinstance(payload, Mapping):
        return None if payload is None or status >= HTTPStatus.BAD_REQUEST else MalformedAnswer("no object")
    result = payload.get("result")
    if result == SUCCESS and status < HTTPStatus.BAD_REQUEST:
        return _order_refusal(payload.get("sendStatus"))
    code, message = _error_of(payload)
    if code is None:
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return Unauthorized("the venue refuses the key", code=str(status))
        if status >= HTTPStatus.BAD_REQUEST or (result is None and any(name in payload for name in BARE)):
            return None
        return MalformedAnswer("neither a success nor an error")
    return _failure(status, code, message)


def _failure(status: int, code: str, message: str) -> BrokerError:
    if code in LIMITED or status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(message)
    if code in HUMAN or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Unauthorized(message, code=code)
    if code in UNAVAILABLE:
        return VenueUnavailable(message)
    return RequestRefused(message, code=NO_SUCH_CALL if code == ABSENT else code)


def _order_refusal(sent: object) -> BrokerError | None:
    if not isinstance(sent, Mapping):
        return None
    word = sent.get("status")
    if not isinstance(word, str) or not word:
        return MalformedAnswer("sendStatus without a status")
    if word in TAKEN:
        return None
    if any(event.get("type") == EXECUTION for event in events_of(sent)):
        return MalformedAnswer(f"sendStatus {word} beside an execution")
    return RequestRefused(word, code=word)


def _error_of(payload: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return code and text of an error: `error` is a word, with a detail behind a colon at times."""
    error, errors = payload.get("error"), payload.get("errors")
    if isinstance(error, str) and error:
        return error.partition(":")[0].strip(), error
    first = errors[0] if isinstance(errors, list) and errors else None
    if isinstance(first, str) and first:
        return first.partition(":")[0].strip(), first
    if isinstance(first, Mapping):
        code, message = str(first.get("code") or ""), str(first.get("message") or "")
        return (code or message or "error"), f"{code} {message}".strip()
    return None, ""
