"""What an API key may do, and whether its secret is one."""

import base64
import binascii

from brokers.errors import Unauthorized
from brokers.fields import mapping_from
from brokers.models import KeyPermissions

NOTHING, READS, ALL = "NO_ACCESS", "READ_ONLY", "FULL_ACCESS"

UNKNOWN = KeyPermissions(can_read=None, can_trade=None, can_withdraw=None, can_transfer=None, ip_bound=None)


def check_secret(secret: str) -> None:
    """Refuse a secret that could sign nothing: Kraken's are base64.

    Raises:
        Unauthorized: it is not.
    """
    try:
        base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        failure = Unauthorized("the secret is no base64 text: copy it whole", code="credentials")
    else:
        return
    raise failure


def read_permissions(payload: object) -> KeyPermissions:
    """Read the answer of the key check.

    `transfer` is the permission to withdraw; moving money between the account's own wallets takes full
    general access. A word we do not know is not known.

    Source: Kraken docs, "Check v3 API key"; support, "How to create an API key for Kraken Derivatives".

    Raises:
        MalformedAnswer: it holds no permissions.
    """
    answer = mapping_from(payload, "key check")
    granted = mapping_from(answer.get("permissions"), "permissions")
    general, transfer = granted.get("general"), granted.get("transfer")
    blocks, block = answer.get("allowedCidrBlocks"), answer.get("allowedCidrBlock")
    stated = "allowedCidrBlocks" in answer or "allowedCidrBlock" in answer
    trades = general == ALL if general in {NOTHING, READS, ALL} else None
    return KeyPermissions(
        can_read=general in {READS, ALL} if general in {NOTHING, READS, ALL} else None,
        can_trade=trades,
        can_withdraw=transfer == ALL if transfer in {NOTHING, READS, ALL} else None,
        can_transfer=trades,
        ip_bound=bool(blocks or block) if stated else None,
    )
