"""How far prices may move: each answer is checked by moving them there and judging the account anew."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from brokers.models import (
    AccountSnapshot,
    Collateral,
    ContractKind,
    MarginMode,
    Measure,
    Position,
    RiskUnit,
    Side,
    Symbol,
    UnitKind,
)
from daemon.risk.picture import picture
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.prices import liquidation_price_linear
from daemon.risk.shock import Shock, largest_underlying, shocks

D = Decimal
BUILD = Any
POLICY = MarginPolicy()


def shocks_of(snapshot: AccountSnapshot, policy: MarginPolicy = POLICY) -> tuple[Shock, ...]:
    return tuple(one for unit in picture(snapshot) for one in shocks(unit, snapshot, policy))


def moved(build: BUILD, equity: Decimal, rows: list[Any], shock: Shock) -> AccountSnapshot:
    """Return the book after the shock: marks moved, PnL in the equity, margins at their rates of the mark."""
    after = [
        replace(row, mark=str(D(row.mark) * (1 + shock.move)))
        if shock.underlying in {None, row.symbol.removesuffix("USDT")}
        else row
        for row in rows
    ]
    gained = sum((now.pnl - before.pnl for before, now in zip(rows, after, strict=True)), D(0))
    return build.book(equity + gained, after)


def test_a_long_falls_to_each_level(build: BUILD) -> None:
    found = shocks_of(build.book(20_000))  # one BTC at 50,000: utilization 25 %, maintenance 12.5 %

    alone = {shock.level: shock.move for shock in found if shock.underlying == "BTC"}
    # 5,000 (1 + m) = 0.9 (20,000 + 50,000 m) at m = -13,000 / 40,000
    assert alone[Level.LIQUIDATION] == D(-13_000) / D(40_000)
    assert alone[Level.WARNING] > alone[Level.CRITICAL] > alone[Level.LIQUIDATION]
    assert {shock.level: shock.move for shock in found if shock.underlying is None} == alone


def test_at_a_ladder_of_one_the_move_is_the_published_liquidation_price(build: BUILD) -> None:
    """A long of 1 BTC from 50,000 over 10,000: the price at which equity is the maintenance margin."""
    row = build.Row(maintenance="0.004", initial=None)
    nearly = replace(POLICY.maintenance, liquidation=D("0.999999999"))
    unit = {"initial_margin": None, "available_margin": None, "measures": frozenset({Measure.MAINTENANCE})}
    (shock,) = (
        one
        for one in shocks_of(build.book(10_000, [row], unit=unit), replace(POLICY, maintenance=nearly))
        if one.level is Level.LIQUIDATION and one.underlying == "BTC"
    )

    price = liquidation_price_linear(
        Side.LONG, quantity=D(1), entry_price=D(50_000), collateral=D(10_000), maintenance_rate=D("0.004")
    )
    assert price is not None
    assert abs(50_000 * (1 + shock.move) - price) < D("0.001")


def test_a_short_rises_to_its_levels(build: BUILD) -> None:
    found = shocks_of(build.book(20_000, [build.Row(side=Side.SHORT)]))

    assert found
    assert all(shock.move > 0 for shock in found)


def test_a_hedge_stands_any_common_move_and_not_one_of_a_leg(build: BUILD) -> None:
    rows = [
        build.Row(),
        build.Row(symbol="ETHUSDT", side=Side.SHORT, quantity="20", mark="2500", entry="2500"),
    ]
    found = shocks_of(build.book(20_000, rows))

    together = [shock.move for shock in found if shock.underlying is None]
    alone = [shock.move for shock in found if shock.underlying is not None]
    assert min(map(abs, together), default=D(10)) > max(map(abs, alone))


def test_the_largest_underlying_is_by_net_notional(build: BUILD) -> None:
    rows = [
        build.Row(quantity="2"),
        build.Row(side=Side.SHORT, quantity="1.5", hedged=True),
        build.Row(symbol="ETHUSDT", quantity="20", mark="2500", entry="2500"),
    ]
    snapshot = build.book(40_000, rows)

    assert largest_underlying(picture(snapshot)[0], snapshot) == "ETH"


def test_collateral_in_the_underlying_moves_along(build: BUILD) -> None:
    coins = Collateral(currency="BTC", wallet_balance=D(1), equity=D(1), value=D(50_000))
    dollars = Collateral(currency="USDT", wallet_balance=D(9), equity=D(9), value=D(9))
    plain = shocks_of(build.book(30_000))
    backed = shocks_of(build.book(30_000, collaterals=[coins, dollars]))

    assert plain[0].move == D(-16_000) / D(30_000)  # 5,000 (1 + m) = 0.7 (30,000 + 50,000 m)
    assert backed[0].move == D(-16_000) / D(65_000)  # ... + 50,000 m of the coin


def test_a_coins_own_unit_falls_faster_than_its_coin(build: BUILD) -> None:
    """10,000 contracts of 1 USD long at 50,000: worth 0.2 BTC, and more coin the lower the price."""
    position = Position(
        symbol=Symbol("BTCUSD"),
        unit="BTC",
        side=Side.LONG,
        quantity=D(10_000),
        settle="BTC",
        kind=ContractKind.INVERSE,
        margin_mode=MarginMode.CROSS,
        hedged=False,
        entry_price=D(50_000),
        mark_price=D(50_000),
        notional=D("0.2"),
        initial_margin=D("0.02"),
        maintenance_margin=D("0.01"),
        unrealized_pnl=D(0),
    )
    unit = RiskUnit(
        key="BTC",
        kind=UnitKind.CURRENCY,
        currency="BTC",
        margin_equity=D("0.05"),
        initial_margin=D("0.02"),
        maintenance_margin=D("0.01"),
        available_margin=D("0.03"),
    )
    rules = replace(build.rules("BTCUSDT"), symbol=Symbol("BTCUSD"), settle="BTC", kind=ContractKind.INVERSE)
    found = shocks_of(build.snapshot(units=[unit], positions=[position], markets=[rules]))
    (shock,) = (one for one in found if one.level is Level.LIQUIDATION and one.underlying == "BTC")

    price = 50_000 * (1 + shock.move)
    worth = D(10_000) / price
    equity = D("0.05") + D("0.2") - worth  # N/entry - N/price
    assert shock.move < 0
    assert abs(max(worth / 10 / equity / D("0.9"), worth / 20 / equity / D("0.8")) - 1) < D("1e-20")


def test_margins_that_no_position_states_move_by_their_share_of_the_notional(build: BUILD) -> None:
    """A short meets a margin that grows with the price: left out, it would seem to stand more."""
    stated = build.book(20_000, [build.Row(side=Side.SHORT)])
    bare = tuple(replace(p, initial_margin=None, maintenance_margin=None) for p in stated.positions)

    assert shocks_of(replace(stated, positions=bare)) == shocks_of(stated)


def test_a_position_without_a_price_makes_no_promise(build: BUILD) -> None:
    snapshot = build.book(20_000)
    blind = replace(snapshot, positions=(replace(snapshot.positions[0], notional=None),))

    assert shocks_of(blind) == ()
    assert shocks_of(replace(snapshot, markets={})) == ()


ROWS = st.builds(
    lambda symbol, side, quantity, entry: (symbol, side, str(quantity), str(entry)),
    st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT"]),
    st.sampled_from(list(Side)),
    st.decimals("0.1", "20", places=1),
    st.integers(80, 120),
)


@given(
    rows=st.lists(ROWS, min_size=1, max_size=5, unique_by=lambda row: row[:2]), equity=st.integers(10, 5_000)
)
def test_the_move_leads_exactly_there_and_no_smaller_one_does(
    build: BUILD, rows: list[tuple[str, Side, str, str]], equity: int
) -> None:
    book = [
        build.Row(symbol=symbol, side=side, quantity=quantity, mark="100", entry=entry, hedged=True)
        for symbol, side, quantity, entry in rows
    ]
    found = shocks_of(build.book(equity, book))
    assume(found)

    for shock in found:
        there = build.judge(moved(build, D(equity), book, shock))
        ladders = ((there.utilization, POLICY.utilization), (there.maintenance_ratio, POLICY.maintenance))
        nearest = max((ratio or D(0)) / ladder.threshold(shock.level) for ratio, ladder in ladders)
        assert abs(nearest - 1) < D("1e-18")
        short_of_it = replace(shock, move=shock.move * D("0.999"))
        assert build.judge(moved(build, D(equity), book, short_of_it)).level < shock.level


@pytest.mark.parametrize("equity", [50_000, 4_000])
def test_a_level_that_is_reached_has_no_move(build: BUILD, equity: int) -> None:
    level = build.judge(build.book(equity)).level

    assert all(shock.level > level for shock in shocks_of(build.book(equity)))
