"""Accounts that borrow to trade spot: a whole account in spot mode, and positions in pairs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import MarginMode, Measure, OrderSide, Position, Side, Symbol, UnitKind
from brokers.orders import ReduceOrder, Repayment, Verdict
from brokers.port import Broker
from brokers.sandbox.engine import Engine
from brokers.sandbox.scenarios import calm
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.spec import AccountSpec, MarginPool, OpeningPosition, OpeningWallet, SandboxSpec
from brokers.sandbox.venues import OKX_PAIRS, VENUES

pytestmark = pytest.mark.wire

Open = Callable[..., Awaitable[Broker]]
PAIR = Symbol("BTC-USDT")
LISTED = OKX_PAIRS["BTC-USDT"]


def account(name: str, **more: Any) -> AccountSpec:  # noqa: ANN401 - fields of the account
    return AccountSpec(name=name, api_key=name, secret=f"secret-{name}", password=f"pass {name}", **more)


SPOT = {
    "debtor": {
        "BTC": OpeningWallet(balance=Decimal(1)),
        "USDT": OpeningWallet(balance=Decimal(0), borrowed=Decimal(40_000), interest=Decimal(7)),
    },
    "owner": {"BTC": OpeningWallet(balance=Decimal(1))},
    "payer": {
        "BTC": OpeningWallet(balance=Decimal(1)),
        "USDT": OpeningWallet(balance=Decimal(10_000), borrowed=Decimal(40_000)),
    },
}


@pytest.fixture
def spec() -> SandboxSpec:
    """The shipped venue, with three accounts in spot mode and one that is short of a pair."""
    short = OpeningPosition(
        symbol=LISTED, side=Side.SHORT, quantity=Decimal("0.5"), margin_mode=MarginMode.ISOLATED
    )
    return SandboxSpec(
        instruments=VENUES["okx"].instruments,
        assets=VENUES["okx"].assets,
        rules=VENUES["okx"].rules,
        scenario=calm(noise=0.0),
        accounts=(
            *(account(name, wallets=wallets) for name, wallets in SPOT.items()),
            account(
                "short",
                wallets={"USDT": OpeningWallet(balance=Decimal(20_000))},
                margin_pool=MarginPool.CURRENCY,
                positions=(short,),
            ),
        ),
    )


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[SandboxServer]:
    modes = {**dict.fromkeys(SPOT, "spot"), "short": "futures"}
    async with SandboxServer(VENUES["okx"].build(engine, modes)) as running:
        yield running


async def test_a_debt_is_judged_by_the_venues_own_ratio_and_cannot_be_cut(
    server: SandboxServer, engine: Engine, open_at: Open
) -> None:
    broker = await open_at(server, "debtor")
    for fall in ("1", "0.9", "0.85"):
        engine.move_price("BTC", Decimal(fall))
        snapshot = await broker.fetch_snapshot()
        (unit,), pool = snapshot.units, engine.figures("debtor").pool("account")
        assert (snapshot.positions, snapshot.findings) == ((), ())
        assert snapshot.mode.label == "spot mode, borrowing"
        assert (unit.kind, unit.measures) == (UnitKind.ACCOUNT, frozenset(Measure))
        assert (unit.margin_equity, unit.available_margin) == (pool.margin_balance, None)
        assert (unit.initial_margin, unit.maintenance_margin) == (
            pool.initial_margin,
            pool.maintenance_margin,
        )
        assert abs(unit.venue_ratio - pool.ratio) < Decimal("1e-6")
    usdt = next(one for one in snapshot.collaterals if one.currency == "USDT")
    assert (usdt.debt, usdt.interest) == (40_000, 7)
    assert unit.venue_ratio > Decimal("0.3"), "the fall was worth looking at"


async def test_a_debt_is_given_back_out_of_what_is_there(
    server: SandboxServer, engine: Engine, open_at: Open
) -> None:
    broker = await open_at(server, "payer")
    owed = next(one for one in (await broker.fetch_snapshot()).collaterals if one.currency == "USDT")
    assert (owed.debt, owed.repayable) == (40_000, 10_000)
    given = Repayment(unit="account", currency="USDT", amount=Decimal(4_000), client_id="0" * 32)
    assert (await broker.repay(given)).verdict is Verdict.ACCEPTED
    snapshot = await broker.fetch_snapshot()
    left = next(one for one in snapshot.collaterals if one.currency == "USDT")
    assert (left.debt, left.repayable) == (36_000, 6_000)
    (unit,), pool = snapshot.units, engine.figures("payer").pool("account")
    assert (unit.initial_margin, unit.maintenance_margin) == (pool.initial_margin, pool.maintenance_margin)
    assert pool.maintenance_margin == 36_000 * Decimal("0.04")


async def test_who_owes_nothing_owns_cash(server: SandboxServer, open_at: Open) -> None:
    snapshot = await (await open_at(server, "owner")).fetch_snapshot()
    (unit,) = snapshot.units
    assert (unit.kind, unit.measures, snapshot.findings) == (UnitKind.CASH, frozenset(), ())
    assert unit.margin_equity == 60_000


async def test_a_short_is_bought_back_to_the_last_coin_and_no_further(
    server: SandboxServer,
    engine: Engine,
    open_at: Open,
    position_of: Callable[..., Awaitable[Position]],
    reduce: Callable[..., ReduceOrder],
) -> None:
    broker = await open_at(server, "short")
    engine.move_price("BTC", Decimal("1.03"))
    position = await position_of(broker, PAIR, Side.SHORT)
    assert (position.quantity, position.margin_mode) == (Decimal("0.5"), MarginMode.ISOLATED)
    report = await broker.submit(reduce(broker, position, "0.5"))
    assert report.verdict is Verdict.ACCEPTED
    (sent,) = engine.orders("short")
    assert (sent.side, sent.quantity, sent.filled) == (OrderSide.BUY, Decimal("0.5"), Decimal("0.5"))
    assert sent.spec.price == (position.mark_price * Decimal("1.01")).quantize(Decimal("0.1"), "ROUND_FLOOR")
    assert engine.figures("short").positions == ()
    after = await broker.fetch_snapshot()
    assert (after.positions, after.findings) == ((), ())
    found = await broker.find_order(report.client_order_id, PAIR)
    assert found is not None
    assert found.filled == Decimal("0.5")


async def test_the_wire_counts_a_market_buy_of_a_pair_in_quote_currency(
    server: SandboxServer, engine: Engine, open_at: Open
) -> None:
    broker = await open_at(server, "short")
    body = {"instId": "BTC-USDT", "tdMode": "isolated", "side": "buy", "ordType": "market", "sz": "6000"}
    refused = await broker.transport.write("privatePostTradeOrder", body)
    assert (refused.code, engine.orders("short")) == ("51000", ()), "without the margin currency"
    await broker.transport.write("privatePostTradeOrder", {**body, "ccy": "USDT", "reduceOnly": True})
    (bought,) = engine.orders("short")
    assert Decimal("0.0999") <= bought.filled <= Decimal("0.1")


async def test_the_wire_prints_a_short_as_okx_does(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server, "short")
    answer = await broker.transport.read("privateGetAccountPositions", {"instType": "MARGIN"})
    (row,) = answer["data"]
    names = ("instId", "instType", "posSide", "posCcy", "liab", "liabCcy", "ccy", "usdPx")
    assert [row[name] for name in names] == [
        *("BTC-USDT", "MARGIN", "net", "USDT"),
        *("-0.5", "BTC", "USDT", ""),
    ]
    assert Decimal(row["pos"]) == Decimal("0.5") * 60_000 + Decimal(row["margin"])
    assert (await broker.transport.read("privateGetAccountPositions", {"instType": "SWAP"}))["data"] == []
