"""The action ladder: which rung is due for a unit.

    rung           is due while
    CANCEL_ORDERS  nobody looked for orders yet, or some may raise risk
    TOP_UP         funds are known, fewer than the allowed top-ups were sent, and the target needs collateral
    REPAY          some of what the unit owes can be given back by a call out of what is free, and fewer than
                   the allowed repayments were sent
    REDUCE         the unit has something to cut and steps left in this episode
    FLATTEN        the unit has positions, and reducing is over or was never wanted; where it is over, the
                   venue's own liquidation must be near too, and it must not be over because cutting
                   cannot help

A rung that the context says is over for the unit is passed by.
"""

from dataclasses import replace
from decimal import Decimal

from brokers.models import Measure, UnitKind
from brokers.numbers import ZERO
from daemon.risk.alarm import leading_reading, waiting_time
from daemon.risk.answer import Act, Confirm, Context, Decision, Facts, Hold
from daemon.risk.assessment import UnitAssessment
from daemon.risk.gate import Gate, Weight
from daemon.risk.policy import DELEVERING, Action, Level, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.relief import collateral_to_add


def facts_of(unit: UnitAssessment, policy: MarginPolicy, *, target: bool = False) -> Facts:
    """Return the figures of a unit's leading measure, against its target or its next threshold."""
    reading = leading_reading(unit)
    if reading is None:
        return Facts(unit=unit.key, level=unit.level)
    threshold = policy.target(reading.measure)
    if not target:
        threshold = policy.ladder(reading.measure).threshold(max(reading.level, Level.WARNING))
    return Facts(
        unit=unit.key,
        level=unit.level,
        measure=reading.measure,
        ratio=reading.ratio,
        threshold=threshold,
        is_target=target,
    )


def on_good_picture(unit: UnitAssessment, policy: MarginPolicy) -> Hold | Confirm | None:
    """Return what stands against acting on the unit's picture; `None`: nothing."""
    blocking: list[Gate] = sorted(
        (gate for gate in unit.gates if gate.blocks), key=lambda gate: gate.weight is not Weight.FAULT
    )
    if not blocking:
        return None
    facts = replace(facts_of(unit, policy), detail=blocking[0].detail)
    if blocking[0].weight is Weight.FAULT:
        return Hold(reason=blocking[0].reason, facts=facts)
    wait = waiting_time(Level.LIQUIDATION, unit, policy)
    return Confirm(reason=blocking[0].reason, facts=facts, after=wait)


def climb(
    actions: tuple[Action, ...],
    unit: UnitAssessment,
    policy: MarginPolicy,
    context: Context,
    reason: Reason,
) -> Decision:
    """Return the first rung that is due; of those, one that an operator has approved already."""
    acts = [
        act
        for action in actions
        if context.over(unit.key, action) is None
        and (act := due(action, actions, unit, policy, context)) is not None
    ]
    allowed = (act for act in acts if context.allows(act.action, unit.key))
    first = next(allowed, None) or next(iter(acts), None)
    if first is not None:
        return replace(first, reason=reason)
    facts = facts_of(unit, policy, target=True)
    return Hold(reason=why_nothing_due(actions, unit, policy, context), facts=facts)


def due(
    action: Action,
    actions: tuple[Action, ...],
    unit: UnitAssessment,
    policy: MarginPolicy,
    context: Context,
) -> Act | None:
    """Return one rung as an act, if it is due now; its reason is the caller's to set."""
    act = Act(action=action, reason=Reason.ABOVE_TARGET, facts=facts_of(unit, policy, target=True))
    match action:
        case Action.CANCEL_ORDERS:
            return act if context.cancellable_orders != 0 else None
        case Action.TOP_UP:
            amount = _top_up(unit, policy, context)
            return replace(act, amount=amount) if amount > 0 else None
        case Action.REPAY:
            return act if _can_repay(unit, context) and _may_repay_more(policy, context) else None
        case Action.REDUCE:
            return act if unit.reducible and _has_steps_left(unit, policy, context) else None
        case Action.FLATTEN:
            return act if unit.has_positions and _may_flatten(actions, unit, context) else None


