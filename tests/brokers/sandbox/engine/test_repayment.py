"""Debt given back at the owner's request: out of its own currency, never more than is owed or free."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.models import MarginMode
from brokers.orders import Repayment, RepaymentReport, Verdict
from brokers.sandbox.broker import SandboxBroker
from brokers.sandbox.engine import Engine
from brokers.sandbox.history import LedgerKind, Repaid, RepaymentRefused
from brokers.sandbox.mishaps import Fate
from brokers.sandbox.orders import Refusal, Rejection
from brokers.sandbox.spec import Asset, MarginPool, OpeningPosition, OpeningWallet

D = Decimal
Build = Callable[..., Engine]

ASSETS = (
    Asset(name="X", usd_price=D(100)),
    Asset(name="Y", usd_price=D(1000)),
    Asset(
        name="USDT",
        usd_price=D(1),
        stable=True,
        borrow_initial_rate=D("0.2"),
        borrow_maintenance_rate=D("0.05"),
    ),
)


def owing(
    build: Build,
    *,
    balance: int = 3000,
    borrowed: int = 5000,
    interest: int = 10,
    positions: Sequence[OpeningPosition] = (),
) -> Engine:
    wallet = OpeningWallet(balance=D(balance), borrowed=D(borrowed), interest=D(interest))
    wallets = {"USDT": wallet, "Y": OpeningWallet(balance=D(10))}
    return build(assets=ASSETS, wallets=wallets, pool=MarginPool.ACCOUNT, positions=positions)


def asked(amount: object, currency: str = "USDT") -> Repayment:
    return Repayment(unit="account", currency=currency, amount=D(str(amount)), client_id="r")


def test_what_is_given_back_frees_its_margin_and_leaves_the_equity_alone(build: Build) -> None:
    engine = owing(build)
    before = engine.figures("a").pool("account")
    done = engine.repay("a", "USDT", D(1000))

    after, coin = engine.figures("a").pool("account"), engine.figures("a").coin("USDT")
    assert done == engine.history[-1]
    assert (done.asked, done.amount) == (1000, 1000)
    assert (coin.wallet_balance, coin.borrowed, coin.interest) == (2000, 4010, 0)  # interest first
    assert after.margin_balance == before.margin_balance == 3000 + 10_000 - 5010
    assert before.maintenance_margin - after.maintenance_margin == 50
    assert before.initial_margin - after.initial_margin == 200
    assert engine.ledger("a") == {("USDT", LedgerKind.REPAYMENT): -1000}


@pytest.mark.parametrize(
    ("amount", "currency", "more", "reason"),
    [
        (3001, "USDT", {}, Refusal.INSUFFICIENT_BALANCE),
        (1, "USDT", {"balance": 0}, Refusal.INSUFFICIENT_BALANCE),
        (5011, "USDT", {"balance": 9000}, Refusal.REPAY_TOO_MUCH),
        (1, "Y", {}, Refusal.NO_DEBT),
        (1, "X", {}, Refusal.NO_DEBT),
        (0, "USDT", {}, Refusal.AMOUNT),
        (1, "DOGE", {}, Refusal.UNKNOWN_CURRENCY),
    ],
)
def test_more_than_owed_or_free_is_refused_and_nothing_moves(
    build: Build, amount: int, currency: str, more: dict[str, int], reason: Refusal
) -> None:
    engine = owing(build, **more)
    with pytest.raises(Rejection) as caught:
        engine.repay("a", currency, D(amount))
    assert caught.value.reason is reason
    assert engine.ledger("a") == {}
    assert isinstance(engine.history[-1], RepaymentRefused)


def test_blocked_repayments_are_refused(build: Build) -> None:
    engine = owing(build)
    engine.controls.repayments_blocked = True
    with pytest.raises(Rejection) as caught:
        engine.repay("a", "USDT", D(1))
    assert caught.value.reason is Refusal.REPAY_BLOCKED


@pytest.mark.parametrize(("balance", "amount", "given"), [(3000, 9000, 3000), (9000, 9000, 5010)])
def test_a_venue_that_clips_takes_what_is_owed_and_free(
    build: Build, balance: int, amount: int, given: int
) -> None:
    engine = owing(build, balance=balance)
    assert engine.repay("a", "USDT", D(amount), clip=True).amount == given


def test_the_margin_of_an_isolated_position_is_not_free(
    build: Build, long_x: Callable[..., OpeningPosition]
) -> None:
    held = replace(long_x(100), margin_mode=MarginMode.ISOLATED, isolated_margin=D(1000))
    engine = owing(build, positions=(held,))
    assert engine.repayable("a", "USDT") == 2000


async def test_the_port_gives_back_and_the_picture_shows_it(build: Build) -> None:
    broker = SandboxBroker(owing(build), "a")
    assert broker.capabilities.repay
    before = next(c for c in (await broker.fetch_snapshot()).collaterals if c.currency == "USDT")
    assert (before.debt, before.interest, before.owed, before.repayable) == (5000, 10, 5010, 3000)

    report = await broker.repay(asked(3000))
    assert report == RepaymentReport(repayment=asked(3000), verdict=Verdict.ACCEPTED, repaid=D(3000))
    after = next(c for c in (await broker.fetch_snapshot()).collaterals if c.currency == "USDT")
    assert (after.owed, after.repayable) == (2010, 0)

    refused = await broker.repay(asked(1))
    assert (refused.verdict, refused.code) == (Verdict.REJECTED, "insufficient_balance")


@pytest.mark.parametrize(("fate", "given"), [(Fate.ANSWER_LOST, [D(100)]), (Fate.NEVER_ARRIVED, [])])
async def test_a_lost_answer_is_unknown_and_the_debt_tells(
    build: Build, fate: Fate, given: list[Decimal]
) -> None:
    broker = SandboxBroker(owing(build), "a")
    broker.mishaps.doom_write(fate)
    assert (await broker.repay(asked(100))).verdict is Verdict.UNKNOWN
    assert [event.amount for event in broker.engine.history if isinstance(event, Repaid)] == given


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_cannot_be_given_back(amount: int) -> None:
    with pytest.raises(ValueError, match="cannot repay"):
        asked(amount)
