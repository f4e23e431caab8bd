"""`account/config`: how OKX margins the account, and what the API key may do."""

from dataclasses import dataclass
from enum import StrEnum

from brokers.errors import MalformedAnswer
from brokers.models import AccountMode, KeyPermissions, MarginMode, PositionMode
from brokers.venues.okx.envelope import row_of


class AccountLevel(StrEnum):
    """OKX's `acctLv`."""

    SPOT = "1"
    FUTURES = "2"  # every settle currency is liquidated by itself
    MULTI_CURRENCY = "3"  # all currencies together, in USD after discounts
    PORTFOLIO = "4"  # the same, with margins by risk unit

    @property
    def is_pooled(self) -> bool:
        """Whether all currencies answer together, in USD; in spot mode for what is borrowed."""
        return self is not AccountLevel.FUTURES


SPOT_CASH = "spot mode"
SPOT_BORROWING = "spot mode, borrowing"

LABELS = {
    AccountLevel.SPOT: SPOT_CASH,
    AccountLevel.FUTURES: "futures mode",
    AccountLevel.MULTI_CURRENCY: "multi-currency margin",
    AccountLevel.PORTFOLIO: "portfolio margin",
}

LEVELS = {label: level for level, label in LABELS.items()} | {SPOT_BORROWING: AccountLevel.SPOT}

PERMISSIONS = frozenset({"read_only", "trade", "withdraw"})

FLAGS = {"true": True, "false": False}

POSITION_MODES = {"net_mode": PositionMode.ONE_WAY, "long_short_mode": PositionMode.HEDGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """What `account/config` says. `level` and `position_mode` are `None` for a word we do not know.

    `permissions` are OKX's own words, `None` where it states none of those we know; `ip_bound` is
    `None` where it does not say to which addresses the key is bound. `spot_borrow` is `enableSpotBorrow`: in
    spot mode, whether currencies may be borrowed; `None` where it is not stated.
    """

    level: AccountLevel | None
    raw_level: str
    position_mode: PositionMode | None
    permissions: frozenset[str] | None
    ip_bound: bool | None
    spot_borrow: bool | None


def read_config(payload: object) -> AccountConfig:
    """Read the answer of `account/config`.

    Raises:
        MalformedAnswer: it is not one object in OKX's envelope.
    """
    raw = row_of(payload, "account/config")
    raw_level = str(raw.get("acctLv") or "")
    perm, ip, borrows = raw.get("perm"), raw.get("ip"), raw.get("enableSpotBorrow")
    words = {word.strip() for word in perm.split(",")} if isinstance(perm, str) else set()
    return AccountConfig(
        level=AccountLevel(raw_level) if raw_level in set(AccountLevel) else None,
        raw_level=raw_level,
        position_mode=POSITION_MODES.get(str(raw.get("posMode") or "")),
        permissions=frozenset(words) if words & PERMISSIONS else None,
        ip_bound=bool(ip.strip()) if isinstance(ip, str) else None,
        spot_borrow=FLAGS.get(str(borrows).lower()),
    )


def account_mode(config: AccountConfig) -> AccountMode:
    """Return the mode in our words; in futures and multi-currency mode positions choose cross or isolated.

    A spot mode that does not say that nothing may be borrowed is one that borrows.

    Raises:
        MalformedAnswer: the answer names no account level.
    """
    if not config.raw_level:
        raise MalformedAnswer("account/config: no acctLv")
    label = LABELS[config.level] if config.level else f"acctLv {config.raw_level}"
    if config.level is AccountLevel.SPOT and config.spot_borrow is not False:
        label = SPOT_BORROWING
    return AccountMode(
        label=label,
        margin_mode=MarginMode.PORTFOLIO if config.level is AccountLevel.PORTFOLIO else None,
        position_mode=config.position_mode,
    )


def level_of(mode: AccountMode) -> AccountLevel | None:
    """Return the account level that `account_mode` gave its label; `None` for one we do not know."""
    return LEVELS.get(mode.label)


def key_permissions(config: AccountConfig) -> KeyPermissions:
    """Return what the key may do. OKX's `trade` covers transfers between the account's own wallets."""
    granted = config.permissions
    if granted is None:
        return KeyPermissions(
            can_read=None, can_trade=None, can_withdraw=None, can_transfer=None, ip_bound=config.ip_bound
        )
    return KeyPermissions(
        can_read="read_only" in granted,
        can_trade="trade" in granted,
        can_withdraw="withdraw" in granted,
        can_transfer="trade" in granted,
        ip_bound=config.ip_bound,
    )
