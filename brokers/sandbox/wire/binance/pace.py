"""How many orders an account sent: Binance counts them apart from request weight."""

from collections import deque
from collections.abc import Mapping

from brokers.sandbox.wire.base import WireAnswer, WireRefusal
from brokers.sandbox.wire.binance.refusals import MESSAGES

SHORT_MS, MOST_IN_SHORT = 10_000, 300
LONG_MS, MOST_IN_LONG = 60_000, 1_200


class Pace:
    """Count orders per account in the last ten seconds and the last minute."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[int]] = {}

    def count(self, account: str, now_ms: int) -> Mapping[str, str]:
        """Count one order and return the headers that tell.

        Raises:
            WireRefusal: -1015, too many of them.
        """
        sent = self._sent.setdefault(account, deque())
        while sent and sent[0] <= now_ms - LONG_MS:
            sent.popleft()
        sent.append(now_ms)
        recent = sum(1 for moment in sent if moment > now_ms - SHORT_MS)
        headers = {"X-MBX-ORDER-COUNT-10S": str(recent), "X-MBX-ORDER-COUNT-1M": str(len(sent))}
        if recent > MOST_IN_SHORT or len(sent) > MOST_IN_LONG:
            payload = {"code": -1015, "msg": MESSAGES[-1015]}
            raise WireRefusal(WireAnswer(payload=payload, status=429, headers=headers))
        return headers
