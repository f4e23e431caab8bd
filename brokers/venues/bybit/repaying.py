"""`POST /v5/account/no-convert-repay`: debt given back out of the coin's own spot balance; nothing is sold.

`/v5/account/repay` and `/v5/account/quick-repayment` are not used: what the coin's balance lacks they take by
selling other coins.

Source: Bybit docs, Manual Repay Without Asset Conversion; Get Available Amount to Repay.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from brokers.errors import MalformedAnswer
from brokers.hooks import Receipt
from brokers.models import MarginMode
from brokers.numbers import ZERO, plain
from brokers.orders import Repayment, Verdict
from brokers.venues.bybit.envelope import result_of, text_or_none
from brokers.venues.bybit.wallet import Coin

CALL = "privatePostV5AccountNoConvertRepay"

VERDICTS: Mapping[str, Verdict] = MappingProxyType(
    {"SU": Verdict.ACCEPTED, "P": Verdict.ACCEPTED, "FA": Verdict.REJECTED}
)
"""`resultStatus`: done, being processed, failed."""


def repay_params(repayment: Repayment) -> Mapping[str, object]:
    """Return the body. The coin is always named and so is the amount: left out, each means all there is."""
    return {"coin": repayment.currency, "amount": plain(repayment.amount)}


def read_receipt(payload: object) -> Receipt:
    """Return what an answer says; the amount is not told.

    Raises:
        MalformedAnswer: it names no status that Bybit documents.
    """
    status = text_or_none(result_of(payload, "repayment"), "resultStatus")
    verdict = VERDICTS.get(status or "")
    if verdict is None:
        raise MalformedAnswer(f"repayment: resultStatus {status!r}")
    return Receipt(verdict=verdict, message=f"resultStatus {status}")


def repayable(coin: Coin, mode: MarginMode | None) -> Decimal | None:
    """Return how much of the coin's debt could be given back: min(spot balance free, borrowed), >= 0.

    Free is the wallet balance less what spot orders lock, and less any bonus, which is no coin. A balance
    below zero is itself the debt. `None`: a figure is missing, or the mode does not lend.
    """
    if mode in {None, MarginMode.ISOLATED}:
        return None
    if coin.borrowed is None or coin.wallet_balance is None or coin.locked is None:
        return None
    free = coin.wallet_balance - coin.locked - (coin.bonus or ZERO)
    return max(min(free, coin.borrowed), ZERO)
