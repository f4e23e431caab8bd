"""What a venue's answer to a write proves: one reviewed table per venue; what is not in it proves nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from brokers.answers import Reply, proves_nothing
from brokers.orders import Verdict


class Write(StrEnum):
    """What kind of write was answered: the same code may prove something for one and nothing for another."""

    ORDER = "order"
    CANCEL = "cancel"
    LEVERAGE = "leverage"
    TRANSFER = "transfer"
    REPAYMENT = "repayment"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """The reviewed codes of one venue.

    Attributes:
        rejected: Code -> why it proves that nothing was executed. Holds for every kind of write.
        rejected_orders: As `rejected`, for orders only.
        rejected_cancels: As `rejected`, for cancellations only.
        rejected_repayments: As `rejected`, for repayments only.
        exists: Codes that say the client id is known already: look it up and adopt it.
        benign: Per kind of write, codes that mean the goal was reached already (order gone, leverage as
            asked, position flat). They are rejections too: the write itself did nothing. A fresh read must
            confirm it.
        despite_status: Codes that the venue documents with a status of 5xx: its own engine gave them, so
            there the code is the proof and the status is none against it.
        unfilled: Codes of rejected orders that only say that nothing in the book was within their price: such
            an order is over as one that was cancelled without a fill.
    """

    rejected: Mapping[str, str]
    rejected_orders: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rejected_cancels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rejected_repayments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    exists: frozenset[str] = frozenset()
    benign: Mapping[Write, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    despite_status: frozenset[str] = frozenset()
    unfilled: frozenset[str] = frozenset()

    def verdict_of(self, write: Write, code: str | None) -> Verdict:
        """Say what a refusal with `code` proves."""
        if code is None:
            return Verdict.UNKNOWN
        if code in self.exists and write in {Write.ORDER, Write.TRANSFER}:
            return Verdict.EXISTS
        if code in self.rejected or self.is_benign(write, code):
            return Verdict.REJECTED
        if write is Write.ORDER and code in self.rejected_orders:
            return Verdict.REJECTED
        if write is Write.CANCEL and code in self.rejected_cancels:
            return Verdict.REJECTED
        if write is Write.REPAYMENT and code in self.rejected_repayments:
            return Verdict.REJECTED
        return Verdict.UNKNOWN

    def is_benign(self, write: Write, code: str | None) -> bool:
        """Say whether a refusal with `code` means that the goal of `write` was reached already."""
        return code is not None and code in self.benign.get(write, {})


def classify(table: OutcomeTable, write: Write, reply: Reply) -> Verdict:
    """Say what `reply` proves. Success becomes final only after the caller has checked id and echo.

    A request that never left is REJECTED. A status of 408, 418, 425, 429 or 5xx proves nothing, whatever code
    stands in its body, unless the table says that the venue's own refusals come so.
    """
    if not reply.sent:
        return Verdict.REJECTED
    if reply.failure is None:
        return Verdict.ACCEPTED
    if reply.code in table.despite_status:
        return table.verdict_of(write, reply.code)
    if reply.status is None or proves_nothing(reply.status) or reply.status == HTTPStatus.IM_A_TEAPOT:
        return Verdict.UNKNOWN
    return table.verdict_of(write, reply.code)


_ACCESS = "refused at the gateway: credentials, address or permission; it never reached matching"
_CLOCK = "refused at the gateway: the timestamp is outside its window"
_SHAPE = "refused by validation: a parameter is missing, malformed or out of its range"
_FUNDS = "refused by the risk check before matching: not enough margin or balance"
_LIMITS = "refused by an instrument or position limit before matching"
_STATE = "refused: the account or instrument is in a state that takes no such order"
_REDUCE = "refused by the reduce-only check: nothing was there to reduce, or it is spoken for"
_GONE = "the order is filled, cancelled or unknown: there is nothing left to cancel"
_AS_ASKED = "the setting is already as asked"


def _because(reason: str, *codes: int | str) -> dict[str, str]:
    return {str(code): reason for code in codes}


BYBIT = OutcomeTable(
    rejected=MappingProxyType(
        _because(_CLOCK, 10002)
        | _because(_ACCESS, 10003, 10004, 10005, 10007, 10008, 10010, 10024, 10027, 10028, 10029, 33004)
        | _because(_SHAPE, 10001, 10017)
        | _because("refused by the wallet: not enough in the funding account", 131212, 131228)
        | _because("refused by the wallet: such a transfer may not be made", 131203, 131208, 131210)
        | _because("refused by the wallet: such a transfer may not be made", 131211, 131215, 131231, 131232)
    ),
    rejected_orders=MappingProxyType(
        _because(_FUNDS, 110004, 110006, 110007, 110012, 110014, 110044, 110045, 110052, 110053)
        | _because(_LIMITS, 110003, 110009, 110013, 110016, 110020, 110021, 110022, 110023, 110090, 110094)
        | _because(_STATE, 110005, 110025, 110026, 110036, 110038, 110063, 110066, 110074)
    ),
    exists=frozenset({"110072", "170141", "131214"}),
    benign=MappingProxyType(
        {
            Write.ORDER: _because(_REDUCE, 110017, 110034, 30063),
            Write.CANCEL: _because(_GONE, 110001, 110008, 110010, 170213),
            Write.LEVERAGE: _because(_AS_ASKED, 110043),
        }
    ),
)
"""Bybit v5. Not in it, on purpose: 10014 (duplicate request: the first may stand), 10016, 10429 and 3400214
(the venue failed inside), 110079 (still processing).

