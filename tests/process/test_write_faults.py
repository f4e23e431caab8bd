"""What becomes of an order is unclear, refused or partial: it is found out, and the target is reached.

The whole process, at one venue; every fault at every venue is in `tests/daemon/wire`.
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

Workshop = Any
Daemon = Any
Account = dict[str, Any]  # the types live in conftest

ORDERS = "/api/v5/trade/order"
ENDING = Decimal("1.0128")
NEAR = Decimal("0.002")
"""Fees are allowed for in every order anew, so several small ones end a little off one large one."""

FINAL = {"filled", "cancelled", "rejected", "absent", "abandoned"}

FAULTS: dict[str, dict[str, Any]] = {
    "accepted-no-answer": {"kind": "accepted_no_answer", "count": 1},
    "executed-late": {"kind": "executed_late", "count": 1, "ms": 700},
    "executed-too-late": {"kind": "executed_late", "count": 1, "ms": 4_000},
    "duplicate-code": {"kind": "duplicate_code", "count": 1, "executes": True},
    "reduce-only-rejected": {"kind": "reduce_only_rejected", "count": 1},
    "partial-fill": {"kind": "partial_fill", "count": 2, "fraction": "0.3"},
    "gateway-executes": {"kind": "http_502_html", "count": 1, "executes": True, "writes": True},
    "gateway-refuses": {"kind": "http_503_html", "count": 1, "writes": True},
}


def one_each(account: Account, names: Any) -> list[Account]:  # noqa: ANN401 - any names
    """Return an account a name, all alike."""
    return [
        {**account, "id": name, **{part: f"{account[part]}-{name}" for part in ("api_key", "secret")}}
        for name in names
    ]


def test_every_unclear_outcome_is_settled_and_the_target_reached_without_cutting_twice(
    workshop: Workshop, okx: Account
) -> None:
    sandbox = workshop.sandbox(*one_each(okx, FAULTS))
    venue = sandbox.venue("okx")
    opening = {name: venue.position(name) for name in FAULTS}
    daemon = workshop.guard(sandbox, poll={"interval": "2s"})
    mark = daemon.mark()
    for name, fault in FAULTS.items():
        venue.fault(account=name, path=ORDERS, **fault)
    venue.move("0.8668")
    for name in FAULTS:
        daemon.until(event="episode_ended", account=name, since=mark, within=40)

    intents = daemon.rows("intents")
    assert {row["state"] for row in intents} <= FINAL
    for name in FAULTS:
        own = [row for row in intents if row["account"] == name]
        told = [(row["state"], row["quantity"], row["filled"], row["code"]) for row in own]
        assert abs(venue.position(name) - ENDING) <= NEAR, (name, told)
        assert venue.only_reduced(name, opening[name]), (name, told)
        received = Counter(order["spec"]["client_id"] for order in venue.orders(name))
        assert set(received) <= {row["intent_id"] for row in own}
        assert max(received.values()) == 1, "nothing was sent twice"


def test_an_outsider_who_trades_at_the_same_time_is_not_fought(workshop: Workshop, bybit: Account) -> None:
    sandbox = workshop.sandbox(bybit)
    venue = sandbox.venue("bybit")
    daemon = workshop.guard(sandbox)
    venue.fault("outsider_trades", path="/v5/order/create", count=1, fraction="0.5")
    mark = daemon.mark()
    venue.move("0.8668")
    daemon.until(event="episode_ended", since=mark)
    assert Decimal(0) < venue.position("bybit-a") <= Decimal("1.260")
    assert {row["state"] for row in daemon.rows("intents")} <= FINAL


def test_while_an_order_has_no_verdict_nothing_else_is_sent(workshop: Workshop, okx: Account) -> None:
    sandbox = workshop.sandbox(okx)
    venue = sandbox.venue("okx")
    daemon = workshop.guard(sandbox)
    mark = daemon.mark()
    venue.fault("hang", path=ORDERS, writes=True, count=1)
    venue.move("0.8668")
    daemon.until(event="cycle", doing="reduce", since=mark)
    waiting = daemon.until(event="cycle", reason="settling", since=mark)
    assert waiting["orders"] == 0
    daemon.until(event="episode_ended", since=mark, within=30)
    first, *others = daemon.rows("intents")
    assert first["state"] == "absent"
    assert len(others) == 1
    after_deadline = datetime.fromisoformat(others[0]["created_at"]) - datetime.fromisoformat(
        first["deadline"]
    )
    assert after_deadline.total_seconds() > 0, "the next order waits until the first can no longer arrive"
    assert abs(venue.position("okx-a") - ENDING) <= NEAR
