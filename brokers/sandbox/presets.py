"""Scenarios by name: the built-in ones, and bad days that happened."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from brokers.numbers import ZERO
from brokers.sandbox.scenarios import (
    MINUTE_MS,
    AssetPath,
    Scenario,
    Stress,
    calm,
    crawl,
    flash_crash,
    recovery,
    slide,
)

BUILT_IN: Mapping[str, Callable[[], Scenario]] = MappingProxyType(
    {"calm": calm, "slide": slide, "flash_crash": flash_crash, "crawl": crawl, "recovery": recovery}
)

FALL = ((0.25, 0.15), (0.55, 0.45), (0.85, 1.0))
"""How much of a move (in logarithms) has happened at which fraction of the time: slow first, then fast."""

EVERYTHING_ELSE = frozenset({"ALT-median", "SPX"})
"""Legs that stand for whatever has no leg of its own."""


class UnknownScenario(ValueError):
    """There is no scenario of that name; the message lists those there are."""


def scenario_names() -> tuple[str, ...]:
    """Return the names of all scenarios."""
    return (*BUILT_IN, *_presets())


def scenario(name: str, duration_ms: int | None = None) -> Scenario:
    """Return the scenario called `name`, built-in or preset, lasting `duration_ms` if that is given.

    Raises:
        UnknownScenario: there is none.
    """
    if name in BUILT_IN:
        found = BUILT_IN[name]()
        return found if duration_ms is None else found.lasting(duration_ms)
    return preset(name, 10 * MINUTE_MS if duration_ms is None else duration_ms)


def preset(name: str, duration_ms: int = 10 * MINUTE_MS) -> Scenario:
    """Return a day that happened, its window compressed to `duration_ms`.

    Every asset falls by its worst known leg; assets without one follow the leg that stands for the rest, or
    else the first leg. Prices reach their worst at 85 % of the time and stay there.

    Raises:
        UnknownScenario: there is none.
    """
    raw = _presets().get(name)
    if raw is None:
        raise UnknownScenario(f"no scenario {name!r}; there are: {', '.join(scenario_names())}")
    paths: dict[str, AssetPath] = {}
    worst: dict[str, float] = {}
    for leg in raw["legs"]:
        move = float(leg["move_pct"]) / 100
        if move <= worst.get(leg["asset"], 0.0):
            worst[leg["asset"]] = move
            paths[leg["asset"]] = _path(move)
    rest = next((a for a in paths if a in EVERYTHING_ELSE), raw["legs"][0]["asset"])
    return Scenario(
        name=name,
        title=str(raw["title"]),
        duration_ms=duration_ms,
        paths=MappingProxyType({a: path for a, path in paths.items() if a not in EVERYTHING_ELSE}),
        others=paths[rest],
        stress=_stress(raw.get("stress", {})),
        stress_from=0.25,
        worst_at=0.85,
        note=f"{raw['note']} (confidence: {raw['confidence']})".strip(),
    )


def _path(move: float) -> AssetPath:
    anchors = ((moment, (1 + move) ** share) for moment, share in FALL)
    return AssetPath(anchors=((0.0, 1.0), *anchors))


def _stress(raw: Mapping[str, Any]) -> Stress:
    depegs = {name: Decimal(str(factor)) for name, factor in raw.get("stablecoin_depeg", {}).items()}
    return Stress(
        depth_factor=Decimal(str(raw.get("depth_factor", 1))),
        perp_discount=Decimal(str(raw.get("perp_discount_pct", 0))) / 100,
        depegs=MappingProxyType(depegs),
        adl_fraction=Decimal(str(raw.get("adl_fraction_of_winning_leg", ZERO))),
        transfer_blocked=bool(raw.get("transfer_blocked", False)),
        outage_ms=int(raw.get("venue_outage_minutes", 0)) * MINUTE_MS,
        latency_multiplier=Decimal(str(raw.get("api_latency_multiplier", 1))),
    )


@cache
def _presets() -> Mapping[str, Mapping[str, Any]]:
    text = files("brokers.sandbox").joinpath("presets.json").read_text(encoding="utf-8")
    return MappingProxyType({entry["name"]: entry for entry in json.loads(text)["presets"]})
