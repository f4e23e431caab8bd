"""What a refusal of Binance's margin interface means: its words count where its code says too little."""

from brokers.errors import BrokerError, RequestRefused
from brokers.profile import Headers
from brokers.venues.binance.margin_outcomes import ORDER_REFUSED
from brokers.venues.binance.refusals import read_refusal, words_of


def read_margin_refusal(status: int, headers: Headers, payload: object) -> BrokerError | None:
    """Return what an answer refuses and why; the code of a refused order carries the venue's words."""
    error = read_refusal(status, headers, payload)
    if isinstance(error, RequestRefused) and error.code == str(ORDER_REFUSED):
        return RequestRefused(str(error), code=f"{error.code} {words_of(payload)}")
    return error
