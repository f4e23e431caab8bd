"""Transfers, funding and interest."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import (
    FundingPaid,
    InterestAccrued,
    LedgerKind,
    Transferred,
    TransferRefused,
    Wallet,
)
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.presets import preset
from brokers.sandbox.spec import Asset, MarginPool, OpeningPosition, OpeningWallet

D = Decimal
HOUR = 3_600_000


def refusal(call: Callable[[], Any]) -> Refusal:
    with pytest.raises(Rejection) as caught:
        call()
    return caught.value.reason


def move_in(engine: Engine, amount: int, currency: str = "USDT", **more: dict[str, object]) -> Transferred:
    return engine.transfer("a", currency, D(amount), source=Wallet.FUNDING, target=Wallet.TRADING, **more)


def move_out(engine: Engine, amount: int, currency: str = "USDT", **more: dict[str, object]) -> Transferred:
    return engine.transfer("a", currency, D(amount), source=Wallet.TRADING, target=Wallet.FUNDING, **more)


def test_transfer_moves_money_between_the_wallets(build: Callable[..., Engine]) -> None:
    engine = build(funding={"USDT": D(500)})
    done = move_in(engine, 200, client_id="t")
    assert (engine.funding_balance("a", "USDT"), engine.figures("a").coin("USDT").wallet_balance) == (
        300,
        10_200,
    )
    assert engine.transfers("a") == (done,)
    assert isinstance(engine.history[-1], Transferred)
    assert engine.ledger("a") == {("USDT", LedgerKind.TRANSFER): 200}


def test_transfer_opens_a_currency_that_was_not_there(build: Callable[..., Engine]) -> None:
    engine = build(funding={"USDC": D(50)}, pool=MarginPool.ACCOUNT)
    move_in(engine, 50, "USDC")
    assert engine.figures("a").coin("USDC").wallet_balance == 50


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        (0, "USDT", Refusal.AMOUNT),
        (-1, "USDT", Refusal.AMOUNT),
        (501, "USDT", Refusal.INSUFFICIENT_BALANCE),
        (1, "USDC", Refusal.INSUFFICIENT_BALANCE),
        (1, "DOGE", Refusal.UNKNOWN_CURRENCY),
    ],
)
def test_refused_transfer_moves_nothing(
    build: Callable[..., Engine], amount: int, currency: str, reason: Refusal
) -> None:
    engine = build(funding={"USDT": D(500)})
    assert refusal(lambda: move_in(engine, amount, currency)) is reason
    assert engine.funding_balance("a", "USDT") == 500
    (event,) = engine.history
    assert isinstance(event, TransferRefused)
    assert event.reason is reason


def test_transfer_id_works_once_where_the_venue_keeps_them(build: Callable[..., Engine]) -> None:
    engine = build(funding={"USDT": D(500)})
    move_in(engine, 1, client_id="t")
    assert refusal(lambda: move_in(engine, 1, client_id="t")) is Refusal.DUPLICATE_TRANSFER


def test_transfer_id_means_nothing_where_the_venue_forgets_them(build: Callable[..., Engine]) -> None:
    engine = build(funding={"USDT": D(500)}, rules={"transfer_ids_unique": False})
    move_in(engine, 1, client_id="t")
    move_in(engine, 1, client_id="t")
    assert len(engine.transfers("a")) == 2


def test_margin_in_use_cannot_leave(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(positions=(long_x(900),))
    assert refusal(lambda: move_out(engine, 1001)) is Refusal.INSUFFICIENT_BALANCE
    move_out(engine, 1000)
    assert engine.figures("a").pool("USDT").available == 0


def test_blocked_transfers_are_refused_until_they_are_open_again(build: Callable[..., Engine]) -> None:
    engine = build(funding={"USDT": D(500)})
    engine.controls.transfers_blocked = True
    assert refusal(lambda: move_in(engine, 1)) is Refusal.TRANSFER_BLOCKED
    engine.controls.transfers_blocked = False
    move_in(engine, 1)


def test_scenario_may_block_transfers(build: Callable[..., Engine]) -> None:
    engine = build(funding={"USDT": D(500)})
    engine.play(preset("crypto-2025-10-10"))
    assert refusal(lambda: move_in(engine, 1)) is Refusal.TRANSFER_BLOCKED


@pytest.mark.parametrize(("side", "amount"), [(Side.LONG, -10), (Side.SHORT, 10)])
def test_funding_is_paid_by_longs_and_got_by_shorts(
    build: Callable[..., Engine], side: Side, amount: int
) -> None:
    engine = build(
        positions=(OpeningPosition(symbol="X-USDT", side=side, quantity=D(100)),),
        instrument={"funding_rate": D("0.001")},
        tick_ms=HOUR,
    )
    engine.advance(engine.now_ms + 8 * HOUR - 1)
    assert engine.history == ()
    engine.advance(engine.now_ms + 1)
    (paid,) = engine.history
    assert isinstance(paid, FundingPaid)
    assert paid.amount == amount
    assert engine.figures("a").coin("USDT").wallet_balance == 10_000 + amount


def test_ticker_tells_when_funding_is_due(build: Callable[..., Engine]) -> None:
    engine = build(instrument={"funding_rate": D("0.0003")})
    ticker = engine.ticker("X-USDT")
    assert ticker.funding_rate == D("0.0003")
    assert ticker.next_funding_ms - engine.now_ms == 8 * HOUR


def test_interest_accrues_by_the_hour_on_debt_and_negative_balance(build: Callable[..., Engine]) -> None:
    lent = Asset(name="USDT", usd_price=D(1), stable=True, borrow_apr=D("0.0876"))
    engine = build(
        assets=(Asset(name="X", usd_price=D(100)), Asset(name="Y", usd_price=D(1000)), lent),
        wallets={"USDT": OpeningWallet(balance=D(-1000), borrowed=D(9000)), "Y": 100},
        pool=MarginPool.ACCOUNT,
        tick_ms=HOUR,
    )
    engine.advance(engine.now_ms + 2 * HOUR)
    assert [event.amount for event in engine.history if isinstance(event, InterestAccrued)] == [
        D("0.1"),
        D("0.1"),
    ]
    coin = engine.figures("a").coin("USDT")
    assert (coin.interest, coin.wallet_balance, coin.equity) == (D("0.2"), -1000, D("-10000.2"))
