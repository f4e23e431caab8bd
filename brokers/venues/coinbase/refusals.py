"""What Coinbase's answers mean: gateway errors, refused orders, and which of their reasons tells why."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from brokers.errors import BrokerError, KeyOrClockRefused, RateLimited, RequestRefused, Unauthorized
from brokers.profile import Headers

UNSTATED = "UNKNOWN_FAILURE_REASON"
"""Coinbase's word for "refused, for no stated reason"."""

REASONS = ("new_order_failure_reason", "preview_failure_reason", "error")
"""Where a refused order states its reason. Coinbase calls the latter two deprecated, and still fills them."""

PAUSE_S = 1.0
"""Coinbase counts requests by the second."""

FORBIDDEN = frozenset({"PERMISSION_DENIED", "unauthorized"})


def read_refusal(status: int, headers: Headers, payload: Any) -> BrokerError | None:  # noqa: ANN401 - raw JSON
    """Say what an answer means; see `VenueProfile.read_refusal`.

    There is no envelope: each call answers an object of its own, a gateway error is `{"error", "message"}`,
    and an order is refused under status 200 with `"success": false`. A 401 says nothing of its cause, which
    may be the key or the time in its token.
    """
    del headers
    if status == HTTPStatus.UNAUTHORIZED:
        return KeyOrClockRefused("the key, or the time in its token", code="401")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited("too many requests", retry_after=PAUSE_S)
    if not isinstance(payload, Mapping):
        return None
    if payload.get("success") is False:
        return _refused_order(payload)
    error = payload.get("error")
    if not isinstance(error, str) or not error:
        return None
    message = str(payload.get("message") or payload.get("error_details") or "")
    if error in FORBIDDEN or status == HTTPStatus.FORBIDDEN:
        return Unauthorized(message, code=error)
    return RequestRefused(message, code=error)


def _refused_order(payload: Mapping[str, Any]) -> RequestRefused:
    response = payload.get("error_response")
    details = response if isinstance(response, Mapping) else {}
    message = " ".join(str(details[name]) for name in ("message", "error_details") if details.get(name))
    return RequestRefused(message, code=_reason(details, payload.get("failure_reason")))


def _reason(details: Mapping[str, Any], outer: object) -> str:
    """Return the first reason that is one; of several the newest field's."""
    stated = [*(details.get(name) for name in REASONS), outer]
    return next((word for word in stated if isinstance(word, str) and _tells(word)), UNSTATED)


def _tells(word: str) -> bool:
    return bool(word) and not word.startswith("UNKNOWN_")
