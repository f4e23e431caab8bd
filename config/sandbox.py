"""The file of `margind sandbox`: prices, accounts with their opening state, and faults to come.

The sandbox's keys open nothing but the sandbox, so they stand in the file as plain text.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from config.scalars import (
    PATH_PATTERN,
    PEM_PATTERN,
    PRINTABLE_PATTERN,
    SYMBOL_PATTERN,
    Amount,
    Currency,
    Duration,
    Identifier,
    Leverage,
    Word,
    lasting,
)
from config.section import Complaint, Section, complain, refuse
from config.source import Source

Token = Annotated[str, Field(pattern=PRINTABLE_PATTERN)]
Key = Annotated[str, Field(pattern=PEM_PATTERN)]
Pair = Annotated[str, Field(pattern=SYMBOL_PATTERN)]
Port = Annotated[int, Field(ge=0, le=65535)]
Balances = Mapping[Currency, Amount]


class SandboxBroker(StrEnum):
    """The venues the sandbox speaks as."""

    BYBIT = "bybit"
    BINANCE = "binance"
    OKX = "okx"
    KRAKEN = "kraken"
    KRAKENFUTURES = "krakenfutures"
    CRYPTOCOM = "cryptocom"
    COINBASE = "coinbase"
    BINANCECOINM = "binancecoinm"
    BINANCEPM = "binancepm"
    BINANCEMARGIN = "binancemargin"
    BINANCEISOLATED = "binanceisolated"


PRODUCTS: Mapping[SandboxBroker, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        SandboxBroker.BYBIT: {"unified": ("cross", "isolated", "portfolio", "uta1")},
        SandboxBroker.BINANCE: {"usdm": ("single_asset", "multi_assets")},
        SandboxBroker.OKX: {"unified": ("futures", "multi_currency", "portfolio", "spot")},
        SandboxBroker.BINANCECOINM: {"coinm": ("coin_margined",)},
        SandboxBroker.BINANCEPM: {"portfolio": ("portfolio_margin",)},
        SandboxBroker.BINANCEMARGIN: {"cross": ("classic", "pro")},
        SandboxBroker.BINANCEISOLATED: {"isolated": ("isolated_pairs",)},
        SandboxBroker.KRAKEN: {"spot": ("spot_margin",)},
        SandboxBroker.KRAKENFUTURES: {"futures": ("multi_collateral", "single_collateral")},
        SandboxBroker.CRYPTOCOM: {"exchange": ("smart_cross",)},
        SandboxBroker.COINBASE: {"spot": ("cash",), "futures": ("futures",)},
    }
)
"""The products that the sandbox plays, each with its account modes; the first are the default."""

BROKERS: Mapping[SandboxBroker, str] = MappingProxyType(
    {
        SandboxBroker.BINANCECOINM: "binance",
        SandboxBroker.BINANCEPM: "binance",
        SandboxBroker.BINANCEMARGIN: "binance",
        SandboxBroker.BINANCEISOLATED: "binance",
        SandboxBroker.KRAKENFUTURES: "kraken",
    }
)
"""The broker of a venue in an account of the daemon, where it is called otherwise."""

ONE_WAY = frozenset(
    SandboxBroker(name)
    for name in ("kraken", "krakenfutures", "cryptocom", "binancemargin", "binanceisolated")
)
"""The venues that hold one position a symbol, always."""

UNLENT = frozenset({"cash", "isolated"})
"""The account modes in which nobody owes anything."""

ENCODED = frozenset({SandboxBroker.KRAKEN, SandboxBroker.KRAKENFUTURES})
"""The venues whose secrets are base64."""


class PositionSide(StrEnum):
    """The side of a position."""

    LONG = "long"
    SHORT = "short"


class OrderSide(StrEnum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"


class PositionMode(StrEnum):
    """Whether one symbol may hold a long and a short at once."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


class Margin(StrEnum):
    """What backs a position."""

    CROSS = "cross"
    ISOLATED = "isolated"


class FaultKind(StrEnum):
    """What goes wrong at the venue."""

    HTTP_500 = "http_500"
    HTTP_502_HTML = "http_502_html"
    HTTP_503_HTML = "http_503_html"
    HTTP_429_FOREIGN_JSON = "http_429_foreign_json"
    HTTP_429_PLAIN = "http_429_plain"
    HTML_200 = "html_200"
    TRUNCATED = "truncated"
    NULL_BODY = "null_body"
    EMPTY_BODY = "empty_body"
    EMPTY_POSITIONS = "empty_positions"
    ZERO_EQUITY = "zero_equity"
    NAN = "nan"
    MISSING_FIELD = "missing_field"
    STALE_TIMESTAMP = "stale_timestamp"
    SLOW = "slow"
    HANG = "hang"
    ACCEPTED_NO_ANSWER = "accepted_no_answer"
    EXECUTED_LATE = "executed_late"
    DUPLICATE_CODE = "duplicate_code"
    REDUCE_ONLY_REJECTED = "reduce_only_rejected"
    PARTIAL_FILL = "partial_fill"
    CLOCK_SKEW = "clock_skew"
    BAN = "ban"
    REVOKED_KEY = "revoked_key"
    OUTSIDER_TRADES = "outsider_trades"
    TRAP = "trap"


