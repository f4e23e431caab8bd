"""A block of a configuration, and how it refuses what it is given."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from config.source import KeyPath


class Section(BaseModel):
    """One block of a configuration: frozen, exact about types, without room for unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_default=True,
    )


def layered(base: Section, override: Section) -> dict[str, object]:
    """Return the values of `base` with those that `override` sets laid over them, block by block."""
    values: dict[str, object] = base.model_dump()
    for name, value in override:
        if isinstance(value, Section):
            values[name] = layered(getattr(base, name), value)
        elif value is not None:
            values[name] = value
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One refused value, at a path relative to the section that found it."""

    path: KeyPath
    what: str
    hint: str = ""


def complain(what: str, hint: str = "") -> PydanticCustomError:
    """Return the error for the one value being judged; `what` and `hint` never quote the value."""
    return PydanticCustomError("refused", "{what}", {"what": what, "hint": hint})


def refuse(complaints: Iterable[Complaint]) -> None:
    """Raise all `complaints` as one error, each at its own key; do nothing if there are none."""
    details = [
        InitErrorDetails(type=complain(each.what, each.hint), loc=each.path, input=None)
        for each in complaints
    ]
    if details:
        raise ValidationError.from_exception_data("configuration", details)
