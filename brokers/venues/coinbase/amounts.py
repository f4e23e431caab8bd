"""Amounts as Coinbase states them: an object of value and currency, or the bare figure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brokers.fields import Fields
from brokers.models import FindingCode
from brokers.numbers import NumberError, decimal_or_none

USD = "USD"


def amount(row: Mapping[str, Any], name: str, fields: Fields, *, currency: str = USD) -> Decimal | None:
    """Return one amount of `row`; `None` when absent, and a finding when damaged or in another currency.

    `fields` takes the findings.
    """
    raw = row.get(name)
    if isinstance(raw, Mapping):
        stated = raw.get("currency")
        if stated not in (None, "", currency):
            fields.find(FindingCode.FIELD_DAMAGED, f"{name} is in {stated}, not in {currency}")
            return None
        raw = raw.get("value")
    try:
        return decimal_or_none(raw)
    except NumberError as error:
        fields.find(FindingCode.FIELD_DAMAGED, f"{name}: {error}")
        return None


def required(row: Mapping[str, Any], name: str, fields: Fields) -> Decimal | None:
    """Return one amount that must be there; `None` and a finding when it is absent or damaged."""
    value = amount(row, name, fields)
    raw = row.get(name)
    inner = raw.get("value") if isinstance(raw, Mapping) else raw
    if value is None and inner in (None, ""):
        fields.find(FindingCode.TOTALS_MISSING, f"{name} is not stated")
    return value
