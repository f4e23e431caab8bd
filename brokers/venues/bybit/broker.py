"""The unified account of Bybit (UTA 2.0 or 1.0) behind the broker port: which calls, in which order."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

from brokers.answers import ForeignAnswer
from brokers.ccxt_broker import CcxtBroker
from brokers.errors import BrokerError, ClockRefused, MalformedAnswer, RequestRefused
from brokers.hooks import Ack, CancelBatch, Read, Receipt, SnapshotContext
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    ContractKind,
    KeyPermissions,
    MarginTier,
    MarketRules,
    Symbol,
)
from brokers.orders import ClientOrderId, OpenOrder, OrderReport, ReduceOrder, Repayment, TransferReport
from brokers.outcomes import BYBIT
from brokers.port import Broker, Capabilities
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.bybit import repaying
from brokers.venues.bybit.borrowing import read_borrow_rates
from brokers.venues.bybit.contract_wallet import CONTRACT, ContractWallet, read_contract_wallet
from brokers.venues.bybit.contracts import STABLECOINS, Category, category_of
from brokers.venues.bybit.depth import BOOKS
from brokers.venues.bybit.envelope import next_cursor, rows_of, time_of
from brokers.venues.bybit.keys import read_permissions
from brokers.venues.bybit.markets import PAGE as MARKET_PAGE
from brokers.venues.bybit.markets import read_market, read_tiers
from brokers.venues.bybit.orders import (
    cancel_params,
    leverage_params,
    lookup_params,
    read_ack,
    read_open_order,
    read_report,
    reduce_params,
)
from brokers.venues.bybit.positions import SweptRow
from brokers.venues.bybit.profile import POINTS, PROFILE
from brokers.venues.bybit.snapshot import UnifiedAnswers, account_mode, read_snapshot
from brokers.venues.bybit.sweeps import ALL, ALWAYS, INVERSE, OPTION, Sweep, holds_options, required_sweeps
from brokers.venues.bybit.transfers import (
    UNIFIED,
    find_transfer,
    read_funding_balance,
    read_transfer_id,
    transfer_params,
    transfer_uuid,
)
from brokers.venues.bybit.wallet import AccountInfo, Wallet, read_account_info, read_wallet

MOST_PAGES = 50
"""More pages than any account has; beyond it a cursor leads in circles."""

ORDER_PAGE = 50

ORDER_LISTS: tuple[tuple[Category, Mapping[str, object]], ...] = (
    (Category.LINEAR, MappingProxyType({"settleCoin": "USDT"})),
    (Category.LINEAR, MappingProxyType({"settleCoin": "USDC"})),
    (Category.INVERSE, MappingProxyType({})),
    (Category.OPTION, MappingProxyType({})),
    (Category.SPOT, MappingProxyType({})),
)
"""Every list of open orders; each holds active, conditional and TP/SL orders alike."""

MAY_BE_REFUSED = frozenset({Category.OPTION, Category.SPOT})
"""Products for which a key or an account may have no permission: then nothing of ours rests there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Swept:
    """What one sweep brought, or why it did not."""

    sweep: Sweep
    rows: tuple[SweptRow, ...] = ()
    times: tuple[datetime | None, ...] = ()
    failure: BrokerError | None = None


