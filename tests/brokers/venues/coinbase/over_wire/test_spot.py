"""The cash account over the wire: all of it is read, nothing of it is margin."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import UnitKind
from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.wire.coinbase.wire import CoinbaseWire
from brokers.venues.coinbase import account as account_module
from brokers.venues.coinbase import spot as spot_module
from daemon.risk.assessment import Protection, assess
from daemon.risk.policy import Level, MarginPolicy

pytestmark = pytest.mark.wire

Open = Any  # the fixtures' types live in conftest
D = Decimal


async def test_a_cash_account_is_worth_what_it_holds_and_has_no_measures(
    server: SandboxServer, open_at: Open
) -> None:
    broker = await open_at(server, "spot")
    snapshot = await broker.fetch_snapshot()
    [unit] = snapshot.units
    assert snapshot.findings == ()
    assert snapshot.positions == ()
    assert (unit.kind, unit.measures) == (UnitKind.CASH, frozenset())
    # 0.5 x 60,000 + 2 x 3,000 + 10 x 150 + 100 + 1,000 + 5,000
    assert unit.margin_equity == D(43_600)
    assert (unit.initial_margin, unit.maintenance_margin, unit.available_margin) == (None, None, None)
    worth = {row.currency: (row.equity, row.value) for row in snapshot.collaterals}
    assert worth["BTC"] == (D("0.5"), D(30_000))
    assert all(row.debt is None for row in snapshot.collaterals)


async def test_it_is_judged_safe_without_a_ratio_and_at_no_leverage(
    server: SandboxServer, open_at: Open, wire: CoinbaseWire
) -> None:
    broker = await open_at(server, "spot")
    before = None
    for factor in ("1", "0.5", "0.1"):
        wire.engine.move_price("BTC", D(factor))
        judged = assess(
            await broker.fetch_snapshot(), MarginPolicy(max_leverage=D(1)), broker.venue_now(), before
        )
        assert (judged.level, judged.protection) == (Level.SAFE, Protection.PROTECTED)
        assert (judged.utilization, judged.maintenance_ratio) == (None, None)
        assert judged.leverage == 0
        assert judged.is_cash
        assert judged.gates == ()
        before = judged


async def test_an_empty_account_is_empty_without_findings(server: SandboxServer, open_at: Open) -> None:
    snapshot = await (await open_at(server, "empty")).fetch_snapshot()
    assert snapshot.findings == ()
    assert (snapshot.units[0].margin_equity, snapshot.collaterals) == (D(0), ())


async def test_wallets_are_read_to_the_last_page(
    server: SandboxServer, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spot_module, "PAGE", 2)
    broker = await open_at(server, "spot")
    snapshot = await broker.fetch_snapshot()
    assert len(snapshot.collaterals) == 6
    assert snapshot.units[0].margin_equity == D(43_600)
    paths = [path for _, path, _ in server.received]
    assert paths.count("/api/v3/brokerage/accounts") == 3
    assert account_module.PAGE > 2


@pytest.mark.parametrize("kind", [FaultKind.NAN, FaultKind.MISSING_FIELD])
async def test_a_damaged_balance_is_a_finding_and_no_equity(
    server: SandboxServer, open_at: Open, kind: FaultKind
) -> None:
    broker = await open_at(server, "spot")
    server.faults.set(Fault(kind=kind))
    snapshot = await broker.fetch_snapshot()
    assert snapshot.findings
    assert snapshot.units[0].margin_equity is None


async def test_a_page_that_does_not_come_is_no_picture(server: SandboxServer, open_at: Open) -> None:
    broker = await open_at(server, "spot")
    server.faults.set(Fault(kind=FaultKind.HTML_200, path="/api/v3/brokerage/accounts"))
    with pytest.raises(MalformedAnswer):
        await broker.fetch_snapshot()
