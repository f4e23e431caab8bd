"""What prices do."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from brokers.sandbox.engine import Engine
from brokers.sandbox.presets import UnknownScenario, preset, scenario, scenario_names
from brokers.sandbox.scenarios import (
    AssetPath,
    Scenario,
    Stress,
    calm,
    crawl,
    flash_crash,
    recovery,
    slide,
)
from brokers.sandbox.spec import Asset

D = Decimal


def still(made: Scenario) -> AssetPath:
    return AssetPath(anchors=made.others.anchors, noise=0.0)


@pytest.mark.parametrize(
    ("made", "moments"),
    [
        (flash_crash(), {0.3: 0.995, 0.33: 0.80, 0.5: 0.97}),
        (crawl(), {0.5: 0.88**0.5, 1.0: 0.88}),
        (recovery(), {0.4: 0.92, 1.0: 1.02}),
        (calm(), {0.5: 1.0}),
    ],
)
def test_built_in_scenarios_pass_their_anchors(made: Scenario, moments: dict[float, float]) -> None:
    for moment, factor in moments.items():
        elapsed = round(moment * made.duration_ms)
        assert still(made).factor(elapsed, made.duration_ms, "s") == pytest.approx(factor, rel=1e-6)


def test_slide_falls_by_4_then_12_then_25_percent_and_wins_back_a_part() -> None:
    factors = [factor for _, factor in slide().others.anchors]
    assert factors[:4] == [1.0, 0.96, 0.88, 0.75]
    assert 0.75 < factors[-1] < 0.96
    assert still(slide()).factor(slide().duration_ms * 2, slide().duration_ms, "s") == pytest.approx(
        factors[-1]
    )


def test_noise_stays_within_three_times_its_size_and_starts_at_zero(build: Callable[..., Engine]) -> None:
    path = AssetPath(noise=0.01, noise_interval_ms=10)
    factors = [path.factor(ms, 1000, "seed") for ms in range(0, 5000, 7)]
    assert factors[0] == 1
    assert 1.001 < max(factors) < 1.031
    assert 0.97 < min(factors) < 0.999


def test_duration_is_a_parameter() -> None:
    assert slide(1000).duration_ms == slide().lasting(1000).duration_ms == scenario("slide", 1000).duration_ms


@pytest.mark.parametrize(
    "anchors", [(), ((0.1, 1.0),), ((0.0, 1.0), (0.0, 0.9)), ((0.0, 1.0), (1.1, 0.9)), ((0.0, -1.0),)]
)
def test_impossible_paths_are_refused(anchors: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="path"):
        AssetPath(anchors=anchors)


@pytest.mark.parametrize("wrong", [{"duration_ms": 0}, {"duration_ms": 1, "worst_at": 0.5, "over_at": 0.5}])
def test_impossible_scenarios_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="s:"):
        Scenario(name="s", title="", **wrong)


def test_stress_comes_and_goes() -> None:
    made = Scenario(name="s", title="", duration_ms=100, stress_from=0.2, worst_at=0.4, over_at=0.8)
    assert [made.intensity(ms) for ms in (0, 20, 30, 40, 60, 80, 100)] == [
        0,
        0,
        D("0.5"),
        1,
        D("0.5"),
        0,
        0,
    ]


def test_stress_thins_the_book_discounts_contracts_and_breaks_pegs(build: Callable[..., Engine]) -> None:
    bad = Scenario(
        name="bad",
        title="",
        duration_ms=1000,
        others=AssetPath(noise=0.0),
        stress=Stress(depth_factor=D("0.1"), perp_discount=D("-0.1"), depegs={"USDC": D("0.65")}),
        worst_at=0.5,
    )
    engine = build(scenario=bad, tick_ms=100)
    before = engine.depth("X-USDT").bids[0][1]
    engine.advance(engine.now_ms + 1000)
    ticker = engine.ticker("X-USDT")
    assert (ticker.index, ticker.mark, ticker.last) == (100, 90, 90)
    assert engine.usd_price("USDC") == D("0.65")
    after = engine.depth("X-USDT").bids[0][1]
    assert after * 90 == pytest.approx(before * D("99.99") / 10, rel=D("0.001"))


def test_an_unpegged_settle_currency_lifts_the_contract(build: Callable[..., Engine]) -> None:
    engine = build()
    engine.move_price("USDT", D("0.95"))
    assert engine.ticker("X-USDT").mark == D("105.26")


def test_playing_a_scenario_starts_from_the_present_price(build: Callable[..., Engine]) -> None:
    engine = build()
    engine.move_price("X", D("0.5"))
    engine.advance(engine.now_ms + 5000)
    engine.play(slide(1000))
    assert engine.ticker("X-USDT").mark == 50
    engine.advance(engine.now_ms + 1000)
    last = D(str(slide().others.anchors[-1][1]))
    assert engine.ticker("X-USDT").mark == pytest.approx(50 * last, rel=D("0.01"))


def test_presets_move_each_asset_by_its_worst_leg(build: Callable[..., Engine]) -> None:
    engine = build(
        assets=(
            Asset(name="BTC", usd_price=D(100)),
            Asset(name="ETH", usd_price=D(100)),
            Asset(name="X", usd_price=D(100)),
            Asset(name="USDT", usd_price=D(1), stable=True),
            Asset(name="USDe", usd_price=D(1), stable=True),
        ),
        scenario=preset("crypto-2025-10-10", 60_000),
    )
    engine.advance(engine.now_ms + 60_000)
    for asset, price in {"BTC": "83.1", "ETH": "78.8", "X": "37", "USDe": "0.65"}.items():
        assert engine.usd_price(asset) == pytest.approx(D(price), rel=D("0.002"))


def test_preset_carries_its_stress_and_its_evidence() -> None:
    made = preset("crypto-2020-03-12")
    assert made.stress.perp_discount == D("-0.1")
    assert made.stress.outage_ms == 30 * 60_000
    assert "confidence: high for BTC" in made.note


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_can_be_had_by_name(name: str) -> None:
    made = scenario(name, 12_345)
    assert (made.name, made.duration_ms) == (name, 12_345)
    assert made.others.factor(12_345, 12_345, "s") > 0


def test_unknown_scenario_lists_those_there_are() -> None:
    with pytest.raises(
        UnknownScenario, match=r"no scenario 'doom'; there are: calm, slide, .*crypto-2020-03-12"
    ):
        scenario("doom")
