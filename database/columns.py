"""Column types that give the same rows back on SQLite and on PostgreSQL, and the names of constraints."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, MetaData, Numeric, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from database.canonical import clean_text, plain_decimal

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """Return an empty MetaData whose constraints all get a name, so that migrations can find them."""
    return MetaData(naming_convention=NAMING)


class Money(TypeDecorator[Decimal]):
    """A Decimal with every digit it came with: text on SQLite, NUMERIC on PostgreSQL.

    SQLite would turn a numeric column into a binary float. Text neither sorts nor adds up as a number, so
    sums and comparisons are done in Python.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the storage of the dialect."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401 - the base's
        """Refuse NaN and infinities, write all else out in full."""
        if value is None:
            return None
        if not value.is_finite():
            raise ValueError(f"not a finite number: {value}")
        text = plain_decimal(value)
        return text if dialect.name == "sqlite" else Decimal(text)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002 - base's
        """Read it back exactly."""
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    """An aware time in UTC, to the microsecond: text on SQLite, `timestamptz` on PostgreSQL."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the storage of the dialect."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time, turn every other into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time: {value}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read it back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text from anywhere, venues included, without the characters that a database refuses."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the base's
        """Replace NUL and lone surrogates."""
        return None if value is None else clean_text(value)


class Choice(TypeDecorator[StrEnum]):
    """A StrEnum by its value, as plain text: adding a member needs no migration."""

    impl = String
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__(16)
        self.members = members

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - base's
        """Write the member's value."""
        return None if value is None else str(self.members(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002 - base's
        """Read the member back."""
        return None if value is None else self.members(value)


def json_object() -> JSON:
    """Return the type of a JSON object: engines write it with `canonical_json`, databases keep that text."""
    return JSON(none_as_null=True)
