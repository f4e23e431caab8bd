"""What is measured: every product that the sandbox plays, and how plain ccxt makes the same reads.

The three venues with the long lists of contracts are measured with many positions. The others list what the
sandbox ships, and every account holds one of each.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from brokers.sandbox.spec import MarginPool
from brokers.sandbox.venues import VENUES, SandboxVenue

NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CcxtReads:
    """How ccxt reads what one picture of ours is made of.

    Balance and positions by its unified calls, `None` where that is another endpoint than the picture's or
    none at all; what is left by the raw calls `raw`, parsed but not looked at.
    """

    ccxt_class: str
    options: Mapping[str, object] = field(default_factory=lambda: NOTHING)
    balance: Mapping[str, object] | None = field(default_factory=lambda: NOTHING)
    positions: Mapping[str, object] | None = field(default_factory=lambda: NOTHING)
    raw: tuple[tuple[str, Mapping[str, object]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product:
    """One product of one broker: `venue` plays it in the sandbox, in the account mode `mode`.

    `fleet` is how many accounts of it are watched from one address, `currency` what its wallet holds.
    `gap_s` is the least time between two readings of one key.
    """

    broker: str
    product: str
    venue: str
    mode: str
    ccxt: CcxtReads
    fleet: int
    is_long: bool = False
    held: int | None = None  # how many of its contracts an account holds, by default all
    gap_s: float = 0.0
    wallets: tuple[str, ...] = ()  # by default what its positions settle in

    @property
    def name(self) -> str:
        """Its name in tables and figures."""
        return f"{self.broker} {self.product}"

    @property
    def played(self) -> SandboxVenue:
        """The sandbox venue that plays it."""
        return VENUES[self.venue]

    @property
    def pool(self) -> MarginPool:
        """What backs its positions."""
        return self.played.pools[self.mode]

    @property
    def sizes(self) -> tuple[int, ...]:
        """With how many positions a cycle is measured."""
        if self.is_long:
            return (10, 50)
        return (len(self.played.instruments) if self.held is None else self.held,)

    def secret_of(self, holder: str) -> str:
        """Return the secret of a holder's key: Kraken's are base64, Coinbase's are private keys."""
        if self.broker == "coinbase":
            return _private_key(holder)
        text = f"secret-of-{holder}"
        return b64encode(text.encode()).decode() if self.broker == "kraken" else text

    def passphrase_of(self, holder: str) -> str | None:
        """Return the passphrase of a holder's key; only OKX's keys have one."""
        return f"passphrase-of-{holder}" if self.broker == "okx" else None


@cache
def _private_key(holder: str) -> str:
    """Return a key on P-256 that is the same in every process; it opens nothing but the sandbox."""
    key = ec.derive_private_key(int.from_bytes(holder.encode()[:28]), ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


MARK = MappingProxyType({"symbol": "COIN00USDT"})
COIN_MARK = MappingProxyType({"symbol": "BTCUSD_PERP"})

PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        product.name: product
        for product in (
            Product(
                broker="bybit",
                product="unified",
                venue="bybit",
                mode="cross",
                is_long=True,
                fleet=14,
                ccxt=CcxtReads(
                    ccxt_class="bybit",
                    options={"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}},
                ),
            ),
            Product(
                broker="binance",
                product="usdm",
                venue="binance",
                mode="single_asset",
                is_long=True,
                fleet=4,
                ccxt=CcxtReads(ccxt_class="binanceusdm", raw=(("fapiPublicGetPremiumIndex", MARK),)),
            ),
            Product(
                broker="binance",
                product="coinm",
                venue="binancecoinm",
                mode="coin_margined",
                fleet=2,
                ccxt=CcxtReads(ccxt_class="binancecoinm", raw=(("dapiPublicGetPremiumIndex", COIN_MARK),)),
            ),
            Product(
                broker="binance",
                product="portfolio",
                venue="binancepm",
                mode="portfolio_margin",
                fleet=1,
                ccxt=CcxtReads(
                    ccxt_class="binance",
                    options={
                        "portfolioMargin": True,
                        "defaultType": "future",
                        "fetchMarkets": {"types": ["linear"]},
                    },
                    raw=(
                        ("papiGetAccount", NOTHING),
                        ("papiGetUmAccount", NOTHING),
                        ("papiGetCmAccount", NOTHING),
                        ("papiGetCmPositionRisk", NOTHING),
                        ("dapiPublicGetPremiumIndex", COIN_MARK),
                    ),
                ),
            ),
            Product(
                broker="okx",
                product="unified",
                venue="okx",
                mode="multi_currency",
                is_long=True,
                fleet=13,
                gap_s=0.25,
                ccxt=CcxtReads(ccxt_class="okx", options={"fetchMarkets": {"types": ["swap"]}}),
            ),
            Product(
                broker="kraken",
                product="spot",
                venue="kraken",
                mode="spot_margin",
                fleet=6,
                ccxt=CcxtReads(
                    ccxt_class="kraken",
                    balance=None,
                    raw=(("privatePostTradeBalance", MappingProxyType({"asset": "ZUSD"})),),
                ),
            ),
            Product(
                broker="kraken",
                product="futures",
                venue="krakenfutures",
                mode="multi_collateral",
                held=3,
                fleet=6,
                ccxt=CcxtReads(ccxt_class="krakenfutures", raw=(("publicGetTickers", NOTHING),)),
            ),
            Product(
                broker="coinbase",
                product="spot",
                venue="coinbase",
                mode="cash",
                wallets=("USD", "BTC", "ETH"),
                held=0,
                fleet=2,
                ccxt=CcxtReads(
                    ccxt_class="coinbase",
                    balance=MappingProxyType({"v3": True}),
                    positions=None,
                    raw=(
                        (
                            "v3PublicGetBrokerageMarketProducts",
                            MappingProxyType({"product_type": "SPOT", "product_ids": ["BTC-USD", "ETH-USD"]}),
                        ),
                    ),
                ),
            ),
            Product(
                broker="coinbase",
                product="futures",
                venue="coinbase",
                mode="futures",
                fleet=4,
                ccxt=CcxtReads(
                    ccxt_class="coinbase",
                    balance=MappingProxyType({"type": "future"}),
                ),
            ),
            Product(
                broker="cryptocom",
                product="exchange",
                venue="cryptocom",
                mode="smart_cross",
                fleet=8,
                gap_s=0.1,
                ccxt=CcxtReads(
                    ccxt_class="cryptocom",
                    raw=tuple(
                        ("v1PublicGetPublicGetTickers", MappingProxyType({"instrument_name": name}))
                        for name in ("BTCUSD-PERP", "ETHUSD-PERP", "SOLUSD-PERP")
                    ),
                ),
            ),
        )
    }
)
"""By name."""

ONE_OF_EACH = tuple({product.broker: name for name, product in reversed(PRODUCTS.items())}.values())[::-1]
"""The first product of every broker."""
