"""The log as a diary: one line a cycle that says what was seen, decided and why."""

from collections.abc import Iterable

from brokers.models import AccountId
from daemon.logs import logger
from daemon.recording import percent, transition_sentence
from daemon.risk.assessment import Protection
from daemon.risk.policy import Level, level_word
from daemon.risk.standing import Transition, TransitionKind
from daemon.state import CycleOutcome

BAD_NEWS = {
    TransitionKind.LEVEL_ROSE,
    TransitionKind.PROTECTION_LOST,
    TransitionKind.EPISODE_BEGAN,
    TransitionKind.LEVERAGE_OVER_CAP,
    TransitionKind.DEBT_DRIVES_RISK,
    TransitionKind.CALL_AHEAD,
    TransitionKind.BREAKER_TRIPPED,
    TransitionKind.STEP_DESPITE_BREAKER,
    TransitionKind.REOPENED,
    TransitionKind.TWIN_SUSPECTED,
}


def log_transitions(account: AccountId, level: Level | None, transitions: Iterable[Transition]) -> None:
    """Write one line for every change of standing, at once: an alarm does not wait for the cycle to end."""
    for transition in transitions:
        write = logger().error if transition.kind in BAD_NEWS else logger().warning
        write(
            transition.kind.value,
            account=account,
            level=level_word(level),
            reason=transition.reason.value,
            message=transition_sentence(transition),
        )


def log_outcome(outcome: CycleOutcome) -> None:
    """Write one line for the cycle."""
    _writer(outcome)(
        "cycle",
        account=outcome.account,
        level=level_word(outcome.level),
        protection=outcome.protection.value,
        utilization=percent(outcome.utilization, cash=outcome.cash),
        maintenance=percent(outcome.maintenance_ratio, cash=outcome.cash),
        leverage="-" if outcome.leverage is None else f"{outcome.leverage:.2f}",
        unit=outcome.unit,
        mode=outcome.mode.label,
        doing=outcome.doing,
        reason=outcome.reason.value,
        why=outcome.sentence,
        episode=outcome.episode,
        orders=outcome.orders_sent,
        positions=outcome.positions,
        ahead=None if outcome.outlook is None else str(outcome.outlook),
        shock=None if outcome.shock is None else str(outcome.shock),
        duration_ms=round(outcome.duration_s * 1000),
    )


def _writer(outcome: CycleOutcome):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a structlog method
    if outcome.protection is Protection.UNPROTECTED or (outcome.level or Level.SAFE) >= Level.CRITICAL:
        return logger().error
    if outcome.level is Level.WARNING or outcome.positions is None:
        return logger().warning
    return logger().info
