"""What a risk unit has lost since its UTC day began; money moved in or out is neither loss nor profit.

Theory of operation. The day begins with the equity of its first picture that may be acted upon. What is lost
since is `began_with + moved - equity`, where `moved` is what came in (went out, if negative) without a trade.
No venue tells that within a picture, and a ledger call per poll would cost more than the picture. So between
any two good pictures the change of equity is explained, and what no explanation is left for was moved:

    residual = change of (equity - unrealized PnL)            what the venue booked
             - realized                                       for positions that changed: held x (mark - mark
                                                              before) - change of their unrealized PnL
             - revalued                                       coins held before x change of their price

    bound    = FLOOR of the equity                            fees, interest, trades opened and closed between
             + SLIP of the notional traded                    a fill is not at the mark that the picture shows
             + HAIRCUT of the revaluation                     equity may count a coin at less than its price
             + FUNDING of the notional held                   where an hour ended between the pictures

    |residual| <= bound       profit or loss
    beyond it, no trade       moved; each is told
    beyond it, after trades   in doubt: coming in it was moved, going out it was lost, for the alarm; whatever
                              is in doubt counts as not lost where margind would act

Of a transfer of our own the journal knows the amount: it is taken out where that leaves less to explain. The
error: money moved that is smaller than the bound counts as profit or loss; a loss beyond the bound, made by
trades that began and ended between two pictures, counts as moved, and is told as that.

A unit with isolated positions under it is measured without them, and never acted upon for it: what venues
count into it then differs. Where a figure of the explanation is missing there is no measure, never a guess.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from brokers.models import AccountSnapshot, Collateral, ContractKind, Position, RiskUnit, Side, UnitKind
from brokers.numbers import ZERO
from daemon.risk.margin import unrealized_pnl
from daemon.risk.picture import DOLLARS, settle_rate

FLOOR = Decimal("0.001")
SLIP = Decimal("0.05")
HAIRCUT = Decimal("0.25")
FUNDING = Decimal("0.005")

Name = str
"""A position's symbol, side and margin mode in one word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One position of a mark: amounts as the position's, `pnl` and `notional` in the unit's currency."""

    kind: ContractKind
    side: Side
    quantity: Decimal
    entry: Decimal | None
    price: Decimal
    size: Decimal
    rate: Decimal
    pnl: Decimal
    notional: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """One currency that backs the unit: how much of it, and its price in the unit's currency."""

    balance: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one good picture shows of a unit, in its currency. `is_mixed`: isolated positions are under it."""

    at: datetime
    equity: Decimal
    pnl: Decimal
    holdings: Mapping[Name, Holding]
    coins: Mapping[str, Coin]
    is_mixed: bool = False

    @property
    def booked(self) -> Decimal:
        """What the venue has booked: equity without what positions would bring if closed now."""
        return self.equity - self.pnl


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A unit's day: what it began with, what was moved since, what of the loss is in doubt, the last mark.

    `over_since` is when the loss was first seen beyond the limit without a break, `is_over` that it was
    confirmed by a second picture.
    """

    date: date
    began_with: Decimal
    last: Mark
    moved: Decimal = ZERO
    doubt: Decimal = ZERO
    is_mixed: bool = False
    over_since: datetime | None = None
    is_over: bool = False
    seen: frozenset[str] = frozenset()

    @property
    def base(self) -> Decimal:
        """What a share of the day's equity is a share of."""
        return self.began_with + self.moved

    @property
    def loss(self) -> Decimal:
        """What was lost, with whatever is in doubt; negative: gained."""
        return self.base - self.last.equity

    @property
    def proven(self) -> Decimal:
        """What was lost beyond doubt."""
        return self.loss - self.doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What cannot be explained by prices and trades: `amount` came in (negative: went out)."""

    amount: Decimal
    in_doubt: bool
    transfer: str | None = None


def mark_of(snapshot: AccountSnapshot, unit: RiskUnit) -> Mark | None:
    """Return what a picture shows of `unit`; `None`: a figure of the explanation is missing."""
    if unit.margin_equity is None:
        return None
    holdings: dict[Name, Holding] = {}
    for position in snapshot.positions_of(unit.key):
        holding = _holding(position, unit, snapshot)
        if holding is None:
            return None
        holdings["/".join(position.key)] = holding
    coins = _coins(snapshot.collaterals, unit)
    if coins is None:
        return None
    pnl = unit.unrealized_pnl
    return Mark(
        at=snapshot.fetched_at,
        equity=unit.margin_equity,
        pnl=sum((one.pnl for one in holdings.values()), ZERO) if pnl is None else pnl,
        holdings=holdings,
        coins=coins,
        is_mixed=any(other.parent == unit.key for other in snapshot.units),
    )


def _holding(position: Position, unit: RiskUnit, snapshot: AccountSnapshot) -> Holding | None:
    rules = snapshot.markets.get(position.symbol)
    rate = settle_rate(position, unit.currency, snapshot.collaterals)
    price, pnl, notional = position.mark_price, position.unrealized_pnl, position.notional
    if rules is None or rate is None or price is None or price <= 0 or pnl is None or notional is None:
        return None
    if not position.reducible:
        return None  # an option: its worth is equity and no unrealized PnL
    return Holding(
        kind=position.kind,
        side=position.side,
        quantity=position.quantity,
        entry=position.entry_price,
        price=price,
        size=rules.contract_size,
        rate=rate,
        pnl=pnl * rate,
        notional=notional * rate,
    )


def _coins(rows: Iterable[Collateral], unit: RiskUnit) -> dict[str, Coin] | None:
    """Return the coins whose price moves the unit's equity; `None`: one of them has no known price."""
    coins: dict[str, Coin] = {}
    if unit.kind is not UnitKind.ACCOUNT:
        return coins
    for row in rows:
        balance = row.wallet_balance if row.wallet_balance is not None else row.equity
        if row.unit not in {None, unit.key} or row.currency == unit.currency or not balance:
            continue
        if row.value is not None and row.equity:
            coins[row.currency] = Coin(balance=balance, price=row.value / row.equity)
        elif not {row.currency, unit.currency} <= DOLLARS:
            return None
    return coins


