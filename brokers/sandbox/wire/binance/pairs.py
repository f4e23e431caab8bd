"""What the sandbox lists at Binance margin: pairs of the spot market, and what borrowing costs there."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from brokers.numbers import ONE, ZERO
from brokers.sandbox.catalogue import ASSETS, INSTRUMENTS
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.spec import Asset

QUOTES: Mapping[str, str] = MappingProxyType({"BTC": "USDT", "ETH": "USDC", "SOL": "USDT"})
"""What each coin is traded in: a long and a short of one account must not share their money."""

APR = Decimal("0.08")


def _as_pair(instrument: Instrument) -> Instrument:
    """List a coin as the spot market does: coins against money, for a tenth of a percent."""
    quote = QUOTES[instrument.base]
    return replace(
        instrument,
        name=f"{instrument.base}-{quote}",
        quote=quote,
        settle=quote,
        taker_fee=Decimal("0.001"),
        maker_fee=Decimal("0.001"),
        liquidation_fee=Decimal("0.02"),
        funding_rate=ZERO,
        max_leverage=Decimal(10),
    )


PAIRS = tuple(map(_as_pair, INSTRUMENTS))

PAIR_NAMES: Mapping[str, str] = MappingProxyType(
    {listed.name: pair.name for listed, pair in zip(INSTRUMENTS, PAIRS, strict=True)}
)


def _as_lent(asset: Asset) -> Asset:
    """Lend an asset: money for interest; what a debt requires goes by the margin level."""
    return replace(
        asset,
        collateral_ratio=ONE,
        borrow_apr=APR if asset.stable else ZERO,
        borrow_initial_rate=ZERO,
        borrow_maintenance_rate=ZERO,
    )


LENT_ASSETS = tuple(map(_as_lent, ASSETS))
