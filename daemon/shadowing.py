"""Keeps book of what margind would have done where it may not act, and of what became of the account.

In `observe` and `advise` every picture is answered as `enforce` would: the rung is sized and held against the
guard, and nothing is sent. What binds margin in open orders and what lies in the funding wallet is not read
for that: it is assumed that neither cancelling nor a top-up would have been enough. Budgets count what was
sent, so none of them holds such an answer back; an operator's halt does.

The first rung of an excursion is told as `would_act`, its end as `would_act_ended`; both carry all that is
known of it. What is being followed lies in the journal.
"""

import json
from collections.abc import Iterable

from brokers.port import Broker
from daemon.clock import Clock
from daemon.logs import logger
from daemon.recording import percent, plan_summary, repayment_summary
from daemon.risk.answer import Act, Advise, Context, Decision, Hold, Rung, RungState
from daemon.risk.assessment import Assessment
from daemon.risk.decision import due_acts
from daemon.risk.guard import History, RefusedPlan, approve
from daemon.risk.policy import Action, MarginPolicy, Mode
from daemon.risk.reason import Reason
from daemon.risk.reduction import Infeasible, plan_reduction
from daemon.risk.repayment import plan_repayment
from daemon.risk.scorecard import lead_time, score
from daemon.risk.shadow import Ended, Ending, Shadow, WouldAct, follow
from daemon.risk.shadow_values import ended_values, shadow_of, shadow_values
from daemon.risk.standing import Alarm
from daemon.shadow_report import BEGAN, ENDED
from daemon.sight import Sight
from database.canonical import canonical_json
from database.errors import JournalError
from database.journal import Journal
from database.records import Event, ShadowState

UNSENT = History(orders_last_minute=0, steps_in_episode=0)


