from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.payload import KINDS, decode, encode
from database.records import (
    Alert,
    AuditEntry,
    Event,
    HistoryRow,
    Intent,
    IntentKind,
    IntentState,
    MarginSample,
    PositionSample,
    RowKind,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
NUMBERS = st.decimals(-(10**24), 10**24, allow_nan=False, places=18)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as asked
DETAILS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS, max_size=4)
FIELDS = {
    Decimal: NUMBERS,
    datetime: TIMES,
    str: TEXTS,
    int: st.integers(0, 2**40),
    Mapping[str, Any]: DETAILS,
    IntentKind: st.sampled_from(IntentKind),
    IntentState: st.sampled_from(IntentState),
}


def field_of(annotation: object) -> st.SearchStrategy[object]:
    if isinstance(annotation, UnionType):
        return st.one_of([st.none() if one is NoneType else field_of(one) for one in get_args(annotation)])
    return FIELDS[annotation]


def rows_of(row_class: type[HistoryRow]) -> st.SearchStrategy[HistoryRow]:
    hints = get_type_hints(row_class)
    return st.builds(row_class, **{name: field_of(hints[name]) for name in row_class.__slots__})


@settings(deadline=None)
@given(st.one_of([rows_of(row_class) for row_class in KINDS]))
def test_every_row_survives_its_journey(row: HistoryRow) -> None:
    assert decode(KINDS[type(row)], encode(row)) == row


def test_digits_are_kept_exactly(make_sample: Callable[..., MarginSample]) -> None:
    sample = make_sample(equity_balance=Decimal("0.100"), debit_balance=None)

    arrived = decode(RowKind.MARGIN, encode(sample))

    assert isinstance(arrived, MarginSample)
    assert str(arrived.equity_balance) == "0.100"
    assert arrived.debit_balance is None


def test_states_come_back_as_states(make_intent: Callable[..., Intent]) -> None:
    arrived = decode(RowKind.ORDER, encode(replace(make_intent("i"), state=IntentState.UNKNOWN)))

    assert isinstance(arrived, Intent)
    assert arrived.state is IntentState.UNKNOWN
    assert arrived.kind is IntentKind.REDUCE


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"time":"yesterday"}',
        '{"time":"2026-01-01T00:00:00"}',
        '{"quantity":"1,5"}',
    ],
)
@pytest.mark.parametrize("kind", list(RowKind))
def test_damage_is_a_value_error(kind: RowKind, payload: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any message will do
        decode(kind, payload)


def test_every_history_row_has_a_kind() -> None:
    assert set(KINDS) == {MarginSample, PositionSample, Intent, Event, Alert, AuditEntry}
    assert set(KINDS.values()) == set(RowKind)
