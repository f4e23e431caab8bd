"""`GetApiKeyInfo`: what an API key may do, and whether its secret is one."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from brokers.errors import Unauthorized
from brokers.models import KeyPermissions
from brokers.numbers import NumberError, decimal_or_none
from brokers.venues.kraken.spot.envelope import object_of

READS = frozenset({"query-open-trades"})
"""What totals and positions need. Kraken's guide names `query-funds` for the totals, its reference does not:
where that is needed and missing, the venue says so itself."""

TRADES = frozenset({"modify-trades", "close-trades", "query-closed-trades"})
"""Placing, cancelling, and finding out what became of an order: one without the other is not enough."""

WITHDRAW = "withdraw"
"""Part of every permission that moves funds out, or changes where they go: `withdraw-funds`,
`add-withdraw-address`, `update-withdraw-address`."""


UNKNOWN = KeyPermissions(can_read=None, can_trade=None, can_withdraw=None, can_transfer=None, ip_bound=None)


def check_secret(secret: str) -> None:
    """Refuse a secret that cannot sign, in words that say so.

    Raises:
        Unauthorized: it is no base64.
    """
    try:
        base64.b64decode(secret, validate=True)
    except binascii.Error:
        raise Unauthorized("the secret is not base64, as Kraken issues it", code="credentials") from None


def read_permissions(payload: object) -> KeyPermissions:
    """Read the answer; what it does not state is unknown.

    Whether a key may move funds between Kraken's own wallets follows from no documented permission.

    Source: Kraken docs, "Get API Key Info".
    """
    info = object_of(payload, "GetApiKeyInfo")
    raw = info.get("permissions")
    granted = (
        frozenset(re.sub(r"[ _]", "-", str(word).lower()) for word in raw) if isinstance(raw, list) else None
    )
    addresses = _stated(info, "ip_allowlist", "ipAllowlist")
    return KeyPermissions(
        can_read=None if granted is None else granted >= READS,
        can_trade=None if granted is None else granted >= TRADES,
        can_withdraw=None if granted is None else any(WITHDRAW in word for word in granted),
        can_transfer=None,
        ip_bound=bool(addresses) if isinstance(addresses, list) else None,
        expires_at=_expiry(_stated(info, "valid_until", "validUntil")),
    )


def _stated(info: Mapping[str, Any], *names: str) -> object:
    return next((info[name] for name in names if name in info), None)


def _expiry(raw: object) -> datetime | None:
    """Return an end given in epoch seconds; 0 and what is no number are none."""
    try:
        seconds = decimal_or_none(raw)
        return datetime.fromtimestamp(float(seconds), UTC) if seconds else None
    except (NumberError, ValueError, OverflowError, OSError):
        return None
