"""Portfolio margin accounts: USD-M and COIN-M positions and margin loans behind one equity."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from brokers.answers import Reply
from brokers.ccxt_broker import Ack, CancelBatch, Read, RowResult, SnapshotContext
from brokers.errors import BrokerError, NotSupported
from brokers.fields import mapping_from, rows_from
from brokers.hooks import Receipt
from brokers.models import AccountMode, AccountSnapshot, ContractKind, MarginTier, MarketRules, Symbol
from brokers.orders import ClientOrderId, OpenOrder, OrderReport, ReduceOrder, Repayment
from brokers.profile import Json, Request
from brokers.registry import BrokerSpec
from brokers.venues.binance import books, markets, repaying, wallet
from brokers.venues.binance.account import BinanceBroker, Told, aside
from brokers.venues.binance.books import Book
from brokers.venues.binance.depth import depth_calls
from brokers.venues.binance.freshness import Freshness
from brokers.venues.binance.orders import (
    cancel_batches,
    leverage_request,
    order_request,
    read_ack,
    read_cancel,
)
from brokers.venues.binance.portfolio_snapshot import (
    MODE,
    Contracts,
    PortfolioPicture,
    parse_portfolio,
    read_contracts,
)
from brokers.venues.binance.profile import PORTFOLIO, PORTFOLIO_POINTS
from brokers.venues.binance.refusals import is_absent
from brokers.venues.binance.resting import looked_up, resting

COIN_MARGINED = "USD_"
"""What only symbols of coin-margined contracts hold: `BTCUSD_PERP`, but `BTCUSDT` and `BTCUSDT_260327`."""


def is_coin_margined(symbol: Symbol) -> bool:
    """Tell by its symbol which side of the account an instrument belongs to."""
    return COIN_MARGINED in symbol


class PortfolioBroker(BinanceBroker[PortfolioPicture]):
    """A portfolio margin account: one unit in USD, liquidated at a `uniMMR` of 1.05.

    Orders of its spot margin side are neither seen nor cancelled: the venue lists them by symbol only.
    Collateral comes from the spot wallet. There is no test environment.
    """

    profile = PORTFOLIO
    book_calls = depth_calls(
        lambda symbol: "dapiPublicGetDepth" if is_coin_margined(symbol) else "fapiPublicGetDepth"
    )
    capabilities: ClassVar = replace(BinanceBroker.capabilities, points=PORTFOLIO_POINTS, repay=True)
    trades = "enablePortfolioMarginTrading"
    transfer_kind = wallet.SPOT_TO_PORTFOLIO
    funding_call = "sapiV3PostAssetGetUserAsset"
    funding_cost = 5

    def __init__(self, spec: BrokerSpec) -> None:
        if spec.testnet:
            raise NotSupported("binance portfolio margin has no test environment")
        super().__init__(spec)
        self._freshness = Freshness()

    # ------------------------------------------------------------------ reading

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        """Read `exchangeInfo` of both futures hosts."""
        linear, inverse = await asyncio.gather(
            read("fapiPublicGetExchangeInfo"), _or_nothing(read("dapiPublicGetExchangeInfo"))
        )
        coin = {} if inverse is None else markets.read_coinm_markets(inverse)
        return {**markets.read_usdm_markets(linear), **coin}

    async def load_mode(self, read: Read) -> AccountMode:
        """Return the only mode there is."""
        del read
        return MODE

    async def load_tiers(
        self, read: Read, symbols: Sequence[Symbol]
    ) -> Mapping[Symbol, tuple[MarginTier, ...]]:
        """Read the maintenance brackets of `symbols`."""
        answers = await asyncio.gather(
            *(read(_of(symbol, "papiGet{}LeverageBracket"), {"symbol": symbol}) for symbol in symbols)
        )
        return {symbol: tiers for answer in answers for symbol, tiers in markets.read_tiers(answer).items()}

    async def gather(self, read: Read) -> PortfolioPicture:
        """Read account, balances and positions at once, and once more if a fill fell between them."""
        watched, asked_at = self._freshness.watched, self.venue_now()
        picture, public = await asyncio.gather(self._picture(read), aside(_public_mark(read, watched)))
        if any(contracts.is_torn for contracts in picture[2]):
            asked_at = self.venue_now()
            picture = await self._picture(read)
        account, balances, both = picture
        as_of = self._freshness.date(
            assets=balances or (),
            positions=[row for contracts in both for row in contracts.risk],
            public=public,
            asked_at=asked_at,
        )
        return PortfolioPicture(account=account, balances=balances, contracts=both, as_of=as_of)

    async def _picture(
        self, read: Read
    ) -> tuple[Mapping[str, Json], Sequence[Mapping[str, Json]] | None, tuple[Contracts, ...]]:
        """Read everything at once; a host without balances or COIN-M contracts has none to show.

        Positions that are missing for that show in the account's maintenance margin.
        """
        account, balances, um, um_risk, cm, cm_risk = await asyncio.gather(
            read("papiGetAccount", cost=20),
            _or_nothing(read("papiGetBalance", cost=20)),
            _um_account(read),
            read("papiGetUmPositionRisk", cost=5),
            _or_nothing(read("papiGetCmAccount", cost=5)),
            _or_nothing(read("papiGetCmPositionRisk")),
        )
        contracts = [read_contracts(ContractKind.LINEAR, um, um_risk)]
        if cm is None or cm_risk is None:
            # a host with half of it must show that there is nothing
            cm, cm_risk = cm or {"positions": []}, cm_risk or []
        contracts.append(read_contracts(ContractKind.INVERSE, cm, cm_risk))
        assets = None if balances is None else rows_from(balances, "the balances")
        return mapping_from(account, "the account"), assets, tuple(contracts)

    def parse_snapshot(self, raw: PortfolioPicture, context: SnapshotContext) -> AccountSnapshot:
        """Build the snapshot; see `brokers.venues.binance.portfolio_snapshot`."""
        return parse_portfolio(raw, context)

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        """Read every book of both kinds of contracts."""
        linear, inverse = await asyncio.gather(
            resting(read, books.PORTFOLIO_UM), _or_nothing(resting(read, books.PORTFOLIO_CM))
        )
        return linear + (inverse or ())

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        """Read one order by client id."""
        return await looked_up(read, book_of(symbol), client_order_id, symbol)

    # ------------------------------------------------------------------ writing

    def order_request(self, order: ReduceOrder) -> Request:
        """Build the reducing order."""
        return order_request(order, book_of(order.symbol))

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        """Read the answer to an order."""
        del order
        return read_ack(payload)

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        """Cancel order by order."""
        return [batch for order in orders for batch in cancel_batches([order], book_of(order.symbol))]

    def parse_cancel(self, batch: CancelBatch, reply: Reply) -> Sequence[RowResult] | None:
        """Read which order an answer says it cancelled."""
        return read_cancel(batch, reply, book_of(batch.orders[0].symbol))

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        """Set a whole number, the one below: the venue takes no fractions."""
        return (leverage_request(symbol, max(1, int(leverage)), book_of(symbol)),)

    def repay_request(self, repayment: Repayment) -> Request:
        """Build the repayment of a margin loan out of its own asset."""
        return repaying.portfolio_request(repayment)

    def parse_receipt(self, repayment: Repayment, payload: Json) -> Receipt:
        """Read the venue's word that it took it."""
        del repayment
        return repaying.read_receipt(payload)


