"""One asset of a margin account: what is held of it, and what is owed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import Collateral, Finding, FindingCode
from brokers.numbers import ZERO

ROUNDING = Decimal("0.00000004")
"""How far the sum of four amounts of eight places may be off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """An asset's amounts in itself. `locked` is bound by resting orders, `borrowed` is principal."""

    asset: str
    free: Decimal
    locked: Decimal
    borrowed: Decimal
    interest: Decimal

    @property
    def held(self) -> Decimal:
        """What is there, bound by orders or not."""
        return self.free + self.locked

    @property
    def owed(self) -> Decimal:
        """Principal and interest."""
        return self.borrowed + self.interest

    @property
    def net(self) -> Decimal:
        """What is held less what is owed of the same asset; below zero it must be bought to be given back."""
        return self.held - self.owed

    @property
    def repayable(self) -> Decimal:
        """What could be given back without a trade."""
        return max(ZERO, min(self.free, self.owed))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held and nothing is owed."""
        return not (self.held or self.owed)

    def collateral(self, value: Decimal | None, unit: str) -> Collateral:
        """Return the asset's row; `value` is the net amount in the unit's currency, `None`: no price."""
        return Collateral(
            currency=self.asset,
            wallet_balance=self.held,
            equity=self.net,
            value=value,
            debt=self.borrowed,
            interest=self.interest,
            repayable=self.repayable,
            unit=unit,
        )


def read_amounts(row: Mapping[str, Any], unit: str, findings: list[Finding]) -> Amounts | None:
    """Read a row of `userAssets`, or one side of an isolated pair; `None`, with a finding: it is damaged.

    netAsset = free + locked - borrowed - interest.

    Source: Binance docs, "Query Cross Margin Account Details".
    """
    fields = Fields(row, findings, unit=unit)
    asset = row.get("asset")
    if not isinstance(asset, str) or not asset:
        fields.find(FindingCode.FIELD_DAMAGED, f"an asset named {asset!r}")
        return None
    stated = [fields.required(name) for name in ("free", "locked", "borrowed", "interest")]
    known = [amount for amount in stated if amount is not None]
    if len(known) < len(stated):
        return None
    if min(known) < ZERO:
        fields.find(FindingCode.FIELD_DAMAGED, f"{asset}: an amount below zero")
        return None
    free, locked, borrowed, interest = known
    amounts = Amounts(asset=asset, free=free, locked=locked, borrowed=borrowed, interest=interest)
    net = fields.optional("netAsset")
    if net is not None and abs(net - amounts.net) > ROUNDING:
        fields.find(FindingCode.INCONSISTENT, f"{asset}: netAsset is {net}, its parts make {amounts.net}")
    return amounts
