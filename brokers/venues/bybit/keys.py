"""`GET /v5/user/query-api`: what an API key may do; pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from brokers.models import KeyPermissions
from brokers.venues.bybit.envelope import Row, result_of

EPOCH = 1970
UNBOUND = frozenset({"*", "0.0.0.0/0"})


def read_permissions(payload: object) -> KeyPermissions:
    """Return what the key may do. What the venue leaves out is `None`, never "no".

    A read-only key may neither trade nor move money, whatever its list of permissions says.

    Raises:
        MalformedAnswer: there is no result.
    """
    result = result_of(payload, "api key")
    permissions = result.get("permissions")
    wallet = _words(permissions, "Wallet")
    trade = _words(permissions, "ContractTrade")
    writes = {0: True, 1: False}.get(result.get("readOnly"))  # type: ignore[arg-type]  # any JSON value may be there
    return KeyPermissions(
        can_read=True,
        can_trade=_both(writes, None if trade is None else "Order" in trade),
        can_withdraw=_both(writes, None if wallet is None else "Withdraw" in wallet),
        can_transfer=_both(writes, None if wallet is None else "AccountTransfer" in wallet),
        ip_bound=_bound(result),
        expires_at=_expiry(result),
    )


def _words(permissions: object, name: str) -> frozenset[str] | None:
    raw = permissions.get(name) if isinstance(permissions, Mapping) else None
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        return None
    return frozenset(word for word in raw if isinstance(word, str))


def _both(writes: bool | None, listed: bool | None) -> bool | None:  # noqa: FBT001 - three-valued and
    if writes is False or listed is False:
        return False
    return None if writes is None or listed is None else True


def _bound(result: Row) -> bool | None:
    ips = result.get("ips")
    if not isinstance(ips, Sequence) or isinstance(ips, str):
        return None
    return bool(ips) and not UNBOUND.intersection(ip for ip in ips if isinstance(ip, str))


def _expiry(result: Row) -> datetime | None:
    """Return when the key ends; one bound to an address never does, and then the epoch stands there."""
    raw = result.get("expiredAt")
    try:
        expiry = datetime.fromisoformat(raw) if isinstance(raw, str) and raw else None
    except ValueError:
        return None
    if expiry is None or expiry.year <= EPOCH:
        return None
    return expiry.astimezone(UTC) if expiry.tzinfo else expiry.replace(tzinfo=UTC)
