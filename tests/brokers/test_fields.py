from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.errors import MalformedAnswer
from brokers.fields import Fields, mapping_from, rows_from
from brokers.models import Finding, FindingCode, Symbol

ROW = {"equity": "12.5", "empty": "", "nan": "NaN", "comma": "1,000", "at": "1700000000000", "word": "cross"}


@pytest.fixture
def findings() -> list[Finding]:
    return []


@pytest.fixture
def fields(findings: list[Finding]) -> Fields:
    return Fields(ROW, findings, unit="account", symbol=Symbol("BTCUSDT"))


def test_a_figure_that_is_there_is_read_without_a_finding(fields: Fields, findings: list[Finding]) -> None:
    assert fields.required("equity") == Decimal("12.5")
    assert fields.time("at") == datetime.fromtimestamp(1_700_000_000, UTC)
    assert fields.text("word") == "cross"
    assert findings == []


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_an_absent_figure_is_none_and_a_finding_only_where_it_is_required(
    fields: Fields, findings: list[Finding], name: str
) -> None:
    assert fields.optional(name) is None
    assert findings == []
    assert fields.required(name) is None
    assert [(f.code, f.unit, f.symbol) for f in findings] == [
        (FindingCode.FIELD_MISSING, "account", "BTCUSDT")
    ]


@pytest.mark.parametrize("name", ["nan", "comma", "word"])
def test_a_damaged_figure_is_none_and_one_finding(fields: Fields, findings: list[Finding], name: str) -> None:
    assert fields.required(name) is None
    assert [f.code for f in findings] == [FindingCode.FIELD_DAMAGED]


def test_a_damaged_time_is_none_and_a_finding(fields: Fields, findings: list[Finding]) -> None:
    assert fields.time("equity") is None
    assert fields.time("empty") is None
    assert [f.code for f in findings] == [FindingCode.FIELD_DAMAGED]


@pytest.mark.parametrize("raw", [None, [], "x", 1])
def test_what_is_no_object_is_malformed(raw: object) -> None:
    with pytest.raises(MalformedAnswer):
        mapping_from(raw, "it")


@pytest.mark.parametrize("raw", [None, {}, "x", [1], [{}, None]])
def test_what_is_no_list_of_objects_is_malformed(raw: object) -> None:
    with pytest.raises(MalformedAnswer):
        rows_from(raw, "it")
