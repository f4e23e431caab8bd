"""The parameters of one request, by name: query wins over body, as at the venue."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

from brokers.numbers import NumberError, decimal_from
from brokers.sandbox.wire.base import WireRequest
from brokers.sandbox.wire.binance.refusals import refuse

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")

Word = TypeVar("Word")


class Parameters:
    """Read parameters; what is missing or malformed is refused as the venue does."""

    def __init__(self, request: WireRequest) -> None:
        self._values = {**request.form, **request.query}

    def text(self, name: str) -> str | None:
        """Return a parameter that may be absent or empty."""
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        """Return a parameter that must be there."""
        value = self.text(name)
        if value is None:
            raise refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return value

    def number(self, name: str) -> Decimal | None:
        """Return a number that may be absent."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return decimal_from(value)
        except NumberError:
            raise refuse(-1102, f"Parameter '{name}' was malformed.") from None

    def integer(self, name: str) -> int | None:
        """Return a whole number that may be absent."""
        value = self.number(name)
        if value is None:
            return None
        if value != value.to_integral_value():
            raise refuse(-1102, f"Parameter '{name}' was malformed.")
        return int(value)

    def flag(self, name: str) -> bool:
        """Return a flag; absent means no."""
        value = (self.text(name) or "false").lower()
        if value not in {"true", "false"}:
            raise refuse(-1102, f"Parameter '{name}' was malformed.")
        return value == "true"

    def word(self, name: str, words: Mapping[str, Word], code: int) -> Word:
        """Return what one of `words` means; another one is refused with `code`."""
        value = self.required(name)
        if value not in words:
            raise refuse(code)
        return words[value]

    def client_id(self, name: str) -> str | None:
        """Return a client order id that may be absent."""
        value = self.text(name)
        if value is not None and CLIENT_ID.fullmatch(value) is None:
            raise refuse(-4015)
        return value
