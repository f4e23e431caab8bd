"""Opening accounts: settings and secrets become brokers, and keys are vetted before they are trusted."""

import asyncio
from dataclasses import dataclass

from brokers.errors import NotSupported, Unauthorized, VenueUnavailable
from brokers.models import AccountId
from brokers.port import Broker
from brokers.registry import BrokerSpec, Credentials, open_broker
from config.accounts import AccountSettings
from config.resolution import ResolvedCredentials, ResolvedSecrets
from config.schema import Settings
from daemon.errors import ConfigurationFault
from daemon.guarded import Guarded
from daemon.logs import logger
from daemon.policies import mode_of, policy_within
from daemon.risk.figures import percent
from daemon.risk.policy import Mode
from daemon.topup import TopUpCaps
from daemon.vetting import KeyVetting

PATIENCE_S = 2.0
"""How long a caller waits for an account to connect before it counts as unreachable for the time being."""


class KeyRefused(Unauthorized):
    """We refuse the key, whatever the venue says."""


class Preparation:
    """Connecting one account and vetting its key; nothing is read or sent with a key that must not be used.

    A call waits `PATIENCE_S`: a venue that hangs must keep neither its own alarm nor other accounts waiting.
    The work goes on meanwhile, and a later call finds it done, or begins anew after a failure.
    """

    def __init__(self, settings: AccountSettings, broker: Broker, mode: Mode) -> None:
        self._settings = settings
        self._broker = broker
        self._vetting = KeyVetting(settings, broker, mode)
        self._task: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Return once the account is connected and its key vetted.

        Raises:
            KeyRefused: the key may do what it must not, or may not do what it must.
            VenueUnavailable: not yet.
            BrokerError: it failed.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._prepare(), name=f"prepare {self._settings.id}")
        done, _ = await asyncio.wait({self._task}, timeout=PATIENCE_S)
        if not done:
            raise VenueUnavailable("still connecting: the venue is slow to answer, or does not")
        task, self._task = self._task, None
        task.result()

    def cancel(self) -> None:
        """Give up what is under way, and ask about the key no more."""
        self._vetting.cancel()
        if self._task is not None:
            self._task.cancel()

    async def _prepare(self) -> None:
        await self._broker.connect()
        objection = await self._vetting.objection()
        if objection is not None:
            raise KeyRefused(objection, code="permissions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One configured account with its broker, not yet connected."""

    settings: AccountSettings
    broker: Broker
    prepare: Preparation


def open_accounts(settings: Settings, secrets: ResolvedSecrets) -> tuple[Account, ...]:
    """Build the broker of every account; nothing is contacted.

    Raises:
        ConfigurationFault: margind has no adapter for an account's broker or product.
    """
    accounts = []
    for account in settings.accounts:
        try:
            broker = open_broker(spec_of(account, secrets.accounts[account.id]))
        except NotSupported as error:
            raise ConfigurationFault(
                f"account {account.id}: margind has no adapter for {account.broker.value} {account.product} "
                "yet; remove the account or choose another product"
            ) from error
        prepare = Preparation(account, broker, mode_of(settings, account))
        accounts.append(Account(settings=account, broker=broker, prepare=prepare))
    return tuple(accounts)


def spec_of(account: AccountSettings, credentials: ResolvedCredentials) -> BrokerSpec:
    """Return what opens one account, its secrets revealed to the broker alone."""
    emergency = credentials.emergency
    return BrokerSpec(
        account_id=AccountId(account.id),
        broker=account.broker.value,
        product=account.product,
        credentials=_revealed(credentials),
        emergency=None if emergency is None else _revealed(emergency),
        endpoint=account.endpoint,
        testnet=account.testnet,
    )


def _revealed(credentials: ResolvedCredentials) -> Credentials:
    password = credentials.password
    return Credentials(
        api_key=credentials.api_key.reveal(),
        secret=credentials.secret.reveal(),
        password=None if password is None else password.reveal(),
    )


def guarded_of(settings: Settings, account: Account) -> Guarded:
    """Return an account as its cycle needs it; what its venue moves in its policy is said."""
    clamped = policy_within(settings, account.settings, account.broker.capabilities)
    for one in clamped.clamps:
        logger().warning(
            "threshold_clamped",
            account=account.settings.id,
            measure=one.measure.value,
            configured=percent(one.configured.liquidation),
            effective=percent(one.effective.liquidation),
            why=one.sentence,
        )
    return Guarded(
        broker=account.broker,
        policy=clamped.policy,
        mode=mode_of(settings, account.settings),
        caps=TopUpCaps(
            per_transfer=dict(settings.top_up.max_per_transfer), per_day=dict(settings.top_up.max_per_day)
        ),
        config_hash=settings.source.sha256,
        connect=account.prepare,
        cancel_all_after=account.settings.cancel_all_after,
    )


def secrets_of(secrets: ResolvedSecrets) -> tuple[str, ...]:
    """Return every secret text there is, for the scrubber alone."""
    held = [
        secret
        for account in secrets.accounts.values()
        for credentials in (account, account.emergency)
        if credentials is not None
        for secret in (credentials.api_key, credentials.secret, credentials.password)
    ]
    return tuple(secret.reveal() for secret in (*held, secrets.database_password) if secret is not None)
