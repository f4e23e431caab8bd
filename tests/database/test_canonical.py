import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.canonical import canonical_json, clean_text, jsonable, plain_decimal, utc_text


class Colour(StrEnum):
    RED = "red"


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.decimals(allow_nan=True, allow_infinity=True, places=8)
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(Colour)
    | st.datetimes(timezones=st.just(UTC))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec=None), max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES)
def test_every_value_becomes_text_that_a_database_takes(value: object) -> None:
    text = canonical_json(value)

    text.encode("utf-8")
    assert "\\u0000" not in text.replace("\\\\", "")
    json.loads(text, parse_constant=pytest.fail)


@settings(deadline=None)
@given(VALUES)
def test_what_comes_back_has_the_same_text(value: object) -> None:
    """So that a hash over it can be checked after any database."""
    text = canonical_json(value)

    assert canonical_json(json.loads(text)) == text


@settings(deadline=None)
@given(VALUES)
def test_the_quick_way_gives_the_text_of_the_careful_one(value: object) -> None:
    assert json.loads(canonical_json(value)) == json.loads(canonical_json(jsonable(value)))


def test_order_of_keys_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": Decimal("1.10")}) == '{"a":"1.10","b":1}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E+3", "1000"),
        ("0E-8", "0.00000000"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("1.50", "1.50"),
        ("-7", "-7"),
    ],
)
def test_decimals_keep_their_digits_and_lose_their_exponent(value: str, text: str) -> None:
    assert plain_decimal(Decimal(value)) == text


def test_times_are_utc_with_microseconds() -> None:
    moment = datetime(2026, 3, 1, 5, 0, tzinfo=timezone(timedelta(hours=2)))

    assert utc_text(moment) == "2026-03-01T03:00:00.000000+00:00"
    with pytest.raises(ValueError, match="naive"):
        utc_text(datetime(2026, 3, 1))  # noqa: DTZ001 - a naive time is the point


def test_text_from_a_venue_loses_only_what_cannot_be_stored() -> None:
    assert clean_text("Ordre refusé \x00 \ud800!") == "Ordre refusé \ufffd ?!"
