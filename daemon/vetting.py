"""What an account's API key may do: asked before it is used, and again as long as it is in use."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something about a key that is no reason to refuse it, and must be told. `urgent`: as loud as can be."""

    event: str
    why: str
    next: str
    urgent: bool = False


class KeyVetting:
    """Vets one account's key.

    A venue that cannot say what a key may do, or not now, is no reason to leave an account unguarded: every
    call that needs the key is refused by the venue itself where the key may not make it. So the key is taken,
    loudly, and asked about again. What a later answer objects to is an alarm and no more: taking the guard
    off an account in its worst hour would protect nobody.
    """

    def __init__(self, settings: AccountSettings, broker: Broker, mode: Mode) -> None:
        self._settings = settings
        self._broker = broker
        self._mode = mode if broker.capabilities.measures else Mode.OBSERVE  # a cash account is only watched
        self._watch: asyncio.Task[None] | None = None

    async def objection(self) -> str | None:
        """Ask the venue once; return why the key must not be used, in one line; `None`: nothing is known."""
        if not self._broker.capabilities.key_permissions:
            if not self._settings.allow_withdrawal_key and not self._settings.testnet:
                self._warn("this venue tells nobody what a key may do")
            return None
        permissions = await self._ask()
        self._tell(permissions)
        self._watch = asyncio.create_task(
            self._ask_again(ASK_AGAIN_S if permissions is None else ASK_DAILY_S),
            name=f"vet {self._settings.id}",
        )
        return None if permissions is None else objection_to(self._settings, permissions)

    def cancel(self) -> None:
        """Ask no more."""
        if self._watch is not None:
            self._watch.cancel()

    async def _ask(self) -> KeyPermissions | None:
        try:
            return await self._broker.fetch_permissions()
        except NotSupported:  # the venue's test environments cannot say
            return None
        except BrokerError as error:
            self._warn(f"the venue does not say what the key may do: {error}")
            return None

    def _tell(self, permissions: KeyPermissions | None) -> None:
        """Tell what the key's answer gives reason to worry about."""
        if permissions is None:
            return
        for concern in concerns_about(permissions, self._mode, self._broker.venue_now()):
            say = logger().critical if concern.urgent else logger().warning
            say(concern.event, account=self._settings.id, why=concern.why, next=concern.next)

    def _warn(self, why: str) -> None:
        logger().warning(
            "key_unknown",
            account=self._settings.id,
            why=why,
            next="make sure at the venue that it cannot withdraw",
        )

    async def _ask_again(self, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            permissions = await self._ask()
            self._tell(permissions)
            pause = ASK_AGAIN_S if permissions is None else ASK_DAILY_S
            objection = None if permissions is None else objection_to(self._settings, permissions)
            if objection is not None:
                logger().critical(
                    "key_objectionable",
                    account=self._settings.id,
                    why=objection,
                    next="the account stays guarded; the next start refuses this key",
                )


def objection_to(account: AccountSettings, permissions: KeyPermissions) -> str | None:
    """Return why a key must not be used, in one line; `None`: it may."""
    if permissions.can_withdraw and not account.allow_withdrawal_key:
        return (
            f"account {account.id}: its API key can withdraw; make one that cannot, "
            f'or write allow_withdrawal_key: "{WITHDRAWAL_WORDS}"'
        )
    if permissions.can_read is False:
        return f"account {account.id}: its API key cannot read; give it the read permission"
    return None


def concerns_about(permissions: KeyPermissions, mode: Mode, now: datetime) -> Iterator[Concern]:
    """Yield what must be told of a key, by the venue's clock; what the venue does not state is not told."""
    if permissions.can_trade is False:
        yield Concern(
            event="key_cannot_trade",
            why="its key cannot trade; margind can only watch it",
            next="let it trade before margind is to act",
            urgent=mode is Mode.ENFORCE,
        )
    if permissions.ip_bound is False:
        yield Concern(
            event="key_unbound",
            why="its key is not bound to an address",
            next="bind it at the venue",
        )
    if permissions.expires_at is None or permissions.expires_at - now > EXPIRES_SOON:
        return
    left, when = permissions.expires_at - now, f"{permissions.expires_at:%Y-%m-%d %H:%M} UTC"
    has_passed = left <= timedelta(0)  # a key that has really ended could not have asked
    yield Concern(
        event="key_expires",
        why=f"its key ended at {when}, the venue says, and still works"
        if has_passed
        else f"its key ends at {when}",
        next="look at it at the venue" if has_passed else "make another, and restart with it before then",
        urgent=not has_passed and left <= EXPIRES_NOW,
    )
