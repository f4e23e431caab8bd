"""`make bench`: measure margind beside plain ccxt, print the figures, and end with one line of JSON.

`--smallest` measures as little as there is, to see that all of it works.
"""

import argparse
import json
from pathlib import Path

import uvloop

from tests.bench.play import ROOT
from tests.bench.round import FULL, SMALLEST, measure
from tests.bench.table import show


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--smallest", action="store_true", help="the least there is, in seconds")
    parser.add_argument("--folder", type=Path, default=ROOT / "var", help="where journals are written")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    figures = uvloop.run(measure(asked.folder.resolve(), SMALLEST if asked.smallest else FULL))
    show(figures)
    print(json.dumps(figures.as_json()))  # noqa: T201 - the line for machines


if __name__ == "__main__":
    main()
