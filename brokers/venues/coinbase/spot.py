"""The spot account of Coinbase: a cash account. Nothing is borrowed, so nothing can be liquidated."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from brokers.errors import BrokerError, NotSupported
from brokers.hooks import Ack, Read, SnapshotContext
from brokers.models import AccountSnapshot, Finding, MarketRules, Symbol
from brokers.orders import ReduceOrder
from brokers.port import Capabilities
from brokers.profile import Json, Request
from brokers.venues.coinbase.account import PAGE, CoinbaseBroker
from brokers.venues.coinbase.depth import BOOKS
from brokers.venues.coinbase.holdings import (
    cash_unit,
    collaterals,
    products_for,
    read_holdings,
    read_prices,
)
from brokers.venues.coinbase.pages import Rows, read_pages, read_products
from brokers.venues.coinbase.profile import ORDER_TIME_TO_LIVE

_log = logging.getLogger("margind.brokers")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSpot:
    """The rows of one picture. Coinbase dates none of them: it is as old as its question, `asked_at`."""

    asked_at: datetime
    wallets: Rows
    products: Rows


class SpotBroker(CoinbaseBroker[RawSpot]):
    """A spot account at 1x. It is watched, and there is never anything to reduce."""

    product_type = "SPOT"
    mode_label = "cash account"
    book_calls = BOOKS
    has_markets = False
    capabilities: ClassVar = Capabilities(
        order_time_to_live=ORDER_TIME_TO_LIVE,
        ids_unique_for_ever=True,
        reduce_only=False,
        transfer_in=False,
        key_permissions=True,
        limit_orders=False,
        set_leverage=False,
        measures=frozenset(),
    )

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read nothing: there are no positions that rules could be needed for."""
        del read
        return {}

    async def gather(self, read: Read) -> RawSpot:
        """Read every wallet, then the prices of what is held."""
        asked_at = self.transport.venue_now()
        wallets = await read_pages(read, "v3PrivateGetBrokerageAccounts", "accounts", {"limit": str(PAGE)})
        wanted = products_for(read_holdings(wallets, []))
        products = await self._prices(read, wanted) if wanted else []
        return RawSpot(asked_at=asked_at, wallets=wallets, products=products)

    async def _prices(self, read: Read, wanted: Sequence[str]) -> Rows:
        """Read the products of what is held; without them only its worth is unknown."""
        try:
            return await read_products(read, {"product_type": self.product_type, "product_ids": list(wanted)})
        except BrokerError as error:
            _log.info("%s: no prices: %s", self.account_id, error)
            return []

    def parse_snapshot(self, raw: RawSpot, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot: one cash unit, and what it holds."""
        findings: list[Finding] = []
        holdings, prices = read_holdings(raw.wallets, findings), read_prices(raw.products)
        return AccountSnapshot(
            account_id=context.account_id,
            broker=context.broker,
            product=context.product,
            as_of=min(raw.asked_at, context.now),
            fetched_at=context.now,
            mode=context.mode,
            units=(cash_unit(holdings, prices, findings),),
            positions=(),
            collaterals=collaterals(holdings, prices),
            findings=tuple(dict.fromkeys(findings)),
        )

    def order_request(self, order: ReduceOrder) -> Request:
        """Refuse: a cash account has no positions, and selling what it owns averts no liquidation."""
        raise NotSupported(f"coinbase: a cash account has no position in {order.symbol} to reduce")

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Refuse, as `order_request` does."""
        del payload
        raise NotSupported(f"coinbase: a cash account has no position in {order.symbol} to reduce")
