"""What every account at Binance shares: the spot host tells what a key may do, and moves collateral in."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, TypeVar

from brokers.ccxt_broker import CcxtBroker, Read
from brokers.errors import BrokerError, MalformedAnswer
from brokers.hooks import Raw
from brokers.models import KeyPermissions
from brokers.numbers import ms_from_time
from brokers.orders import TransferReport
from brokers.outcomes import BINANCE
from brokers.port import Capabilities
from brokers.profile import Json, Request
from brokers.venues.binance import wallet
from brokers.venues.binance.profile import USDM
from brokers.venues.binance.refusals import is_absent

Told = TypeVar("Told")

ASIDE_S = 0.5
"""How long a picture waits for what it can do without."""

_log = logging.getLogger("margind.brokers")


class BinanceBroker(CcxtBroker[Raw]):
    """An account of any product.

    `trades` names the flag by which a key may trade the product; `transfer_kind` the transfer that brings
    collateral in, from the wallet that `funding_call` (of that `funding_cost`) shows.
    """

    outcomes = BINANCE
    capabilities: ClassVar = Capabilities(
        order_time_to_live=timedelta(milliseconds=USDM.write_window_ms),
        ids_unique_for_ever=False,
        reduce_only=True,
        transfer_in=True,
        key_permissions=True,
    )
    trades: ClassVar[str]
    transfer_kind: ClassVar[str]
    funding_call: ClassVar[str] = "sapiPostAssetGetFundingAsset"
    funding_cost: ClassVar[float] = 1

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the key may do; the test environment cannot say."""
        if self.spec.testnet:
            return wallet.NO_PERMISSIONS
        try:
            answer = await read("sapiGetAccountApiRestrictions")
        except BrokerError as error:
            if not is_absent(error):
                raise
            return wallet.NO_PERMISSIONS
        return wallet.read_permissions(answer, trades=self.trades)

    # ------------------------------------------------------------------ funding wallet

    async def look_up_funding(self, read: Read, currency: str) -> Decimal:
        """Read what is free in the wallet that transfers come from."""
        answer = await read(self.funding_call, {"asset": currency}, cost=self.funding_cost)
        return wallet.read_funding(answer, currency)

    def transfer_request(self, currency: str, amount: Decimal, client_id: str) -> Request:
        """Move from the funding wallet into this product; the venue takes no client id."""
        del client_id
        return wallet.transfer_request(self.transfer_kind, currency, amount)

    def parse_transfer(self, payload: Json) -> str | None:
        """Read the venue's transfer id."""
        return wallet.read_transfer_id(payload)

    async def look_up_transfer(
        self, read: Read, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Find a transfer by asset, amount and time, on every page since `since` (by either clock)."""
        offset = self.transport.clock_offset
        earliest = since - wallet.CLOCK_ERROR - timedelta(milliseconds=abs(offset.offset_ms) if offset else 0)
        params: dict[str, object] = {
            "type": self.transfer_kind,
            "startTime": ms_from_time(earliest),
            "size": wallet.PAGE_SIZE,
        }
        rows: list[Mapping[str, Json]] = []
        for page in range(1, wallet.PAGES + 1):
            found, total = wallet.transfer_rows(
                await read("sapiGetAssetTransfer", {**params, "current": page})
            )
            rows += found
            if len(rows) >= total:
                return wallet.find_transfer(rows, client_id, currency, amount, earliest)
            if not found:
                raise MalformedAnswer(f"{len(rows)} transfers where {total} are due")
        raise MalformedAnswer("more transfers than can be read")


async def aside(asked: Awaitable[Told]) -> Told | None:
    """Wait a moment for something that may be missing; its failure is no failure of the picture."""
    try:
        async with asyncio.timeout(ASIDE_S):
            return await asked
    except (BrokerError, TimeoutError) as error:
        _log.debug("did without: %s", error)
        return None