class OpeningPosition(Section):
    """A position that is there from the start, its prices in quote.

    `quantity` is in base coin, or in dollars where the contract is inverse.
    """

    symbol: Pair
    side: Word[PositionSide]
    quantity: Amount
    leverage: Leverage = Decimal(5)  # the venue's setting for the symbol
    entry: Amount | None = None  # None: the opening price
    margin: Word[Margin] | None = None  # None: as the account's mode has it
    margin_amount: Amount | None = None  # of an isolated position; None: initial margin at `leverage`

    @model_validator(mode="after")
    def _margin_fits(self) -> Self:
        if self.margin_amount is not None and self.margin is Margin.CROSS:
            hint = "only isolated positions have a margin of their own"
            refuse([Complaint(path=("margin_amount",), what="is set on a cross position", hint=hint)])
        return self


class OpeningOrder(Section):
    """An order that rests from the start: a limit at `price`, or a stop that fires at `trigger`.

    With both, the stop places a limit order. `position_side` names the leg in hedge mode.
    """

    symbol: Pair
    side: Word[OrderSide]
    quantity: Amount
    price: Amount | None = None
    trigger: Amount | None = None
    reduce_only: bool = False
    position_side: Word[PositionSide] | None = None

    @model_validator(mode="after")
    def _rests(self) -> Self:
        if self.price is None and self.trigger is None:
            hint = "an order without either would not rest"
            refuse([Complaint(path=(), what="has neither price nor trigger", hint=hint)])
        return self


class SandboxAccount(Section):
    """One account at a sandbox venue, with the key that opens it."""

    id: Identifier
    broker: Word[SandboxBroker]
    product: str = ""  # "": the first the sandbox plays there
    api_key: Token = Field(repr=False)
    secret: Key = Field(repr=False)
    password: Token | None = Field(default=None, repr=False)
    mode: str = ""  # "": the product's first
    position_mode: Word[PositionMode] = PositionMode.ONE_WAY
    wallets: Balances
    debts: Balances = Field(default_factory=dict)  # borrowed before the start, and no longer in the wallets
    funding: Balances = Field(default_factory=dict)
    positions: tuple[OpeningPosition, ...] = ()
    orders: tuple[OpeningOrder, ...] = ()

    @field_validator("product", "mode")
    @classmethod
    def _of_this_broker(cls, word: str, known: ValidationInfo) -> str:
        broker = known.data.get("broker")
        if broker is None:
            return word
        words = tuple(PRODUCTS[broker])
        if known.field_name == "mode":
            words = PRODUCTS[broker].get(known.data.get("product", ""), ())
            if not words:  # the product is complained of
                return word
        if word and word not in words:
            raise complain(f"is not one that the sandbox's {broker} has", f"known here: {', '.join(words)}")
        return word or words[0]

    @property
    def broker_id(self) -> str:
        """The broker as an account of the daemon names it."""
        return BROKERS.get(self.broker, self.broker.value)

    @model_validator(mode="after")
    def _fits_its_venue(self) -> Self:
        refuse(
            [
                *self._credential_misfits(),
                *self._key_misfits(),
                *self._position_misfits(),
                *self._order_misfits(),
            ]
        )
        return self

    def _credential_misfits(self) -> Iterator[Complaint]:
        has_password, needs_password = self.password is not None, self.broker is SandboxBroker.OKX
        if needs_password and not has_password:
            yield Complaint(path=("password",), what="is missing", hint="OKX keys come with a passphrase")
        if has_password and not needs_password:
            hint = f"remove it: {self.broker} keys have no passphrase"
            yield Complaint(path=("password",), what="is not used", hint=hint)
        if self.broker in ENCODED and not _is_base64(self.secret):
            hint = "Kraken's secrets are base64, and its clients decode them: c2FuZGJveA=="
            yield Complaint(path=("secret",), what="is no base64 text", hint=hint)

    def _key_misfits(self) -> Iterator[Complaint]:
        if self.broker is SandboxBroker.COINBASE and not self.secret.startswith("-----BEGIN"):
            hint = "Coinbase keys are ECDSA private keys: write one in PEM form"
            yield Complaint(path=("secret",), what="is no key in PEM form", hint=hint)
        if self.mode in {"cash", "spot"} and (self.positions or self.orders):
            where = "positions" if self.positions else "orders"
            hint = f"a {self.mode} account has none: remove them"
            yield Complaint(path=(where,), what="are not used", hint=hint)
        if self.mode in UNLENT and self.debts:
            hint = f"remove them: nothing is lent in mode {self.mode}"
            yield Complaint(path=("debts",), what="are not used", hint=hint)

    def _position_misfits(self) -> Iterator[Complaint]:
        if self.position_mode is PositionMode.HEDGE and self.broker in ONE_WAY:
            hint = "remove it: a contract holds one position there"
            yield Complaint(path=("position_mode",), what=f"is not one of {self.broker}", hint=hint)
        seen: set[tuple[str, PositionSide | None]] = set()
        hedged = self.position_mode is PositionMode.HEDGE
        for index, position in enumerate(self.positions):
            key = (position.symbol, position.side if hedged else None)
            if key in seen:
                hint = "one-way accounts hold one position a symbol, hedged ones one a side"
                yield Complaint(path=("positions", index, "symbol"), what="is held already", hint=hint)
            seen.add(key)
            wanted = Margin.ISOLATED if self.mode == "isolated" else Margin.CROSS
            if self.broker is SandboxBroker.BYBIT and position.margin not in {None, wanted}:
                hint = "Bybit sets cross or isolated for the whole account: use the account's mode"
                what = f"differs from the account's mode {self.mode}"
                yield Complaint(path=("positions", index, "margin"), what=what, hint=hint)
            if self.broker is SandboxBroker.KRAKEN and position.margin is Margin.ISOLATED:
                hint = "remove it: one margin account backs every position there"
                yield Complaint(path=("positions", index, "margin"), what="is not one of kraken", hint=hint)

    def _order_misfits(self) -> Iterator[Complaint]:
        hedged = self.position_mode is PositionMode.HEDGE
        for index, order in enumerate(self.orders):
            if hedged and order.position_side is None:
                hint = "a hedged account needs to know which leg: long or short"
                yield Complaint(path=("orders", index, "position_side"), what="is missing", hint=hint)
            if not hedged and order.position_side is not None:
                hint = "remove it, or set position_mode: hedge"
                yield Complaint(path=("orders", index, "position_side"), what="is not used", hint=hint)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


