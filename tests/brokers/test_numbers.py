from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.numbers import (
    LARGEST,
    PLAIN_NUMBER,
    NumberError,
    ceil_to_step,
    decimal_from,
    decimal_or_none,
    floor_to_step,
    ms_from_time,
    plain,
    time_from_ms,
)


@pytest.mark.parametrize("absent", [None, ""])
def test_an_absent_number_is_missing_and_never_zero(absent: object) -> None:
    assert decimal_or_none(absent) is None
    with pytest.raises(NumberError, match="missing"):
        decimal_from(absent)


@pytest.mark.parametrize(
    "damage",
    [
        "NaN", "nan", "Infinity", "-inf", "sNaN", float("nan"), float("inf"), Decimal("NaN"),
        "122,559.90199491", "1 000", " 1", "1_000", "0x10", "1e9999", "1.2.3", "--1", "e5", "abc", "null",
        "١٢", True, False, [], {}, b"1", "1" * 40, "1e25", -(10**25),
    ],
)  # fmt: skip
def test_a_damaged_number_is_refused(damage: object) -> None:
    with pytest.raises(NumberError):
        decimal_or_none(damage)


@given(st.text(alphabet="0123456789.-+eE_ \u0661", max_size=9))
def test_a_text_is_a_number_if_and_only_if_it_is_plain(text: str) -> None:
    if PLAIN_NUMBER.fullmatch(text) and abs(Decimal(text)) <= LARGEST:
        assert decimal_or_none(text) == Decimal(text)
    elif text:
        with pytest.raises(NumberError):
            decimal_or_none(text)


def test_an_integer_too_long_to_print_is_refused() -> None:
    with pytest.raises(NumberError):
        decimal_or_none(10**5000)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("0", "0"), ("-0.5", "-0.5"), ("+1", "1"), (".5", "0.5"), ("5.", "5"), ("1e-8", "0.00000001"),
        ("1.6E+2", "160"), (7, "7"), (0.1, "0.1"), (1e-07, "1E-7"), ("00012.50", "12.50"),
        (Decimal("3.3"), "3.3"),
    ],
)  # fmt: skip
def test_a_number_keeps_exactly_what_was_written(raw: object, value: str) -> None:
    assert decimal_from(raw) == Decimal(value)


@given(st.decimals(min_value=-LARGEST, max_value=LARGEST, allow_nan=False, allow_infinity=False))
def test_what_is_printed_plain_reads_back(value: Decimal) -> None:
    text = plain(value)
    assert "e" not in text.lower()
    assert decimal_from(text) == value


positive = st.decimals(min_value="0.00000001", max_value="1000000", allow_nan=False, places=8)


@given(value=positive, step=st.sampled_from([Decimal(s) for s in ("0.001", "0.5", "1", "25", "0.00000001")]))
def test_steps_bracket_the_value(value: Decimal, step: Decimal) -> None:
    low, high = floor_to_step(value, step), ceil_to_step(value, step)
    assert low <= value <= high
    assert high - low in {Decimal(0), step}
    assert low % step == 0
    assert high % step == 0


def test_a_time_in_milliseconds_is_aware_and_reads_back() -> None:
    moment = time_from_ms("1672125441042")
    assert moment == datetime(2022, 12, 27, 7, 17, 21, 42_000, tzinfo=UTC)
    assert ms_from_time(moment) == 1672125441042


@pytest.mark.parametrize("raw", ["0", "1672125441", "16721254410420", "", None, "soon"])
def test_seconds_microseconds_and_nonsense_are_no_times(raw: object) -> None:
    with pytest.raises(NumberError):
        time_from_ms(raw)
