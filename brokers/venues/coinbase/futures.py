"""The US futures account of Coinbase (CFM): one margin pool in USD, netted positions, no borrowing."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from brokers.fields import mapping_from, rows_from
from brokers.hooks import Ack, Read, SnapshotContext
from brokers.models import AccountSnapshot, Finding, MarketRules, Symbol
from brokers.orders import ReduceOrder
from brokers.port import Capabilities
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.coinbase.account import CoinbaseBroker
from brokers.venues.coinbase.depth import BOOKS
from brokers.venues.coinbase.orders import close_request, read_ack
from brokers.venues.coinbase.pages import read_products
from brokers.venues.coinbase.positions import read_positions
from brokers.venues.coinbase.products import market_rules
from brokers.venues.coinbase.profile import FUTURES_POINTS, ORDER_TIME_TO_LIVE
from brokers.venues.coinbase.summary import futures_unit, states_overnight

_log = logging.getLogger("margind.brokers")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFutures:
    """The payloads of one picture. Coinbase dates none of them: it is as old as its question, `asked_at`."""

    asked_at: datetime
    summary: Json
    positions: Json


class FuturesBroker(CoinbaseBroker[RawFutures]):
    """A futures account. Positions are cut by `close_position`, which is bound to the position."""

    product_type = "FUTURE"
    mode_label = "US futures"
    book_calls = BOOKS
    capabilities: ClassVar = Capabilities(
        order_time_to_live=ORDER_TIME_TO_LIVE,
        ids_unique_for_ever=True,
        reduce_only=True,
        transfer_in=False,
        key_permissions=True,
        limit_orders=False,
        set_leverage=False,
        points=FUTURES_POINTS,
        position_bound=True,
        lookup_by_id=False,
        deadline="the token's `exp`",
    )

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._expects_overnight = False
        self._told = False

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read the futures products; an expired one may still be listed."""
        return market_rules(await read_products(read, {"product_type": self.product_type}))

    async def gather(self, read: Read) -> RawFutures:
        """Read balance summary and positions; each is one answer."""
        asked_at = self.transport.venue_now()
        summary, positions = await asyncio.gather(
            read("v3PrivateGetBrokerageCfmBalanceSummary"), read("v3PrivateGetBrokerageCfmPositions")
        )
        return RawFutures(asked_at=asked_at, summary=summary, positions=positions)

    def parse_snapshot(self, raw: RawFutures, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot, and remember what is held: it tells a protective stop from another order.

        A host that never stated the overnight window is judged by the current one alone; from one that did,
        it must not be absent.
        """
        self._expects_overnight |= states_overnight(_summary_of(raw))
        snapshot = read_snapshot(raw, context, expects_overnight=self._expects_overnight)
        if snapshot.positions and not self._expects_overnight and not self._told:
            self._told = True
            _log.warning("%s: no overnight margins are stated: the night is not judged", self.account_id)
        self._held = snapshot.positions
        return snapshot

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the call that closes part of a position."""
        return close_request(order)

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the acknowledgement."""
        del order
        return read_ack(payload)


def _summary_of(raw: RawFutures) -> Mapping[str, Any]:
    payload = mapping_from(raw.summary, "cfm/balance_summary").get("balance_summary")
    return mapping_from(payload, "balance_summary")


def read_snapshot(
    raw: RawFutures, context: SnapshotContext, *, expects_overnight: bool = True
) -> AccountSnapshot:
    """Build one snapshot; the account is one unit, and everything is in USD.

    Raises:
        MalformedAnswer: an answer is not of the documented shape.
    """
    findings: list[Finding] = []
    summary = _summary_of(raw)
    rows = rows_from(mapping_from(raw.positions, "cfm/positions").get("positions"), "positions")
    positions = read_positions(rows, context.markets, findings)
    unit = futures_unit(
        summary,
        holds_positions=bool(positions or findings),
        findings=findings,
        expects_overnight=expects_overnight,
    )
    held = {position.symbol for position in positions}
    return AccountSnapshot(
        account_id=context.account_id,
        broker=context.broker,
        product=context.product,
        as_of=min(raw.asked_at, context.now),
        fetched_at=context.now,
        mode=context.mode,
        units=(unit,),
        positions=positions,
        findings=tuple(dict.fromkeys(findings)),
        markets=MappingProxyType({s: context.markets[s] for s in held if s in context.markets}),
    )
