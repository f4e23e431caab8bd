"""Deltas against published contract figures, and the difference quotient of the PnL."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import Collateral, ContractKind, Side
from daemon.risk.delta import Delta, UnknownDelta, balance_delta, position_delta, quantity_delta
from daemon.risk.margin import unrealized_pnl
from tests.daemon.risk.conftest import Build as Make

Build = Any
D = Decimal
INVERSE = ContractKind.INVERSE

LINEAR = ContractKind.LINEAR


@dataclass(frozen=True, kw_only=True)
class Published:
    """A venue's contract, so many of them, and the coins that makes at mark."""

    base: str = "BTC"
    kind: ContractKind
    size: str
    quantity: str
    mark: str = "60000"
    coins: str


PUBLISHED = {
    "bybit BTCUSDT, orders in BTC": Published(kind=LINEAR, size="1", quantity="1.5", coins="1.5"),
    "okx BTC-USDT-SWAP, ctVal 0.01 BTC": Published(kind=LINEAR, size="0.01", quantity="150", coins="1.5"),
    "cryptocom BTCUSD-PERP, in BTC": Published(kind=LINEAR, size="1", quantity="0.25", coins="0.25"),
    "coinbase BIT, a hundredth of BTC": Published(kind=LINEAR, size="0.01", quantity="7", coins="0.07"),
    "bybit BTCUSD, 1 USD": Published(kind=INVERSE, size="1", quantity="60000", coins="1"),
    "okx BTC-USD-SWAP, ctVal 100 USD": Published(
        kind=INVERSE, size="100", quantity="600", mark="50000", coins="1.2"
    ),
    "binance BTCUSD_PERP, 100 USD": Published(
        kind=INVERSE, size="100", quantity="600", mark="75000", coins="0.8"
    ),
    "binance ETHUSD_PERP, 10 USD": Published(
        base="ETH", kind=INVERSE, size="10", quantity="400", mark="4000", coins="1"
    ),
    "kraken PI_XBTUSD, 1 USD": Published(base="XBT", kind=INVERSE, size="1", quantity="30000", coins="0.5"),
}


@pytest.mark.parametrize("case", PUBLISHED.values(), ids=PUBLISHED.keys())
@pytest.mark.parametrize("side", list(Side))
def test_a_position_is_worth_its_contracts(build: Build, side: Side, case: Published) -> None:
    rules = build.rules("XUSDT", base=case.base, kind=case.kind, contract_size=D(case.size))
    row = build.Row(symbol="XUSDT", quantity=case.quantity, mark=case.mark, side=side)
    found = position_delta(row.position(kind=case.kind), rules)
    assert isinstance(found, Delta)
    assert found.base == ("BTC" if case.base == "XBT" else case.base)
    assert found.amount == (D(case.coins) if side is Side.LONG else -D(case.coins))
    assert round(found.per_quantity * D(case.quantity), 20) == D(case.coins)


def test_an_inverse_delta_grows_as_the_price_falls(build: Build) -> None:
    rules = build.rules("XUSDT", kind=INVERSE, contract_size=D(1))
    each = [quantity_delta(rules, D(mark)) for mark in (80000, 40000)]
    assert each == [D("0.0000125"), D("0.000025")]


@given(
    kind=st.sampled_from(list(ContractKind)),
    side=st.sampled_from(list(Side)),
    size=st.sampled_from([D("0.01"), D(1), D(100)]),
    quantity=st.integers(1, 10_000),
    mark=st.integers(1_000, 200_000),
)
def test_it_is_what_the_pnl_moves_by_per_price(
    kind: ContractKind, side: Side, size: Decimal, quantity: int, mark: int
) -> None:
    """Entered at mark, one dollar of price is worth `delta` dollars (an inverse PnL is in coin, at mark)."""
    rules = Make.rules("XUSDT", kind=kind, contract_size=size)
    position = Make.Row(symbol="XUSDT", quantity=str(quantity), mark=str(mark), side=side).position(kind=kind)
    found = position_delta(position, rules)
    assert isinstance(found, Delta)
    step, at = D("0.0001"), D(mark)
    pnl = unrealized_pnl(
        kind, side, quantity=D(quantity), contract_size=size, entry_price=at, mark_price=at + step
    )
    dollars = pnl if kind is ContractKind.LINEAR else pnl * (at + step)
    assert abs(dollars / step - found.amount) <= abs(found.amount) * D("1e-15")


def test_what_nobody_states_is_not_known(build: Build) -> None:
    rules = build.rules("XUSDT", kind=INVERSE)
    row = build.Row(symbol="XUSDT").position(kind=INVERSE)
    assert position_delta(row, None) == UnknownDelta(why="XUSDT: no market rules")
    assert position_delta(replace(row, mark_price=None), rules) == UnknownDelta(why="XUSDT: no mark price")
    option = replace(row, reducible=False)
    assert position_delta(option, rules) == UnknownDelta(why="XUSDT: the venue states no delta")


def test_a_venues_own_delta_counts(build: Build) -> None:
    """A put that is held has a negative delta, whatever its side is called."""
    option = build.Row(quantity="4").position(reducible=False, delta=D("-0.6"))
    assert position_delta(option, build.rules()) == Delta(
        base="BTC", amount=D("-0.6"), per_quantity=D("0.15")
    )


def test_a_balance_is_what_is_held_less_what_is_owed() -> None:
    held = Collateral(currency="XBT", wallet_balance=D(2), equity=D("1.5"), debt=D("0.5"))
    assert balance_delta(held) == Delta(base="BTC", amount=D("1.5"), per_quantity=D(1))
    unknown = replace(held, equity=None)
    assert balance_delta(unknown) == UnknownDelta(why="XBT: the balance is not known")
