"""What an account's API key may do: asked before it is used, and again as long as it is in use."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from brokers.errors import BrokerError, NotSupported
from brokers.models import KeyPermissions
from brokers.port import Broker
from config.accounts import WITHDRAWAL_WORDS, AccountSettings
from daemon.logs import logger
from daemon.risk.policy import Mode

ASK_AGAIN_S = 600.0
"""Until the venue has said what the key may do."""

ASK_DAILY_S = 86_400.0

EXPIRES_SOON = timedelta(days=14)
"""From so long before its end on a key is told to expire, every day: time to make another and try it."""

EXPIRES_NOW = timedelta(days=3)
"""From here on it is as loud as an account that cannot be protected: over a weekend it will be one."""


class KeyRole(Enum):
    """What one of an account's keys is for: its name, and whether anything is sent with it."""

    SOLE = ("key", True)
    POLLING = ("polling key", False)
    EMERGENCY = ("emergency key", True)

    def __init__(self, label: str, trades: bool) -> None:  # noqa: FBT001 - a member's values have no names
        self.label = label
        self.trades = trades


def roles_of(account: AccountSettings) -> tuple[KeyRole, ...]:
    """Return the roles of an account's keys, the main one first."""
    if account.emergency_credentials is None:
        return (KeyRole.SOLE,)
    return (KeyRole.POLLING, KeyRole.EMERGENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something about a key that is no reason to refuse it, and must be told. `urgent`: as loud as can be."""

    event: str
    why: str
    next: str
    urgent: bool = False


class KeyVetting:
    """Vets one account's key, and its emergency key where it has one.

    A venue that cannot say what a key may do, or not now, is no reason to leave an account unguarded: every
    call that needs the key is refused by the venue itself where the key may not make it. So the key is taken,
    loudly, and asked about again. What a later answer objects to is an alarm and no more: taking the guard
    off an account in its worst hour would protect nobody.
    """

    def __init__(self, settings: AccountSettings, broker: Broker, mode: Mode) -> None:
        self._settings = settings
        self._broker = broker
        self._mode = mode if broker.capabilities.measures else Mode.OBSERVE  # a cash account is only watched
        self._watches: list[asyncio.Task[None]] = []

    async def objection(self) -> str | None:
        """Ask once about each key; return why one must not be used, in one line; `None`: nothing is known."""
        if not self._broker.capabilities.key_permissions:
            if not self._settings.allow_withdrawal_key and not self._settings.testnet:
                self._warn("this venue tells nobody what a key may do")
            return None
        objections = [await self._vet(role) for role in roles_of(self._settings)]
        return next(filter(None, objections), None)

    def cancel(self) -> None:
        """Ask no more."""
        for watch in self._watches:
            watch.cancel()

    async def _vet(self, role: KeyRole) -> str | None:
        permissions = await self._ask(role)
        self._tell(permissions, role)
        pause = ASK_AGAIN_S if permissions is None else ASK_DAILY_S
        name = f"vet {role.label} of {self._settings.id}"
        self._watches.append(asyncio.create_task(self._ask_again(role, pause), name=name))
        return None if permissions is None else objection_to(self._settings, permissions, role)

    async def _ask(self, role: KeyRole) -> KeyPermissions | None:
        try:
            return await self._broker.fetch_permissions(emergency=role is KeyRole.EMERGENCY)
        except NotSupported:  # the venue's test environments cannot say
            return None
        except BrokerError as error:
            self._warn(f"the venue does not say what the {role.label} may do: {error}")
            return None

    def _tell(self, permissions: KeyPermissions | None, role: KeyRole) -> None:
        """Tell what the key's answer gives reason to worry about."""
        if permissions is None:
            return
        for concern in concerns_about(permissions, self._mode, self._broker.venue_now(), role):
            say = logger().critical if concern.urgent else logger().warning
            say(concern.event, account=self._settings.id, why=concern.why, next=concern.next)

    def _warn(self, why: str) -> None:
        logger().warning(
            "key_unknown",
            account=self._settings.id,
            why=why,
            next="make sure at the venue that it cannot withdraw",
        )

    async def _ask_again(self, role: KeyRole, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            permissions = await self._ask(role)
            self._tell(permissions, role)
            pause = ASK_AGAIN_S if permissions is None else ASK_DAILY_S
            objection = None if permissions is None else objection_to(self._settings, permissions, role)
            if objection is not None:
                logger().critical(
                    "key_objectionable",
                    account=self._settings.id,
                    why=objection,
                    next="the account stays guarded; the next start refuses this key",
                )


def objection_to(
    account: AccountSettings, permissions: KeyPermissions, role: KeyRole = KeyRole.SOLE
) -> str | None:
    """Return why a key must not be used, in one line; `None`: it may."""
    name = "API key" if role is KeyRole.SOLE else role.label
    if permissions.can_withdraw and not account.allow_withdrawal_key:
        return (
            f"account {account.id}: its {name} can withdraw; make one that cannot, "
            f'or write allow_withdrawal_key: "{WITHDRAWAL_WORDS}"'
        )
    if permissions.can_read is False:
        return f"account {account.id}: its {name} cannot read; give it the read permission"
    return None


def concerns_about(
    permissions: KeyPermissions, mode: Mode, now: datetime, role: KeyRole = KeyRole.SOLE
) -> Iterator[Concern]:
    """Yield what must be told of a key, by the venue's clock; what the venue does not state is not told.

    A key for polls alone need not trade.
    """
    if role.trades and permissions.can_trade is False:
        yield Concern(
            event="key_cannot_trade",
            why=f"its {role.label} cannot trade; margind can only watch it",
            next="let it trade before margind is to act",
            urgent=mode is Mode.ENFORCE,
        )
    if permissions.ip_bound is False:
        yield Concern(
            event="key_unbound",
            why=f"its {role.label} is not bound to an address",
            next="bind it at the venue",
        )
    if permissions.expires_at is None or permissions.expires_at - now > EXPIRES_SOON:
        return
    left, when = permissions.expires_at - now, f"{permissions.expires_at:%Y-%m-%d %H:%M} UTC"
    has_passed = left <= timedelta(0)  # a key that has really ended could not have asked
    yield Concern(
        event="key_expires",
        why=f"its {role.label} ended at {when}, the venue says, and still works"
        if has_passed
        else f"its {role.label} ends at {when}",
        next="look at it at the venue" if has_passed else "make another, and restart with it before then",
        urgent=not has_passed and left <= EXPIRES_NOW,
    )
