"""The daemon's guards in this process, each over a real adapter at a sandbox venue of its own on loopback.

A cell is one fault's own venue: one account, one server, one address, so that a ban or a spent budget is
nobody else's. All cells of a test run side by side under one supervisor and one journal, in virtual time.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.wire.cell import Cell
from tests.daemon.wire.watch import Watch
from tests.daemon.wire.watch import watching as guarding

UNCAUGHT = ("Traceback", "cycle_bug", "connect_bug", "provision_failed", "journal_unavailable")


@pytest.fixture(autouse=True)
def in_virtual_time(virtual_time: None) -> None:
    """These tests never wait."""


@pytest.fixture
def cell_of() -> Callable[..., Cell]:
    """Build a cell: `name`, `venue`, what its funding wallet holds, and what else differs."""

    def build(name: str, venue: str, funding: object = 0, **more: Any) -> Cell:  # noqa: ANN401 - a cell's
        return Cell(name, venue, funding=Decimal(str(funding)), **more)

    return build


@pytest.fixture
def watching(quick_folder: Path, log: Any) -> Callable[..., Any]:  # noqa: ANN401 - a stream
    """Guard cells while the context is open; whatever happened, no guard met a bug."""

    @asynccontextmanager
    async def watch(cells: Iterable[Cell], **settings: Any) -> AsyncIterator[Watch]:  # noqa: ANN401
        async with guarding(tuple(cells), quick_folder / "state", settings) as watch:
            yield watch
        told = [line for line in log.getvalue().splitlines() if any(word in line for word in UNCAUGHT)]
        assert not told, told[:3]

    return watch
