"""What an answer to a margin order, cancellation or repayment proves at Binance.

The matching engine of spot and margin refuses orders with one code for everything, so its words belong to
the code (`margin_refusals`).
"""

from types import MappingProxyType

from brokers.outcomes import BINANCE, OutcomeTable, Write

ORDER_REFUSED, CANCEL_REFUSED = -2010, -2011

INSUFFICIENT = "-2010 Account has insufficient balance for requested action"
DUPLICATE = "-2010 Duplicate order sent"

_FUNDS = "refused before matching: the account does not hold, free, what the order spends"
_STATE = "refused: the account, pair or margin level is in a state that takes no such order"
_SHAPE = "refused by validation: a parameter is missing, malformed or out of its range"
_LIMITS = "refused by a filter of the pair before matching"
_DEBT = "refused by the loan desk: it repaid nothing"

WORDS = MappingProxyType(
    {
        INSUFFICIENT: _FUNDS,
        "-2010 Market is closed": _STATE,
        "-2010 Market orders are not supported for this symbol": _STATE,
        "-2010 Price * QTY is zero or less": _SHAPE,
        "-2010 This action is disabled on this account": _STATE,
        "-2010 Account may not place or cancel orders": _STATE,
        "-2010 This symbol is not permitted for this account": _STATE,
        "-2010 Unsupported order combination": _SHAPE,
        "-2010 Order would trigger immediately": _STATE,
    }
)
"""What refuses an order, by Binance's own words. Source: Binance docs, spot "Error Codes", -2010."""

BINANCE_MARGIN = OutcomeTable(
    rejected=MappingProxyType(
        {code: reason for code, reason in BINANCE.rejected.items() if code != "-4109"}
        | {str(code): _STATE for code in (-3003, -3004, -3021, -3022, -3027, -3028, -3067)}
        | {str(code): _SHAPE for code in (-3025, -3026)}
    ),
    rejected_orders=MappingProxyType(
        dict(WORDS)
        | {"-3041": _FUNDS, "-1013": _LIMITS, "-3064": _LIMITS, "-11001": _STATE}
        | {str(code): _STATE for code in (-3023, -3042, -2021, -2039)}
    ),
    rejected_repayments=MappingProxyType(
        {str(code): _DEBT for code in (-3007, -3010, -3015, -3024, -3036, -3041)}
    ),
    exists=frozenset({DUPLICATE}),
    benign=MappingProxyType(
        {Write.CANCEL: MappingProxyType({"-2011": "the order is gone", "-2013": "the order is gone"})}
    ),
)
"""Binance margin. Not in it, on purpose: -2010 with words that are not listed, -3000 and -3044 (failed or
busy inside), -1000, -1001, -1006, -1007 (execution status unknown), -1003, -1015, -3037 (being cleared).

Source: Binance docs, spot "Error Codes"; margin trading "Error Code".
"""
