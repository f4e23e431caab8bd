"""Ids: client order ids that any restart computes again, and random ones for everything else."""

import secrets
from datetime import datetime
from hashlib import blake2b

OWN_ORDER_TAG = "6d67"
"""The first four hex digits (`mg`) of every client order id: by them own orders are recognised at a venue."""

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

    `OWN_ORDER_TAG`, then the first 28 hex digits of BLAKE2b-128 over the arguments, each prefixed by its
    length so that no two argument lists read the same. 112 bits: among a million orders two collide with
    a chance of about 1e-22. `side` and `margin_mode` are the position's: one symbol may hold a cross and an
    isolated position at once, and each needs an id of its own.
    """
    digest = blake2b(digest_size=16)
    for part in (install_id, account, symbol, side, margin_mode, str(episode), str(step), str(attempt)):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big"))
        digest.update(encoded)
    return (OWN_ORDER_TAG + digest.hexdigest())[:ID_LENGTH]


def random_id() -> str:
    """Return 32 random hex digits: for plans and installs."""
    return secrets.token_hex(ID_LENGTH // 2)


def event_id(now: datetime) -> str:
    """Return 32 hex digits that sort by time: 12 of milliseconds since the epoch, 20 random."""
    return f"{round(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"
