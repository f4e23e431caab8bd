"""Whatever one field turns into, a picture is refused or says so; no figure is made up or goes unnoticed."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot
from brokers.reading import parsing

Payload = dict[str, Any]
MakeSnapshot = Callable[..., AccountSnapshot]

LEFT_OUT = object()
JUNK = (LEFT_OUT, None, "", "NaN", "Infinity", "x", "1,000.5", "1e30", True, {}, [], "0x10")
NAMES = {"coin", "symbol"}  # another name is another coin or contract

UNIT_FIGURES = ("margin_equity", "initial_margin", "maintenance_margin", "available_margin")
POSITION_FIGURES = ("quantity", "mark_price", "notional", "initial_margin", "maintenance_margin")


def figures(snapshot: AccountSnapshot) -> dict[tuple[object, ...], Decimal | None]:
    units = {(u.key, name): getattr(u, name) for u in snapshot.units for name in UNIT_FIGURES}
    held = {(*p.key, name): getattr(p, name) for p in snapshot.positions for name in POSITION_FIGURES}
    return {**units, **held}


def spoilt(wallet: Payload, row: Payload) -> Iterator[tuple[str, object, Payload, Payload]]:
    """Every field of the account, its coin and its position, replaced by each piece of junk."""
    for part in ("account", "coin", "position"):
        for field in _part(part, wallet, row):
            for junk in JUNK:
                if field in NAMES and isinstance(junk, str) and junk:
                    continue
                copies = deepcopy(wallet), deepcopy(row)
                target = _part(part, *copies)
                if junk is LEFT_OUT:
                    del target[field]
                else:
                    target[field] = junk
                yield field, junk, *copies


def _part(part: str, wallet: Payload, row: Payload) -> Payload:
    account = wallet["result"]["list"][0]
    return {"account": account, "coin": account["coin"][0], "position": row}[part]


@pytest.fixture
def cross(cross_wallet: Payload, ltc_row: Payload) -> tuple[Payload, Payload]:
    """A long that takes all the margin of a wallet of USDT."""
    ltc_row.update(positionIM="182.60183684", positionMM="0.38106773", unrealisedPnl="-0.11001349")
    account = cross_wallet["result"]["list"][0]
    account["coin"][0].update(
        coin="USDT",
        equity="18070.32797922",
        usdValue="18070.32797922",
        walletBalance="18070.43799271",
        unrealisedPnl="-0.11001349",
        totalPositionIM="182.60183684",
        totalPositionMM="0.38106773",
    )
    return cross_wallet, ltc_row


@pytest.fixture
def isolated(isolated_wallet: Payload, ltc_row: Payload) -> tuple[Payload, Payload]:
    """A long that holds all the margin of its coin."""
    ltc_row.update(positionIM="2466.37380399", positionMM="42.31621371", positionBalance="2466.37380399")
    ltc_row["unrealisedPnl"] = "-303.7584"
    isolated_wallet["result"]["list"][0]["coin"][0].update(locked="5", totalOrderIM="3")
    return isolated_wallet, ltc_row


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_one_damaged_field_is_refused_reported_or_harmless(
    request: pytest.FixtureRequest, snapshot: MakeSnapshot, mode: str
) -> None:
    wallet, row = request.getfixturevalue(mode)
    label = {"cross": "REGULAR_MARGIN", "isolated": "ISOLATED_MARGIN"}[mode]
    whole = snapshot(wallet, [row], mode=label)
    assert whole.findings == ()
    before = figures(whole)
    refused, read = set(), 0
    for field, junk, *copies in spoilt(wallet, row):
        try:
            with parsing("snapshot"):
                seen = snapshot(copies[0], [copies[1]], mode=label)
        except MalformedAnswer:
            refused.add(field)
            continue
        read += 1
        after = figures(seen)
        made_up = {key for key in before if after.get(key) not in {None, before[key]}}
        gone = {key for key in before if before[key] is not None and after.get(key) is None}
        if not seen.findings:
            assert made_up | gone == set(), (field, junk)
        assert all(after[key] != 0 for key in made_up), (field, junk)
    assert refused <= {"accountType", "coin", "symbol"}
    assert read > 350