class Shadowing:
    """One account's excursions, as long as margind may only watch them."""

    def __init__(self, broker: Broker, policy: MarginPolicy, *, journal: Journal, clock: Clock) -> None:
        self._broker = broker
        self._policy = policy
        self._journal = journal
        self._clock = clock
        self._running = self._recall()
        self._kept = {key: _mark(shadow) for key, shadow in self._running.items()}

    def follow(self, decision: Decision, sight: Sight, alarm: Alarm, mode: Mode, *, sent: int) -> None:
        """Take in one cycle: what was decided and what left in it. A bug in here is logged and ends here.

        Raises:
            JournalError: what was learned could not be written down.
        """
        try:
            self._follow(decision, sight, alarm, is_watched=mode is not Mode.ENFORCE and not sent)
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - keeping book is no reason to call an account unprotected
            logger().error("shadowing_failed", account=self._broker.account_id, exc_info=error)

    def _follow(self, decision: Decision, sight: Sight, alarm: Alarm, *, is_watched: bool) -> None:
        assessment = sight.assessment
        if assessment is None or not (is_watched or self._running):
            return
        ended: list[Ended] = []
        began: list[Shadow] = []
        if not is_watched:
            at, overtaken = assessment.fetched_at, Ending.OVERTAKEN
            ended = [Ended(shadow=one, ending=overtaken, at=at) for one in self._running.values()]
            self._running = {}
        else:
            would = self._would(decision, alarm, assessment)
            for key in dict.fromkeys([*self._running, *(unit.key for unit in assessment.units)]):
                before = self._running.pop(key, None)
                after = follow(
                    before,
                    key,
                    would.get(key, ()),
                    alarm=alarm,
                    assessment=assessment,
                    policy=self._policy,
                    held=decision.reason,
                )
                if isinstance(after, Ended):
                    ended.append(after)
                elif after is not None:
                    self._running[key] = after
                    if _told(after) != (None if before is None else _told(before)):
                        began.append(after)
        self._write(began, ended)

    # ------------------------------------------------------------------ what would be done

    def _would(
        self, decision: Decision, alarm: Alarm, assessment: Assessment
    ) -> dict[str, tuple[WouldAct, ...]]:
        """Return what each unit calls for, where it is the mode alone that stands against it."""
        is_held = isinstance(decision, Hold) and decision.reason is Reason.OBSERVE_MODE
        if not (is_held or isinstance(decision, Advise)):
            return {}
        found: dict[str, tuple[WouldAct, ...]] = {}
        for act in due_acts(alarm, assessment, self._policy, Context()):
            key = act.facts.unit or ""
            known = self._running.get(key)
            if act.action is Action.CANCEL_ORDERS and (known is None or known.cancel is None):
                told = WouldAct(
                    at=assessment.fetched_at, action=act.action, reason=act.reason, plan={"unit": key}
                )
                found[key] = (told,)
            if known is None or known.act is None:
                cut = self._cut(key, alarm, assessment)
                found[key] = (*found.get(key, ()), *([cut] if cut is not None else []))
        return found

    def _cut(self, key: str, alarm: Alarm, assessment: Assessment) -> WouldAct | None:
        """Return the first de-levering rung of a unit that has something to give; `None`: none has."""
        passed: tuple[Rung, ...] = ()
        for _ in Action:
            context = Context(cancellable_orders=0, can_repay=self._broker.capabilities.repay, rungs=passed)
            acts = due_acts(alarm, assessment, self._policy, context)
            act = next((act for act in acts if act.facts.unit == key), None)
            if act is None:
                return None
            plan = self._plan(act, key, assessment)
            if not isinstance(plan, Reason):
                return WouldAct(at=assessment.fetched_at, action=act.action, reason=act.reason, plan=plan)
            rung = Rung(unit=key, action=act.action, state=RungState.EXHAUSTED, reason=plan)
            passed = (*passed, rung)
        return None

    def _plan(self, act: Act, key: str, assessment: Assessment) -> dict[str, object] | Reason:
        """Return what would be sent, or why there is nothing to send."""
        snapshot = assessment.snapshot
        if act.action is Action.REPAY:
            repayment = plan_repayment(snapshot, key, self._policy)
            return repayment.reason if isinstance(repayment, Infeasible) else repayment_summary(repayment)
        plan = plan_reduction(assessment, snapshot, key, self._policy, step=0, action=act.action)
        if isinstance(plan, Infeasible):
            return plan.reason
        checked = approve(
            plan,
            snapshot=snapshot,
            assessment=assessment,
            policy=self._policy,
            history=UNSENT,
            now=self._broker.venue_now(),
        )
        return Reason.REFUSED_BY_GUARD if isinstance(checked, RefusedPlan) else plan_summary(plan)

    # ------------------------------------------------------------------ the book

    def _recall(self) -> dict[str, Shadow]:
        """Return what was being followed when the process last ended; what cannot be read is given up."""
        saved = self._journal.shadows.get(self._broker.account_id)
        try:
            rows = json.loads(saved.state) if saved is not None else []
            return {row["unit"]: shadow_of(row) for row in rows}
        except (ValueError, TypeError, KeyError) as error:
            logger().error("shadows_unreadable", account=self._broker.account_id, why=str(error))
            return {}

    def _write(self, began: Iterable[Shadow], ended: Iterable[Ended]) -> None:
        """Keep what is followed where it has changed by more than a wiggle; tell what began and ended."""
        marks = {key: _mark(shadow) for key, shadow in self._running.items()}
        if marks == self._kept:
            return
        account, now = self._broker.account_id, self._clock.now()
        state = canonical_json([shadow_values(shadow) for shadow in self._running.values()])
        with self._journal.transaction():
            self._journal.shadows.save(ShadowState(account=account, state=state, updated_at=now))
            for shadow in began:
                self._journal.outbox.append(self._began(shadow))
            for one in ended:
                self._journal.outbox.append(self._ended(one))
        self._kept = marks

    def _began(self, shadow: Shadow) -> Event:
        act = shadow.act or shadow.cancel
        what = f"would {act.action.value}" if act is not None else "would do nothing"
        reason = act.reason if act is not None else shadow.held
        where = f" ({shadow.measure} {percent(shadow.worst)})" if shadow.measure is not None else ""
        return Event(
            time=self._clock.now(),
            kind=BEGAN,
            message=f"{what} with {shadow.unit}{where}",
            account=self._broker.account_id,
            reason=reason.value if reason is not None else None,
            detail=shadow_values(shadow),
        )

    def _ended(self, ended: Ended) -> Event:
        lead, counted = lead_time(ended), score(ended)
        after = "" if lead is None else f", {lead.total_seconds():.1f} s after the act it would have made"
        return Event(
            time=self._clock.now(),
            kind=ENDED,
            message=f"{ended.shadow.unit}: {ended.ending.value}{after}: {counted.value}",
            account=self._broker.account_id,
            detail=ended_values(ended),
        )


def _told(shadow: Shadow) -> tuple[bool, bool]:
    """Return what is worth an event when it changes."""
    return shadow.cancel is not None, shadow.act is not None


def _mark(shadow: Shadow) -> tuple[object, ...]:
    """Return what is worth a commit when it changes: ratios by the point, amounts with the positions."""
    worst = None if shadow.worst is None else round(shadow.worst, 2)
    times = (shadow.crossed_at, shadow.back_at, shadow.shrunk_at)
    return (_told(shadow), worst, times, tuple(sorted(shadow.last.quantities.items())))
