"""The benchmark's smallest round runs from the repository's root and ends in one line of figures."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.process, pytest.mark.alone]

Json = Any
Shape = Any  # names, lists and types, nested as the line is

ROOT = Path(__file__).parents[2]


ROWS_OF_A_COMMIT = 6
PATIENCE_MS = 15_000

REACTION: Shape = {
    "product": str,
    "p50_ms": float,
    "p99_ms": float,
    "worst_ms": float,
    "episodes": int,
    "missed": int,
}
PACE: Shape = {
    "product": str,
    "accounts": int,
    "pace_s": float,
    "every_s": float,
    "cycles": int,
    "on_time": float,
    "late_p50_ms": float,
    "late_p99_ms": float,
    "cycle_p50_ms": float,
    "cycle_p99_ms": float,
}
COST: Shape = {
    "strategy": str,
    "p50_bp": float,
    "p90_bp": float,
    "saved": float,
    "dearer": int,
    "missed": int,
}
SHAPE: Shape = {
    "fleet": {
        "products": [PACE, PACE],
        "together": {**PACE, "pace_s": type(None)},
        "cores": float,
        "waited": float,
        "cpu_per_cycle_ms": float,
        "lag_p50_ms": float,
        "lag_p99_ms": float,
        "lag_worst_ms": float,
        "rss_mb": float,
        "grown_kb": float,
    },
    "cycles": [
        {
            "product": str,
            "positions": int,
            "ratio": {"median": float, "low": float, "high": float, "count": int},
            "margind_ms": float,
            "ccxt_ms": float,
            "accounts_per_core": int,
        }
    ],
    "memory": [{"product": str, "margind_kb": float, "ccxt_kb": float}],
    "reactions": {
        "venues": [REACTION],
        "together": REACTION,
        "idle_p50_ms": float,
        "idle_p99_ms": float,
    },
    "durability": {
        "commit_p50_ms": float,
        "commit_p99_ms": float,
        "fsync_p50_ms": float,
        "fsync_p99_ms": float,
        "commits": int,
        "carried_rows": int,
        "carried_per_s": float,
    },
    "log_line_ms": float,
    "planning": {
        "times": [{"positions": int, "p50_ms": float, "p99_ms": float, "plans": int}],
        "costs": [COST] * 5,
        "accounts": int,
    },
}
"""Every figure of the line, which a dashboard may read."""


def shape_of(value: object) -> Shape:
    match value:
        case dict():
            return {name: shape_of(item) for name, item in value.items()}
        case list():
            return [shape_of(item) for item in value]
        case _:
            return type(value)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.CompletedProcess[str]]:
    """The smallest round, once; it leaves nothing behind."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tests.bench", "--smallest", "--folder", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    yield subprocess.run(  # noqa: S603 - our own
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100
    )
    assert list(folder.iterdir()) == []


@pytest.fixture
def figures(run: subprocess.CompletedProcess[str]) -> Json:
    """The last line, which is for machines."""
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_the_last_line_holds_every_figure_and_no_other(figures: Json) -> None:
    assert shape_of(figures) == SHAPE


def test_the_effort_of_the_smallest_round_is_what_was_measured(figures: Json) -> None:
    (cycle,), (memory,), (reaction,) = (
        figures["cycles"],
        figures["memory"],
        figures["reactions"]["venues"],
    )
    assert (cycle["product"], cycle["positions"], cycle["ratio"]["count"]) == ("bybit unified", 2, 2)
    assert (memory["product"], reaction["product"]) == ("bybit unified", "bybit unified")
    assert (reaction["episodes"], reaction["missed"]) == (1, 0)
    assert figures["durability"]["commits"] == 5
    assert figures["durability"]["carried_rows"] == 5 * ROWS_OF_A_COMMIT + 10


def test_the_figures_of_a_cycle_agree_with_one_another(figures: Json) -> None:
    (cycle,) = figures["cycles"]
    ratio, quotient = cycle["ratio"], cycle["margind_ms"] / cycle["ccxt_ms"]
    assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]
    # of two rounds the tenths lie a tenth inside; a quotient of sums lies between the quotients
    reach = (ratio["high"] - ratio["low"]) / 1.6 + 1e-9
    assert abs(quotient - ratio["median"]) <= reach
    assert 0 < figures["log_line_ms"] < cycle["margind_ms"]
    assert cycle["accounts_per_core"] == int(2000 / (cycle["margind_ms"] + figures["log_line_ms"]))