class BybitBroker(CcxtBroker[UnifiedAnswers]):
    """One unified account at Bybit.

    A snapshot costs two signed calls while the wallet proves that all positions are linear USDT ones (see
    `sweeps`); in the first one and every `sweep_every` snapshots all lists are read, whatever the proof says.
    One of UTA 1.0 costs two more, for the wallet and the list of inverse contracts.
    """

    profile = PROFILE
    outcomes = BYBIT
    book_calls = BOOKS
    capabilities = Capabilities(
        order_time_to_live=timedelta(milliseconds=PROFILE.write_window_ms),
        ids_unique_for_ever=True,
        reduce_only=True,
        transfer_in=True,
        key_permissions=True,
        points=POINTS,
        repay=True,
    )
    sweep_every: ClassVar[int] = 15

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._info: AccountInfo | None = None
        self._planned: frozenset[Sweep] = ALL
        self._until_full_sweep = 0
        self._options: dict[Symbol, MarketRules] = {}

    # ------------------------------------------------------------------ reading

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read every linear and inverse instrument."""
        linear, inverse = await asyncio.gather(
            self._instruments(read, Category.LINEAR), self._instruments(read, Category.INVERSE)
        )
        return {**linear, **inverse}

    async def load_mode(self, read: Read) -> AccountMode:
        """Read how the account is margined."""
        return account_mode(await self._read_info(read))

    async def load_tiers(
        self, read: Read, symbols: Sequence[Symbol]
    ) -> Mapping[Symbol, tuple[MarginTier, ...]]:
        """Read the maintenance brackets of `symbols`; options have none."""
        wanted = [symbol for symbol in symbols if category_of(symbol) is not Category.OPTION]
        answers = await asyncio.gather(
            *(
                read("publicGetV5MarketRiskLimit", {"category": str(category_of(symbol)), "symbol": symbol})
                for symbol in wanted
            )
        )
        return {
            symbol: read_tiers([row for row in rows_of(answer, "risk limit") if row.get("symbol") == symbol])
            for symbol, answer in zip(wanted, answers, strict=True)
        }

    async def load_borrow_rates(self, read: Read) -> Mapping[str, Decimal]:
        """Read what borrowing each coin costs, all of them at once."""
        return read_borrow_rates(await read("privateGetV5AccountCollateralInfo"))

    async def gather(self, read: Read) -> UnifiedAnswers:
        """Read wallet and position lists together, then what the wallet says was missing.

        A list that was read beyond need may fail without harm. A wallet that does not look like the known
        mode leads to reading the mode again, now and in the next snapshot.
        """
        full = self._until_full_sweep <= 0
        planned = ALL if full else self._planned
        payload, contract, *swept = await asyncio.gather(
            read("privateGetV5AccountWalletBalance", {"accountType": "UNIFIED"}),
            self._contract_wallet(read),
            *(self._sweep(read, sweep) for sweep in sorted(planned, key=str)),
        )
        wallet = read_wallet(payload)
        info = await self._info_for(read, wallet)
        if info.has_contract_wallet and contract is None:
            contract = await self._contract_wallet(read)
        required = required_sweeps(wallet, info.margin_mode)
        if contract is not None:
            required |= {INVERSE}
        if late := sorted(required - planned, key=str):
            swept += await asyncio.gather(*(self._sweep(read, sweep) for sweep in late))
        for one in swept:
            if one.failure is not None and one.sweep in required and not _is_no_product(one, wallet):
                raise one.failure
        self._planned = required
        self._until_full_sweep = self.sweep_every if full else self._until_full_sweep - 1
        rows = tuple(row for one in swept for row in one.rows)
        return UnifiedAnswers(
            info=info,
            wallet=wallet,
            rows=rows,
            times=tuple(time for one in swept for time in one.times),
            options=await self._option_rules(read, rows),
            contract=contract,
        )

    def parse_snapshot(self, raw: UnifiedAnswers, context: SnapshotContext) -> AccountSnapshot:
        """Assemble the snapshot."""
        return read_snapshot(raw, context)

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every list of open orders."""
        lists = await asyncio.gather(
            *(self._order_list(read, category, filters) for category, filters in ORDER_LISTS)
        )
        return tuple(order for orders in lists for order in orders)

    async def load_permissions(self, read: Read) -> KeyPermissions:
        """Read what the key may do."""
        return read_permissions(await read("privateGetV5UserQueryApi"))

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Look an order up among the recent ones, then in the history, which also survives venue restarts."""
        params = lookup_params(client_order_id, symbol)
        for call in ("privateGetV5OrderRealtime", "privateGetV5OrderHistory"):
            rows = rows_of(await read(call, params), "order lookup")
            if rows:
                return read_report(rows[0], client_order_id, symbol)
        return None

    async def look_up_funding(self, read: Read, currency: str) -> Decimal:
        """Read what the funding wallet holds of one coin."""
        params = {"accountType": "FUND", "coin": currency}
        payload = await read("privateGetV5AssetTransferQueryAccountCoinsBalance", params)
        return read_funding_balance(payload, currency)

    async def look_up_transfer(
        self, read: Read, client_id: str, currency: str, amount: Decimal, since: datetime
    ) -> TransferReport | None:
        """Look a transfer up by the id we gave it."""
        del since
        params = {"transferId": transfer_uuid(client_id)}
        payload = await read("privateGetV5AssetTransferQueryInterTransferList", params)
        return find_transfer(rows_of(payload, "transfer lookup"), client_id, currency, amount)

    # ------------------------------------------------------------------ writing

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the reducing order."""
        return Request(call="privatePostV5OrderCreate", params=reduce_params(order))

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the acknowledgement: two ids and nothing else."""
        del order
        return read_ack(payload)

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel one by one: batches count per order against the same limit, and inverse has none in ccxt."""
        return [
            CancelBatch(
                request=Request(call="privatePostV5OrderCancel", params=cancel_params(order)), orders=(order,)
            )
            for order in orders
        ]

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Set buy and sell leverage together."""
        return [Request(call="privatePostV5PositionSetLeverage", params=leverage_params(symbol, leverage))]

    def transfer_request(self, currency: str, amount: Decimal, client_id: str) -> Request:
        """Build the transfer from funding to the unified account."""
        return Request(
            call="privatePostV5AssetTransferInterTransfer",
            params=transfer_params(currency, amount, client_id, to=self._wallet_of(currency)),
        )

    def parse_transfer(self, payload: Json) -> str | None:
        """Read the transfer id."""
        return read_transfer_id(payload)

    def repay_request(self, repayment: Repayment) -> Request:
        """Build the repayment that sells nothing."""
        return Request(call=repaying.CALL, params=repaying.repay_params(repayment))

    def parse_receipt(self, repayment: Repayment, payload: Json) -> Receipt:
        """Read whether it was taken."""
        del repayment
        return repaying.read_receipt(payload)

    # ------------------------------------------------------------------ pieces

    def _wallet_of(self, currency: str) -> str:
        """Return where collateral in a coin counts: in UTA 1.0 coins margin inverse contracts."""
        apart = self._info is not None and self._info.has_contract_wallet and currency not in STABLECOINS
        return CONTRACT if apart else UNIFIED

    async def _pages(
        self, read: Read, call: str, params: Mapping[str, object], what: str
    ) -> tuple[Json, ...]:
        """Read a list to its end: until a page has no cursor or no rows."""
        payloads: list[Json] = []
        cursor: str | None = None
        while len(payloads) < MOST_PAGES:
            payload = await read(call, params if cursor is None else {**params, "cursor": cursor})
            payloads.append(payload)
            following = next_cursor(payload, what)
            if following is None or following == cursor or not rows_of(payload, what):
                return tuple(payloads)
            cursor = following
        raise MalformedAnswer(f"{what}: more than {MOST_PAGES} pages")

    async def _instruments(self, read: Read, category: Category) -> dict[Symbol, MarketRules]:
        params: dict[str, object] = {"category": str(category), "limit": MARKET_PAGE}
        try:
            pages = await self._pages(read, "publicGetV5MarketInstrumentsInfo", params, "instruments")
        except (RequestRefused, ForeignAnswer):
            if category is Category.LINEAR:
                raise
            return {}
        rows = (row for page in pages for row in rows_of(page, "instruments"))
        rules = (read_market(row, category) for row in rows)
        return {one.symbol: one for one in rules if one is not None}

    async def _read_info(self, read: Read) -> AccountInfo:
        self._info = read_account_info(await read("privateGetV5AccountInfo"))
        return self._info

    async def _info_for(self, read: Read, wallet: Wallet) -> AccountInfo:
        if self._info is not None and wallet.fits(self._info.margin_mode):
            return self._info
        self._mode_left = 0
        return await self._read_info(read)

    async def _contract_wallet(self, read: Read) -> ContractWallet | None:
        """Read the wallet of inverse contracts, which only an account of UTA 1.0 has.

        One that was upgraded meanwhile has none any more: a refusal leads to reading again what it is.
        """
        if self._info is None or not self._info.has_contract_wallet:
            return None
        try:
            payload = await read("privateGetV5AccountWalletBalance", {"accountType": CONTRACT})
        except RequestRefused:
            self._mode_left = 0
            if (await self._read_info(read)).has_contract_wallet:
                raise
            return None
        return read_contract_wallet(payload)

    async def _sweep(self, read: Read, sweep: Sweep) -> _Swept:
        try:
            pages = await self._pages(read, "privateGetV5PositionList", sweep.params, f"positions {sweep}")
            rows = tuple(
                SweptRow(category=sweep.category, settle=sweep.settle, row=row)
                for page in pages
                for row in rows_of(page, f"positions {sweep}")
            )
        except BrokerError as error:
            if sweep in ALWAYS:
                raise
            return _Swept(sweep=sweep, failure=error)
        return _Swept(sweep=sweep, rows=rows, times=tuple(time_of(page) for page in pages))

    async def _option_rules(self, read: Read, rows: Sequence[SweptRow]) -> Mapping[Symbol, MarketRules]:
        """Return the rules of the options held; they are too many to be listed all. Optional."""
        held = {Symbol(str(one.row.get("symbol"))) for one in rows if one.category is Category.OPTION}
        for symbol in sorted(held - self._options.keys()):
            params = {"category": str(Category.OPTION), "symbol": symbol}
            try:
                found = rows_of(await read("publicGetV5MarketInstrumentsInfo", params), "instruments")
            except BrokerError:
                continue
            rules = next((read_market(row, Category.OPTION) for row in found), None)
            if rules is not None:
                self._options[symbol] = rules
        return {symbol: self._options[symbol] for symbol in held if symbol in self._options}

    async def _order_list(
        self, read: Read, category: Category, filters: Mapping[str, object]
    ) -> tuple[OpenOrder, ...]:
        """Read one list. Where inverse orders must be asked for by coin, ask for each inverse settle coin."""
        try:
            return await self._orders(read, category, filters)
        except (RequestRefused, ForeignAnswer):
            if category in MAY_BE_REFUSED:
                return ()
            if category is not Category.INVERSE or filters:
                raise
        rules = self._rulebook.rules.values()
        coins = sorted({one.settle for one in rules if one.kind is ContractKind.INVERSE})
        lists = await asyncio.gather(*(self._orders(read, category, {"settleCoin": coin}) for coin in coins))
        return tuple(order for orders in lists for order in orders)

    async def _orders(
        self, read: Read, category: Category, filters: Mapping[str, object]
    ) -> tuple[OpenOrder, ...]:
        params: dict[str, object] = {"category": str(category), "limit": ORDER_PAGE, **filters}
        what = f"open {category} orders"
        pages = await self._pages(read, "privateGetV5OrderRealtime", params, what)
        orders = (read_open_order(row, category) for page in pages for row in rows_of(page, what))
        return tuple({order.order_id: order for order in orders}.values())


def _is_no_product(swept: _Swept, wallet: Wallet) -> bool:
    """Tell whether a list was refused because the account has no options, as its wallet says too."""
    failure = swept.failure
    refused = isinstance(failure, (RequestRefused, ForeignAnswer)) and not isinstance(failure, ClockRefused)
    return refused and swept.sweep == OPTION and not holds_options(wallet)


def build(spec: BrokerSpec) -> Broker:
    """Build the adapter of one unified account."""
    return BybitBroker(spec)
