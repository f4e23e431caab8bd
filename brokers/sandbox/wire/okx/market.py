"""`public/*` and `market/*`: clock, instruments, prices, order book and position tiers."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from brokers.models import ContractKind
from brokers.numbers import ONE
from brokers.sandbox.engine import Engine
from brokers.sandbox.orders import Rejection
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.okx.envelope import figure, needed, refuse, success
from brokers.sandbox.wire.okx.listing import Contract, Listing

TYPES = frozenset({"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"})
LISTED_MS = 1_573_557_408_000
NO_CAP = Decimal(100_000_000)
MOST_LEVELS = 400


class Market:
    """The public side of the wire. What the engine lists are perpetuals and spot margin pairs."""

    def __init__(self, engine: Engine, listing: Listing) -> None:
        self._engine = engine
        self._listing = listing

    def time(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/time`."""
        del account
        return success([{"ts": str(request.now_ms)}])

    def instruments(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/instruments`."""
        del account
        return success([self._instrument(contract) for contract in self._wanted(request)])

    def mark_price(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/mark-price`."""
        del account
        return success(
            [
                {
                    "instId": contract.symbol,
                    "instType": contract.type,
                    "markPx": figure(self._engine.ticker(contract.instrument.name).mark),
                    "ts": str(request.now_ms),
                }
                for contract in self._wanted(request)
            ]
        )

    def tickers(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `market/tickers`."""
        del account
        return success([self._ticker(contract, request) for contract in self._wanted(request)])

    def ticker(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `market/ticker`."""
        del account
        return success([self._ticker(self._named(request), request)])

    def books(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `market/books`; sizes in contracts."""
        del account
        contract = self._named(request)
        asked = request.query.get("sz", "1")
        levels = int(asked) if asked.isascii() and asked.isdigit() else 0
        if not 1 <= levels <= MOST_LEVELS:
            raise refuse("51000", "sz")
        depth = self._engine.depth(contract.instrument.name, levels)

        def side(rows: Sequence[tuple[Decimal, Decimal]]) -> list[list[str]]:
            return [[figure(px), figure(contract.contracts(qty)), "0", "1"] for px, qty in rows]

        row = {"asks": side(depth.asks), "bids": side(depth.bids), "ts": str(request.now_ms), "seqId": 1}
        return success([row])

    def position_tiers(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `public/position-tiers`; sizes in contracts at the mark price of now."""
        del account
        if needed(request.query, "instType") != "SWAP":
            return success([])
        if needed(request.query, "tdMode") not in {"cross", "isolated"}:
            raise refuse("51000", "tdMode")
        wanted = request.query
        families = set((wanted.get("instFamily") or wanted.get("uly") or "").split(",")) - {""}
        symbols = set(wanted.get("instId", "").split(",")) - {""}
        rows: list[dict[str, str]] = []
        for contract in self._listing.contracts:
            if contract.family in families or contract.symbol in symbols:
                rows += self._tiers(contract)
        return success(rows)

    def _wanted(self, request: WireRequest) -> list[Contract]:
        name = request.query.get("instId")
        kind = request.query.get("instType") if name else needed(request.query, "instType")
        kind = kind or self._named(request).type
        if kind not in TYPES:
            raise refuse("51000", "instType")
        family = request.query.get("instFamily") or request.query.get("uly")
        return [
            contract
            for contract in self._listing.contracts
            if contract.type == kind
            and name in (None, "", contract.symbol)
            and family in (None, "", contract.family)
        ]

    def _named(self, request: WireRequest) -> Contract:
        try:
            return self._listing.named(needed(request.query, "instId"))
        except Rejection:
            raise refuse("51001") from None

    def _ticker(self, contract: Contract, request: WireRequest) -> dict[str, str]:
        ticker = self._engine.ticker(contract.instrument.name)
        return {
            "askPx": figure(ticker.ask),
            "askSz": "100",
            "bidPx": figure(ticker.bid),
            "bidSz": "100",
            "high24h": figure(ticker.last),
            "instId": contract.symbol,
            "instType": contract.type,
            "last": figure(ticker.last),
            "lastSz": "1",
            "low24h": figure(ticker.last),
            "open24h": figure(ticker.last),
            "sodUtc0": figure(ticker.last),
            "sodUtc8": figure(ticker.last),
            "ts": str(request.now_ms),
            "vol24h": "0",
            "volCcy24h": "0",
        }

    def _instrument(self, contract: Contract) -> dict[str, Any]:
        instrument = contract.instrument
        halted = instrument.name in self._engine.controls.halted
        if contract.in_pairs:
            blank = ("ctMult", "ctType", "ctVal", "ctValCcy", "instFamily", "settleCcy", "uly")
            own = {"baseCcy": instrument.base, "quoteCcy": instrument.quote, "instType": contract.type}
            return self._contract(contract, halted=halted) | dict.fromkeys(blank, "") | own
        return self._contract(contract, halted=halted)

    @staticmethod
    def _contract(contract: Contract, *, halted: bool) -> dict[str, Any]:
        family, instrument = contract.family, contract.instrument
        linear = instrument.kind is ContractKind.LINEAR
        return {
            "alias": "",
            "baseCcy": "",
            "category": "1",
            "ctMult": "1",
            "ctType": "linear" if linear else "inverse",
            "ctVal": figure(contract.size),
            "ctValCcy": instrument.base if linear else instrument.quote,
            "expTime": "",
            "instFamily": family,
            "instId": contract.symbol,
            "instType": "SWAP",
            "lever": figure(instrument.max_leverage),
            "listTime": str(LISTED_MS),
            "lotSz": figure(contract.contracts(instrument.lot_step)),
            "maxLmtSz": figure(_cap(contract, instrument.max_limit_quantity)),
            "maxMktSz": figure(_cap(contract, instrument.max_market_quantity)),
            "minSz": figure(contract.contracts(instrument.min_quantity)),
            "optType": "",
            "quoteCcy": "",
            "ruleType": "normal",
            "settleCcy": instrument.settle,
            "state": "suspend" if halted else "live",
            "stk": "",
            "tickSz": figure(instrument.price_step),
            "uly": family,
        }

    def _tiers(self, contract: Contract) -> list[dict[str, str]]:
        instrument = contract.instrument
        mark = self._engine.ticker(instrument.name).mark
        one = instrument.notional(contract.size, mark)
        floors = [(tier.floor / one).to_integral_value(ROUND_FLOOR) for tier in instrument.tiers]
        rows = []
        for place, tier in enumerate(instrument.tiers):
            last = place + 1 == len(floors)
            leverage = instrument.max_leverage_at(tier.floor)
            rows.append(
                {
                    "baseMaxLoan": "",
                    "imr": figure(ONE / leverage),
                    "instFamily": contract.family,
                    "instId": "",
                    "maxLever": figure(leverage),
                    "maxSz": figure(NO_CAP if last else floors[place + 1]),
                    "minSz": figure(floors[place]),
                    "mmr": figure(tier.rate),
                    "optMgnFactor": "",
                    "quoteMaxLoan": "",
                    "tier": str(place + 1),
                    "uly": contract.family,
                }
            )
        return rows


def _cap(contract: Contract, quantity: Decimal | None) -> Decimal:
    return NO_CAP if quantity is None else contract.contracts(quantity)
