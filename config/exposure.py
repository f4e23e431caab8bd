"""How much an account may hold: caps of leverage, limits of size, and what is done above them."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from config.scalars import Amount, Instrument, Leverage, Multiple, Word
from config.section import Complaint, Section, refuse


class OverCap(StrEnum):
    """What is done above a leverage cap; it is alarmed in any case."""

    ALARM = "alarm"
    REDUCE = "reduce"  # in enforce: positions are cut to just below it


class SymbolSettings(Section):
    """What holds for one symbol of an account, by the venue's own name of it."""

    max_leverage: Leverage  # notional of the symbol / margin equity


SymbolCaps = Mapping[Instrument, SymbolSettings]


class BrokerSettings(Section):
    """What holds for every account at one broker."""

    max_leverage: Leverage = Decimal(5)  # gross notional / margin equity
    over_cap: Word[OverCap] = OverCap.ALARM
    symbols: SymbolCaps = Field(default_factory=dict)

    @model_validator(mode="after")
    def _caps_bind(self) -> Self:
        refuse(idle_caps(self.max_leverage, self.symbols))
        return self


class UnleveragedBrokerSettings(BrokerSettings):
    """The same, for a broker where nothing is borrowed unless the operator says so."""

    max_leverage: Leverage = Decimal(1)


def idle_caps(max_leverage: Decimal | None, symbols: Mapping[str, SymbolSettings]) -> Iterator[Complaint]:
    """Complain of every symbol whose cap the cap of the whole keeps already."""
    for symbol, own in symbols.items():
        if max_leverage is not None and own.max_leverage >= max_leverage:
            yield Complaint(
                path=("symbols", symbol, "max_leverage"),
                what=f"is not below {max_leverage}, the cap of all symbols together",
                hint="no symbol can have more than all of them: lower it, or remove it",
            )


class Remedy(StrEnum):
    """What is done about a limit that is exceeded, mildest first; it is alarmed in any case."""

    ALARM = "alarm"
    CANCEL = "cancel"  # orders that would add to it, for as long as it lasts
    TRIM = "trim"  # ... and positions are cut to just below the limit
    FLATTEN = "flatten"  # ... and what is over it is closed, latched until the venue shows it gone


def _idle_remedy(then: Remedy, *, limited: bool) -> Iterator[Complaint]:
    if then is not Remedy.ALARM and not limited:
        hint = "set max beside it, or remove it"
        yield Complaint(path=("then",), what="has no limit that it could keep", hint=hint)


class NotionalLimit(Section):
    """The most notional of one symbol, long and short together, in the currency of its risk unit."""

    max: Amount | None = None
    symbols: Mapping[Instrument, Amount] = Field(default_factory=dict)  # in place of `max`
    then: Word[Remedy] = Remedy.ALARM

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        refuse(_idle_remedy(self.then, limited=self.max is not None or bool(self.symbols)))
        return self


class ShareLimit(Section):
    """The most gross notional of one coin, as a share of its risk unit's margin equity."""

    max: Multiple | None = None
    then: Word[Remedy] = Remedy.ALARM

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        refuse(_idle_remedy(self.then, limited=self.max is not None))
        return self


class CountLimit(Section):
    """The most positions that an account may have."""

    max: Annotated[int, Field(ge=1, le=10_000)] | None = None
    then: Word[Remedy] = Remedy.ALARM

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        refuse(_idle_remedy(self.then, limited=self.max is not None))
        return self


class ExposureSettings(Section):
    """How much an account may hold; without a `max` there is no limit."""

    position_notional: NotionalLimit = NotionalLimit()
    underlying_share: ShareLimit = ShareLimit()
    positions: CountLimit = CountLimit()


class NotionalOverride(Section):
    """The notional limit that an account has of its own."""

    max: Amount | None = None
    symbols: Mapping[Instrument, Amount] | None = None
    then: Word[Remedy] | None = None


class ShareOverride(Section):
    """The share limit that an account has of its own."""

    max: Multiple | None = None
    then: Word[Remedy] | None = None


class CountOverride(Section):
    """The limit of positions that an account has of its own."""

    max: Annotated[int, Field(ge=1, le=10_000)] | None = None
    then: Word[Remedy] | None = None


class ExposureOverride(Section):
    """What an account has of its own; every value left out comes from the general limits."""

    position_notional: NotionalOverride | None = None
    underlying_share: ShareOverride | None = None
    positions: CountOverride | None = None