Source: Bybit docs, v5 "Error Codes" (UTA, order, asset).
"""

BINANCE = OutcomeTable(
    rejected=MappingProxyType(
        _because(_CLOCK, -1021)
        | _because("refused by the matching engine: it arrived after its recvWindow", -5028)
        | _because(_ACCESS, -1002, -1022, -1099, -2014, -2015, -4109)
        | _because(
            _SHAPE, -1013, -1020, *range(-1106, -1099), -1111, *range(-1121, -1113), -1128, -1130, -1136
        )
    ),
    rejected_orders=MappingProxyType(
        _because(_FUNDS, -2018, -2019, -2024, -4050, -4051)
        | _because(_LIMITS, -2021, -2025, -2027, -2028, -4045, -4131, -4164)
        | _because(_LIMITS, *range(-4005, -4000), *range(-4016, -4012), -4023, -4024, -4183, -4184)
        | _because(_STATE, -2023, -4060, -4061, -4062, -4087, -4088, -4140, -4141, -4192, -4400, -4401)
        | _because(_SHAPE, -2026, -4120, -4138)
    ),
    rejected_repayments=MappingProxyType(
        _because("refused by the loan desk: it takes no repayment now, or none of that size", -3007, -3010)
        | _because("refused by the loan desk: it takes no repayment now, or none of that size", -3015, -3016)
        | _because("refused by the loan desk: nothing is owed, or not enough is free", -3003, -3041)
    ),
    exists=frozenset({"-4116", "-4115"}),
    benign=MappingProxyType(
        {
            Write.ORDER: _because(_REDUCE, -2022, -4112, -4118),
            Write.CANCEL: _because(_GONE, -2011, -2013),
            Write.LEVERAGE: _because(_AS_ASKED, -4046, -4059),
        }
    ),
)
"""Binance futures and portfolio margin. Not in it, on purpose: -1000, -1001, -1006, -1007, -1008 (timed out
or failed inside: "execution status unknown"), -2010 (also used for a duplicate that stands), -1003 and -1015
(rate limits: also sent by a gateway that forwarded the order).

Source: Binance docs, USD-M and COIN-M futures "Error Codes"; of repayments Margin Trading "Error Codes", of
which -3000 and -3044 (failed inside, busy) are left out.
"""

OKX = OutcomeTable(
    rejected=MappingProxyType(
        _because(_CLOCK, 50102, 50112)
        | _because(_ACCESS, 50027, 50030, 50035, *range(50100, 50102), *range(50103, 50108))
        | _because(_ACCESS, 50110, 50111, 50113, 50114, 50119, 50120, 50121)
        | _because(_SHAPE, 50000, 50002, 50006, 50014, 50015, 50016, 50024, 50025)
        | _because(_FUNDS, 58008, 58116, 58117, 58350)
        | _because(_STATE, 58100, 58101, 58103, 58110, 58111, 58113, 58120, 58121, 58122)
        | _because(_SHAPE, 58114, 58123)
    ),
    rejected_orders=MappingProxyType(
        _because("refused on arrival: the venue's clock is past its expTime", 50036, 50037)
        | _because(_FUNDS, 51008, 51119, 51127, 51131, 51134)
        | _because(_LIMITS, 50061, 51004, 51005, 51006, 51007, 51020, 51025, 51033, *range(51101, 51110))
        | _because(_LIMITS, 51112, 51116, 51117, 51120, 51121, 51122, 51129, *range(51135, 51139), 51140)
        | _because(_LIMITS, 51150, 51174, 51185, 51201, 51202, 51203, 51207)
        | _because(_STATE, 50007, 50009, 50012, *range(50017, 50024), 50028, 50029, 50032, 50033)
        | _because(_STATE, 51009, 51010, 51021, 51022, 51024, *range(51027, 51032), 51037, 51038, 51041)
        | _because(_STATE, 51110, 51124, 51155, 51196, 51197, 51341, 54012)
        | _because(_SHAPE, 51001, 51002, 51003, 51015, 51204, 51205)
        | _because(_REDUCE, 51148, 51206)
    ),
    rejected_repayments=MappingProxyType(_because(_SHAPE, 51000) | _because(_STATE, 51010)),
    exists=frozenset({"51016", "50071", "58124", "58404"}),
    benign=MappingProxyType(
        {
            Write.ORDER: _because(_REDUCE, 51023, 51169, 51170),
            Write.CANCEL: _because(_GONE, 51400, 51401, 51402, 51416, 51603),
        }
    ),
)
"""OKX v5. Not in it, on purpose: 50004, 51054 and 51149 (timed out, status unknown), 50001, 50005, 50013
and 50026 (the venue is down or failed inside), 50042 (repeated request: the first may stand), 51000 of orders
(its text covers a client id in use, too), 51410 and 51412 (cancellation under way or timed out).

