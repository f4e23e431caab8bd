"""Isolated margin accounts: every pair holds and owes its two assets, and is liquidated by itself."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from brokers.budget import boot_seconds
from brokers.ccxt_broker import Read, SnapshotContext
from brokers.errors import NotSupported
from brokers.hooks import VenueHooks
from brokers.models import AccountMode, AccountSnapshot, Symbol
from brokers.orders import Repayment, TransferReport
from brokers.profile import Request
from brokers.registry import BrokerSpec
from brokers.venues.binance.account import aside
from brokers.venues.binance.margin import MarginBroker
from brokers.venues.binance.margin_isolated_snapshot import (
    ISOLATED,
    IsolatedPicture,
    Tier,
    check_account,
    parse_isolated,
    read_pairs,
    read_tiers,
    symbol_of,
)

ACCOUNT = "sapiGetMarginIsolatedAccount"

TIERS_AGE_S = 3600.0


class IsolatedMarginBroker(MarginBroker[IsolatedPicture]):
    """All isolated pairs of one key. Money is not moved in: a transfer would have to name its pair."""

    isolated = True

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._pairs: tuple[Symbol, ...] = ()
        self._tiers_of: dict[Symbol, tuple[float, Sequence[Tier]]] = {}

    async def load_mode(self, read: Read) -> AccountMode:
        """Return the one mode there is, of an account that answers at all."""
        check_account(await read(ACCOUNT, cost=10))
        return ISOLATED

    async def gather(self, read: Read) -> IsolatedPicture:
        """Read every pair; the tiers of those in debt come along, and nothing waits long for them."""
        asked_at = self.venue_now()
        account = check_account(await read(ACCOUNT, cost=10))
        pairs = read_pairs(account, [])
        self._pairs = tuple(pair.symbol for pair in pairs)
        await self._learn_tiers(read, [pair.symbol for pair in pairs if pair.owes])
        tiers: Mapping[Symbol, Sequence[Tier]] = {s: known for s, (_, known) in self._tiers_of.items()}
        return IsolatedPicture(account=account, tiers=tiers, asked_at=asked_at)

    async def _learn_tiers(self, read: Read, symbols: Sequence[Symbol]) -> None:
        """Read tiers that are not known, or old; a failure leaves what was known, for a while."""
        now = boot_seconds()
        due = [s for s in symbols if s not in self._tiers_of or now - self._tiers_of[s][0] > TIERS_AGE_S]
        answers = await asyncio.gather(
            *(aside(read("sapiGetMarginIsolatedMarginTier", {"symbol": symbol})) for symbol in due)
        )
        for symbol, answer in zip(due, answers, strict=True):
            known = self._tiers_of.get(symbol, (0.0, ()))[1]
            self._tiers_of[symbol] = (now, read_tiers(answer) if isinstance(answer, list) else known)

    def parse_snapshot(self, raw: IsolatedPicture, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot; see `brokers.venues.binance.margin_isolated_snapshot`."""
        return self.remember(parse_isolated(raw, context))

    def net_bases(self, raw: IsolatedPicture) -> Mapping[Symbol, Decimal]:
        """Return what is held less what is owed of every pair's base."""
        pairs = read_pairs(raw.account, [])
        return {pair.symbol: pair.base.net for pair in pairs if pair.base is not None}

    def order_lists(self) -> Sequence[Mapping[str, object]]:
        """Read the orders of every pair that holds or owes something: the venue lists them pair by pair."""
        return [{"symbol": symbol, "isIsolated": "TRUE"} for symbol in self._pairs]

    async def look_up_funding(self, read: Read, currency: str) -> Decimal:
        """Refuse: nothing is moved in."""
        return await VenueHooks.look_up_funding(self, read, currency)

    def transfer_request(self, currency: str, amount: Decimal, client_id: str) -> Request:
        """Refuse: nothing is moved in."""
        return VenueHooks.transfer_request(self, currency, amount, client_id)

    async def look_up_transfer(
        self, read: Read, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Refuse: nothing is moved in."""
        return await VenueHooks.look_up_transfer(self, read, client_id, currency, amount, since)

    def owner_of(self, repayment: Repayment) -> Mapping[str, object]:
        """Name the pair that owes."""
        if not repayment.unit.startswith("isolated:"):
            raise NotSupported(f"{repayment.unit} is no isolated pair")
        return {"symbol": symbol_of(repayment.unit)}