def book_of(symbol: Symbol) -> Book:
    """Return the book that an instrument's orders rest in."""
    return books.PORTFOLIO_CM if is_coin_margined(symbol) else books.PORTFOLIO_UM


def _of(symbol: Symbol, call: str) -> str:
    return call.format("Cm" if is_coin_margined(symbol) else "Um")


async def _um_account(read: Read) -> Json:
    """Read the USD-M side of the account, which states its positions' margins; a host may know v2 only."""
    answer = await _or_nothing(read("papiGetUmAccount", cost=5))
    return await read("papiV2GetUmAccount", cost=5) if answer is None else answer


async def _or_nothing(asked: Awaitable[Told]) -> Told | None:
    """Return an answer, or `None` where the host has no such call."""
    try:
        return await asked
    except BrokerError as error:
        if not is_absent(error):
            raise
        return None


async def _public_mark(read: Read, symbol: Symbol | None) -> Mapping[str, Json] | None:
    """Read the public mark price of a symbol, at the host of its futures."""
    if symbol is None:
        return None
    if not is_coin_margined(symbol):
        return mapping_from(await read("fapiPublicGetPremiumIndex", {"symbol": symbol}), "premiumIndex")
    rows = rows_from(await read("dapiPublicGetPremiumIndex", {"symbol": symbol}, cost=10), "premiumIndex")
    return next((row for row in rows if row.get("symbol") == symbol), None)
