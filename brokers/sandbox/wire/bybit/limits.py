"""Requests per key and endpoint in a rolling period, and the headers that tell what is left of them.

Source: Bybit docs, V5 "Rate Limit Rules".
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` requests in any `period_s` seconds."""

    count: int
    period_s: float = 1.0


A_MINUTE_S = 60.0

LIMITS: Mapping[str, Limit] = {
    "/v5/order/create": Limit(10),
    "/v5/order/cancel": Limit(10),
    "/v5/order/cancel-all": Limit(10),
    "/v5/order/cancel-batch": Limit(10),
    "/v5/order/realtime": Limit(50),
    "/v5/order/history": Limit(50),
    "/v5/position/list": Limit(50),
    "/v5/position/set-leverage": Limit(10),
    "/v5/account/wallet-balance": Limit(50),
    "/v5/account/info": Limit(50),
    "/v5/account/collateral-info": Limit(50),
    "/v5/account/no-convert-repay": Limit(1),
    "/v5/user/query-api": Limit(10),
    "/v5/asset/coin/query-info": Limit(5),
    "/v5/asset/transfer/inter-transfer": Limit(60, A_MINUTE_S),
    "/v5/asset/transfer/query-inter-transfer-list": Limit(60, A_MINUTE_S),
    "/v5/asset/transfer/query-account-coins-balance": Limit(5),
}
"""Limits of signed endpoints."""


class EndpointLimits:
    """A rolling period for every account and path; `clock` in seconds."""

    def __init__(self, clock: Callable[[], float], limits: Mapping[str, Limit] = LIMITS) -> None:
        self._clock = clock
        self._limits = limits
        self._asked: dict[tuple[str, str], deque[float]] = {}

    def spend(self, account: str, path: str, now_ms: int) -> tuple[bool, Mapping[str, str]]:
        """Count a request; return whether it is still allowed, and the headers to answer with."""
        limit = self._limits.get(path)
        if limit is None:
            return True, {}
        now = self._clock()
        asked = self._asked.setdefault((account, path), deque())
        while asked and now - asked[0] >= limit.period_s:
            asked.popleft()
        allowed = len(asked) < limit.count
        if allowed:
            asked.append(now)
        wait_ms = 0 if allowed else round((limit.period_s - (now - asked[0])) * 1000)
        headers = {
            "X-Bapi-Limit": str(limit.count),
            "X-Bapi-Limit-Status": str(limit.count - len(asked)),
            "X-Bapi-Limit-Reset-Timestamp": str(now_ms + wait_ms),
        }
        return allowed, headers
