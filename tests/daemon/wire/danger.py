"""Accounts of every product side by side, each brought into danger by its own venue's figures."""

from collections.abc import Iterable
from decimal import Decimal

from brokers.models import OrderSide
from tests.daemon.matrix.site import CALM, CATALOGUE, Site

D = Decimal
ACROSS = (
    "bybit unified",
    "binance usdm",
    "binance coinm",
    "binance portfolio",
    "okx unified",
    "kraken futures",
    "cryptocom exchange",
    "coinbase futures",
)
"""Eight products, the first account mode of each."""

FUNDED = tuple(label for label in ACROSS if label.startswith(("bybit", "binance", "okx")))
"""Those whose funding wallet margind may draw on."""

STEP = D("0.998")


def sites(labels: Iterable[str] = ACROSS, *, calm: Decimal = CALM, mode: str = "") -> dict[str, Site]:
    """Return an account of each product, alone at its venue, with the share `calm` of its equity in use.

    `mode` is a mode of their own, part of their names too.
    """
    found = {}
    for label in labels:
        name = "-".join([*label.split(), *([mode] if mode else [])])
        found[label] = Site(name, CATALOGUE[label], calm=calm)
        found[label].guarded_in = mode
    return found


def danger(site: Site) -> Decimal:
    """Return how far an account is on its way to LIQUIDATION, which begins at 1, by its venue's figures."""
    pool = max(site.engine.figures(site.name).pools, key=lambda one: one.initial_margin)
    return max(pool.initial_margin / pool.margin_balance / D("0.90"), (pool.ratio or D(0)) / D("0.80"))


def sink(site: Site, to: str = "1.02") -> None:
    """Let the price fall until the account is in that danger."""
    while danger(site) < D(to):
        site.drop(STEP)


def rest_profit(site: Site) -> str:
    """Leave an order resting that takes profit far above the market, and can only reduce; return its id."""
    price = (site.price * D("1.6")).quantize(D(100))
    return site.rest(OrderSide.SELL, site.opened / 20, price=price, reduce_only=True).order_id


def rest_risky(site: Site) -> str:
    """Leave an order resting that would add to the position, far below the market; return its id."""
    price = (site.price * D("0.6")).quantize(D(100))
    return site.rest(OrderSide.BUY, site.opened / 20, price=price).order_id
