"""What tests of several packages share: a small venue in memory, virtual time, a quick folder.

The account of that venue, unless told otherwise, is long 500 X at 100 with a leverage of 10 and a maintenance
rate of 1 %, on a wallet of 10,000 USDT and no fees: initial margin 5,000, utilization 50 %, maintenance ratio
5 %.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.models import MarginTier, Side
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.scenarios import calm
from brokers.sandbox.spec import (
    AccountSpec,
    Asset,
    BookShape,
    MarginPool,
    OpeningPosition,
    OpeningWallet,
    Permissions,
    SandboxSpec,
    VenueRules,
)
from tests.hosts import forget_hosts
from tests.report import Row, rows_of, table, write
from tests.virtual import VirtualLoop, virtual_clocks

D = Decimal
NAME = "desk"

X = Instrument(
    name="X-USDT",
    base="X",
    settle="USDT",
    lot_step=D("0.01"),
    min_quantity=D("0.01"),
    price_step=D("0.01"),
    max_leverage=D(100),
    tiers=(MarginTier(floor=D(0), rate=D("0.01"), deduction=D(0)),),
    taker_fee=D(0),
    maker_fee=D(0),
    liquidation_fee=D(0),
    funding_rate=D(0),
)
Y = replace(X, name="Y-USDT", base="Y")
INVERSE = replace(X, name="Z-USDT", base="Z")

ASSETS = (
    Asset(name="X", usd_price=D(100)),
    Asset(name="Y", usd_price=D(200)),
    Asset(name="Z", usd_price=D(50)),
    Asset(name="USDT", usd_price=D(1), stable=True),
)

DEEP_BOOK = BookShape(
    half_spread=D("0.0001"), level_spacing=D("0.0001"), level_notional=D(1_000_000_000), levels=3
)
LONG_X = OpeningPosition(symbol=X.name, side=Side.LONG, quantity=D(500))


def account_spec(name: str = NAME, **changes: object) -> AccountSpec:
    """The account described above, or another."""
    values: dict[str, Any] = {
        "name": name,
        "api_key": f"key-of-{name}",
        "secret": "secret",
        "wallets": {"USDT": OpeningWallet(balance=D(10_000))},
        "margin_pool": MarginPool.CURRENCY,
        "default_leverage": D(10),
        "positions": (LONG_X,),
        "permissions": Permissions(),
    }
    return AccountSpec(**values | changes)


def make_engine(
    *accounts: AccountSpec,
    rules: Mapping[str, Any] | None = None,
    book: BookShape = DEEP_BOOK,
    instrument: Mapping[str, Any] | None = None,
    **changes: object,
) -> Engine:
    """Return a venue that lists X, Y and Z against USDT; its prices stand still until moved."""
    return Engine(
        SandboxSpec(
            instruments=tuple(replace(listed, **(instrument or {})) for listed in (X, Y, INVERSE)),
            assets=changes.pop("assets", ASSETS),
            accounts=accounts or (account_spec(),),
            rules=VenueRules(**(rules or {})),
            book=book,
            scenario=calm(noise=0.0),
            **changes,
        )
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the tests of whole processes among the others: those wait, and these keep the machine busy."""
    waiting = [item for item in items if item.get_closest_marker("process")]
    busy = [item for item in items if not item.get_closest_marker("process")]
    if not waiting or not busy:
        return
    apart = len(busy) // len(waiting) + 1
    items[:] = []
    for number, item in enumerate(waiting):
        items += [*busy[number * apart : (number + 1) * apart], item]
    items += busy[len(waiting) * apart :]


@pytest.fixture(autouse=True)
def new_hosts() -> None:
    """No venue of an earlier test is remembered."""
    forget_hosts()


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the machine has one: for tests that open a journal a thousand times."""
    memory = Path("/dev/shm")  # noqa: S108 - a name of its own is made in it
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="margind-") as folder:
        yield Path(folder)


@pytest.fixture
def virtual() -> Iterator[asyncio.Runner]:
    """What runs a coroutine in virtual time; `get_loop()` is the loop that desks of it take."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


@pytest.fixture(scope="session")
def spec() -> Callable[..., AccountSpec]:
    """Describe an account."""
    return account_spec


@pytest.fixture(scope="session")
def venue_of() -> Callable[..., Engine]:
    """Build a venue of accounts."""
    return make_engine


@pytest.fixture(scope="session")
def opening() -> Callable[..., OpeningPosition]:
    """Describe a position that is there from the start."""

    def describe(symbol: str, quantity: object, side: Side = Side.LONG, **more: object) -> OpeningPosition:
        return OpeningPosition(symbol=symbol, side=side, quantity=D(str(quantity)), **more)

    return describe


@pytest.fixture
async def virtual_time() -> AsyncIterator[None]:
    """Have the clocks of margind and its sandbox go with the test's loop."""
    with virtual_clocks(asyncio.get_running_loop()):
        yield


_rows: list[Row] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what tests noted for the fault matrix, wherever they ran."""
    if report.when == "call":
        _rows.extend(rows_of(report.user_properties))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell the fault matrix, and write it down."""
    if _rows:
        rows = sorted(_rows)
        terminalreporter.section(f"fault matrix, in full in {write(rows, config.rootpath)}")
        for line in table(rows):
            terminalreporter.write_line(line)
