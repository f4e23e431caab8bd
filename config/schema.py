"""The configuration of margind as frozen values: what `config/example.yaml` documents, checked.

Settings hold references to secrets, never secrets. Where an account may differ from the whole, ask `Settings`
(`mode_of`, `policy_of`, `poll_of`, `max_leverage_of`, ...), not the account's own field.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from config.accounts import AccountSettings, Mode, stricter
from config.exposure import BrokerSettings, ExposureSettings, OverCap, UnleveragedBrokerSettings
from config.hedges import HedgeSettings, misplaced
from config.policy import DailyLossSettings, PolicySettings
from config.scalars import Allowance, Amount, Currency, Distance, Duration, Share, Word, lasting
from config.secrets import Reference
from config.section import Complaint, Section, complain, layered, refuse
from config.source import Source


class LogLevel(StrEnum):
    """The least severe log line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How log lines look: `auto` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


def _state_dir(raw: object) -> Path:
    path = Path(raw) if isinstance(raw, (str, Path)) else Path()
    if not path.is_absolute() or ".." in path.parts:
        raise complain("is not an absolute path", "write one such as /var/lib/margind")
    return path


def _database_url(raw: str) -> str:
    shapes = "write sqlite, sqlite:////absolute/path.db or postgresql+psycopg://user@host:5432/name"
    if raw == "sqlite":
        return raw
    try:
        parts = urlsplit(raw)
        has_password = parts.password is not None or "password" in dict(parse_qsl(parts.query))
    except ValueError:
        raise complain("is not a database URL", shapes) from None
    if has_password:
        raise complain("must not hold the password", "write database.password: file:/absolute/path instead")
    if parts.scheme == "sqlite" and parts.path.startswith("//") and not parts.netloc:
        return raw
    if parts.scheme == "postgresql+psycopg" and len(parts.path) > 1:
        return raw
    raise complain("is not a database margind can use", shapes)


class DatabaseSettings(Section):
    """Where history goes. The URL `sqlite` means `history.db` beside the journal in `state_dir`."""

    url: Annotated[str, AfterValidator(_database_url)] = "sqlite"
    password: Reference | None = None

    @model_validator(mode="after")
    def _password_has_a_use(self) -> Self:
        if self.password is not None and self.url.startswith("sqlite"):
            hint = "remove it, or set the url of a PostgreSQL server"
            refuse([Complaint(path=("password",), what="is not used by SQLite", hint=hint)])
        return self


Interval = Annotated[Duration, lasting(timedelta(milliseconds=200), timedelta(minutes=5))]
Age = Annotated[Duration, lasting(timedelta(milliseconds=200), timedelta(hours=1))]
Pause = Annotated[Duration, lasting(timedelta(0), timedelta(seconds=10))]


class PollSettings(Section):
    """How often an account is read, and how old a picture may be.

    Up to `act_max_age` a snapshot may be acted on; beyond `alarm_max_age` the account counts as unprotected.
    """

    interval: Interval = timedelta(seconds=2)
    act_max_age: Age = timedelta(seconds=5)
    alarm_max_age: Age = timedelta(seconds=15)

    @model_validator(mode="after")
    def _ages_follow(self) -> Self:
        refuse(self._misfits())
        return self

    def _misfits(self) -> Iterator[Complaint]:
        if self.act_max_age > self.alarm_max_age:
            hint = "a picture too old to trust is too old to act on"
            yield Complaint(path=("act_max_age",), what="is above alarm_max_age", hint=hint)
        if self.interval >= self.alarm_max_age:
            hint = "the account would count as unprotected between two polls"
            yield Complaint(path=("interval",), what="is not below alarm_max_age", hint=hint)


class LimitSettings(Section):
    """The most margind does by itself to one account."""

    step_fraction: Share = Decimal("0.5")  # of a position, in one order
    positions_per_step: Annotated[int, Field(ge=1, le=20)] = 3
    orders_per_minute: Annotated[int, Field(ge=1, le=600)] = 30
    orders_per_hour: Annotated[int, Field(ge=1, le=6000)] = 360
    orders_per_episode: Annotated[int, Field(ge=1, le=6000)] = 120
    steps_per_episode: Annotated[int, Field(ge=1, le=1000)] = 40
    episodes_per_hour: Annotated[int, Field(ge=1, le=600)] = 12
    common_mode_venues: Annotated[int, Field(ge=0, le=20)] = 3  # that breach at once trip a breaker; 0: never
    slippage: Distance = Decimal("0.005")  # distance of the first limit price from mark
    max_slippage: Distance = Decimal("0.03")  # ... and of the last
    fee_rate: Allowance = Decimal("0.0006")  # taker fee allowed for when an order is sized
    confirm_after: Pause = timedelta(milliseconds=400)  # from the alarming read to the confirming one
    daily_loss: DailyLossSettings = DailyLossSettings()
    lower_leverage: bool = False  # of the venue's setting, down to max_leverage, where that is harmless

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse(self._misfits())
        return self

    def _misfits(self) -> Iterator[Complaint]:
        if self.common_mode_venues == 1:
            hint = "one venue alone would trip it: write 2 or more, or 0 for never"
            yield Complaint(path=("common_mode_venues",), what="is 1", hint=hint)
        if self.slippage > self.max_slippage:
            hint = "the first limit price stands nearer to mark than the last"
            yield Complaint(path=("slippage",), what="is above max_slippage", hint=hint)
        for name in ("orders_per_minute", "orders_per_hour", "orders_per_episode"):
            if getattr(self, name) < self.positions_per_step:
                hint = "a single step could not be sent: raise it, or lower positions_per_step"
                yield Complaint(path=(name,), what="is below positions_per_step", hint=hint)


