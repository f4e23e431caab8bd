"""The parameters of one request: a GET's query, a POST's JSON body; refused as the venue does."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brokers.numbers import NumberError, decimal_or_none
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.bybit.listing import CATEGORIES
from brokers.sandbox.wire.bybit.refusals import BybitRefusal

POST = "POST"


class Parameters:
    """Read parameters by name. Numbers travel as text; a JSON number in their place is refused."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @classmethod
    def of(cls, request: WireRequest) -> "Parameters":
        """Read a request's parameters from where its method puts them."""
        if request.method != POST:
            return cls(request.query)
        try:
            body = json.loads(request.body)
        except ValueError:
            raise BybitRefusal(10001, "params error: body is no JSON") from None
        if not isinstance(body, dict):
            raise BybitRefusal(10001, "params error: body is no object")
        return cls(body)

    def text(self, name: str) -> str | None:
        """Return a word that may be absent or empty."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise BybitRefusal(10001, f"params error: {name} type error")
        return value

    def required(self, name: str) -> str:
        """Return a word that must be there."""
        value = self.text(name)
        if value is None:
            raise BybitRefusal(10001, f"params error: {name} is required")
        return value

    def word(self, name: str, words: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the caller's own value
        """Return what one of `words` means."""
        value = self.required(name)
        if value not in words:
            raise BybitRefusal(10001, f"params error: {name} invalid")
        return words[value]

    def category(self) -> str:
        """Return the category, which every call needs."""
        value = self.required("category")
        if value not in CATEGORIES:
            raise BybitRefusal(10001, "params error: category invalid")
        return value

    def number(self, name: str) -> Decimal | None:
        """Return a number that may be absent."""
        try:
            return decimal_or_none(self.text(name))
        except NumberError:
            raise BybitRefusal(10001, f"params error: {name} invalid") from None

    def integer(self, name: str, default: int) -> int:
        """Return a whole number, which JSON may hold as one."""
        value = self._values.get(name, default)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise BybitRefusal(10001, f"params error: {name} invalid") from None

    def flag(self, name: str) -> bool:
        """Return a flag; absent means no."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise BybitRefusal(10001, f"params error: {name} type error")
        return value

    def rows(self, name: str) -> list["Parameters"]:
        """Return a list of objects."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise BybitRefusal(10001, f"params error: {name} invalid")
        return [Parameters(row) for row in value]
