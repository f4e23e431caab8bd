"""What the sandbox lists at Kraken: pairs in dollars that can be traded on margin."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from brokers.sandbox.instrument import Instrument
from brokers.sandbox.orders import Refusal, Rejection

USD = "USD"
CODES: Mapping[str, str] = MappingProxyType({"BTC": "XXBT", "ETH": "XETH", "SOL": "SOL", "USD": "ZUSD"})
SHORT_CODES: Mapping[str, str] = MappingProxyType({"BTC": "XBT"})

MARGIN_CALL, MARGIN_STOP = 80, 40


def _pair(base: str, lot: str, least: str, tick: str, leverage: int) -> Instrument:
    quote = CODES[USD] if CODES[base].startswith("X") else USD
    return Instrument(
        name=CODES[base] + quote,
        base=base,
        settle=USD,
        lot_step=Decimal(lot),
        min_quantity=Decimal(least),
        min_notional=Decimal("0.5"),
        price_step=Decimal(tick),
        max_leverage=Decimal(leverage),
        taker_fee=Decimal("0.0026"),
        maker_fee=Decimal("0.0016"),
        liquidation_fee=Decimal("0.0026"),
        funding_rate=Decimal(0),
    )


PAIRS = (
    _pair("BTC", "0.00000001", "0.00005", "0.1", 10),
    _pair("ETH", "0.00000001", "0.001", "0.01", 10),
    _pair("SOL", "0.00000001", "0.02", "0.01", 10),
)

NAMES: Mapping[str, str] = MappingProxyType({f"{pair.base}-USDT": pair.name for pair in PAIRS})
"""The catalogue's pairs -> what is nearest to them here."""


def altname(pair: Instrument) -> str:
    """Return the name by which orders are described."""
    return SHORT_CODES.get(pair.base, pair.base) + USD


def wsname(pair: Instrument) -> str:
    """Return the name on the WebSocket."""
    return f"{SHORT_CODES.get(pair.base, pair.base)}/{USD}"


def named(name: str, pairs: tuple[Instrument, ...]) -> Instrument:
    """Return a pair by any of its names; `Rejection(UNKNOWN_SYMBOL)` if it is not listed."""
    for pair in pairs:
        if name in (pair.name, altname(pair), wsname(pair)):
            return pair
    raise Rejection(Refusal.UNKNOWN_SYMBOL, name)


def leverages(pair: Instrument) -> list[int]:
    """Return what an order may ask for."""
    return list(range(2, int(pair.max_leverage) + 1))
