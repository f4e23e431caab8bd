"""What a row of `account/positions` holds, and how much, by instrument type."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.fields import Fields
from brokers.models import ContractKind, FindingCode, MarketRules, Side, Symbol

SIDES = {"long": Side.LONG, "short": Side.SHORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Side and size of an open row, and what it is worth at mark.

    `quantity` > 0 is in the unit that an order closes it in. `notional` is in the row's margin currency.
    `in_pairs`: a spot margin position. `is_option`: its notional is its delta's; `delta` is that in coins,
    signed as the venue signs it.
    """

    side: Side
    quantity: Decimal
    notional: Decimal | None
    kind: ContractKind
    hedged: bool = False
    in_pairs: bool = False
    is_option: bool = False
    delta: Decimal | None = None

    @property
    def is_bought_option(self) -> bool:
        """Whether nothing more than what was paid for it can be lost."""
        return self.is_option and self.side is Side.LONG


def contracts(
    size: Decimal, mark: Decimal | None, rules: MarketRules | None, fields: Fields
) -> Exposure | None:
    """Read a perpetual or expiry future: lots of contracts, linear ones in coin and inverse ones in USD.

    In net mode the sign of the size is the side, otherwise `posSide` is.
    """
    found = _side(size, fields)
    if found is None:
        return None
    side, hedged = found
    quantity, notional = abs(size), None
    if mark is not None and rules is not None:
        face = quantity * rules.contract_size
        notional = face * mark if rules.kind is ContractKind.LINEAR else face / mark
    kind = rules.kind if rules is not None else ContractKind.LINEAR
    return Exposure(side=side, quantity=quantity, notional=notional, kind=kind, hedged=hedged)


def spot_margin(
    size: Decimal, mark: Decimal | None, symbol: Symbol, currency: str, fields: Fields
) -> Exposure | None:
    """Read a spot margin position, in base currency.

    `pos` is never negative: held in the base currency (`posCcy`) it is a long, and `pos` is what can be sold.
    Held in the quote currency it is a short: `pos` is then what the sale brought, and what must be bought
    back is the debt in base, `liab` (sent negative). Interest not yet deducted is apart, and left out.

    Source: OKX docs, Get positions (`posSide`, `pos`, `posCcy`, `liab`, `liabCcy`, `interest`).
    """
    base, _, quote = symbol.partition("-")
    held_in, owed_in = fields.text("posCcy"), fields.text("liabCcy")
    if held_in not in {base, quote} or size < 0:
        fields.find(FindingCode.FIELD_DAMAGED, f"{size} of posCcy {held_in!r} is no side of a position")
        return None
    side, quantity = Side.LONG, size
    if held_in == quote:
        side = Side.SHORT
        owed = fields.required("liab")
        if owed is None:
            return None
        if owed_in != base or not owed:
            fields.find(FindingCode.FIELD_DAMAGED, f"a short that owes {owed} of liabCcy {owed_in!r}")
            return None
        quantity = abs(owed)
    notional = quantity if currency == base else None if mark is None else quantity * mark
    return Exposure(side=side, quantity=quantity, notional=notional, kind=ContractKind.LINEAR, in_pairs=True)


def option(size: Decimal, fields: Fields) -> Exposure | None:
    """Read an option, valued by its delta and not by its face; unknown where no delta is stated.

    `deltaBS` is documented "in dollars", which may be what a dollar's move is worth or a value: read as coins
    while it could be (a delta is never more than the coins of the face), else as dollars. The larger reading
    is taken, so that exposure is not understated. Coins of the face are `notionalUsd` / `idxPx`.

    Source: OKX docs, Get positions (`deltaBS`, `deltaPA`, `notionalUsd`, `idxPx`, `usdPx`).
    """
    found = _side(size, fields)
    if found is None:
        return None
    side, hedged = found
    return Exposure(
        side=side,
        quantity=abs(size),
        notional=_delta_notional(fields),
        delta=_delta_in_coins(fields),
        kind=ContractKind.LINEAR,
        hedged=hedged,
        is_option=True,
    )


def _delta_notional(fields: Fields) -> Decimal | None:
    """Return the value of an option's delta, in its margin currency."""
    delta, face, index, rate = (
        fields.optional(name) for name in ("deltaBS", "notionalUsd", "idxPx", "usdPx")
    )
    if delta is None or face is None or not index or index < 0 or not rate or rate < 0:
        return None
    coins = abs(face) / index
    dollars = abs(delta) * index if abs(delta) <= coins else abs(delta)
    return dollars / rate


def _delta_in_coins(fields: Fields) -> Decimal | None:
    """Return an option's signed delta in coins, by the same reading; `None` where a figure is missing."""
    delta, face, index = (fields.optional(name) for name in ("deltaBS", "notionalUsd", "idxPx"))
    if delta is None or face is None or not index or index < 0:
        return None
    return delta if abs(delta) <= abs(face) / index else delta / index


def _side(size: Decimal, fields: Fields) -> tuple[Side, bool] | None:
    """Return side and whether it is a leg: in net mode the sign is the side, otherwise `posSide` is."""
    word = fields.text("posSide") or "net"
    if word == "net":
        return (Side.LONG if size > 0 else Side.SHORT), False
    if word not in SIDES:
        fields.find(FindingCode.FIELD_DAMAGED, f"posSide {word!r} is not known")
        return None
    return SIDES[word], True
