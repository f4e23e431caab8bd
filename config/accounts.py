"""One account: a set of credentials at one broker and product, and where it differs from the whole."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from config.exposure import ExposureOverride, OverCap, SymbolCaps, idle_caps
from config.policy import DailyLossSettings, PolicyOverride
from config.scalars import Duration, Endpoint, Identifier, Leverage, Word, lasting
from config.secrets import Reference
from config.section import Complaint, Section, complain, refuse

WITHDRAWAL_WORDS = "i accept that this key can withdraw"
"""What an operator writes to run with an API key that can withdraw."""


EMERGENCY = "emergency_credentials"

SAME_KEY = "is the account's main key too"
SAME_KEY_HINT = "make a second key of the same account, or remove emergency_credentials"


class BrokerId(StrEnum):
    """The brokers margind knows."""

    BYBIT = "bybit"
    BINANCE = "binance"
    OKX = "okx"
    KRAKEN = "kraken"
    COINBASE = "coinbase"
    CRYPTOCOM = "cryptocom"


PRODUCTS: Mapping[BrokerId, tuple[str, ...]] = MappingProxyType(
    {
        BrokerId.BYBIT: ("unified",),
        BrokerId.BINANCE: ("usdm", "coinm", "portfolio", "cross", "isolated"),
        BrokerId.OKX: ("unified",),
        BrokerId.KRAKEN: ("spot", "futures"),
        BrokerId.COINBASE: ("spot", "futures"),
        BrokerId.CRYPTOCOM: ("exchange",),
    }
)
"""The products of each broker; the first is the default."""


NO_TESTNET = frozenset(
    {
        (BrokerId.BINANCE, "portfolio"),
        (BrokerId.BINANCE, "cross"),
        (BrokerId.BINANCE, "isolated"),
        (BrokerId.KRAKEN, "spot"),
        (BrokerId.COINBASE, "spot"),
        (BrokerId.COINBASE, "futures"),
    }
)
"""Where the venue has no test system."""


TIMERS = frozenset({(BrokerId.KRAKEN, "spot"), (BrokerId.KRAKEN, "futures")})
"""Where the venue has a timer that cancels every order of the account unless it is renewed."""


class Mode(StrEnum):
    """What margind may do, from least to most."""

    OBSERVE = "observe"  # judge and alarm
    ADVISE = "advise"  # ... and journal a plan, and act on it once it is approved
    ENFORCE = "enforce"  # ... and act


def stricter(one: Mode, other: Mode) -> Mode:
    """Return the mode that allows less."""
    return min(one, other, key=list(Mode).index)


class Credentials(Section):
    """Where the account's API key, its secret and, where the broker has one, its passphrase are kept."""

    api_key: Reference
    secret: Reference
    password: Reference | None = None


class PollOverride(Section):
    """The poll values an account has of its own; their bounds are those of `PollSettings`."""

    interval: Duration | None = None
    act_max_age: Duration | None = None
    alarm_max_age: Duration | None = None


TimerSpan = Annotated[Duration, lasting(timedelta(seconds=30), timedelta(hours=1))]


def _withdrawal_words(raw: object) -> bool:
    if raw is False or raw == WITHDRAWAL_WORDS:
        return bool(raw)
    raise complain("does not take a key that can withdraw", f'write false, or "{WITHDRAWAL_WORDS}"')


class AccountSettings(Section):
    """One account, as written.

    `mode`, `policy`, `poll`, `daily_loss`, `max_leverage`, `over_cap`, `symbols` and `exposure` are only what
    the account says of its own; `None` is "as the whole". Ask `Settings` for what holds.
    `emergency_credentials` is a second key of the same account, used for what protects and nothing else.
    """

    id: Identifier
    broker: Word[BrokerId]
    product: str = ""  # "": the broker's first
    credentials: Credentials
    emergency_credentials: Credentials | None = None
    endpoint: Endpoint | None = None
    testnet: bool = False
    mode: Word[Mode] | None = None
    policy: PolicyOverride | None = None
    max_leverage: Leverage | None = None
    over_cap: Word[OverCap] | None = None
    symbols: SymbolCaps = Field(default_factory=dict)
    exposure: ExposureOverride | None = None
    poll: PollOverride | None = None
    daily_loss: DailyLossSettings | None = None
    allow_withdrawal_key: Annotated[bool, BeforeValidator(_withdrawal_words)] = False
    cancel_all_after: TimerSpan | None = None

    @field_validator("product")
    @classmethod
    def _of_this_broker(cls, product: str, known: ValidationInfo) -> str:
        products = PRODUCTS.get(known.data.get("broker", ""), (product,))
        if not product or product in products:
            return product or products[0]
        close = get_close_matches(product, products, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        broker = known.data["broker"]
        raise complain(f"is not a product of {broker}", f"{guess}{broker} has: {', '.join(products)}")

    @property
    def keys(self) -> Mapping[str, Credentials]:
        """The account's credentials by the name of their block, the main ones first."""
        second = self.emergency_credentials
        return {"credentials": self.credentials} | ({} if second is None else {EMERGENCY: second})

    @model_validator(mode="after")
    def _fits_its_broker(self) -> Self:
        refuse(self._misfits())
        return self

    def _misfits(self) -> Iterator[Complaint]:
        if self.endpoint is not None and self.testnet:
            hint = "an endpoint replaces the venue's hosts, testnet included: keep one of the two"
            yield Complaint(path=("testnet",), what="is set together with endpoint", hint=hint)
        if self.testnet and (self.broker, self.product) in NO_TESTNET:
            hint = "remove it, or rehearse on `margind sandbox` by endpoint"
            yield Complaint(
                path=("testnet",), what=f"does not exist for {self.broker} {self.product}", hint=hint
            )
        if self.cancel_all_after is not None and (self.broker, self.product) not in TIMERS:
            what = f"does not exist for {self.broker} {self.product}"
            hint = "remove it: only Kraken has a timer of the account that margind can renew"
            yield Complaint(path=("cancel_all_after",), what=what, hint=hint)
        yield from idle_caps(self.max_leverage, self.symbols)
        needs_password = self.broker is BrokerId.OKX
        for block, written in self.keys.items():
            if needs_password and written.password is None:
                hint = "OKX keys come with a passphrase: add a reference to it"
                yield Complaint(path=(block, "password"), what="is missing", hint=hint)
            if not needs_password and written.password is not None:
                hint = f"remove it: {self.broker} keys have no passphrase"
                yield Complaint(path=(block, "password"), what="is not used", hint=hint)
        second = self.emergency_credentials
        if second is not None and second.api_key == self.credentials.api_key:
            yield Complaint(path=(EMERGENCY, "api_key"), what=SAME_KEY, hint=SAME_KEY_HINT)
