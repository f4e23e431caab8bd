"""Strict YAML: bytes -> plain values, and the line of every key.

Accepted is what an operator writes by hand: mappings with text keys, lists, text, whole and decimal numbers,
true, false and null. Refused before anything is built: more than 256 KiB, more than 20 levels, anything but
UTF-8, anchors, aliases, tags, directives, several documents. Refused with their lines, all at once: duplicate
keys, merge keys, keys that are not text, NaN, infinities, control characters, numbers too long to be meant.

Numbers become `int` or `Decimal`, never float. `yes`, `on`, `0600`, `1_000`, `1e6`, `12:30` and dates stay
text (YAML 1.1 would make booleans, octals and times of them), so that the field they are for can refuse them.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import yaml

from config.errors import ConfigError, Problem
from config.source import KeyPath, Source

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
TOLD_OF_DEPTH = 3
"""How much is told of the way to what is too deep: an account's setting, not all of the way."""

MAX_NUMBER = 40
MAX_PROBLEMS = 100

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT = f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float"
_TEXT = f"{_TAG}str"
_ACCOUNT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_QUOTED = re.compile(r"'[^']{5,}'|\"[^\"]{5,}\"")  # PyYAML quotes the file; it may quote a secret
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class _Refused(yaml.MarkedYAMLError):
    """A construct that a configuration has no use for; `problem` and `note` are our own words."""

    def __init__(self, problem: str, hint: str, mark: yaml.Mark, path: KeyPath = ()) -> None:
        super().__init__(problem=problem, problem_mark=mark, note=hint)
        self.path = path


class _Loader(yaml.SafeLoader):
    """Compose nodes, refusing at the first event what could grow, hide or surprise."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's shape

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.path: KeyPath = ()
        self.account_ids: list[str | None] = []
        """Those read so far, by list position."""

    def compose_document(self) -> yaml.Node | None:
        event = self._next_event()
        if event.version or event.tags:
            raise _Refused("a % directive is not allowed", "remove the line", event.start_mark)
        return super().compose_document()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event, around = self._next_event(), self.path
        self.path = _below(around, index)
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("an alias (*name) is not allowed", "write the value out", mark, self.path)
        if event.anchor is not None:
            raise _Refused("an anchor (&name) is not allowed", "write the value out", mark, self.path)
        if event.tag is not None:
            raise _Refused("a tag (!name) is not allowed", "quote text that begins with !", mark, self.path)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            what = f"nested deeper than {MAX_DEPTH} levels"
            raise _Refused(what, "no setting is that deep", mark, self.path[:TOLD_OF_DEPTH])
        node = super().compose_node(parent, index)
        self._note_account(node)
        self.depth -= 1
        self.path = around
        return node

    def _note_account(self, node: yaml.Node | None) -> None:
        match self.path:
            case ("accounts", int(position), "id") if isinstance(node, yaml.ScalarNode):
                self.account_ids += [None] * (position - len(self.account_ids) + 1)
                self.account_ids[position] = node.value if _ACCOUNT_ID.fullmatch(node.value) else None

    def _next_event(self) -> Any:  # noqa: ANN401 - PyYAML's events share no useful base
        return self.peek_event()  # type: ignore[no-untyped-call]  # its stub forgets the types


def _below(path: KeyPath, index: object) -> KeyPath:
    """Return the path of a node; PyYAML calls it by its key's node, or by its number, or it is a key."""
    if isinstance(index, yaml.ScalarNode):
        return (*path, index.value)
    return (*path, index) if isinstance(index, int) else path


