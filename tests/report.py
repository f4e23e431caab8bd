"""The fault matrix of a run: what the tests noted of every cell, as a file and in the terminal's summary."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

PROPERTY = "fault"
NOT_APPLICABLE = "not applicable"
FILE = Path("var") / "fault-matrix.md"
UNSAFE = "UNSAFE"


class Row(NamedTuple):
    """One cell of the matrix."""

    product: str
    role: str
    call: str
    fault: str
    word: str


def note(record: Callable[[str, object], None], *row: str) -> None:
    """Note a cell with the running test: product, role, call, fault, and a word for what happened."""
    record(PROPERTY, json.dumps(Row(*row)))


def rows_of(properties: Iterable[tuple[str, object]]) -> list[Row]:
    """Return the cells that a test noted."""
    return [Row(*json.loads(str(value))) for name, value in properties if name == PROPERTY]


def table(rows: list[Row]) -> list[str]:
    """Return the compact table: products down, roles across, cells that ended safely of those tried."""
    roles = list(dict.fromkeys(row.role for row in rows))
    products = list(dict.fromkeys(row.product for row in rows))
    tried: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.word != NOT_APPLICABLE:
            tried[row.product, row.role].append(row.word)
    width = max(map(len, products)) + 1
    lines = ["".ljust(width) + " ".join(role.rjust(max(len(role), 5)) for role in roles)]
    for product in products:
        cells = []
        for role in roles:
            words = tried[product, role]
            text = str(len(words) - words.count(UNSAFE)) if words else "-"
            text += f"!{words.count(UNSAFE)}" if UNSAFE in words else ""
            cells.append(text.rjust(max(len(role), 5)))
        lines.append(product.ljust(width) + " ".join(cells))
    words = Counter(row.word for row in rows)
    lines += ["", *(f"{count:6} {word}" for word, count in words.most_common())]
    return lines


def markdown(rows: list[Row]) -> str:
    """Return the whole matrix: a table for every product, faults down, calls across."""
    parts = ["# What every fault comes to, at every call of every product", "", "```", *table(rows), "```"]
    for product in dict.fromkeys(row.product for row in rows):
        own = [row for row in rows if row.product == product]
        calls = list(dict.fromkeys((row.role, row.call) for row in own))
        words = {(row.role, row.call, row.fault): row.word for row in own}
        parts += ["", f"## {product}", ""]
        parts.append("| fault | " + " | ".join(f"{role}: `{call}`" for role, call in calls) + " |")
        parts.append("|---|" + "---|" * len(calls))
        for fault in dict.fromkeys(row.fault for row in own):
            cells = (words.get((*call, fault), "") for call in calls)
            parts.append(f"| {fault} | " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"


def write(rows: list[Row], root: Path) -> Path:
    """Write the matrix below `root`; return where it is."""
    file = root / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(markdown(rows))
    return file