Source: OKX docs, v5 "Error Code".
"""

KRAKEN_SPOT = OutcomeTable(
    rejected=MappingProxyType(
        _because("refused at the gateway: a later nonce came before it", "EAPI:Invalid nonce")
        | _because(_ACCESS, "EAPI:Invalid key", "EAPI:Invalid signature", "EAPI:Feature disabled")
        | _because(_ACCESS, "EGeneral:Permission denied", "EAccount:Invalid permissions")
        | _because(_ACCESS, "EAuth:Account temporary disabled", "EAuth:Account unconfirmed")
        | _because(_ACCESS, "ETrade:User Locked")
        | _because(_SHAPE, "EGeneral:Invalid arguments", "EQuery:Unknown asset pair")
        | _because(_SHAPE, "EQuery:Invalid asset pair")
    ),
    rejected_orders=MappingProxyType(
        _because("refused on arrival: it is past its deadline", "EService:Deadline elapsed")
        | _because(_STATE, "EService:Market in cancel_only mode", "EService:Market in post_only mode")
        | _because(_FUNDS, "EOrder:Insufficient funds", "EOrder:Insufficient margin")
        | _because(_FUNDS, "EOrder:Insufficient initial margin", "EOrder:Margin level too low")
        | _because(_LIMITS, "EOrder:Margin allowance exceeded", "EOrder:Margin position size exceeded")
        | _because(_LIMITS, "EOrder:Positions limit exceeded", "EOrder:Orders limit exceeded")
        | _because(_LIMITS, "EOrder:Rate limit exceeded", "EOrder:Domain rate limit exceeded")
        | _because(_LIMITS, "EOrder:Order minimum not met", "EOrder:Cost minimum not met")
        | _because(_SHAPE, "EOrder:Tick size check failed", "EOrder:Invalid price")
        | _because(_STATE, "EOrder:Cannot open position", "EOrder:Cannot open opposing position")
        | _because(_STATE, "EOrder:Unknown position", "EOrder:Reduce only:Non-PC")
        | _because(_STATE, "EOrder:Reduce only:Non-ECP", "EOrder:Reduce only:One-sided margin")
    ),
    exists=frozenset({"EOrder:Duplicate cl_ord_id"}),
    benign=MappingProxyType(
        {
            Write.ORDER: MappingProxyType(
                {
                    "EOrder:Reduce only:No position exists": _REDUCE,
                    "EOrder:Reduce only:Cannot increase position": _REDUCE,
                }
            ),
            Write.CANCEL: MappingProxyType({"EOrder:Unknown order": _GONE, "EOrder:Invalid order": _GONE}),
        }
    ),
)
"""Kraken spot: the entries of an answer's `error`, without the detail behind invalid arguments. Not in it, on
purpose: EOrder:Reduce only:Position is closed (the order executes as far as it can, and the rest is
cancelled with this error), EAPI:Rate limit exceeded and EService:Throttled (not proven to come before
matching), EService:Unavailable, EService:Busy, EService:Timeout and the internal errors (the venue failed
inside). Kraken documents no error of a client id in use; the name here is the one the sandbox answers.

