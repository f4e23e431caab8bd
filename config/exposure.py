"""How much an account may hold: its caps of leverage, and what is done above them."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from config.scalars import Instrument, Leverage, Word
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
    over_cap: Word[OverCap] = OverCap.REDUCE
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