Caps = Mapping[Currency, Amount]
"""The most of each currency; a currency that is not listed has no cap stated."""


class TopUpSettings(Section):
    """How much collateral may move in from the same venue's funding wallet, per account and currency.

    A currency without `max_per_day` is never moved, so the action `top_up` does nothing until one is given.
    """

    max_per_transfer: Caps = Field(default_factory=dict)
    max_per_day: Caps = Field(default_factory=dict)  # in any 24 hours

    @model_validator(mode="after")
    def _transfers_fit_a_day(self) -> Self:
        refuse(self._misfits())
        return self

    def _misfits(self) -> Iterator[Complaint]:
        for currency, amount in self.max_per_transfer.items():
            if currency not in self.max_per_day:
                hint = f"add top_up.max_per_day.{currency}; without it nothing is moved"
                yield Complaint(
                    path=("max_per_transfer", currency), what="has no max_per_day beside it", hint=hint
                )
            elif amount > self.max_per_day[currency]:
                hint = "one transfer cannot be larger than the day's"
                yield Complaint(path=("max_per_transfer", currency), what="is above max_per_day", hint=hint)

    def transfer_cap(self, currency: str) -> Decimal | None:
        """Return the most of `currency` that one transfer may move; `None` means nothing may be moved."""
        return self.max_per_transfer.get(currency, self.max_per_day.get(currency))

    def day_cap(self, currency: str) -> Decimal | None:
        """Return the most of `currency` that may move in any 24 hours; `None` means nothing may be moved."""
        return self.max_per_day.get(currency)


Window = Annotated[Duration, lasting(timedelta(minutes=2), timedelta(days=1))]
Lead = Annotated[Duration, lasting(timedelta(0), timedelta(days=1))]


class ForecastSettings(Section):
    """When an alarm comes before its level: CRITICAL or worse may be reached within `lead`; 0s: never."""

    window: Window = timedelta(minutes=15)  # how much recent history the forecast is made from
    lead: Lead = timedelta(minutes=5)


Wait = Annotated[Duration, lasting(timedelta(seconds=10), timedelta(days=1))]


class AdviseSettings(Section):
    """How long a plan waits for approval, and an approval for its moment."""

    plan_lasts: Wait = timedelta(minutes=30)
    approval_lasts: Wait = timedelta(minutes=5)
    worse_by: Distance = Decimal("0.05")  # of a measure, since the plan was made: another one replaces it


class LogSettings(Section):
    """What is written to standard error, and how."""

    level: Word[LogLevel] = LogLevel.INFO
    format: Word[LogFormat] = LogFormat.AUTO


class BrokersSettings(Section):
    """One block a broker."""

    bybit: BrokerSettings = BrokerSettings()
    binance: BrokerSettings = BrokerSettings()
    okx: BrokerSettings = BrokerSettings()
    kraken: BrokerSettings = BrokerSettings()
    coinbase: UnleveragedBrokerSettings = UnleveragedBrokerSettings()
    cryptocom: BrokerSettings = BrokerSettings()


def _some(accounts: tuple[AccountSettings, ...]) -> tuple[AccountSettings, ...]:
    if not accounts:
        raise complain("is empty", "describe at least one account")
    return accounts


