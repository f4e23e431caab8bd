"""What the sandbox lists under Kraken's names: perpetuals in dollars (`PF_`) and in coin (`PI_`).

Their margin schedule is the one of a client who may take ten times the collateral: Kraken has several.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from brokers.models import ContractKind
from brokers.numbers import ONE
from brokers.sandbox.instrument import HOUR_MS, Instrument, maintenance_tiers

USD = "USD"

TEN_TIMES = maintenance_tiers(("0", "0.05"), ("1000000", "0.1"), ("5000000", "0.15"))
"""Half of what opens a position: 10, 20 and 30 %, as in the fourth to sixth level of Kraken's schedules.

Source: Kraken support 360022632452."""


def _linear(base: str, code: str, lot: str, tick: str) -> Instrument:
    return Instrument(
        name=f"PF_{code}USD",
        base=base,
        settle=USD,
        lot_step=Decimal(lot),
        min_quantity=Decimal(lot),
        price_step=Decimal(tick),
        max_leverage=Decimal(10),
        tiers=TEN_TIMES,
        taker_fee=Decimal("0.0005"),
        funding_interval_ms=HOUR_MS,
        funding_rate=Decimal("0.0000125"),
    )


def _inverse(base: str, code: str, tick: str) -> Instrument:
    return Instrument(
        name=f"PI_{code}USD",
        base=base,
        settle=base,
        quote=USD,
        kind=ContractKind.INVERSE,
        lot_step=ONE,
        min_quantity=ONE,
        price_step=Decimal(tick),
        max_leverage=Decimal(10),
        tiers=maintenance_tiers(("0", "0.05")),
        taker_fee=Decimal("0.0005"),
        funding_interval_ms=HOUR_MS,
        funding_rate=Decimal("0.0000125"),
    )


CONTRACTS = (
    _linear("BTC", "XBT", "0.0001", "1"),
    _linear("ETH", "ETH", "0.001", "0.1"),
    _linear("SOL", "SOL", "0.01", "0.01"),
    _inverse("BTC", "XBT", "0.5"),
    _inverse("ETH", "ETH", "0.05"),
)

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "BTC-USDT": "PF_XBTUSD",
        "ETH-USDT": "PF_ETHUSD",
        "SOL-USDT": "PF_SOLUSD",
        "BTC-USD": "PI_XBTUSD",
        "ETH-USD": "PI_ETHUSD",
    }
)
"""The catalogue's pairs -> what is nearest to them here: what settles in dollars, and what in the coin."""

OWN_CODES = {"BTC": "XBT"}


def code_of(currency: str) -> str:
    """Return a currency as Kraken writes it."""
    return OWN_CODES.get(currency, currency)


def currency_of(code: str) -> str:
    """Return the engine's name of a currency that Kraken writes in either case."""
    name = code.upper()
    return next((own for own, kraken in OWN_CODES.items() if kraken == name), name)


def wallet_of(instrument: Instrument) -> str:
    """Return the inverse wallet of a coin's contracts."""
    return f"fi_{code_of(instrument.base).lower()}usd"
