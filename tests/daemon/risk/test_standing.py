import json
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountId
from daemon.risk.assessment import Protection
from daemon.risk.policy import MarginPolicy
from daemon.risk.standing import Alarm

D = Decimal
BUILD = Any


def test_a_restart_goes_on_where_the_alarm_stood(build: BUILD) -> None:
    watch = build.watch(MarginPolicy(max_leverage=D(4))).levered("0.91", 0).levered("0.91", 1)
    watch.levered("0.58", 2).blind(7)

    restored = Alarm.from_json(json.loads(json.dumps(watch.alarm.to_json())))

    assert restored == watch.alarm
    assert restored.protection is Protection.UNPROTECTED
    fresh = Alarm.begin(AccountId("a"), build.at(0))
    assert Alarm.from_json(json.loads(json.dumps(fresh.to_json()))) == fresh


@pytest.mark.parametrize(
    "damage",
    [
        {"units": [{"key": "account"}]},
        {"protection": "perhaps"},
        {"began_at": "yesterday"},
        {"began_at": 5},
        {"units": None},
        {"episode": {"number": 1}},
    ],
)
def test_a_damaged_description_is_refused(build: BUILD, damage: dict[str, object]) -> None:
    values = Alarm.begin(AccountId("a"), build.at(0)).to_json() | damage

    with pytest.raises(ValueError):  # noqa: PT011 - every damage has its own words
        Alarm.from_json(values)