def _top_up(unit: UnitAssessment, policy: MarginPolicy, context: Context) -> Decimal:
    """Return the collateral that brings every measure to target, as far as the funds go."""
    if context.funds is None or context.top_ups_in_episode >= policy.limits.top_ups_per_episode:
        return ZERO
    if unit.kind is UnitKind.ISOLATED_POSITION:
        return ZERO  # what is moved in reaches the wallet, not the position
    if unit.margin_equity is None:
        return ZERO  # a bare ratio does not say how much money is missing
    needs = [
        collateral_to_add(usage, policy.target(reading.measure))
        for reading in unit.readings
        for usage in reading.usages
        if reading.above_target
    ]
    return min(max(needs, default=ZERO), context.funds)


def _can_repay(unit: UnitAssessment, context: Context) -> bool:
    """Whether a call gives back some of what the unit owes."""
    return context.can_repay and any(debt.within_reach > 0 for debt in unit.debts)


def _may_repay_more(policy: MarginPolicy, context: Context) -> bool:
    """Whether another repayment is allowed in this episode."""
    return context.repayments_in_episode < policy.limits.repayments_per_episode


def _has_steps_left(unit: UnitAssessment, policy: MarginPolicy, context: Context) -> bool:
    """Whether the unit may take another reducing step in this episode."""
    return context.steps.get(unit.key, 0) < policy.limits.steps_per_episode


def _may_flatten(actions: tuple[Action, ...], unit: UnitAssessment, context: Context) -> bool:
    """Whether closing everything is warranted now that the rungs below it gave nothing."""
    if Action.REDUCE not in actions:
        return True
    reduce = context.over(unit.key, Action.REDUCE)
    if reduce is not None and reduce.reason in {Reason.REDUCING_CANNOT_HELP, Reason.DEBT_DRIVES_RISK}:
        return False
    return venue_is_near(unit)


def venue_is_near(unit: UnitAssessment) -> bool:
    """Whether the venue's own liquidation is beyond the ladder, not merely the use of initial margin."""
    maintenance = unit.reading(Measure.MAINTENANCE)
    equity_gone = unit.margin_equity is not None and unit.margin_equity <= 0
    return equity_gone or (maintenance is not None and maintenance.level is Level.LIQUIDATION)


def why_nothing_due(
    actions: tuple[Action, ...], unit: UnitAssessment, policy: MarginPolicy, context: Context
) -> Reason:
    """Return why no rung is due."""
    if not DELEVERING.intersection(actions):
        if Action.CANCEL_ORDERS not in actions:
            return Reason.NO_ACTION_CONFIGURED
        cancelling = context.over(unit.key, Action.CANCEL_ORDERS)
        return Reason.NO_ORDERS if cancelling is None else cancelling.reason
    over = context.over(unit.key, Action.FLATTEN) or context.over(unit.key, Action.REDUCE)
    if unit.debts and (not unit.reducible or (over is not None and over.reason is Reason.DEBT_DRIVES_RISK)):
        return _why_not_repaid(actions, unit, policy, context)
    if not unit.reducible:
        return Reason.NO_POSITIONS
    if over is not None:
        return over.reason
    return Reason.LADDER_EXHAUSTED if _has_steps_left(unit, policy, context) else Reason.STEP_BUDGET


def _why_not_repaid(
    actions: tuple[Action, ...], unit: UnitAssessment, policy: MarginPolicy, context: Context
) -> Reason:
    """Return why the debt that a unit is in danger for is not given back."""
    if Action.REPAY not in actions:
        return Reason.DEBT_DRIVES_RISK
    if not context.can_repay or all(debt.repayable is None for debt in unit.debts):
        return Reason.REPAY_NOT_OFFERED
    if not _can_repay(unit, context):
        return Reason.NOTHING_TO_REPAY
    over = context.over(unit.key, Action.REPAY)
    if over is not None:
        return over.reason
    return Reason.DEBT_DRIVES_RISK if _may_repay_more(policy, context) else Reason.REPAY_BUDGET
