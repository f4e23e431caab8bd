"""Cross margin accounts, classic and pro: one wallet of many assets behind all debts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from brokers.ccxt_broker import Read, SnapshotContext
from brokers.errors import BrokerError
from brokers.models import AccountMode, AccountSnapshot, Symbol
from brokers.registry import BrokerSpec
from brokers.venues.binance import wallet
from brokers.venues.binance.margin import MarginBroker
from brokers.venues.binance.margin_cross_snapshot import (
    CrossPicture,
    assets_of,
    check_account,
    net_bases,
    parse_cross,
)
from brokers.venues.binance.margin_markets import read_prices, wanted_pairs
from brokers.venues.binance.margin_positions import Levels
from brokers.venues.binance.margin_units import CLASSIC_LEVELS, read_levels, read_mode
from brokers.venues.binance.refusals import is_absent

ACCOUNT, PRICES = "sapiGetMarginAccount", "publicGetTickerPrice"

MALFORMED = frozenset({"-1100", "-1101", "-1104", "-1121"})
"""Refusals of what was asked for: an unknown symbol among others, or no several symbols at once."""


class CrossMarginBroker(MarginBroker[CrossPicture]):
    """A cross margin account. Collateral comes from the funding wallet."""

    isolated = False
    capabilities: ClassVar = replace(MarginBroker.capabilities, transfer_in=True)
    transfer_kind = wallet.FUNDING_TO_MARGIN

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._levels = CLASSIC_LEVELS

    async def load_mode(self, read: Read) -> AccountMode:
        """Read the account's type and the levels it is judged by."""
        mode = read_mode(check_account(await read(ACCOUNT, cost=10)))
        self._levels = await self._read_levels(read)
        return mode

    async def _read_levels(self, read: Read) -> Levels:
        try:
            return read_levels(await read("sapiGetMarginTradeCoeff", cost=10))
        except BrokerError as error:
            if not is_absent(error):
                raise
            return CLASSIC_LEVELS

    async def gather(self, read: Read) -> CrossPicture:
        """Read the account, then the prices of what it holds and owes."""
        asked_at = self.venue_now()
        account = check_account(await read(ACCOUNT, cost=10))
        prices = await self._prices(read, wanted_pairs(assets_of(account), self._rulebook.rules))
        mode = read_mode(account)
        if mode != self._account_mode:
            self._levels = await self._read_levels(read)
        self._account_mode = mode
        return CrossPicture(account=account, prices=prices, levels=self._levels, mode=mode, asked_at=asked_at)

    async def _prices(self, read: Read, pairs: tuple[Symbol, ...]) -> Mapping[Symbol, Decimal]:
        """Read last prices; where a host tells none, the index that margin is valued by.

        One pair that is listed no more has a question for several refused: then all prices are asked for.
        """
        if not pairs:
            return {}
        listed = "[" + ",".join(f'"{pair}"' for pair in pairs) + "]"
        try:
            return read_prices(await read(PRICES, {"symbols": listed}, cost=4))
        except BrokerError as error:
            if not is_absent(error):
                if getattr(error, "code", None) not in MALFORMED:
                    raise
                return read_prices(await read(PRICES, cost=4))
        return await self._indices(read, pairs)

    async def _indices(self, read: Read, pairs: tuple[Symbol, ...]) -> Mapping[Symbol, Decimal]:
        """Read the margin price index, pair by pair; a host without it has no prices."""
        found: dict[Symbol, Decimal] = {}
        for pair in pairs:
            try:
                found |= read_prices(await read("sapiGetMarginPriceIndex", {"symbol": pair}, cost=10))
            except BrokerError as error:
                if not is_absent(error):
                    raise
                return found
        return found

    def parse_snapshot(self, raw: CrossPicture, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot; see `brokers.venues.binance.margin_cross_snapshot`."""
        return self.remember(parse_cross(raw, context))

    def net_bases(self, raw: CrossPicture) -> Mapping[Symbol, Decimal]:
        """Return what is held less what is owed of every pair's base."""
        return net_bases(raw, self._rulebook.rules)

    def order_lists(self) -> Sequence[Mapping[str, object]]:
        """Read the orders of all pairs at once."""
        return ({"isIsolated": "FALSE"},)
