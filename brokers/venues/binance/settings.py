"""Leverage and margin type per symbol: the v3 account payloads no longer carry them, `symbolConfig` does."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.models import MarginMode, Symbol
from brokers.numbers import NumberError, decimal_or_none

READ_EVERY = 30
"""Settings are read again after so many pictures."""

MODES = MappingProxyType(
    {"crossed": MarginMode.CROSS, "cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolSetting:
    """What `symbolConfig` says of one symbol; `None` where it is damaged or absent."""

    leverage: Decimal | None
    margin_mode: MarginMode | None


def read_settings(rows: Iterable[Mapping[str, Any]]) -> Mapping[Symbol, SymbolSetting]:
    """Read `GET /fapi/v1/symbolConfig`."""
    return {Symbol(str(row.get("symbol"))): _setting(row) for row in rows}


def _setting(row: Mapping[str, Any]) -> SymbolSetting:
    try:
        leverage = decimal_or_none(row.get("leverage"))
    except NumberError:
        leverage = None
    return SymbolSetting(leverage=leverage, margin_mode=MODES.get(str(row.get("marginType")).lower()))


class SettingsBook:
    """The settings as last read, and when to read them again. Nothing depends on their being there."""

    def __init__(self) -> None:
        self._known: Mapping[Symbol, SymbolSetting] = MappingProxyType({})
        self._pictures_left = 0

    @property
    def known(self) -> Mapping[Symbol, SymbolSetting]:
        """What was read last."""
        return self._known

    @property
    def is_due(self) -> bool:
        """Whether the next picture should read them again."""
        return self._pictures_left <= 0

    def expire(self) -> None:
        """Have them read with the next picture: something changed."""
        self._pictures_left = 0

    def take(self, fresh: Mapping[Symbol, SymbolSetting] | None, held: Collection[Symbol]) -> None:
        """Count one picture, after which `fresh` settings came (`None`: none were read, or none came).

        A held symbol that settings do not know yet has them read again, but a venue without the call is not
        asked every time.
        """
        if self.is_due:
            self._pictures_left = READ_EVERY
            if fresh is not None:
                self._known = fresh
        elif self._known and any(symbol not in self._known for symbol in held):
            self.expire()
            return
        self._pictures_left -= 1
