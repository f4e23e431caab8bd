"""`brokerage/time`, products with their prices, and what ccxt reads before anything else."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from brokers.numbers import ONE
from brokers.sandbox.engine import Engine
from brokers.sandbox.wire.base import WireAnswer, WireRequest
from brokers.sandbox.wire.coinbase.answers import figure, moment
from brokers.sandbox.wire.coinbase.listing import EXPIRY_TIME, Contract, Listing

SPOT, FUTURE = "SPOT", "FUTURE"
UNPRICED = frozenset({"USD", "USDC"})
"""Currencies without a product against USD."""

INTRADAY_SHARE = Decimal("0.4")
"""What the day asks of a position, of what the night does."""


class Market:
    """The public side of the wire, and the private products, which are the same."""

    def __init__(self, engine: Engine, listing: Listing) -> None:
        self._engine = engine
        self._listing = listing

    def time(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `brokerage/time`."""
        del account
        return WireAnswer(
            payload={
                "iso": moment(request.now_ms),
                "epochSeconds": str(request.now_ms // 1000),
                "epochMillis": str(request.now_ms),
            }
        )

    def products(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `brokerage/products` and `brokerage/market/products`; all of them unless told otherwise."""
        del account
        query = parse_qs(request.raw_query)
        kinds = query.get("product_type", [SPOT, FUTURE])
        wanted = set(query.get("product_ids", []))
        rows: list[dict[str, Any]] = []
        if SPOT in kinds:
            rows += [self._spot(asset.name) for asset in self._engine.spec.assets]
        if FUTURE in kinds:
            rows += [self._future(contract) for contract in self._listing.contracts]
        rows = [row for row in rows if row and (not wanted or row["product_id"] in wanted)]
        return WireAnswer(payload={"products": rows, "num_products": len(rows)})

    def currencies(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `v2/currencies`."""
        del request, account
        return WireAnswer(payload={"data": [{"id": "USD", "name": "US Dollar", "min_size": "0.01"}]})

    def crypto(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `v2/currencies/crypto`."""
        del request, account
        return WireAnswer(
            payload={
                "data": [
                    {"code": asset.name, "name": asset.name, "exponent": 8, "type": "crypto", "asset_id": ""}
                    for asset in self._engine.spec.assets
                    if asset.name != "USD"
                ]
            }
        )

    def exchange_rates(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `v2/exchange-rates`: what a dollar buys."""
        del request, account
        rates = {
            asset.name: figure(ONE / self._engine.usd_price(asset.name)) for asset in self._engine.spec.assets
        }
        return WireAnswer(payload={"data": {"currency": "USD", "rates": rates}})

    def transaction_summary(self, request: WireRequest, account: str) -> WireAnswer:
        """Answer `brokerage/transaction_summary`."""
        del request, account
        tier = {"pricing_tier": "Advanced 1", "taker_fee_rate": "0.012", "maker_fee_rate": "0.006"}
        return WireAnswer(payload={"total_volume": 0, "total_fees": 0, "fee_tier": tier})

    def _spot(self, name: str) -> dict[str, Any]:
        if name in UNPRICED:
            return {}
        return _product(f"{name}-USD", SPOT, self._engine.usd_price(name)) | {
            "base_currency_id": name,
            "base_increment": "0.00000001",
            "base_min_size": "0.00000001",
            "price_increment": "0.01",
            "quote_increment": "0.01",
            "future_product_details": None,
        }

    def _future(self, contract: Contract) -> dict[str, Any]:
        instrument = contract.instrument
        night = ONE / instrument.max_leverage
        cap = instrument.max_market_quantity
        return _product(contract.product_id, FUTURE, self._engine.ticker(instrument.name).mark) | {
            "base_currency_id": "",
            "base_increment": figure(contract.contracts(instrument.lot_step)),
            "base_min_size": figure(contract.contracts(instrument.min_quantity)),
            "base_max_size": "" if cap is None else figure(contract.contracts(cap)),
            "price_increment": figure(instrument.price_step),
            "quote_increment": figure(instrument.price_step),
            "trading_disabled": instrument.name in self._engine.controls.halted,
            "future_product_details": {
                "venue": "cde",
                "contract_code": contract.product_id.partition("-")[0],
                "contract_expiry": EXPIRY_TIME,
                "contract_size": figure(instrument.contract_size),
                "contract_root_unit": instrument.base,
                "contract_expiry_type": "EXPIRING",
                "contract_display_name": f"{instrument.base} PERP",
                "intraday_margin_rate": _rates(night * INTRADAY_SHARE),
                "overnight_margin_rate": _rates(night),
                "perpetual_details": {"max_leverage": figure(instrument.max_leverage)},
            },
        }


def _product(product_id: str, kind: str, price: Decimal) -> dict[str, Any]:
    return {
        "product_id": product_id,
        "price": figure(price),
        "product_type": kind,
        "quote_currency_id": "USD",
        "quote_min_size": "1",
        "quote_max_size": "150000000",
        "base_max_size": "",
        "status": "online",
        "trading_disabled": False,
        "is_disabled": False,
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "view_only": False,
    }


def _rates(rate: Decimal) -> Mapping[str, str]:
    return {"long_margin_rate": figure(rate), "short_margin_rate": figure(rate)}
