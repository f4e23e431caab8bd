"""What an account may change about itself: leverage and margin type per symbol."""

from types import MappingProxyType

from brokers.models import MarginMode
from brokers.sandbox.orders import Rejection
from brokers.sandbox.spec import MarginPool
from brokers.sandbox.wire.base import Wire, WireAnswer, WireRequest
from brokers.sandbox.wire.binance.account import LARGEST_NOTIONAL
from brokers.sandbox.wire.binance.listing import Listing, bare
from brokers.sandbox.wire.binance.parameters import Parameters
from brokers.sandbox.wire.binance.refusals import refuse, rejected

MARGIN_TYPES = MappingProxyType({"ISOLATED": MarginMode.ISOLATED, "CROSSED": MarginMode.CROSS})


class SettingsDesk:
    """Answer changes of settings."""

    def __init__(self, wire: Wire, listing: Listing) -> None:
        self._engine = wire.engine
        self._listing = listing

    def leverage(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST .../leverage`; the same value again is a success."""
        asked = Parameters(request)
        symbol = asked.required("symbol")
        leverage = asked.number("leverage")
        if leverage is None or leverage != leverage.to_integral_value():
            raise refuse(-4028)
        try:
            self._engine.set_leverage(account, self._listing.instrument(symbol).name, leverage)
        except Rejection as rejection:
            raise rejected(rejection) from None
        most = bare(LARGEST_NOTIONAL)
        return WireAnswer(payload={"symbol": symbol, "leverage": int(leverage), "maxNotionalValue": most})

    def margin_type(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `POST .../marginType`; in multi-assets mode nothing can be isolated."""
        asked = Parameters(request)
        name = self._listing.instrument(asked.required("symbol")).name
        mode = asked.word("marginType", MARGIN_TYPES, -1130)
        multi = self._engine.accounts[account].margin_pool is MarginPool.ACCOUNT
        if multi and mode is MarginMode.ISOLATED:
            raise refuse(-4168)
        try:
            self._engine.set_margin_mode(account, name, mode)
        except Rejection as rejection:
            raise rejected(rejection) from None
        return WireAnswer(payload={"code": 200, "msg": "success"})
