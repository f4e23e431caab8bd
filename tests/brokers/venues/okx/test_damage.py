"""Whatever one field turns into, a picture is refused or says so; no figure becomes another."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import AccountSnapshot, Position, RiskUnit

Row = dict[str, Any]
Parse = Callable[..., AccountSnapshot]

JUNK: tuple[object, ...] = (
    None,
    "",
    "NaN",
    "Infinity",
    "x",
    "1,000.5",
    "1e30",
    True,
    {},
    [],
    "0x10",
)
CRITICAL = {
    "3": {"adjEq", "imr", "mmr", "mgnRatio", "uTime"},
    "2": {"eq", "imr", "mmr", "mgnRatio", "availEq", "uTime"},
}


def figures(snapshot: AccountSnapshot) -> dict[tuple[str, str], Decimal]:
    """Every figure that is stated, by what states it."""
    rows: list[tuple[str, RiskUnit | Position]] = [(unit.key, unit) for unit in snapshot.units]
    rows += [(f"{p.symbol} {p.side} {p.margin_mode}", p) for p in snapshot.positions]
    return {
        (name, field.name): value
        for name, row in rows
        for field in fields(row)
        if isinstance(value := getattr(row, field.name), Decimal)
    }


def spoilt(parts: list[Row]) -> Iterator[tuple[str, object, list[Row]]]:
    """Every part with one of its fields, also of its first currency, replaced by one piece of junk."""
    for place, part in enumerate(parts):
        for inner in (None, 0) if "details" in part else (None,):
            row = part if inner is None else part["details"][inner]
            for field in row:
                for junk in JUNK:
                    copy = deepcopy(parts)
                    target = copy[place] if inner is None else copy[place]["details"][inner]
                    target[field] = junk
                    yield field, junk, copy


@pytest.fixture
def rows(swap_row: Row, isolated_row: Row, inverse_row: Row) -> list[Row]:
    return [swap_row, isolated_row, inverse_row]


@pytest.mark.parametrize("level", ["3", "2"])
def test_one_damaged_field_never_becomes_a_figure(
    parse: Parse, pooled_row: Row, futures_row: Row, rows: list[Row], level: str
) -> None:
    balance = pooled_row if level == "3" else futures_row
    parts = [balance, *rows]
    whole = figures(parse(*parts, level=level))
    assert not parse(*parts, level=level).findings
    refused, read = set(), 0
    for field, junk, copy in spoilt(parts):
        try:
            snapshot = parse(*copy, level=level)
        except MalformedAnswer:
            refused.add(field)
            continue
        read += 1
        changed = {key for key, value in figures(snapshot).items() if whole.get(key) not in {None, value}}
        assert not changed or snapshot.findings, (field, junk)
        if field in CRITICAL[level] and copy[0] != balance and _is_own(field, copy[0], balance, level):
            assert snapshot.findings, (field, junk)
    assert refused <= {"details"}
    assert read > 800


def _is_own(field: str, copy: Row, balance: Row, level: str) -> bool:
    """Whether the spoilt figure is one that the account is judged by."""
    if field == "uTime" or level == "3":
        return copy.get(field) != balance.get(field)
    return bool(copy["details"][0].get(field) != balance["details"][0].get(field))
