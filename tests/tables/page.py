"""Pages whose tables are written by the code they speak of."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.tables.products import ACCESS, ACTING, JUDGED, SHORT, products, table

ROOT = Path(__file__).parents[2]


def tables() -> Mapping[Path, Mapping[str, str]]:
    """Return what stands between the markers of each page, by the marker's name."""
    rows = products()
    return {
        ROOT / "docs" / "venues.md": {
            "judged": table(rows, JUDGED),
            "acting": table(rows, ACTING),
            "access": table(rows, ACCESS),
        },
        ROOT / "README.md": {"venues": table(rows, SHORT)},
    }


def filled(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the markers of `name`.

    Raises:
        ValueError: it has not exactly one pair of them.
    """
    begin, end = f"<!-- {name}: by `make tables` -->\n", f"<!-- end of {name} -->\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"one pair of markers for {name}, not {len(pattern.findall(text))}")
    return pattern.sub(lambda _: begin + content + end, text)


def written(page: Path) -> str:
    """Return the page as it should read."""
    text = page.read_text()
    for name, content in tables()[page].items():
        text = filled(text, name, content)
    return text
