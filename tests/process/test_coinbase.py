"""Coinbase's two products, guarded by a whole daemon: one is cut, the other is watched."""

from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Workshop = Any
Sandbox = Any
Account = dict[str, Any]  # the types live in conftest
LONG = {"symbol": "BTC-USDT", "side": "long", "quantity": 1, "leverage": 10}
STOP = {"symbol": "BTC-USDT", "side": "sell", "quantity": 1, "trigger": 70_000, "reduce_only": True}
ENTRY = {"symbol": "BTC-USDT", "side": "buy", "quantity": 0.05, "price": 60_000}


def account(name: str, **more: object) -> Account:
    key = generate_private_key(SECP256R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return {"id": name, "broker": "coinbase", "api_key": f"Canary4711Key-{name}", "secret": secret, **more}


@pytest.fixture
def accounts() -> tuple[Account, Account]:
    """A futures account long 1 BTC, at 44 % utilization, and a cash account."""
    futures = account(
        "futures", product="futures", wallets={"USD": 22_500}, positions=[LONG], orders=[STOP, ENTRY]
    )
    return futures, account("spot", product="spot", wallets={"USD": 1_000, "BTC": 0.1})


def test_futures_are_cut_to_the_target_and_cash_is_watched(
    workshop: Workshop, accounts: tuple[Account, Account]
) -> None:
    sandbox = workshop.sandbox(*accounts)
    venue = sandbox.venue("coinbase")
    daemon = workshop.guard(sandbox)
    mark = daemon.mark()
    venue.move("0.868")
    daemon.until(event="episode_began", account="futures", since=mark)
    ended = daemon.until(event="episode_ended", account="futures", since=mark)
    assert ended["level"] == "safe"
    assert Decimal(0) < venue.position("futures") < Decimal(1)
    assert venue.only_reduced("futures", Decimal(1))
    assert {row["state"] for row in daemon.rows("intents")} == {"filled"}
    assert {row["limit_price"] for row in daemon.rows("intents")} == {None}
    left = [event["order"]["spec"] for event in venue.history("OrderCancelled", "futures")]
    assert [spec["trigger"] for spec in left] == [None], "the entry is gone, the stop stays"

    cash = daemon.said(event="cycle", account="spot")[-1]
    assert (cash["level"], cash["protection"], cash["leverage"]) == ("safe", "protected", "0.00")
    assert (cash["utilization"], cash["maintenance"]) == ("n/a", "n/a")
    assert not venue.history("OrderPlaced", "spot")


def test_no_line_of_a_key_is_written_anywhere(workshop: Workshop, accounts: tuple[Account, Account]) -> None:
    sandbox = workshop.sandbox(*accounts)
    daemon = workshop.guard(sandbox)
    number = sandbox.venue("coinbase").fault("revoked_key")
    daemon.until(event="cycle", account="futures", protection="unprotected")
    sandbox.venue("coinbase").heal(number)
    daemon.terminate()
    lines = [line for one in accounts for line in one["secret"].splitlines() if "-----" not in line]
    written = [path.read_bytes() for path in (*daemon.state_dir.rglob("*.db*"), daemon.out, daemon.err)]
    assert lines
    assert not [line for line in lines for raw in written if line.encode() in raw]


def test_a_lost_answer_to_a_close_is_settled_by_looking_it_up(
    workshop: Workshop, accounts: tuple[Account, Account]
) -> None:
    sandbox = workshop.sandbox(accounts[0])
    venue = sandbox.venue("coinbase")
    daemon = workshop.guard(sandbox)
    venue.fault("accepted_no_answer", path="/api/v3/brokerage/orders/close_position", count=1)
    mark = daemon.mark()
    venue.move("0.868")
    daemon.until(event="episode_ended", account="futures", within=40.0, since=mark)
    orders = [order["spec"]["client_id"] for order in venue.orders("futures")]
    assert len(orders) == len(set(orders)) == len(daemon.rows("intents"))
    assert {row["state"] for row in daemon.rows("intents")} == {"filled"}
    assert venue.only_reduced("futures", Decimal(1))
