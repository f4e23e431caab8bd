from decimal import Decimal
from typing import Any

from daemon.risk.answer import Context, sentence
from daemon.risk.policy import Action, Mode

D = Decimal
BUILD = Any
LOOKED = {"cancellable_orders": 0}


def test_every_decision_is_one_sentence_with_its_numbers(build: BUILD) -> None:
    watch = build.watch().levered("0.91", 0).levered("0.91", 1)

    assert sentence(watch.decide(**LOOKED)) == (
        "act reduce (liquidation_reached), level liquidation, unit account, utilization 91 %, target 60 %"
    )
    assert sentence(watch.decide(Mode.OBSERVE, **LOOKED)).startswith("hold reduce (observe_mode), ")
    assert sentence(watch.decide(Mode.ADVISE, **LOOKED)).startswith("advise reduce (liquidation_reached), ")
    assert sentence(watch.decide(**LOOKED, funds=D(9))).endswith(", amount 9")
    assert sentence(watch.blind(9).decide()) == (
        "hold (venue_unavailable), level liquidation, timeout after 4 s"
    )
    assert sentence(build.watch().levered("0.91", 0).decide()).startswith("confirm after 0.4 s (conf")
    empty = build.watch().show(build.snapshot(units=[]))
    assert sentence(empty.decide()) == "hold (calm), level safe"


def test_context_defaults_to_nothing_done_and_nothing_known() -> None:
    assert Context().over("account", Action.REDUCE) is None
    assert Context().cancellable_orders is None