Source: Kraken docs, "Spot Error Messages".
"""

KRAKEN_FUTURES = OutcomeTable(
    rejected=MappingProxyType(
        {
            "authenticationError": _ACCESS,
            "permissionDenied": _ACCESS,
            "nonceBelowThreshold": "refused at the gateway: the nonce is too old",
            "nonceDuplicate": "refused at the gateway: the nonce was used before",
            "requiredArgumentMissing": _SHAPE,
            "invalidArgument": _SHAPE,
            "Json Parse Error": _SHAPE,
            "accountInactive": _STATE,
            "invalidAccount": _SHAPE,
            "invalidAmount": _SHAPE,
            "invalidUnit": _SHAPE,
            "insufficientFunds": "refused by the wallet: not enough in it",
        }
    ),
    rejected_orders=MappingProxyType(
        {
            "invalidOrderType": _SHAPE,
            "invalidSide": _SHAPE,
            "invalidSize": _SHAPE,
            "invalidPrice": _SHAPE,
            "clientOrderIdTooLong": _SHAPE,
            "clientOrderIdTooBig": _SHAPE,
            "clientOrderIdInvalid": _SHAPE,
            "insufficientAvailableFunds": _FUNDS,
            "wouldCauseLiquidation": "refused by the risk check before matching: it would liquidate",
            "fixedLeverageTooHigh": _LIMITS,
            "maxPositionViolation": _LIMITS,
            "tooManySmallOrders": _LIMITS,
            "tooManyOrders": _LIMITS,
            "outsidePriceCollar": _LIMITS,
            "wouldIncreasePriceDislocation": _LIMITS,
            "marketSuspended": _STATE,
            "marketInactive": _STATE,
            "marketIsPostOnly": _STATE,
            "selfFill": "refused by matching: it would trade with the account's own order",
            "postWouldExecute": "refused by matching: post-only, and it would take",
            "iocWouldNotExecute": "refused by matching: nothing in the book is within its price",
            "wouldProcessAfterSpecifiedTime": "refused on arrival: it is past its processBefore",
        }
    ),
    exists=frozenset({"clientOrderIdAlreadyExist"}),
    unfilled=frozenset({"iocWouldNotExecute"}),
    benign=MappingProxyType(
        {
            Write.ORDER: MappingProxyType({"wouldNotReducePosition": _REDUCE}),
            Write.CANCEL: MappingProxyType({"notFound": _GONE, "filled": _GONE}),
        }
    ),
)
"""Kraken Futures: the `error` of an answer, the `sendStatus.status` of an order, the `status` of a cancelled
one. A status beside an execution event proves nothing and never comes here. Not in it, on purpose:
apiLimitExceeded (also sent by a gateway that forwarded the order), marketUnavailable, Unavailable, Server
Error and unknownError (the venue failed inside), contractNotFound and notFound as an answer to an order,
cancelled and edited as the status of a new order (a state no reducing order should have).