def test_the_figures_of_a_distribution_are_in_order(figures: Json) -> None:
    reactions, durability = figures["reactions"], figures["durability"]
    for time in (*reactions["venues"], reactions["together"]):
        assert 0 < time["p50_ms"] <= time["p99_ms"] <= time["worst_ms"] < PATIENCE_MS
    assert 0 < reactions["idle_p50_ms"] <= reactions["idle_p99_ms"]
    assert 0 < durability["commit_p50_ms"] <= durability["commit_p99_ms"]
    assert 0 < durability["fsync_p50_ms"] <= durability["fsync_p99_ms"]
    assert durability["carried_per_s"] > 0
    assert all(row[side] > 0 for row in figures["memory"] for side in ("margind_kb", "ccxt_kb"))


def test_the_daemon_that_was_watched_kept_its_pace(figures: Json) -> None:
    fleet, seconds = figures["fleet"], 5.0
    products, together = fleet["products"], fleet["together"]
    assert [(row["product"], row["accounts"]) for row in products] == [
        ("bybit unified", 2),
        ("coinbase spot", 1),
    ]
    assert together["accounts"] == 3
    assert together["cycles"] == sum(row["cycles"] for row in products)
    for row in products:
        assert row["pace_s"] == 2
        assert abs(row["every_s"] - 2) < 0.5
        assert abs(row["cycles"] - row["accounts"] * seconds / 2) <= row["accounts"]
        assert 0 < row["cycle_p50_ms"] <= row["cycle_p99_ms"] < 2000
        assert -500 < row["late_p50_ms"] <= row["late_p99_ms"]
        assert 0 <= row["on_time"] <= 1
    assert fleet["cpu_per_cycle_ms"] * together["cycles"] == pytest.approx(
        fleet["cores"] * seconds * 1000, rel=0.1
    )
    assert 0 < fleet["lag_p50_ms"] <= fleet["lag_p99_ms"] <= fleet["lag_worst_ms"]
    assert 20 < fleet["rss_mb"] < 1000


def test_the_cheapest_plan_is_never_dearer_than_another_on_the_same_books(figures: Json) -> None:
    planning = figures["planning"]
    (took,), costs = planning["times"], {row["strategy"]: row for row in planning["costs"]}
    assert (took["positions"], took["plans"], planning["accounts"]) == (5, 2, 4)
    assert 0 < took["p50_ms"] <= took["p99_ms"]
    assert set(costs) == {"cheapest_relief", "largest_margin", "worst_pnl", "pro_rata", "loser_first"}
    assert costs["cheapest_relief"]["saved"] == costs["cheapest_relief"]["missed"] == 0
    for row in costs.values():
        assert 0 < costs["cheapest_relief"]["p50_bp"] <= row["p50_bp"] <= row["p90_bp"]
        assert row["dearer"] == 0
        assert 0 <= row["saved"] < 1


def test_one_venue_together_is_that_venue(figures: Json) -> None:
    (venue,), together = figures["reactions"]["venues"], figures["reactions"]["together"]
    assert together == {**venue, "product": "all"}


def test_a_person_sees_the_same_figures(run: subprocess.CompletedProcess[str], figures: Json) -> None:
    cells = [line.replace("│", " ").split() for line in run.stdout.splitlines() if line.startswith("│")]
    (cycle,), (memory,) = figures["cycles"], figures["memory"]
    names = ["bybit", "coinbase", "all", "bybit", "bybit", "bybit", "all", "journal", "the", "5"]
    names += [row["strategy"] for row in figures["planning"]["costs"]]
    assert [row[0] for row in cells] == names
    watched, cells = cells[:3], cells[3:]
    assert [row[-5] for row in watched] == [
        f"{row['on_time'] * 100:.1f}" for row in (*figures["fleet"]["products"], figures["fleet"]["together"])
    ]
    assert cells[0][-3:] == [
        f"{cycle['margind_ms']:.2f}",
        f"{cycle['ccxt_ms']:.2f}",
        str(cycle["accounts_per_core"]),
    ]
    assert cells[1][-2:] == [f"{memory['margind_kb']:.0f}", f"{memory['ccxt_kb']:.0f}"]
    assert cells[2][-5:] == cells[3][-5:]
    assert cells[3][1] == f"{figures['reactions']['together']['p50_ms']:.1f}"
    assert cells[4][-3] == f"{figures['durability']['commit_p50_ms']:.2f}"
    assert cells[5][-3] == f"{figures['durability']['fsync_p50_ms']:.2f}"
    assert cells[6][-3] == f"{figures['planning']['times'][0]['p50_ms']:.2f}"
    assert cells[7][-5] == f"{figures['planning']['costs'][0]['p50_bp']:.1f}"
    assert "Traceback" not in run.stderr
