"""What a refused value is told to its author: pydantic's findings in plain words, with a hint."""

import re
import types
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.scalars import (
    CURRENCY_PATTERN,
    IDENTIFIER_PATTERN,
    INSTRUMENT_PATTERN,
    PATH_PATTERN,
    PEM_PATTERN,
    PRINTABLE_PATTERN,
    SYMBOL_PATTERN,
)
from config.source import KeyPath

_CHOICE = re.compile(r"'([^']*)'")

_BLOCK = ("is not a block", "write `key: value` lines below it, indented")

_KINDS = {
    "string_type": ("is not text", "put it in quotes"),
    "string_unicode": ("is not text", "write plain text"),
    "bool_type": ("is not true or false", "write true or false"),
    "int_type": ("is not a whole number", "write digits only, without quotes"),
    "tuple_type": ("is not a list", "write `- entry` lines, or [one, two]"),
    "model_type": _BLOCK,
    "dict_type": _BLOCK,
    "mapping_type": _BLOCK,
}

_PATTERNS = {
    IDENTIFIER_PATTERN: "up to 32 of a-z, 0-9, _ and -, beginning with a letter or digit",
    CURRENCY_PATTERN: "a currency code in capitals, such as USDT",
    SYMBOL_PATTERN: "base and settle currency, such as BTC-USDT",
    INSTRUMENT_PATTERN: "the venue's own name of an instrument, such as BTCUSDT",
    PRINTABLE_PATTERN: "plain letters, digits and signs, without spaces",
    PEM_PATTERN: "plain letters, digits and signs, without spaces, or a key in PEM form",
    PATH_PATTERN: "the beginning of a request's path, such as /v5/position",
}


def explain(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """Return what is wrong and what to do about it. The refused value itself is never quoted."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "refused":
        return context["what"], context["hint"]
    if kind == "missing":
        return "is missing", "add it"
    if kind == "extra_forbidden":
        return _unknown_key(detail["loc"], model)
    if detail["input"] is None:
        return "has no value", "write its value, or remove the key"
    if kind == "enum":
        choices = _CHOICE.findall(context["expected"])
        return "is not a word known here", _suggest(detail["input"], choices)
    if kind in _KINDS:
        return _KINDS[kind]
    return _out_of_bounds(kind, context)


def _out_of_bounds(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    match kind:
        case "greater_than_equal":
            return "is too small", f"the least is {context['ge']}"
        case "less_than_equal":
            return "is too large", f"the most is {context['le']}"
        case "string_pattern_mismatch":
            return "is not well-formed", f"write {_PATTERNS.get(context['pattern'], 'it as documented')}"
    return "is not valid", f"see the example configuration ({kind})"


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    return "is not a known key", _suggest(path[-1], sorted(_keys_at(path[:-1], model)))


def _suggest(written: object, known: list[str]) -> str:
    close = get_close_matches(written.lower(), known, n=1) if isinstance(written, str) else []
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


def _keys_at(path: KeyPath, model: type[BaseModel]) -> set[str]:
    """Return the keys of the block at `path`."""
    for part in path:
        if isinstance(part, int):
            continue
        found = _block_in(model.model_fields[part].annotation)
        if found is None:
            return set()
        model = found
    return set(model.model_fields)


def _block_in(annotation: object) -> type[BaseModel] | None:
    """Return the one model inside an annotation such as `tuple[Model, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {Union, types.UnionType, Annotated, tuple}:
        return next((found for each in get_args(annotation) if (found := _block_in(each))), None)
    return None