Source: Kraken docs, Futures REST, "Send order", "Cancel order", "Batch order management".
"""

_CRYPTOCOM_500 = {
    Write.ORDER: _because(_REDUCE, 201, 317) | _because("there is no such isolated position", 613),
    Write.CANCEL: _because(_GONE, 212, 307, 316),
}

CRYPTOCOM = OutcomeTable(
    rejected=MappingProxyType(
        _because(_CLOCK, 40102)
        | _because(_ACCESS, 202, 401, 406, 408, 409, 410, 411, 412, 40101, 40103, 40104)
        | _because(_SHAPE, 40001, 40002, 40003, 40004, 40005)
    ),
    rejected_orders=MappingProxyType(
        _because(_SHAPE, 209, 213, 218, 219, 220, 221, 308)
        | _because(_STATE, 206, 207, 208, 222, 301, 309, 311)
        | _because(_FUNDS, 302, 303, 304, 305, 306, 320, 321, 501)
        | _because(_LIMITS, 224, 310, 312, 313, 314, 315, 318, 319, 325, 415, 606)
        | _because(_REDUCE, 1110)
        | _because("cancelled unfilled on arrival", 43003, 43004, 43005)
    ),
    exists=frozenset({"204", "40006"}),
    benign=MappingProxyType(
        {
            Write.ORDER: MappingProxyType(_CRYPTOCOM_500[Write.ORDER]),
            Write.CANCEL: MappingProxyType(_CRYPTOCOM_500[Write.CANCEL] | _because(_GONE, 40401)),
        }
    ),
    despite_status=frozenset(
        {code for codes in _CRYPTOCOM_500.values() for code in codes}
        | {"206", "219", "301", "302", "303", "304", "305", "306", "309", "310", "311", "312", "313"}
        | {"320", "321", "406", "409", "410", "411", "412", "415", "501", "606", "43003", "43004", "43005"}
    ),
)
"""Crypto.com Exchange v1. Most of its own refusals come with a status of 500. Not in it, on purpose: 40801
and 50001 (timed out or failed inside), 42901 (rate limit), 205 (an order id of the venue's own was in use),
620 (an isolated position timed out). 204 and 40006 (duplicate request) mean that the first may stand.

Source: Exchange API v1, "Response and Reason Codes".
"""


def _twice(reason: str, *codes: str) -> dict[str, str]:
    """Name codes as Coinbase does: for the order itself, and for the preview that precedes it."""
    return _because(reason, *codes, *(f"PREVIEW_{code}" for code in codes))


COINBASE = OutcomeTable(
    rejected=MappingProxyType(
        _because(_ACCESS, "401", "PERMISSION_DENIED", "unauthorized") | _because(_SHAPE, "INVALID_ARGUMENT")
    ),
    rejected_orders=MappingProxyType(
        _twice(_SHAPE, "UNSUPPORTED_ORDER_CONFIGURATION", "INVALID_ORDER_CONFIG", "INVALID_SIDE")
        | _twice(_SHAPE, "INVALID_PRODUCT_ID", "INVALID_SIZE_PRECISION", "INVALID_PRICE_PRECISION")
        | _twice(_SHAPE, "INVALID_REQUEST", "NON_NUMERIC_ORDER_SIZE", "INVALID_MARGIN_TYPE")
        | _twice(_FUNDS, "INSUFFICIENT_FUND", "INSUFFICIENT_FUNDS", "INSUFFICIENT_FUNDS_FOR_FUTURES")
        | _twice(_FUNDS, "INVALID_LEDGER_BALANCE", "INSUFFICIENT_LEDGER_BALANCE", "INVALID_MARGIN_HEALTH")
        | _twice(_LIMITS, "INVALID_BASE_SIZE_TOO_LARGE", "INVALID_BASE_SIZE_TOO_SMALL")
        | _twice(_LIMITS, "BREACHED_PRICE_LIMIT", "BREACHED_OPEN_INTEREST_LIMIT", "BREACHED_RISK_LIMIT")
        | _twice(_LIMITS, "BREACHED_ACCOUNT_POSITION_LIMIT", "BREACHED_COMPANY_POSITION_LIMIT")
        | _twice(_STATE, "ORDER_ENTRY_DISABLED", "INELIGIBLE_PAIR", "IN_LIQUIDATION", "UNTRADABLE_PRODUCT")
        | _twice(_STATE, "INVALID_FCM_TRADING_SESSION", "UNTRADABLE_FCM_ACCOUNT_STATUS")
        | _twice(_STATE, "NOT_ALLOWED_BY_MARKET_STATE", "PRODUCT_TRADING_HALTED", "TRADING_DISABLED")
        | _twice(_STATE, "FUTURES_AFTER_HOUR_INVALID_ORDER_TYPE", "FUTURES_AFTER_HOUR_INVALID_TIME_IN_FORCE")
        | _twice(_STATE, "GEOFENCING_RESTRICTION", "OPEN_BRACKET_ORDERS", "INVALID_NO_LIQUIDITY")
        | _twice(_STATE, "MODIFY_POSITION_WORKFLOW_ALREADY_RUNNING", "MISSING_PRODUCT_PRICE_BOOK")
        | _twice(_REDUCE, "POSITION_SIZE_INCREASE_REJECT", "REDUCE_ONLY_INCREASED_POSITION_SIZE")
    ),
    exists=frozenset({"DUPLICATE_CLIENT_ORDER_ID"}),
    benign=MappingProxyType(
        {
            Write.ORDER: _because(_REDUCE, "CANNOT_CLOSE_ZERO_POSITION"),
            Write.CANCEL: _because(_GONE, "UNKNOWN_CANCEL_ORDER", "ORDER_IS_FULLY_FILLED"),
        }
    ),
    rejected_cancels=MappingProxyType(
        _because(_SHAPE, "INVALID_CANCEL_REQUEST", "INVALID_CANCEL_PRODUCT_ID")
        | _because(_STATE, "COMMANDER_REJECTED_CANCEL_ORDER", "NOT_ALLOWED_TO_CANCEL")
        | _because(_STATE, "INVALID_CANCEL_FCM_TRADING_SESSION", "ORDER_IS_BEING_REPLACED")
    ),
)
"""Coinbase Advanced Trade. Not in it, on purpose: UNKNOWN_FAILURE_REASON and
UNKNOWN_CANCEL_FAILURE_REASON (refused for no stated reason), COMMANDER_REJECTED_NEW_ORDER and
PREVIEW_RISK_PROXY_FAILURE (failed inside), DUPLICATE_CANCEL_REQUEST (an earlier cancellation is under way).

Source: Coinbase Advanced Trade API reference, "Create Order", "Close Position", "Cancel Orders".
"""
