"""When an account is looked at next."""

from brokers.port import Capabilities
from daemon.risk.assessment import Protection
from daemon.risk.policy import Level, MarginPolicy
from daemon.risk.standing import Alarm
from daemon.settlement import Settlement

AFTER_ACTION_S = 0.1
WHILE_SETTLING_S = 0.5
JUST_AFTER_S = 0.05
WHILE_ALARMED_S = 1.0
SHORTEST_S = 0.05


def next_look_s(
    alarm: Alarm,
    policy: MarginPolicy,
    capabilities: Capabilities,
    settlement: Settlement,
    *,
    acute: bool,
    duration_s: float,
) -> float:
    """Return the pause after a cycle of `duration_s`; `acute`: something was sent, and the danger goes on."""
    interval = policy.poll_interval.total_seconds()
    pace = capabilities.protective_pace.total_seconds()
    if settlement.open():
        proof = settlement.proof_in_s()
        wait = pace if proof is None else min(pace, proof + JUST_AFTER_S)
        return min(max(WHILE_SETTLING_S, wait), interval)
    if acute:
        return min(AFTER_ACTION_S, interval)
    if alarm.level >= Level.CRITICAL or alarm.protection is Protection.UNPROTECTED:
        interval = min(max(WHILE_ALARMED_S, pace), interval)
    return max(interval - duration_s, SHORTEST_S)
