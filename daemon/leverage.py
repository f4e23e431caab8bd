"""Lowering a venue's leverage setting to the cap, where that is harmless and the account is calm.

Nothing depends on it: it never runs beside anything that protects, one setting at a time, journaled before it
is sent. The next picture, not the answer, says whether it worked; whatever became of it, the symbol rests
before it is tried again, longer each time.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from brokers.errors import BrokerError, RequestRefused
from brokers.models import Symbol
from brokers.port import Broker
from daemon.clock import Clock
from daemon.logs import logger
from daemon.recording import snapshot_summary
from daemon.risk.assessment import Assessment
from daemon.risk.figures import percent
from daemon.risk.leverage_setting import Lowering, lowerings
from daemon.risk.policy import MarginPolicy, Mode
from daemon.risk.reason import Reason
from database.ids import random_id
from database.journal import Journal
from database.records import Event, Plan, PlanState

DECISION = "lower_leverage"

PATIENCE_S = 3.0
"""How long a cycle waits for the answer: the account is calm, but it must be looked at again."""

REST_S, LONGEST_REST_S = 60.0, 6 * 3600.0
"""After each attempt; twice as long after each further one that changed nothing."""


@dataclass(slots=True)
class Attempts:
    """How often one symbol's setting was to be lowered, and until when it is left alone."""

    count: int = 0
    until: float = 0.0


class LeverageKeeper:
    """One account's leverage settings."""

    def __init__(
        self, *, broker: Broker, journal: Journal, clock: Clock, policy: MarginPolicy, config_hash: str
    ) -> None:
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._policy = policy
        self._config_hash = config_hash
        self._seen: dict[Symbol, datetime] = {}
        self._attempts: dict[Symbol, Attempts] = {}
        self._kept: set[Symbol] = set()

    async def keep(self, assessment: Assessment) -> str | None:
        """Lower one setting that is above the cap; return what was done in words, `None`: nothing was.

        The caller has made sure that margind may act and that nothing more pressing is to be done.

        Raises:
            JournalError: it could not be journaled, so nothing was sent.
        """
        if not self._policy.lower_leverage or not self._broker.capabilities.set_leverage:
            return None
        if not assessment.actionable:
            return None
        found = lowerings(assessment.snapshot, self._policy)
        self._forget_all_but({one.symbol for one in found})
        for one in found:
            if self._seen.setdefault(one.symbol, assessment.fetched_at) >= assessment.fetched_at:
                continue  # seen once; a second read decides
            attempts = self._attempts.setdefault(one.symbol, Attempts())
            if self._clock.uptime() < attempts.until:
                continue
            if not one.harmless:
                self._tell_kept(one)
                continue
            return await self._lower(one, attempts, assessment)
        return None

    def _forget_all_but(self, symbols: set[Symbol]) -> None:
        """Forget what is no longer above the cap: the last attempt has worked, or the position is gone."""
        for known in (self._seen, self._attempts):
            for symbol in known.keys() - symbols:
                del known[symbol]
        self._kept &= symbols

    async def _lower(self, one: Lowering, attempts: Attempts, assessment: Assessment) -> str:
        attempts.count += 1
        attempts.until = self._clock.uptime() + min(REST_S * 2.0 ** (attempts.count - 1), LONGEST_REST_S)
        plan = self._plan(one, assessment)
        with self._journal.transaction():
            self._journal.plans.add(plan)
        reason, why = await self._send(one)
        state = PlanState.REFUSED if reason is Reason.SETTING_REFUSED else PlanState.EXECUTED
        sentence = f"leverage setting of {one.symbol} from {one.before.normalize():f} to {one.after:f}: {why}"
        with self._journal.transaction():
            self._journal.plans.settle(
                plan.plan_id, state, self._clock.now(), reason=reason.value, detail=sentence
            )
            self._journal.outbox.append(self._event(reason.value, sentence, reason, one))
        write = logger().warning if reason is Reason.SETTING_LOWERED else logger().error
        write(reason.value, account=self._broker.account_id, symbol=one.symbol, why=sentence)
        return sentence

    async def _send(self, one: Lowering) -> tuple[Reason, str]:
        """Send it once and return what is known of it; sending it again would be harmless."""
        sending = asyncio.ensure_future(self._broker.set_leverage(one.symbol, one.after))
        done, _ = await asyncio.wait({sending}, timeout=PATIENCE_S)
        if not done:
            sending.cancel()
            await asyncio.wait({sending})
            return Reason.SETTING_UNANSWERED, "no answer; the next pictures tell"
        try:
            sending.result()
        except RequestRefused as error:
            return Reason.SETTING_REFUSED, str(error)
        except BrokerError as error:
            return Reason.SETTING_UNANSWERED, str(error)
        expected = "unknown" if one.projected is None else percent(one.projected)
        return Reason.SETTING_LOWERED, f"done, {one.unit} comes to a utilization of at most {expected}"

    def _plan(self, one: Lowering, assessment: Assessment) -> Plan:
        return Plan(
            plan_id=random_id(),
            account=self._broker.account_id,
            decided_at=self._clock.now(),
            decision=DECISION,
            reason=Reason.SETTING_OVER_CAP.value,
            mode=Mode.ENFORCE.label,
            config_hash=self._config_hash,
            state=PlanState.APPROVED,
            snapshot=snapshot_summary(assessment.snapshot, assessment),
            plan=_detail(one),
        )

    def _tell_kept(self, one: Lowering) -> None:
        """Say once that a setting stays where it is for want of room."""
        if one.symbol in self._kept:
            return
        self._kept.add(one.symbol)
        projected = "unknown" if one.projected is None else percent(one.projected)
        sentence = (
            f"leverage setting of {one.symbol} stays at {one.before.normalize():f}: at {one.after:f} the "
            f"utilization of {one.unit} would be {projected}, it must stay below {percent(one.below)}"
        )
        with self._journal.transaction():
            event = self._event("setting_kept", sentence, Reason.SETTING_NEEDS_ROOM, one)
            self._journal.outbox.append(event)
        logger().warning("setting_kept", account=self._broker.account_id, symbol=one.symbol, why=sentence)

    def _event(self, kind: str, message: str, reason: Reason, one: Lowering) -> Event:
        return Event(
            time=self._clock.now(),
            kind=kind,
            message=message,
            account=self._broker.account_id,
            reason=reason.value,
            detail=_detail(one),
        )


def _detail(one: Lowering) -> dict[str, object]:
    return {
        "unit": one.unit,
        "symbol": one.symbol,
        "before": str(one.before),
        "after": str(one.after),
        "projected": None if one.projected is None else str(one.projected),
    }
