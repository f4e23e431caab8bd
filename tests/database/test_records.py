from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from database.records import FINAL_STATES, Intent, IntentState, MarginSample, RowKind


@pytest.mark.parametrize(
    "damage", [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("sNaN")]
)
def test_a_row_cannot_hold_a_number_that_is_none(
    make_sample: Callable[..., MarginSample], damage: Decimal
) -> None:
    with pytest.raises(ValueError, match="margin_utilization must be finite"):
        make_sample(margin_utilization=damage)


def test_a_row_cannot_hold_a_naive_time(make_intent: Callable[..., Intent], now: datetime) -> None:
    with pytest.raises(ValueError, match="deadline must be an aware time"):
        make_intent("i", deadline=now.replace(tzinfo=None))


def test_a_missing_figure_is_missing_and_not_zero(make_sample: Callable[..., MarginSample]) -> None:
    assert make_sample().maintenance_ratio is None


def test_final_states_are_those_that_recovery_leaves_alone() -> None:
    open_states = {state for state in IntentState if not state.is_final}

    assert open_states == {"planned", "sent", "unknown", "not_found", "accepted"}
    assert open_states.isdisjoint(FINAL_STATES)


def test_only_margin_and_position_rows_may_be_dropped() -> None:
    assert {kind for kind in RowKind if kind.is_sample} == {RowKind.MARGIN, RowKind.POSITION}