class SandboxFault(Section):
    """One thing that will go wrong: for requests whose path starts with `path`, `count` times, for a while.

    `account` and `venue` narrow it; without them every account of every venue is hit. `after` counts from
    the sandbox's start, `duration` from then; `delay` is how late or how skewed.
    """

    kind: Word[FaultKind]
    path: Annotated[str, Field(pattern=PATH_PATTERN)] = "/"
    account: Identifier | None = None
    venue: Word[SandboxBroker] | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[Duration, lasting(timedelta(0), timedelta(days=1))] = timedelta(0)
    duration: Duration | None = None
    delay: Annotated[Duration, lasting(timedelta(0), timedelta(hours=1))] = timedelta(0)
    trap: str = ""  # which of the venue's own, by name


class Listen(Section):
    """The loopback port of each venue; 0 is any free one."""

    bybit: Port = 0
    binance: Port = 0
    okx: Port = 0
    kraken: Port = 0
    krakenfutures: Port = 0
    cryptocom: Port = 0
    coinbase: Port = 0
    binancecoinm: Port = 0
    binancepm: Port = 0
    binancemargin: Port = 0
    binanceisolated: Port = 0


def _some(accounts: tuple[SandboxAccount, ...]) -> tuple[SandboxAccount, ...]:
    if not accounts:
        raise complain("is empty", "describe at least one account")
    return accounts


class SandboxSettings(Section):
    """A sandbox: its market and who trades there. `source` tells where it was written."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 7
    speed: Annotated[Amount, Field(le=10_000)] = Decimal(1)  # sandbox seconds per second
    scenario: Identifier = "calm"  # calm, slide, flash_crash, crawl, recovery, or a preset's id
    prices: Balances = Field(default_factory=dict)  # opening price of an asset, in USD
    listen: Listen = Listen()
    accounts: Annotated[tuple[SandboxAccount, ...], AfterValidator(_some)]
    faults: tuple[SandboxFault, ...] = ()

    _source: Source = PrivateAttr(default_factory=Source)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse([*self._twins(), *self._strangers()])
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

    def _twins(self) -> Iterator[Complaint]:
        for key in ("id", "api_key"):
            seen: dict[str, int] = {}
            for index, account in enumerate(self.accounts):
                first = seen.setdefault(getattr(account, key), index)
                if first != index:
                    path = ("accounts", index, key)
                    yield Complaint(
                        path=path, what=f"is that of accounts[{first}] too", hint="choose another"
                    )

    def _strangers(self) -> Iterator[Complaint]:
        ids = {account.id for account in self.accounts}
        for index, fault in enumerate(self.faults):
            if fault.account is not None and fault.account not in ids:
                hint = f"accounts here: {', '.join(sorted(ids))}"
                yield Complaint(
                    path=("faults", index, "account"), what="is no account of this file", hint=hint
                )