def begin(mark: Mark) -> Day:
    """Return the day that begins with `mark`."""
    return Day(date=mark.at.date(), began_with=mark.equity, last=mark, is_mixed=mark.is_mixed)


def follow(day: Day, mark: Mark, transfers: Mapping[str, Decimal]) -> tuple[Day, Move | None]:
    """Return the day after one more mark of it, and what was moved; `transfers` are ours under way, by id."""
    expected = {one: amount for one, amount in transfers.items() if one not in day.seen}
    move = moved_between(day.last, mark, expected)
    day = replace(day, last=mark, is_mixed=day.is_mixed or mark.is_mixed)
    if move is None:
        return day, None
    if move.transfer is not None:
        day = replace(day, seen=day.seen | {move.transfer})
    if not move.in_doubt:
        return replace(day, moved=day.moved + move.amount), move
    came = max(move.amount, ZERO)
    return replace(day, moved=day.moved + came, doubt=day.doubt + abs(move.amount)), move


def moved_between(old: Mark, new: Mark, transfers: Mapping[str, Decimal]) -> Move | None:
    """Return what was moved in or out between two marks; `None`: prices and trades explain the change."""
    changed = [name for name in {**old.holdings, **new.holdings} if _differs(old, new, name)]
    revalued = sum((_revalued(coin, new.coins.get(name)) for name, coin in old.coins.items()), ZERO)
    residual = new.booked - old.booked - revalued
    residual -= sum((_realized(old.holdings.get(name), new.holdings.get(name)) for name in changed), ZERO)
    traded = sum((_traded(old.holdings.get(name), new.holdings.get(name)) for name in changed), ZERO)
    bound = FLOOR * abs(old.equity) + SLIP * traded + HAIRCUT * abs(revalued)
    if new.at.replace(minute=0, second=0, microsecond=0) > old.at:
        bound += FUNDING * sum((one.notional for one in old.holdings.values()), ZERO)
    own = min(transfers, key=lambda one: abs(residual - transfers[one]), default=None)
    if own is not None and abs(residual - transfers[own]) <= min(bound, abs(residual)):
        return Move(amount=transfers[own], in_doubt=False, transfer=own)
    if abs(residual) <= bound:
        return None
    return Move(amount=residual, in_doubt=bool(changed))


def _differs(old: Mark, new: Mark, name: Name) -> bool:
    before, after = old.holdings.get(name), new.holdings.get(name)
    return before is None or after is None or (before.quantity, before.entry) != (after.quantity, after.entry)


def _revalued(before: Coin, after: Coin | None) -> Decimal:
    return ZERO if after is None else before.balance * (after.price - before.price)


def _realized(before: Holding | None, after: Holding | None) -> Decimal:
    """Return what was booked for a position that changed, were it traded at the later mark."""
    if before is None:
        return ZERO
    if after is None:
        return before.pnl
    earned = before.rate * unrealized_pnl(
        before.kind,
        before.side,
        quantity=before.quantity,
        contract_size=before.size,
        entry_price=before.price,
        mark_price=after.price,
    )
    return earned - (after.pnl - before.pnl)


def _traded(before: Holding | None, after: Holding | None) -> Decimal:
    """Return the notional that was traded at least; the whole one where only the entry price changed."""
    if before is None or after is None:
        one = before or after
        return ZERO if one is None else one.notional
    change = abs(after.quantity - before.quantity) or before.quantity
    return before.notional * change / before.quantity