for _tag, _pattern, _first in (
    (_NULL, r"(~|null|)\Z", ["~", "n", ""]),
    (_BOOL, r"(true|false)\Z", ["t", "f"]),
    (_INT, r"[-+]?(0|[1-9][0-9]*)\Z", list("-+0123456789")),
    (
        _FLOAT,
        r"([-+]?(0|[1-9][0-9]*)?\.[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern, re.ASCII), _first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The plain values of one file, and where each was written."""

    values: dict[str, object]
    source: Source


def read_document(raw: bytes, file: str) -> Document:
    """Return the values in `raw`; `file` is the name used in problems.

    Raises:
        ConfigError: the text is not the strict YAML described above.
    """
    root = _composed(_decoded(raw, file), file)
    if not isinstance(root, yaml.MappingNode):
        what, hint = "is not a mapping", "write `key: value` lines, as the example configuration does"
        raise ConfigError([Problem(file=file, line=1, key="", what=what, hint=hint)])
    builder = _Builder(file)
    values = builder.mapping(root, ())
    if builder.problems:
        raise ConfigError(builder.problems)
    source = Source(
        file=file,
        sha256=sha256(raw).hexdigest(),
        lines=MappingProxyType(builder.lines),
        account_ids=_account_ids(values),
    )
    return Document(values=values, source=source)


def _decoded(raw: bytes, file: str) -> str:
    if len(raw) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES // 1024} KiB"
        raise ConfigError([Problem(file=file, line=None, key="", what=what, hint="is it the right file?")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problem = Problem(file=file, line=line, key="", what="is not UTF-8", hint="save the file as UTF-8")
        raise ConfigError([problem]) from None
    odd = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        what = f"holds the unprintable character U+{ord(odd[0]):04X}"
        raise ConfigError([Problem(file=file, line=line, key="", what=what, hint="remove it")])
    return text


def _composed(text: str, file: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    except _Refused as error:
        source = Source(file=file, account_ids=tuple(loader.account_ids))
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = source.problem(error.path, error.problem or "", error.note or "", line=line)
        raise ConfigError([problem]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        what = f"is not valid YAML: {_QUOTED.sub('...', error.problem or 'syntax error')}"
        begun = error.context_mark.line + 1 if error.context_mark else line
        hint = f"what is broken began on line {begun}" if begun != line else _hint_for(error.problem or "")
    finally:
        loader.dispose()
    raise ConfigError([Problem(file=file, line=line, key="", what=what, hint=hint)])


def _hint_for(problem: str) -> str:
    if "\\t" in problem:
        return "indent with spaces, not tabs"
    if "cannot start any token" in problem or "mapping values" in problem:
        return "put the value in quotes"
    return "check indentation, quotes and brackets"


def _account_ids(values: dict[str, object]) -> tuple[str | None, ...]:
    accounts = values.get("accounts")
    if not isinstance(accounts, tuple):
        return ()
    ids = (entry.get("id") if isinstance(entry, dict) else None for entry in accounts)
    return tuple(each if isinstance(each, str) and _ACCOUNT_ID.fullmatch(each) else None for each in ids)


class _Builder:
    """Turn nodes into values; collect every problem instead of stopping at the first."""

    def __init__(self, file: str) -> None:
        self.lines: dict[KeyPath, int] = {(): 1}
        self.problems: list[Problem] = []
        self._source = Source(file=file, lines=self.lines)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        """Return a mapping's values, and note the line of each key."""
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _TEXT:
                self._complain(path, "has a key that is not plain text", "quote the key", line)
            elif key_node.value == "<<":
                self._complain(path, "has a merge key (<<)", "write the values out", line)
            elif key_node.value in values:
                here = (*path, key_node.value)
                hint = f"line {self.lines[here]} has it already: keep one of the two"
                self._complain(here, "is there twice", hint, line)
            else:
                here = (*path, key_node.value)
                self.lines[here] = line
                values[key_node.value] = self._value(value_node, here)
        return values

    def _value(self, node: yaml.Node, path: KeyPath) -> object:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node.tag, node.value, path)
        items = []
        for index, item in enumerate(node.value):
            here = (*path, index)
            self.lines[here] = item.start_mark.line + 1
            items.append(self._value(item, here))
        return tuple(items)

    def _complain(self, path: KeyPath, what: str, hint: str, line: int | None = None) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(self._source.problem(path, what, hint, line=line))

    def _scalar(self, tag: str, text: str, path: KeyPath) -> object:
        if tag == _NULL:
            return None
        if tag == _BOOL:
            return text == "true"
        if tag in {_INT, _FLOAT}:
            return self._number(tag, text, path)
        odd = _UNFIT.search(text)
        if odd:
            self._complain(path, f"holds the character U+{ord(odd[0]):04X}", "write plain text")
        return text

    def _number(self, tag: str, text: str, path: KeyPath) -> int | Decimal | None:
        if len(text) > MAX_NUMBER:
            self._complain(path, f"is a number of more than {MAX_NUMBER} characters", "write it shorter")
            return None
        if tag == _INT:
            return int(text)
        number = Decimal(text.replace(".", "", 1) if text[-1].isalpha() else text)
        if not number.is_finite():
            self._complain(path, "is not a finite number", "write a plain decimal number")
            return None
        return number
