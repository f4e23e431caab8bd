"""Hedge groups: legs at several accounts that stand against each other."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from config.scalars import Amount, Currency, Identifier, Word
from config.section import Complaint, Section, refuse

LEGS_AT_LEAST = 2

InstrumentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./:-]{0,63}$")]
"""A venue's own name of an instrument."""


class PartnerOut(StrEnum):
    """What becomes of a leg in danger whose partners cannot follow."""

    HOLD = "hold"  # it is not cut
    URGENT_ONLY = "urgent_only"  # it is cut once its account is past the urgent line
    REDUCE_ANYWAY = "reduce_anyway"  # it is cut


class HedgeLegSettings(Section):
    """One leg: the net position in `symbol`, or what is held of the coin `asset`, which is never sold."""

    account: Identifier
    symbol: InstrumentId | None = None
    asset: Currency | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.symbol is None) == (self.asset is None):
            what = "has neither symbol nor asset" if self.symbol is None else "has a symbol and an asset"
            hint = "write symbol for a position, asset for what is held of a coin"
            refuse([Complaint(path=(), what=what, hint=hint)])
        return self


class HedgeSettings(Section):
    """One group. `tolerance` and `repair_budget` are in coins of what its legs are in."""

    id: Identifier
    legs: tuple[HedgeLegSettings, ...]
    tolerance: Amount  # net delta that is nothing
    partner_out: Word[PartnerOut] = PartnerOut.URGENT_ONLY
    repair_budget: Amount | None  # in any 24 hours, after the loss of a leg; null: told, never repaired

    @model_validator(mode="after")
    def _legs_make_a_hedge(self) -> Self:
        refuse(self._misfits())
        return self

    def _misfits(self) -> Iterator[Complaint]:
        if len(self.legs) < LEGS_AT_LEAST:
            yield Complaint(path=("legs",), what="are fewer than two", hint="a hedge has two legs at least")
        elif all(leg.symbol is None for leg in self.legs):
            hint = "a coin that is held is never sold: name the position against it by its symbol"
            yield Complaint(path=("legs",), what="have no position", hint=hint)


def misplaced(hedges: Iterable[HedgeSettings], accounts: frozenset[str]) -> Iterator[Complaint]:
    """Yield what is wrong between the groups, and between them and the accounts."""
    ids: dict[str, int] = {}
    legs: dict[HedgeLegSettings, str] = {}
    for number, hedge in enumerate(hedges):
        first = ids.setdefault(hedge.id, number)
        if first != number:
            what = f"is the id of hedges[{first}] too"
            yield Complaint(path=("hedges", number, "id"), what=what, hint="give each group its own id")
        for position, leg in enumerate(hedge.legs):
            path = ("hedges", number, "legs", position)
            if leg.account not in accounts:
                hint = "name an account of this file by its id"
                yield Complaint(path=(*path, "account"), what="is no account", hint=hint)
            owner = legs.setdefault(leg, hedge.id)
            if owner != hedge.id or leg in hedge.legs[:position]:
                hint = "its delta would count twice: remove one"
                yield Complaint(path=path, what=f"is a leg of {owner} already", hint=hint)
