"""Ids: client order ids that any restart computes again, and random ones for everything else."""

import secrets
from datetime import datetime
from hashlib import blake2b

OWN_ORDER_TAG = "6d67"
"""The first four hex digits (`mg`) of every client order id: by them own orders are recognised at a venue."""

INSTALL_DIGITS = 8
"""So many digits after the tag say of which install an order is."""

ID_LENGTH = 32


def client_order_id(
    install_id: str,
    *,
    account: str,
    symbol: str,
    side: str,
    margin_mode: str,
    episode: int,
    step: int,
    attempt: int,
) -> str:
    """Return the 32 lowercase hex digits that name one attempt to reduce one position.

    `OWN_ORDER_TAG`, the mark of the install, then the first 20 hex digits of BLAKE2b-128 over the arguments,
    each prefixed by its length so that no two argument lists read the same. 80 bits: among a million orders
    of one install two collide with a chance of about 4e-13. `side` and `margin_mode` are the position's: one
    symbol may hold a cross and an isolated position at once, and each needs an id of its own.
    """
    parts = (install_id, account, symbol, side, margin_mode, str(episode), str(step), str(attempt))
    return (OWN_ORDER_TAG + install_mark(install_id) + _digest(*parts))[:ID_LENGTH]


def install_mark(install_id: str) -> str:
    """Return the hex digits by which the orders of an install are told from another's."""
    return _digest(install_id)[:INSTALL_DIGITS]


def plain_id(client_id: str | None) -> str:
    """Return an order's client id as we write it: some venues put dashes into it, or capitals."""
    return (client_id or "").replace("-", "").lower()


def is_own_order(client_id: str | None) -> bool:
    """Whether an order at a venue was sent by a margind, this one or another."""
    plain = plain_id(client_id)
    is_ours = len(plain) == ID_LENGTH and plain.startswith(OWN_ORDER_TAG)
    return is_ours and not set(plain) - set("0123456789abcdef")


def install_of(client_id: str | None) -> str:
    """Return the mark of the install in an own order's client id."""
    return plain_id(client_id)[len(OWN_ORDER_TAG) :][:INSTALL_DIGITS]


def _digest(*parts: str) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def random_id() -> str:
    """Return 32 random hex digits: for plans and installs."""
    return secrets.token_hex(ID_LENGTH // 2)


def event_id(now: datetime) -> str:
    """Return 32 hex digits that sort by time: 12 of milliseconds since the epoch, 20 random."""
    return f"{round(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"
