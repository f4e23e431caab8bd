"""Reading one raw row of a venue's answer: a missing or damaged figure becomes `None` and a finding."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.models import Finding, FindingCode, Symbol
from brokers.numbers import NumberError, decimal_or_none, time_from_ms


def mapping_from(raw: object, what: str) -> Mapping[str, Any]:
    """Return `raw` as a JSON object.

    Raises:
        MalformedAnswer: it is none.
    """
    if not isinstance(raw, Mapping):
        raise MalformedAnswer(f"{what} is no JSON object")
    return raw


def rows_from(raw: object, what: str) -> tuple[Mapping[str, Any], ...]:
    """Return `raw` as a list of JSON objects.

    Raises:
        MalformedAnswer: it is none.
    """
    if not isinstance(raw, list) or not all(isinstance(row, Mapping) for row in raw):
        raise MalformedAnswer(f"{what} is no list of JSON objects")
    return tuple(raw)


class Fields:
    """One raw row, with the findings that reading it makes.

    `required` figures leave a finding when absent, `optional` ones only when damaged. Findings go to the
    list that was passed in, marked with `unit` and `symbol`.
    """

    def __init__(
        self,
        row: Mapping[str, Any],
        findings: list[Finding],
        *,
        unit: str | None = None,
        symbol: Symbol | None = None,
    ) -> None:
        self._row = row
        self._findings = findings
        self._unit = unit
        self._symbol = symbol

    def find(self, code: FindingCode, detail: str) -> None:
        """Add a finding about this row."""
        self._findings.append(Finding(code=code, detail=detail, unit=self._unit, symbol=self._symbol))

    def required(self, name: str) -> Decimal | None:
        """Return a figure that must be there; `None` and a finding when it is absent or damaged."""
        value = self.optional(name)
        if value is None and self._row.get(name) in (None, ""):
            self.find(FindingCode.FIELD_MISSING, f"{name} is missing")
        return value

    def optional(self, name: str) -> Decimal | None:
        """Return a figure that may be absent; `None` and a finding when it is damaged."""
        try:
            return decimal_or_none(self._row.get(name))
        except NumberError as error:
            self.find(FindingCode.FIELD_DAMAGED, f"{name}: {error}")
            return None

    def time(self, name: str) -> datetime | None:
        """Return a time given in epoch milliseconds; `None` when absent, and a finding when damaged."""
        if self._row.get(name) in (None, "", "0", 0):
            return None
        try:
            return time_from_ms(self._row[name])
        except NumberError as error:
            self.find(FindingCode.FIELD_DAMAGED, f"{name}: {error}")
            return None

    def text(self, name: str) -> str | None:
        """Return a word; `None` when absent or empty, and a finding when it is no text."""
        raw = self._row.get(name)
        if raw is None or raw == "":
            return None
        if isinstance(raw, bool) or not isinstance(raw, (str, int)):
            self.find(FindingCode.FIELD_DAMAGED, f"{name} is no text")
            return None
        return str(raw)
