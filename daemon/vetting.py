"""What an account's API key may do: asked before it is used, and again as long as it is in use."""

import asyncio

from brokers.errors import BrokerError, NotSupported
from brokers.models import KeyPermissions
from brokers.port import Broker
from config.accounts import WITHDRAWAL_WORDS, AccountSettings
from daemon.logs import logger

ASK_AGAIN_S = 600.0
"""Until the venue has said what the key may do."""

ASK_DAILY_S = 86_400.0


class KeyVetting:
    """Vets one account's key.

    A venue that cannot say what a key may do, or not now, is no reason to leave an account unguarded: every
    call that needs the key is refused by the venue itself where the key may not make it. So the key is taken,
    loudly, and asked about again. What a later answer objects to is an alarm and no more: taking the guard
    off an account in its worst hour would protect nobody.
    """

    def __init__(self, settings: AccountSettings, broker: Broker) -> None:
        self._settings = settings
        self._broker = broker
        self._watch: asyncio.Task[None] | None = None

    async def objection(self) -> str | None:
        """Ask the venue once; return why the key must not be used, in one line; `None`: nothing is known."""
        if not self._broker.capabilities.key_permissions:
            if not self._settings.allow_withdrawal_key and not self._settings.testnet:
                self._warn("this venue tells nobody what a key may do")
            return None
        permissions = await self._ask()
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
