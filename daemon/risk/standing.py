"""The standing of an account between two cycles, and what may change in it. `alarm.py` makes the changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from brokers.models import AccountId, Measure
from daemon.risk.assessment import Assessment, Protection
from daemon.risk.policy import Level
from daemon.risk.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A cycle without a picture: why, and the words of the error for people."""

    reason: Reason
    detail: str


Observation = Assessment | Blind
"""What one cycle saw."""

REACHED = {
    Level.WARNING: Reason.WARNING_REACHED,
    Level.CRITICAL: Reason.CRITICAL_REACHED,
    Level.LIQUIDATION: Reason.LIQUIDATION_REACHED,
}
"""Why a unit is at a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitAlarm:
    """Where one unit stands.

    `level` lasts since `since`. `warning_since`, `critical_since` and `liquidation_since` are when the run
    of good samples that reached that level began, `good_at` is when the last good sample was read, all by
    the venue's clock. `confirmed` is the highest level that two samples of a run have reached, SAFE for none.
    `in_episode`: it is being de-levered down to its target. `resumed_at` is when it was seen again after a
    gap in the middle of an episode or a flatten: it awaits confirmation. `debt_driven`: since it was last
    SAFE it was seen with debt that no closing of positions would have helped against. `call_ahead` is the
    level that was announced because it may soon be reached, SAFE for none.
    """

    key: str
    level: Level
    since: datetime
    confirmed: Level = Level.SAFE
    warning_since: datetime | None = None
    critical_since: datetime | None = None
    liquidation_since: datetime | None = None
    good_at: datetime | None = None
    in_episode: bool = False
    over_leverage: bool = False
    debt_driven: bool = False
    resumed_at: datetime | None = None
    call_ahead: Level = Level.SAFE

    def run_since(self, level: Level) -> datetime | None:
        """Return when the present run of good samples at or above `level` began; `None`: there is none."""
        runs = {
            Level.WARNING: self.warning_since,
            Level.CRITICAL: self.critical_since,
            Level.LIQUIDATION: self.liquidation_since,
        }
        return runs.get(level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One excursion to LIQUIDATION. `calm_since`: the first good sample with every unit at target."""

    number: int
    began_at: datetime
    calm_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The account's standing; build the first with `Alarm.begin`, the following with `advance`.

    `seen_at` is the read time of the last sample, `good_at` of the last that could have been acted upon.
    """

    account_id: AccountId
    began_at: datetime
    units: tuple[UnitAlarm, ...] = ()
    protection: Protection = Protection.PROTECTED
    protection_reason: Reason | None = None
    good_at: datetime | None = None
    seen_at: datetime | None = None
    episode: Episode | None = None
    last_episode: int = 0

    @classmethod
    def begin(cls, account_id: AccountId, now: datetime, *, last_episode: int = 0) -> Self:
        """Return the alarm of an account not yet seen; episodes are numbered on from `last_episode`.

        It counts as protected until two poll periods have passed without a good picture.
        """
        return cls(account_id=account_id, began_at=now, last_episode=last_episode)

    @property
    def level(self) -> Level:
        """The level of the worst unit."""
        return max((unit.level for unit in self.units), default=Level.SAFE)

    @property
    def seen_level(self) -> Level | None:
        """The level for people; `None` before the first picture: nobody has seen that it is safe."""
        return self.level if self.seen_at is not None else None

    def unit(self, key: str) -> UnitAlarm | None:
        """Return the standing of the unit named `key`; `None`: never seen, or gone."""
        return next((unit for unit in self.units if unit.key == key), None)

    def to_json(self) -> dict[str, object]:
        """Return the alarm as plain JSON-able values: a restart then goes on where this one stood."""
        return {
            "account_id": self.account_id,
            "began_at": self.began_at.isoformat(),
            "units": [_unit_to_json(unit) for unit in self.units],
            "protection": self.protection.value,
            "protection_reason": self.protection_reason.value if self.protection_reason else None,
            "good_at": _time_to_json(self.good_at),
            "seen_at": _time_to_json(self.seen_at),
            "episode": _episode_to_json(self.episode) if self.episode else None,
            "last_episode": self.last_episode,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the alarm that `to_json` described.

        Raises:
            ValueError: `values` is not such a description.
        """
        try:
            reason, episode = values["protection_reason"], values["episode"]
            return cls(
                account_id=AccountId(values["account_id"]),
                began_at=datetime.fromisoformat(values["began_at"]),
                units=tuple(_unit_from_json(unit) for unit in values["units"]),
                protection=Protection(values["protection"]),
                protection_reason=Reason(reason) if reason is not None else None,
                good_at=_time_from_json(values["good_at"]),
                seen_at=_time_from_json(values["seen_at"]),
                episode=_episode_from_json(episode) if episode is not None else None,
                last_episode=int(values["last_episode"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the description of an alarm: {error!r}") from error


class TransitionKind(StrEnum):
    """What changed; each is worth an event and perhaps an alert."""

    LEVEL_ROSE = "level_rose"
    LEVEL_FELL = "level_fell"
    CONFIRMED = "confirmed"
    PROTECTION_LOST = "protection_lost"
    PROTECTION_REGAINED = "protection_regained"
    EPISODE_BEGAN = "episode_began"
    EPISODE_LEFT = "episode_left"  # by one unit, while it goes on for others
    EPISODE_ENDED = "episode_ended"
    LEVERAGE_OVER_CAP = "leverage_over_cap"
    LEVERAGE_WITHIN_CAP = "leverage_within_cap"
    DEBT_DRIVES_RISK = "debt_drives_risk"
    CALL_AHEAD = "call_ahead"
    CALL_AVERTED = "call_averted"  # what was announced is no longer near, and did not happen
    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_RESET = "breaker_reset"
    STEP_DESPITE_BREAKER = "step_despite_breaker"  # at LIQUIDATION
    REOPENED = "reopened"
    TWIN_SUSPECTED = "twin_suspected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of standing. `unit` `None`: the account's own. `ratio` of `measure`, where one caused it."""

    kind: TransitionKind
    reason: Reason
    at: datetime
    unit: str | None = None
    before: Level | None = None
    after: Level | None = None
    measure: Measure | None = None
    ratio: Decimal | None = None
    episode: int | None = None
    detail: str = ""


def _time_to_json(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _time_from_json(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _unit_to_json(unit: UnitAlarm) -> dict[str, object]:
    return {
        "key": unit.key,
        "level": unit.level.label,
        "since": unit.since.isoformat(),
        "confirmed": unit.confirmed.label,
        "warning_since": _time_to_json(unit.warning_since),
        "critical_since": _time_to_json(unit.critical_since),
        "liquidation_since": _time_to_json(unit.liquidation_since),
        "good_at": _time_to_json(unit.good_at),
        "in_episode": unit.in_episode,
        "over_leverage": unit.over_leverage,
        "debt_driven": unit.debt_driven,
        "resumed_at": _time_to_json(unit.resumed_at),
        "call_ahead": unit.call_ahead.label,
    }


def _unit_from_json(values: Mapping[str, Any]) -> UnitAlarm:
    return UnitAlarm(
        key=str(values["key"]),
        level=Level[values["level"].upper()],
        since=datetime.fromisoformat(values["since"]),
        confirmed=Level[values["confirmed"].upper()],
        warning_since=_time_from_json(values["warning_since"]),
        critical_since=_time_from_json(values["critical_since"]),
        liquidation_since=_time_from_json(values["liquidation_since"]),
        good_at=_time_from_json(values["good_at"]),
        in_episode=bool(values["in_episode"]),
        over_leverage=bool(values["over_leverage"]),
        debt_driven=bool(values.get("debt_driven", False)),
        resumed_at=_time_from_json(values.get("resumed_at")),
        call_ahead=Level[values.get("call_ahead", Level.SAFE.label).upper()],
    )


def _episode_to_json(episode: Episode) -> dict[str, object]:
    return {
        "number": episode.number,
        "began_at": episode.began_at.isoformat(),
        "calm_since": _time_to_json(episode.calm_since),
    }


def _episode_from_json(values: Mapping[str, Any]) -> Episode:
    return Episode(
        number=int(values["number"]),
        began_at=datetime.fromisoformat(values["began_at"]),
        calm_since=_time_from_json(values["calm_since"]),
    )
