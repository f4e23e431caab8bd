"""The benchmark's smallest round runs from the repository's root and ends in one line of figures."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


def figures_of(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a JSON value, with where it stands."""
    match value:
        case dict():
            for name, item in value.items():
                yield from figures_of(item, f"{path}.{name}")
        case list():
            for number, item in enumerate(value):
                yield from figures_of(item, f"{path}[{number}]")
        case int() | float():
            yield path, value


def test_every_figure_of_the_smallest_round_is_there_and_above_zero(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench", "--smallest", "--folder", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(  # noqa: S603 - our own
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100
    )
    assert run.returncode == 0, run.stderr

    *tables, line = run.stdout.splitlines()
    figures = dict(figures_of(json.loads(line)))
    assert {path for path, value in figures.items() if value <= 0} == {
        ".reactions.venues[0].missed",
        ".reactions.together.missed",
    }
    assert figures[".reactions.together.episodes"] == 1
    assert figures[".cycles[0].ratio.count"] == 2
    assert "Traceback" not in run.stderr
    assert any("bybit" in row for row in tables)
    assert list(tmp_path.iterdir()) == []
