"""Excursions as plain JSON-able values and back: a restart goes on following what the journal holds."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.models import Measure
from daemon.risk.interference import Holding
from daemon.risk.policy import Action
from daemon.risk.reason import Reason
from daemon.risk.shadow import Ended, Ending, Shadow, WouldAct

TIMES = ("began_at", "crossed_at", "worst_at", "back_at", "shrunk_at")
RATIOS = ("depth", "worst")
AMOUNTS = ("equity", "maintenance_margin", "unrealized_pnl")


def shadow_values(shadow: Shadow) -> dict[str, object]:
    """Return an excursion as plain values."""
    return {
        "unit": shadow.unit,
        "measure": shadow.measure.value if shadow.measure else None,
        "held": shadow.held.value if shadow.held else None,
        **{name: _time(getattr(shadow, name)) for name in TIMES},
        **{name: _text(getattr(shadow, name)) for name in RATIOS},
        "cancel": _act_values(shadow.cancel),
        "act": _act_values(shadow.act),
        "last": _holding_values(shadow.last),
    }


def shadow_of(values: Mapping[str, Any]) -> Shadow:
    """Return the excursion that `shadow_values` described.

    Raises:
        ValueError: `values` is not such a description.
    """
    try:
        return Shadow(
            unit=str(values["unit"]),
            measure=None if values["measure"] is None else Measure(values["measure"]),
            held=None if values["held"] is None else Reason(values["held"]),
            cancel=_act_of(values["cancel"]),
            act=_act_of(values["act"]),
            last=_holding_of(values["last"]),
            **{name: _time_of(values[name]) for name in TIMES},
            **{name: _number_of(values[name]) for name in RATIOS},
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"not the description of an excursion: {error!r}") from error


def ended_values(ended: Ended) -> dict[str, object]:
    """Return an excursion that is over as plain values."""
    return {**shadow_values(ended.shadow), "ending": ended.ending.value, "ended_at": ended.at.isoformat()}


def ended_of(values: Mapping[str, Any]) -> Ended:
    """Return what `ended_values` described.

    Raises:
        ValueError: `values` is not such a description.
    """
    try:
        ending, at = Ending(values["ending"]), datetime.fromisoformat(values["ended_at"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the description of an excursion's end: {error!r}") from error
    return Ended(shadow=shadow_of(values), ending=ending, at=at)


def _act_values(act: WouldAct | None) -> dict[str, object] | None:
    if act is None:
        return None
    return {
        "at": act.at.isoformat(),
        "action": act.action.value,
        "reason": act.reason.value,
        "plan": dict(act.plan),
    }


def _act_of(values: Mapping[str, Any] | None) -> WouldAct | None:
    if values is None:
        return None
    return WouldAct(
        at=datetime.fromisoformat(values["at"]),
        action=Action(values["action"]),
        reason=Reason(values["reason"]),
        plan=dict(values["plan"]),
    )


def _holding_values(last: Holding) -> dict[str, object]:
    values = {one.name: getattr(last, one.name) for one in fields(last)}
    return values | {
        **{name: _text(values[name]) for name in AMOUNTS},
        "quantities": {name: str(quantity) for name, quantity in last.quantities.items()},
        "wallets": {name: str(amount) for name, amount in last.wallets.items()},
    }


def _holding_of(values: Mapping[str, Any]) -> Holding:
    return Holding(
        unit=str(values["unit"]),
        currency=str(values["currency"]),
        is_isolated=bool(values["is_isolated"]),
        quantities={name: Decimal(text) for name, text in values["quantities"].items()},
        wallets={name: Decimal(text) for name, text in values["wallets"].items()},
        **{name: _number_of(values[name]) for name in AMOUNTS},
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time_of(text: str | None) -> Any:  # noqa: ANN401 - a time, or None where the field allows it
    return None if text is None else datetime.fromisoformat(text)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _number_of(text: str | None) -> Any:  # noqa: ANN401 - as above
    return None if text is None else Decimal(text)
