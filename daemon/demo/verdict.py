"""What the demo proves: the same market without and with margind, from the venues' own books."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from brokers.numbers import ONE
from brokers.sandbox.history import Actor, Filled, LiquidationStarted, Transferred
from daemon.risk.scorecard import Scorecard, lines
from database.records import Event, Intent

OUT_OF_DANGER = frozenset({"safe", "warning"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one account ended in one copy of the market, in USD, by the venue's own books.

    `fees` are those of the orders margind sent. `moved_in` came from the account's own funding wallet.
    """

    equity_before: Decimal
    equity_after: Decimal
    moved_in: Decimal
    liquidations: int
    fees: Decimal

    @property
    def lost(self) -> Decimal:
        """What the account is worth less."""
        return self.equity_before + self.moved_in - self.equity_after


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountVerdict:
    """One account, alone and guarded, and what margind did for it."""

    account: str
    alone: Ending
    guarded: Ending
    orders: tuple[Intent, ...]
    last: Mapping[str, Any]

    @property
    def is_protected(self) -> bool:
        """Never liquidated by the venue, seen to the end, and not left in danger."""
        return (
            self.guarded.liquidations == 0
            and self.last.get("protection") == "protected"
            and self.last.get("level") in OUT_OF_DANGER
        )

    @property
    def slippage(self) -> Decimal:
        """What the fills of its orders cost against mark, where journaled, in settle currency."""
        return sum((order.slippage for order in self.orders if order.slippage is not None), Decimal(0))

    @property
    def cost(self) -> Decimal:
        """Fees and slippage together."""
        return self.guarded.fees + self.slippage


def ending(
    account: str, before: Mapping[str, Any], after: Mapping[str, Any], events: Iterable[Mapping[str, Any]]
) -> Ending:
    """Return how an account ended, from the venue's figures and its history."""
    own = [event for event in events if event["account"] == account]
    dollars = {coin["currency"]: Decimal(coin["usd_price"]) for coin in after["coins"]}
    settles = {held["symbol"]: held["settle"] for held in (*before["positions"], *after["positions"])}
    return Ending(
        equity_before=_equity(before),
        equity_after=_equity(after),
        moved_in=sum(
            (
                Decimal(e["amount"]) * dollars[e["currency"]]
                for e in own
                if e["event"] == Transferred.__name__ and e["target"] == "trading"
            ),
            Decimal(0),
        ),
        liquidations=sum(event["event"] == LiquidationStarted.__name__ for event in own),
        fees=sum(
            (
                Decimal(e["fill"]["fee"]) * dollars.get(settles.get(e["fill"]["symbol"], ""), ONE)
                for e in own
                if e["event"] == Filled.__name__ and e["actor"] == Actor.API
            ),
            Decimal(0),
        ),
    )


def _equity(figures: Mapping[str, Any]) -> Decimal:
    return sum((Decimal(coin["usd_value"]) for coin in figures["coins"]), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All that the demo tells at its end. `watched` is the scorecard of the market where nobody acted."""

    verdicts: Sequence[AccountVerdict]
    transfers: Sequence[Event]
    watched: Scorecard
    started_at: datetime
    places: Mapping[str, str]


def print_verdicts(console: Console, summary: Summary) -> None:
    """Print the summary: accounts, orders and transfers with their reasons, the scorecard, where all lies."""
    verdicts, started_at = summary.verdicts, summary.started_at
    console.print()
    console.print("The same fall, without and with margind (USD):")
    console.print(_accounts(verdicts))
    orders = [order for verdict in verdicts for order in verdict.orders]
    if orders:
        console.print()
        console.print("Every order, as journaled before it was sent:")
        console.print(_orders(sorted(orders, key=lambda order: order.created_at), started_at))
    if summary.transfers:
        console.print()
        console.print("Moved in from the accounts' own funding wallets, as journaled before it was sent:")
        console.print(_transfers(summary.transfers, started_at))
    console.print()
    console.print("Where margind only watched, it says of itself (every excursion of every risk unit):")
    for line in lines(summary.watched):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print()
    for name, place in summary.places.items():
        console.print(f"{name:<9}{place}", markup=False, soft_wrap=True)
    console.print()
    unprotected = [verdict.account for verdict in verdicts if not verdict.is_protected]
    if unprotected:
        console.print(f"NOT PROTECTED: {', '.join(unprotected)}")
        return
    saved = sum((verdict.alone.lost - verdict.guarded.lost for verdict in verdicts), Decimal(0))
    cost = sum((verdict.cost for verdict in verdicts), Decimal(0))
    liquidated = sum(verdict.alone.liquidations > 0 for verdict in verdicts)
    console.print(
        f"Every account was protected. Alone, the venues liquidated {liquidated} of {len(verdicts)}. "
        f"margind's {len(orders)} orders cost {cost:,.0f} USD "
        f"and left {abs(saved):,.0f} USD {'more' if saved >= 0 else 'less'}."
    )


def _accounts(verdicts: Sequence[AccountVerdict]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in (
        "account",
        "alone: liquidated",
        "alone: lost",
        "guarded: lost",
        "orders",
        "fees and slippage",
        "moved in",
        "ends at",
    ):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "account" else "right")
    for verdict in verdicts:
        alone, guarded = verdict.alone, verdict.guarded
        level = str(verdict.last.get("level", "?")).upper()
        table.add_row(
            verdict.account,
            "no" if not alone.liquidations else "yes",
            f"{alone.lost:,.0f}",
            f"{guarded.lost:,.0f}",
            str(len(verdict.orders)),
            f"{verdict.cost:,.2f}",
            f"{guarded.moved_in:,.0f}",
            level if verdict.is_protected else f"{level} NOT PROTECTED",
        )
    return table


def _transfers(transfers: Sequence[Event], started_at: datetime) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("at", "account", "amount", "state"):
        table.add_column(heading, no_wrap=True)
    for event in transfers:
        told = event.detail
        at = (datetime.fromisoformat(told["created_at"]) - started_at).total_seconds()
        amount = f"{Decimal(told['amount']):,.2f} {told['currency']}"
        table.add_row(f"{at:5.1f} s", event.account, amount, told["state"])
    return table


def _orders(orders: Sequence[Intent], started_at: datetime) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("at", "account", "order", "limit", "filled", "average", "slippage", "state", "reason"):
        table.add_column(heading, no_wrap=True)
    for order in orders:
        at = (order.created_at - started_at).total_seconds()
        table.add_row(
            f"{at:5.1f} s",
            order.account,
            f"close {order.quantity} of {order.quantity_before} {order.symbol} {order.side}",
            "market" if order.limit_price is None else f"{order.limit_price}",
            "-" if order.filled is None else f"{order.filled}",
            "-" if order.average_price is None else f"{order.average_price:.2f}",
            "-" if order.slippage is None else f"{order.slippage:.2f}",
            order.state.value,
            order.reason,
        )
    return table
