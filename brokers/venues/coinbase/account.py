"""What both products of Coinbase share: the key, its orders, cancelling them, and looking one up."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from brokers.answers import Reply
from brokers.ccxt_broker import CcxtBroker
from brokers.errors import MalformedAnswer, NotSupported, Unauthorized
from brokers.fields import mapping_from
from brokers.hooks import CancelBatch, Raw, Read, RowResult
from brokers.models import AccountMode, KeyPermissions, Position, Symbol
from brokers.orders import ClientOrderId, OpenOrder, OrderReport
from brokers.outcomes import COINBASE
from brokers.profile import Request
from brokers.registry import BrokerSpec
from brokers.venues.coinbase.cancelling import cancel_batches, read_cancel_rows
from brokers.venues.coinbase.orders import read_open_order, read_report
from brokers.venues.coinbase.pages import Rows, if_any, read_pages
from brokers.venues.coinbase.profile import ADVANCED_TRADE

ORDERS = "v3PrivateGetBrokerageOrdersHistoricalBatch"
PAGE = 250

WAITING = ("PENDING", "QUEUED")
"""States before OPEN. Coinbase takes OPEN only alone; the others may be asked for together."""

ENDED = ("FILLED", "CANCELLED", "EXPIRED", "FAILED")

UNSTATED_TYPE = "UNKNOWN_PRODUCT_TYPE"

LOOKED_BACK = timedelta(days=3)
"""How old an order may be that is looked up; margind asks within seconds of sending, or at its next start."""

PEM = "-----BEGIN"


class CoinbaseBroker(CcxtBroker[Raw]):
    """One portfolio of a Coinbase user; `product_type` is Coinbase's word for the product."""

    profile = ADVANCED_TRADE
    outcomes = COINBASE
    product_type: ClassVar[str]
    mode_label: ClassVar[str]

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._held: tuple[Position, ...] = ()

    async def connect(self) -> None:
        """Connect; see the port.

        Raises:
            Unauthorized: the secret is no private key in PEM form; Coinbase's trading API takes no other.
        """
        if not all(key.secret.startswith(PEM) for key in self.spec.keys):
            raise Unauthorized("coinbase: the secret must be an ECDSA private key in PEM form", code="key")
        await super().connect()

    # ------------------------------------------------------------------ the key

    async def load_mode(self, read: Read) -> AccountMode:
        """Read which portfolio the key opens: it sees no other. Not every host can say."""
        key = await if_any(self._key(read)) or {}
        portfolio = str(key.get("portfolio_type") or "unnamed").lower()
        return AccountMode(
            label=f"{self.mode_label}, {portfolio} portfolio", margin_mode=None, position_mode=None
        )

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the key may do. Coinbase's "transfer" sends funds off the platform, too: it withdraws."""
        key = await if_any(self._key(read))
        if key is None:
            raise NotSupported("coinbase: this host cannot say what the key may do")
        transfers = _flag(key, "can_transfer")
        return KeyPermissions(
            can_read=_flag(key, "can_view"),
            can_trade=_flag(key, "can_trade"),
            can_withdraw=transfers,
            can_transfer=transfers,
            ip_bound=None,
        )

    @staticmethod
    async def _key(read: Read) -> Mapping[str, Any]:
        return mapping_from(await read("v3PrivateGetBrokerageKeyPermissions"), "key_permissions")

    # ------------------------------------------------------------------ orders

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every open order to the last page, and those that are about to be."""
        common = {"product_type": self.product_type, "limit": str(PAGE)}
        rows, waiting = await asyncio.gather(
            read_pages(read, ORDERS, "orders", {**common, "order_status": ["OPEN"]}),
            if_any(read_pages(read, ORDERS, "orders", {**common, "order_status": list(WAITING)})),
        )
        found = [read_open_order(row, self._held) for row in (*rows, *(waiting or ())) if self._rests(row)]
        return tuple({order.order_id: order for order in found}.values())

    def _rests(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is what was asked for: a host may not heed the filters."""
        product = row.get("product_type")
        return row.get("status") not in ENDED and product in {None, "", UNSTATED_TYPE, self.product_type}

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Find an order by client id in the lists: no call takes one.

        Open orders cannot be listed with others, and an order may cease to be one in between: what has ended
        is read last.
        """
        since = (self.transport.venue_now() - LOOKED_BACK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        of_product = {"product_ids": [str(symbol)], "limit": str(PAGE)}
        everything = {**of_product, "start_date": since}
        open_ones = {**of_product, "order_status": ["OPEN"]}
        for params in (everything, open_ones, {**everything, "order_status": list(ENDED)}):
            rows = await read_pages(read, ORDERS, "orders", params)
            if found := own_row(rows, client_order_id):
                return read_report(found, client_order_id, symbol)
        return None

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel by id, a hundred at a time."""
        return cancel_batches(orders)

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Read the rows of a batch: part of it may have failed."""
        del batch
        return None if reply.failure is not None else read_cancel_rows(reply.payload)

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Coinbase has no leverage setting: margin rates are the product's."""
        del leverage
        raise NotSupported(f"coinbase: there is no leverage setting for {symbol}")


def own_row(rows: Rows, client_order_id: ClientOrderId) -> Mapping[str, Any] | None:
    """Return the one row with that client id.

    Raises:
        MalformedAnswer: two different orders have it, or a row does not say which it has.
    """
    if any("client_order_id" not in row for row in rows):
        raise MalformedAnswer("orders/historical/batch: an order without its client id")
    found = {str(row.get("order_id")): row for row in rows if row.get("client_order_id") == client_order_id}
    if len(found) > 1:
        raise MalformedAnswer("orders/historical/batch: two orders with one client id")
    return next(iter(found.values()), None)


def _flag(key: Mapping[str, Any], name: str) -> bool | None:
    value = key.get(name)
    return value if isinstance(value, bool) else None
