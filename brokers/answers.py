"""Judging an answer before anything believes it: status, content, completeness, then the venue's word."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from brokers.errors import (
    Banned,
    BrokerError,
    MalformedAnswer,
    RateLimited,
    RequestRefused,
    VenueUnavailable,
)
from brokers.profile import Headers, Json, VenueProfile

_DEFAULT_BAN_S = 120.0
_DEFAULT_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 86_400.0
_TRANSIENT = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS},
)


ABSENT = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE, HTTPStatus.NOT_IMPLEMENTED},
)
"""Statuses that say that there is no such path, or not by this method."""


class ForeignAnswer(VenueUnavailable):
    """Something answered in the venue's place that there is no such path: asking again at once is no use."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over the wire, untouched: `headers` by lower-case name, `body` as text."""

    status: int
    headers: Headers
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of one write.

    `payload` is the parsed JSON, also of a refusal; `None` without a whole JSON answer. `code` and `message`
    are the venue's own, on a refusal, with nothing secret in them. `failure` is `None` only for an answer
    that the venue's profile calls success. `sent` is `False` only when it is certain that no byte of the
    request reached the venue.
    """

    payload: Json = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    failure: BrokerError | None = None
    sent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an answer is worth: `payload` if whole JSON, `error` unless it is a success, the raw `code`."""

    payload: Json
    error: BrokerError | None
    code: str | None = None


def parse_body(answer: Answer) -> dict[str, Any] | list[Any] | None:
    """Return the JSON object or array that is the whole body, or `None`.

    A scalar, `null`, NaN, a cut-off text, a page: none of them is an answer. The content type is not asked:
    gateways label a venue's JSON as they please, and no page parses as JSON.
    """
    try:
        payload = orjson.loads(answer.body)
    except ValueError:
        return None
    return payload if isinstance(payload, (dict, list)) else None


def judge(profile: VenueProfile, answer: Answer) -> Judgement:
    """Say what `answer` is worth.

    The venue's own JSON speaks first. A status of 408, 425, 429 or 5xx proves nothing even then: a refusal in
    it becomes unavailability (its code is kept). Any other JSON, and no JSON, is judged by the status alone.
    """
    payload = parse_body(answer)
    try:
        error = profile.read_refusal(answer.status, answer.headers, payload)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        error = MalformedAnswer("answer of a foreign shape")
    if isinstance(error, RateLimited) and error.retry_after is None:
        error.retry_after = retry_after(answer.headers)
    code = error.code if isinstance(error, RequestRefused) else None
    if _is_success(answer.status):
        if payload is None and error is None:
            error = MalformedAnswer(f"HTTP {answer.status} without a whole JSON answer")
        return Judgement(payload=payload, error=error, code=code)
    if error is None or isinstance(error, MalformedAnswer):
        return Judgement(payload=payload, error=_by_status(answer))
    if isinstance(error, RequestRefused) and proves_nothing(answer.status):
        return Judgement(payload=payload, error=_by_status(answer, f", code {code}"), code=code)
    return Judgement(payload=payload, error=error, code=code)


def told_time(profile: VenueProfile, answer: Answer, payload: Json) -> int:
    """Return the venue's milliseconds by its answer to the time call.

    Raises:
        KeyError: it carries no time; whatever `read_time` raises.
        ValueError: its `Date` header is no date.
    """
    if profile.read_time is not None:
        return profile.read_time(payload)
    if profile.read_dated_time is None:
        raise KeyError("no clock")
    dated_ms = round(parsedate_to_datetime(answer.headers["date"]).timestamp() * 1000)
    return profile.read_dated_time(dated_ms, payload)


def retry_after(headers: Headers) -> float | None:
    """Return the `Retry-After` header in seconds; `None` when absent or no plain number."""
    raw = headers.get("retry-after", "")
    return min(float(raw), _LONGEST_PAUSE_S) if raw.isascii() and raw.isdigit() else None


def is_worth_another_try(error: BaseException) -> bool:
    """Whether a read that failed so may do better at once."""
    if isinstance(error, (RateLimited, ForeignAnswer)):
        return False
    return isinstance(error, (VenueUnavailable, MalformedAnswer))


def pause_of(error: RateLimited) -> float:
    """Return for how many seconds to hold back after `error`."""
    default = _DEFAULT_BAN_S if isinstance(error, Banned) else _DEFAULT_PAUSE_S
    return default if error.retry_after is None else min(max(error.retry_after, 0.0), _LONGEST_PAUSE_S)


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def proves_nothing(status: int) -> bool:
    """Say whether an answer with this status leaves open what happened to the request."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT


def _by_status(answer: Answer, detail: str = "") -> BrokerError:
    text = f"HTTP {answer.status}{detail}"
    if answer.status == HTTPStatus.IM_A_TEAPOT:
        return Banned(text, retry_after=retry_after(answer.headers))
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(text, retry_after=retry_after(answer.headers))
    if answer.status in ABSENT:
        return ForeignAnswer(f"{text} without the venue's own answer")
    return VenueUnavailable(text)
