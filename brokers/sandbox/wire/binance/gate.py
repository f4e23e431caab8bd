"""What every host of Binance shares: who may ask, how it says no, and what margind needs of the spot host."""

from collections.abc import Mapping
from typing import Any, ClassVar

from brokers.sandbox.wire.base import Route, Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance import deform
from brokers.sandbox.wire.binance.refusals import banned, envelope, refuse, too_fast
from brokers.sandbox.wire.binance.signature import authenticate
from brokers.sandbox.wire.binance.wallet import WalletDesk

SAPI = "/sapi/v1/"

REFUSALS = {"revoked_key": -2015, "clock_skew": -1021, "duplicate_code": -4116, "reduce_only_rejected": -2022}


class BinanceGate(Wire):
    """Let in who signed properly; `_wallet` answers for the spot host."""

    venue: ClassVar[str] = "binance"
    budget_period_s: ClassVar[float] = 60
    _wallet: WalletDesk

    def authenticate(self, request: WireRequest) -> str:
        """Return the account that signed a request and may make it."""
        account = authenticate(self.engine, request)
        may = account.permissions
        allowed = may.can_read if request.method == "GET" else may.can_trade
        if not allowed and not request.path.startswith(SAPI):
            raise refuse(-2015)
        return account.name

    def refusal(self, kind: str) -> WireAnswer:
        """Return the venue's own answer of one kind."""
        if kind == "rate_limited":
            return too_fast()
        if kind == "ban":
            return banned(self.now_ms)
        if kind == "not_found":
            return envelope(-5000, status=404)
        if kind in REFUSALS:
            return envelope(REFUSALS[kind])
        return envelope(-1000, status=500)

    def deform(self, kind: str, path: str, payload: Any) -> Any:  # noqa: ANN401 - raw JSON
        """Return `payload` with one fault in it."""
        return deform.deform(kind, path, payload)

    def usage_headers(self, used: float) -> Mapping[str, str]:
        """Return the used weight, as every futures answer tells it."""
        return {"X-MBX-USED-WEIGHT-1M": str(round(used))}

    def sapi_routes(self) -> tuple[Route, ...]:
        """List what the spot host answers."""
        desk = self._wallet
        return (
            Route(method="GET", path=SAPI + "account/apiRestrictions", handler=desk.restrictions),
            Route(method="POST", path=SAPI + "asset/get-funding-asset", handler=desk.funding),
            Route(method="GET", path=SAPI + "asset/transfer", handler=desk.transfers),
            Route(method="POST", path=SAPI + "asset/transfer", handler=desk.transfer, writes=True),
        )