class Settings(Section):
    """Everything an operator can say. `source` tells where it was written."""

    mode: Word[Mode] = Mode.OBSERVE
    state_dir: Annotated[Path, BeforeValidator(_state_dir)] = Path("/var/lib/margind")
    database: DatabaseSettings = DatabaseSettings()
    poll: PollSettings = PollSettings()
    policy: PolicySettings = PolicySettings()
    forecast: ForecastSettings = ForecastSettings()
    advise: AdviseSettings = AdviseSettings()
    limits: LimitSettings = LimitSettings()
    exposure: ExposureSettings = ExposureSettings()
    top_up: TopUpSettings = TopUpSettings()
    log: LogSettings = LogSettings()
    brokers: BrokersSettings = BrokersSettings()
    accounts: Annotated[tuple[AccountSettings, ...], AfterValidator(_some)]
    hedges: tuple[HedgeSettings, ...] = ()

    _source: Source = PrivateAttr(default_factory=Source)

    @model_validator(mode="after")
    def _accounts_fit_together(self) -> Self:
        names = frozenset(account.id for account in self.accounts)
        refuse([*self._twins(), *self._unsound_overrides(), *misplaced(self.hedges, names)])
        return self

    @property
    def source(self) -> Source:
        """Where these values were written; empty for settings built in code."""
        return self._source

    def from_source(self, source: Source) -> Self:
        """Return the same settings, knowing where they were written."""
        copy = self.model_copy()
        copy._source = source  # noqa: SLF001 - its own
        return copy

    def account(self, account_id: str) -> AccountSettings:
        """Return the account named `account_id`.

        Raises:
            KeyError: there is none.
        """
        for account in self.accounts:
            if account.id == account_id:
                return account
        raise KeyError(account_id)

    def mode_of(self, account: AccountSettings) -> Mode:
        """Return the stricter of the overall mode and the account's own."""
        return stricter(self.mode, account.mode or self.mode)

    def policy_of(self, account: AccountSettings) -> PolicySettings:
        """Return the general policy with the account's own values laid over it."""
        if account.policy is None:
            return self.policy
        return PolicySettings.model_validate(layered(self.policy, account.policy))

    def poll_of(self, account: AccountSettings) -> PollSettings:
        """Return the general poll values with the account's own laid over them."""
        if account.poll is None:
            return self.poll
        return PollSettings.model_validate(layered(self.poll, account.poll))

    def daily_loss_of(self, account: AccountSettings) -> DailyLossSettings:
        """Return the account's own limit of a day's loss, else the general one."""
        return self.limits.daily_loss if account.daily_loss is None else account.daily_loss

    def max_leverage_of(self, account: AccountSettings) -> Decimal:
        """Return the account's own leverage cap, else its broker's."""
        if account.max_leverage is not None:
            return account.max_leverage
        return self._broker_of(account).max_leverage

    def over_cap_of(self, account: AccountSettings) -> OverCap:
        """Return what is done above the account's caps: its own word, else its broker's."""
        return account.over_cap or self._broker_of(account).over_cap

    def symbol_caps_of(self, account: AccountSettings) -> Mapping[str, Decimal]:
        """Return the caps of single symbols: the account's own laid over its broker's."""
        symbols = {**self._broker_of(account).symbols, **account.symbols}
        return {symbol: own.max_leverage for symbol, own in symbols.items()}

    def exposure_of(self, account: AccountSettings) -> ExposureSettings:
        """Return the general limits with the account's own values laid over them."""
        if account.exposure is None:
            return self.exposure
        return ExposureSettings.model_validate(layered(self.exposure, account.exposure))

    def _broker_of(self, account: AccountSettings) -> BrokerSettings:
        broker: BrokerSettings = getattr(self.brokers, account.broker)
        return broker

    def _twins(self) -> Iterator[Complaint]:
        ids: dict[str, int] = {}
        keys: dict[tuple[object, ...], int] = {}
        for position, account in enumerate(self.accounts):
            first = ids.setdefault(account.id, position)
            if first != position:
                what = f"is the id of accounts[{first}] too"
                yield Complaint(
                    path=("accounts", position, "id"), what=what, hint="give each account its own id"
                )
            for block, written in account.keys.items():
                first = keys.setdefault((account.broker, account.product, written.api_key), position)
                if first != position:
                    what = f"is the key of accounts[{first}] too, at the same broker and product"
                    hint = "two accounts over one key would de-lever it twice: remove one"
                    path = ("accounts", position, block, "api_key")
                    yield Complaint(path=path, what=what, hint=hint)

    def _unsound_overrides(self) -> Iterator[Complaint]:
        merges: tuple[tuple[str, Callable[[AccountSettings], Section]], ...] = (
            ("policy", self.policy_of),
            ("poll", self.poll_of),
            ("exposure", self.exposure_of),
        )
        for position, account in enumerate(self.accounts):
            for name, merge in merges:
                try:
                    merge(account)
                except ValidationError as error:
                    for detail in error.errors():
                        context = detail.get("ctx", {})
                        path = ("accounts", position, name, *detail["loc"])
                        yield Complaint(path=path, what=context["what"], hint=context["hint"])
