"""Any leaf of the raw payloads may be damaged: then a figure is missing or reported, and none is made up."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot
from brokers.profile import Json
from brokers.reading import parsing

DAMAGE = (None, "", "NaN", "-Infinity", "1,234.5", "1e400", "abc", True, {}, [], [1], "0x10")
UNIT_FIGURES = ("margin_equity", "initial_margin", "maintenance_margin", "available_margin")
POSITION_FIGURES = ("quantity", "notional", "mark_price", "initial_margin", "maintenance_margin")

Payload = Callable[[str], Any]
Usdm = Callable[..., AccountSnapshot]


def leaves(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Walk to every scalar of a payload."""
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if items is None:
        yield path
        return
    for key, below in items:
        yield from leaves(below, (*path, key))


def replaced(payload: Json, path: tuple[Any, ...], value: object) -> None:
    for key in path[:-1]:
        payload = payload[key]
    payload[path[-1]] = value


def figures(snapshot: AccountSnapshot) -> dict[tuple[object, ...], Decimal | None]:
    units = {(u.key, name): getattr(u, name) for u in snapshot.units for name in UNIT_FIGURES}
    held = {(*p.key, name): getattr(p, name) for p in snapshot.positions for name in POSITION_FIGURES}
    return {**units, **held}


@pytest.mark.parametrize("kind", ["single_asset", "multi_assets", "isolated"])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_to_one_leaf_is_refused_reported_or_harmless(
    payload: Payload, usdm: Usdm, kind: str, data: st.DataObject
) -> None:
    payloads = {"account": payload(f"account_{kind}"), "risk": payload(f"risk_{kind}")}
    multi = kind == "multi_assets"
    before = figures(usdm(payloads["account"], payloads["risk"], multi_assets=multi))
    known = [path for path in leaves(payloads) if path[-1] != "asset"]  # another name is another asset
    path = data.draw(st.sampled_from(known))
    replaced(payloads, path, data.draw(st.sampled_from(DAMAGE)))
    try:
        with parsing("snapshot"):
            snapshot = usdm(payloads["account"], payloads["risk"], multi_assets=multi)
    except MalformedAnswer:
        return
    after = figures(snapshot)
    if snapshot.findings:
        wrong = {key for key in before if before[key] != 0 and after.get(key) == 0}
    else:
        wrong = {key for key in before if after.get(key) != before[key]}
    assert not wrong, path
