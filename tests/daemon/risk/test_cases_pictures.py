"""Published numbers that concern what is read and shown: hedges, coins as margin, and venues' own ratios.

The cases are those of `test_cases.py`.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.models import ContractKind, Measure, Side
from daemon.risk.candidate import candidates
from daemon.risk.margin import (
    effective_leverage,
    initial_margin,
    maintenance_usage,
    notional,
    worst_ratio,
)
from daemon.risk.picture import picture
from daemon.risk.tiers import build_tiers, tiered_maintenance

Build = Any  # the type lives in conftest
Values = dict[str, Any]

CASES = json.loads((Path(__file__).parent / "cases.json").read_text(), parse_float=Decimal, parse_int=Decimal)
ONE, ZERO = Decimal(1), Decimal(0)


def hedge_margin(build: Build, i: Values) -> Decimal:
    """The margin of what stands out of a hedge: all that a reduction takes before it touches both legs."""
    rows = [
        build.Row(
            side=Side.LONG if leg["quantity"] > 0 else Side.SHORT,
            quantity=str(abs(leg["quantity"])),
            mark=str(leg["price"]),
            entry=str(leg["price"]),
        )
        for leg in i["legs"]
    ]
    snapshot = build.book(1_000, rows)
    (unit,) = picture(snapshot)
    (candidate,) = candidates(unit.positions, snapshot, market=True)
    overhang = candidate.most if len(candidate.legs) == 1 else ZERO
    worth = notional(ContractKind.LINEAR, overhang, ONE, candidate.legs[0].position.mark_price)
    return initial_margin(worth, i["leverage"], i["margin_maint"])


def coin_in_dollars(build: Build, i: Values) -> Decimal | None:
    """What a margin in coin is in the unit's dollars, by the mark of the contract it belongs to."""
    row = build.Row().position(
        settle="BTC",
        kind=ContractKind.INVERSE,
        mark_price=i["btc_price"],
        initial_margin=i["collateral"]["BTC"] * (1 - i["haircut"]),
    )
    (unit,) = picture(build.snapshot(units=[build.unit(currency="USD")], positions=[row]))
    return unit.positions_margin(Measure.UTILIZATION)


def okx_ratio(_: Build, i: Values) -> Values:
    worth = notional(ContractKind.INVERSE, i["contracts"], i["face_value"], i["mark"])
    with_fee = tiered_maintenance(worth, build_tiers([(ZERO, i["mmr_assumed"] + i["liq_fee_assumed"])]))
    ratio = worst_ratio(maintenance_usage(with_fee, i["equity_btc"], None))
    leverage = effective_leverage(worth, i["equity_btc"])
    assert ratio is not None
    assert leverage is not None
    return {
        "equity_over_notional": 1 / leverage,
        "okx_reported_mmr_field": tiered_maintenance(worth, build_tiers([(ZERO, i["mmr_assumed"])])),
        "okx_reported_mgnRatio": 1 / ratio,
    }


def health_ratio(_: Build, i: Values) -> Values:
    """Mango states how far assets exceed liabilities, in percent: 0 is where ours is 1."""
    ours = [
        worst_ratio(maintenance_usage(liabs, assets, None))
        for assets, liabs in zip(i["assets"], i["liabs"], strict=True)
    ]
    return {"ratio": [100 * (1 / ratio - 1) for ratio in ours if ratio is not None]}


ANSWERS: dict[str, Callable[[Build, Values], Any]] = {
    "collateral_valuation": coin_in_dollars,
    "hedge_mode_margin": hedge_margin,
    "okx_mgnRatio": okx_ratio,
    "mango_health_ratio": health_ratio,
}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if {case["category"], case["model"]} & set(ANSWERS)],
    ids=lambda case: case["id"],
)
def test_what_we_read_is_the_published_number(build: Build, agree: Callable[..., bool], case: Values) -> None:
    found = ANSWERS[case["category"] if case["category"] in ANSWERS else case["model"]](build, case["inputs"])
    if case["model"] == "mango_health_ratio":
        assert [round(each, 9) for each in found["ratio"]] == case["expected"]["ratio"]
        return
    assert agree(found, case["expected"], case["tolerance"]), (found, case["expected"], case["source"])


def test_every_such_case_has_an_answer() -> None:
    concerned = {"collateral_valuation", "hedge_mode_margin", "venue_ratio"}
    cases = [case for case in CASES if case["category"] in concerned]
    assert len(cases) == 5
    assert all({case["category"], case["model"]} & set(ANSWERS) for case in cases)
