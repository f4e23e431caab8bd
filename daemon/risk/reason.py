"""The one closed vocabulary for why margind did something, did nothing, or would not."""

from enum import StrEnum


class Reason(StrEnum):
    """Why: carried by every decision, hold, refusal, gate and transition, from here to logs and metrics."""

    # levels and targets
    CALM = "calm"  # no unit is at a level that has actions
    WARNING_REACHED = "warning_reached"
    CRITICAL_REACHED = "critical_reached"
    LIQUIDATION_REACHED = "liquidation_reached"
    LEVEL_FELL = "level_fell"
    ABOVE_TARGET = "above_target"  # an episode is on and the unit is not yet at its target
    TARGET_REACHED = "target_reached"
    EPISODE_LAPSED = "episode_lapsed"  # after a gap the unit is no longer where it was
    LEVERAGE_OVER_CAP = "leverage_over_cap"
    LEVERAGE_WITHIN_CAP = "leverage_within_cap"
    POSITION_OVER_LIMIT = "position_over_limit"  # the notional of one symbol
    UNDERLYING_OVER_LIMIT = "underlying_over_limit"  # the share of one coin in the margin equity
    POSITIONS_OVER_LIMIT = "positions_over_limit"  # their number
    WITHIN_LIMIT = "within_limit"
    BEYOND_TRIMMING = "beyond_trimming"  # no cut within the account brings it back within its bound
    CALL_AHEAD = "call_ahead"  # as it moves, a level may be reached within the lead time
    CALL_AVERTED = "call_averted"
    DEFICIT_WITHOUT_POSITIONS = "deficit_without_positions"  # equity below zero and nothing to cut

    # who or what holds margind back
    CONFIRMATION_PENDING = "confirmation_pending"  # seen once; a second read decides
    OBSERVE_MODE = "observe_mode"
    HALTED = "halted"
    SETTLING = "settling"  # an earlier write has no final verdict yet
    NO_ACTION_CONFIGURED = "no_action_configured"
    NO_ORDERS = "no_orders"  # only cancelling is configured, and nothing rests that could be cancelled
    CANCELS_FAIL = "cancels_fail"  # open orders were to be cancelled and are not; it is tried again
    ORDERS_COME_BACK = "orders_come_back"  # somebody places again what was cancelled; no longer chased
    LADDER_EXHAUSTED = "ladder_exhausted"  # every rung was tried; a human must look
    TRANSFER_LATE = "transfer_late"  # what was moved in has not arrived for a while, and may be in no wallet
    TRANSFER_SETTLED = "transfer_settled"  # what became of a late transfer is known
    ORDER_BUDGET = "order_budget"  # orders of the last minute
    STEP_BUDGET = "step_budget"  # steps of this episode
    EPISODE_BUDGET = "episode_budget"  # episodes of the last hour
    TRIM_BUDGET = "trim_budget"  # orders of the last hour that only kept a bound

    # breakers on ourselves
    HOUR_ORDER_BUDGET = "hour_order_budget"  # orders of the last hour
    EPISODE_ORDER_BUDGET = "episode_order_budget"  # orders of this episode
    REDUCED_BEYOND = "reduced_beyond"  # more of a position was closed than it held
    NO_PROGRESS = "no_progress"  # orders fill, and the position does not become smaller
    SLIPPAGE_OVER_CAP = "slippage_over_cap"
    COMMON_MODE = "common_mode"  # several venues breached at once
    UNKNOWN_OWN_ORDER = "unknown_own_order"  # our tag, and not in our journal: a twin may be running
    SINGLE_STEP = "single_step"  # the guard: more than one step despite a breaker
    REOPENED = "reopened"  # somebody else opens again what is cut

    # the venue's leverage setting
    SETTING_OVER_CAP = "setting_over_cap"
    SETTING_LOWERED = "setting_lowered"
    SETTING_NEEDS_ROOM = "setting_needs_room"  # lowered, it would take the utilization near WARNING
    SETTING_REFUSED = "setting_refused"  # by the venue; tried again after a while
    SETTING_UNANSWERED = "setting_unanswered"  # no verdict; the next pictures tell

    # the day's loss
    DAILY_LOSS = "daily_loss"  # beyond the limit; holds until the next UTC day or an operator's reset
    DAILY_LOSS_IN_DOUBT = "daily_loss_in_doubt"  # beyond it only if something unexplained was lost, not moved
    DAILY_LOSS_UNKNOWN = "daily_loss_unknown"  # a figure is missing: it cannot be measured here
    UNEXPLAINED = "unexplained"  # neither prices nor trades explain a change of equity: it was moved
    DAY_BEGAN = "day_began"
    OPERATOR_RESET = "operator_reset"

    # advice: why a plan that waited, or was approved, is over
    PLAN_LAPSED = "plan_lapsed"  # nobody approved it in time
    APPROVAL_LAPSED = "approval_lapsed"  # it was approved, and did not become due in time
    POSITIONS_CHANGED = "positions_changed"  # it was made for other positions than these
    PICTURE_WORSENED = "picture_worsened"  # it is too small by now; another one replaces it
    ADVICE_ENDED = "advice_ended"  # the account is no longer in advise mode

    # who ordered it
    OPERATOR_ORDER = "operator_order"
    FLATTEN_LATCHED = "flatten_latched"

    # the picture: findings of the broker
    FIELD_MISSING = "field_missing"
    FIELD_DAMAGED = "field_damaged"
    TOTALS_MISSING = "totals_missing"
    INCOMPLETE = "incomplete"
    INCONSISTENT = "inconsistent"
    MODE_UNKNOWN = "mode_unknown"
    SYMBOL_UNKNOWN = "symbol_unknown"
    PRICE_UNKNOWN = "price_unknown"
    TIME_MISSING = "time_missing"
    VENUE_ACTING = "venue_acting"

    # the picture: time
    STALE = "stale"  # too old to act on
    FUTURE_DATED = "future_dated"
    TORN = "torn"  # its parts were read too far apart

    # the picture: figures that must agree within it
    MEASURE_UNKNOWN = "measure_unknown"  # a measure applies and its figures are missing
    MARGIN_BELOW_POSITIONS = "margin_below_positions"  # the unit shows less margin than its positions
    NOTIONAL_MISMATCH = "notional_mismatch"
    PNL_MISMATCH = "pnl_mismatch"
    EQUITY_MISMATCH = "equity_mismatch"
    AVAILABLE_MISMATCH = "available_mismatch"  # less available than equity and initial margin leave room for
    POSITIONS_PNL_MISMATCH = "positions_pnl_mismatch"  # the unit and its positions are of different moments
    EQUITY_BROKEN = "equity_broken"  # zero or negative with positions open

    # the picture: against the one before
    POSITIONS_VANISHED = "positions_vanished"
    EMPTIED = "emptied"  # everything zero or gone at once
    JUMPED = "jumped"  # a measure moved 20 points and no price or quantity did
    MODE_CHANGED = "mode_changed"

    # no picture at all
    NO_DATA = "no_data"
    OWN_FAILURE = "own_failure"  # a bug of ours, or a journal that takes nothing
    VENUE_UNAVAILABLE = "venue_unavailable"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    MALFORMED_ANSWER = "malformed_answer"
    REQUEST_REFUSED = "request_refused"
    CLOCK_REFUSED = "clock_refused"
    UNAUTHORIZED = "unauthorized"

    # no reduction possible
    REDUCING_CANNOT_HELP = "reducing_cannot_help"  # of collateral: even flat the unit stays in danger
    NO_POSITIONS = "no_positions"
    NOTHING_ORDERABLE = "nothing_orderable"  # no price, no market rules, or excluded
    DUST = "dust"  # what is left is below the venue's minimum

    # hedges across accounts
    HEDGE_FOLLOW = "hedge_follow"  # we cut the other side of the hedge
    HEDGE_REPAIR = "hedge_repair"  # the other side shrank, and not by us
    HEDGE_WAITS = "hedge_waits"  # the next slice waits until the partners have followed
    HEDGE_PARTNER_OUT = "hedge_partner_out"  # no partner can follow, and the group's rule is to hold

    # debt
    DEBT_DRIVES_RISK = "debt_drives_risk"  # what is owed, not what is held: even flat it is in danger
    REPAY_NOT_OFFERED = "repay_not_offered"  # the venue, or the account's mode, has no call that repays
    NOTHING_TO_REPAY = "nothing_to_repay"  # nothing is owed, or none of the owed currency is free
    REPAYING_CANNOT_HELP = "repaying_cannot_help"  # the debt is not what requires the margin
    REPAY_REFUSED = "repay_refused"  # by the venue; tried again after a while
    REPAY_BUDGET = "repay_budget"  # repayments of this episode

    # the guard
    REFUSED_BY_GUARD = "refused_by_guard"
    EMPTY_PLAN = "empty_plan"
    NOT_ACTIONABLE = "not_actionable"
    OTHER_SNAPSHOT = "other_snapshot"  # judged on one picture, planned on another
    NOT_IN_SNAPSHOT = "not_in_snapshot"
    DUPLICATE_POSITION = "duplicate_position"
    MORE_THAN_POSITION = "more_than_position"
    MARKET_RULES_MISSING = "market_rules_missing"
    OFF_STEP = "off_step"
    ABOVE_MAXIMUM = "above_maximum"
    BELOW_MINIMUM = "below_minimum"
    PRICE_OUT_OF_BAND = "price_out_of_band"
    NET_GREW = "net_grew"  # a leg of a hedge would go alone
    RISK_NOT_REDUCED = "risk_not_reduced"
