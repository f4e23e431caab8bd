"""Settings become policy: the one place where the configuration's words meet the core's."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from brokers.models import AccountId, Symbol
from brokers.port import Capabilities
from config.accounts import AccountSettings
from config.exposure import OverCap
from config.policy import Actions, DailyLossSettings
from config.policy import Ladder as LadderSettings
from config.policy import Strategy as StrategySetting
from config.schema import LimitSettings, Settings
from daemon.risk.advice import Advice
from daemon.risk.clamp import Clamped, clamp
from daemon.risk.daily_loss import Breach, DailyLoss
from daemon.risk.exposure import ExposureLimits, Limit, Remedy
from daemon.risk.hedge_group import HedgeGroup, LegName, PartnerRule
from daemon.risk.policy import (
    Action,
    Confirmation,
    Ladder,
    Level,
    MarginPolicy,
    Mode,
    ReductionLimits,
)
from daemon.risk.strategy import Strategy

REMEDIES = {OverCap.ALARM: Remedy.ALARM, OverCap.REDUCE: Remedy.TRIM}


def policy_of(settings: Settings, account: AccountSettings, pace: timedelta = timedelta(0)) -> MarginPolicy:
    """Return the policy of one account: the general one with the account's own values laid over it.

    `pace` is how often its venue lets it be read: a shorter poll interval would only be waited for.
    """
    policy, poll = settings.policy_of(account), settings.poll_of(account)
    return MarginPolicy(
        utilization=_ladder(policy.utilization),
        maintenance=_ladder(policy.maintenance),
        target_utilization=policy.target.utilization,
        target_maintenance=policy.target.maintenance,
        hysteresis=policy.hysteresis,
        actions=_actions(policy.actions),
        max_leverage=settings.max_leverage_of(account),
        exposure=_exposure(settings, account),
        poll_interval=max(poll.interval, pace),
        act_max_age=poll.act_max_age,
        alarm_max_age=poll.alarm_max_age,
        forecast_window=settings.forecast.window,
        forecast_lead=settings.forecast.lead,
        confirmation=Confirmation(liquidation_after=settings.limits.confirm_after),
        limits=_limits(settings.limits, policy.strategy),
        advice=Advice(
            plan_lasts=settings.advise.plan_lasts,
            approval_lasts=settings.advise.approval_lasts,
            worse_by=settings.advise.worse_by,
        ),
        daily_loss=_daily_loss(settings.daily_loss_of(account)),
        lower_leverage=settings.limits.lower_leverage,
    )


def policy_within(settings: Settings, account: AccountSettings, capabilities: Capabilities) -> Clamped:
    """Return the policy of one account as its venue lets it hold, and which thresholds that moved.

    Where orders take no price, every step goes to market.
    """
    policy = policy_of(settings, account, capabilities.pace)
    if not capabilities.limit_orders:
        policy = replace(policy, limits=replace(policy.limits, market_every=1))
    return clamp(policy, capabilities.points)


def mode_of(settings: Settings, account: AccountSettings) -> Mode:
    """Return the stricter of the overall mode and the account's own."""
    return Mode[settings.mode_of(account).name]


def hedges_of(settings: Settings) -> tuple[HedgeGroup, ...]:
    """Return the hedge groups as the core knows them."""
    return tuple(
        HedgeGroup(
            name=hedge.id,
            legs=tuple(
                LegName(
                    account=AccountId(leg.account),
                    symbol=leg.symbol or leg.asset or "",
                    is_balance=leg.symbol is None,
                )
                for leg in hedge.legs
            ),
            tolerance=hedge.tolerance,
            partner_out=PartnerRule(hedge.partner_out.value),
            repair_budget=hedge.repair_budget,
        )
        for hedge in settings.hedges
    )


def _ladder(ladder: LadderSettings) -> Ladder:
    return Ladder(warning=ladder.warning, critical=ladder.critical, liquidation=ladder.liquidation)


def _actions(actions: Actions) -> Mapping[Level, tuple[Action, ...]]:
    return MappingProxyType(
        {
            level: tuple(Action(action.value) for action in getattr(actions, level.label))
            for level in (Level.WARNING, Level.CRITICAL, Level.LIQUIDATION)
        }
    )


def _exposure(settings: Settings, account: AccountSettings) -> ExposureLimits:
    caps, limits = settings.symbol_caps_of(account), settings.exposure_of(account)
    notional, share, count = limits.position_notional, limits.underlying_share, limits.positions
    return ExposureLimits(
        over_cap=REMEDIES[settings.over_cap_of(account)],
        symbol_leverage=_by_symbol(caps),
        position_notional=Limit(
            most=notional.max, remedy=Remedy(notional.then.value), by_symbol=_by_symbol(notional.symbols)
        ),
        underlying_share=Limit(most=share.max, remedy=Remedy(share.then.value)),
        positions=Limit(
            most=None if count.max is None else Decimal(count.max), remedy=Remedy(count.then.value)
        ),
    )


def _by_symbol(amounts: Mapping[str, Decimal]) -> Mapping[Symbol, Decimal]:
    return MappingProxyType({Symbol(symbol): amount for symbol, amount in amounts.items()})


def _daily_loss(limit: DailyLossSettings) -> DailyLoss | None:
    """Return the limit of a day's loss; `None`: there is none."""
    if limit.share is None and not limit.amount:
        return None
    return DailyLoss(share=limit.share, amounts=dict(limit.amount), breach=Breach(limit.action.value))


def _limits(limits: LimitSettings, strategy: StrategySetting) -> ReductionLimits:
    return ReductionLimits(
        strategy=Strategy(strategy.value),
        step_fraction=limits.step_fraction,
        positions_per_step=limits.positions_per_step,
        orders_per_minute=limits.orders_per_minute,
        orders_per_hour=limits.orders_per_hour,
        orders_per_episode=limits.orders_per_episode,
        steps_per_episode=limits.steps_per_episode,
        episodes_per_hour=limits.episodes_per_hour,
        common_mode_venues=limits.common_mode_venues,
        slippage=limits.slippage,
        max_slippage=limits.max_slippage,
        fee_rate=limits.fee_rate,
    )
