"""What each product of each broker can do, out of the adapters themselves, as rows for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from brokers.ccxt_broker import CcxtBroker
from brokers.models import AccountId, Measure
from brokers.no_return import Regime
from brokers.port import Capabilities
from brokers.profile import BudgetScope, VenueProfile
from brokers.registry import PRODUCTS, BrokerSpec, Credentials, open_broker
from config.accounts import NO_TESTNET, BrokerId
from config.schema import BrokersSettings, PollSettings
from daemon.risk.figures import percent

NOT_APPLICABLE = "n/a"
YES, NO = "yes", "no"

REGIMES: Mapping[Regime, str] = {
    Regime.REFUSES_OPENING: "only reducing orders",
    Regime.REFUSES_EVERYTHING: "no order at all",
    Regime.VENUE_ACTS: "the venue acts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product of a broker, as its adapter describes itself."""

    broker: str
    product: str
    able: Capabilities
    profile: VenueProfile
    max_leverage: Decimal

    @property
    def is_cash(self) -> bool:
        """Whether nothing is ever sent for it."""
        return not self.able.measures


def products() -> tuple[Product, ...]:
    """Return every product there is an adapter for; nobody is contacted."""
    return tuple(_product(broker, product) for broker, listed in PRODUCTS.items() for product in listed)


def _product(broker: str, product: str) -> Product:
    keys = Credentials(api_key="key", secret="c2VjcmV0", password="word")
    spec = BrokerSpec(account_id=AccountId("page"), broker=broker, product=product, credentials=keys)
    adapter = open_broker(spec)
    if not isinstance(adapter, CcxtBroker):
        raise TypeError(f"{broker} {product}: the adapter has no profile to tell of")
    return Product(
        broker=broker,
        product=product,
        able=adapter.capabilities,
        profile=adapter.profile,
        max_leverage=getattr(BrokersSettings(), broker).max_leverage,
    )


# ---------------------------------------------------------------- cells

Cell = Callable[[Product], str]


def acting(cell: Cell) -> Cell:
    """Return the cell, which says nothing of an account that is only watched."""
    return lambda one: NOT_APPLICABLE if one.is_cash else cell(one)


def flag(value: bool) -> str:  # noqa: FBT001 - the word for it
    """Return a capability in a word."""
    return YES if value else NO


def seconds(time: timedelta) -> str:
    """Return a time in seconds, as short as it can be said."""
    return f"{time.total_seconds():.1f}".removesuffix(".0") + " s"


def measures(one: Product) -> str:
    """By what it is judged."""
    return ", ".join(measure.value for measure in Measure if measure in one.able.measures) or NOT_APPLICABLE


def leverage(one: Product) -> str:
    """The cap that holds where nothing is configured."""
    return f"{one.max_leverage:f}"


def points(one: Product) -> str:
    """From where on the venue takes over, nearest first."""
    return (
        "; ".join(
            f"{point.measure.value} {percent(point.ratio)} ({point.words}): {REGIMES[point.regime]}"
            for point in one.able.points
        )
        or NOT_APPLICABLE
    )


def pace(one: Product) -> str:
    """How often it is read by default."""
    return seconds(max(PollSettings().interval, one.able.pace))


def reducing(one: Product) -> str:
    """What keeps an order from opening a position."""
    if one.able.position_bound:
        return "closes the position"
    return "reduce-only" if one.able.reduce_only else "by its size"


def pricing(one: Product) -> str:
    """Whether a cut may carry a price."""
    return "limit, market" if one.able.limit_orders else "market"


def deadline(one: Product) -> str:
    """How long an order may be late, and what tells the venue."""
    if one.able.deadline:
        carrier = one.able.deadline
    elif one.profile.nonce_window_ms is not None:
        carrier = "age of the nonce"
    else:
        carrier = f"`{one.profile.window_option}`"
    return f"{seconds(one.able.order_time_to_live)}, {carrier}"


def lookup(one: Product) -> str:
    """How an order is found whose answer was lost."""
    return "by client id" if one.able.lookup_by_id else "among its orders"


def testnet(one: Product) -> str:
    """Whether the venue has a test system of its own."""
    return flag((BrokerId(one.broker), one.product) not in NO_TESTNET)


def budget(one: Product) -> str:
    """What the venue allows, or margind allows itself where the venue limits each call alone."""
    rules = one.profile.budget
    whose = "address" if rules.scope is BudgetScope.ADDRESS else "key"
    return f"{rules.capacity:g} in {rules.period_s:.3g} s, per {whose}"


JUDGED: Mapping[str, Cell] = {
    "measures": measures,
    "leverage cap": leverage,
    "read every": pace,
    "point of no return": points,
}

ACTING: Mapping[str, Cell] = {
    "cancels orders": acting(lambda _: "by id"),
    "reduces": acting(reducing),
    "orders": acting(pricing),
    "deadline": acting(deadline),
    "lookup": acting(lookup),
    "top up": acting(lambda one: flag(one.able.transfer_in)),
    "repay": acting(lambda one: flag(one.able.repay)),
    "sets leverage": acting(lambda one: flag(one.able.set_leverage)),
    "timer": acting(lambda one: flag(one.able.timer)),
}

ACCESS: Mapping[str, Cell] = {
    "key permissions": lambda one: "read" if one.able.key_permissions else "told nobody",
    "testnet": testnet,
    "request budget": budget,
}

SHORT: Mapping[str, Cell] = {
    "measures": measures,
    "leverage cap": leverage,
    "cancels": acting(lambda _: YES),
    "reduces": acting(reducing),
    "deadline": acting(lambda one: seconds(one.able.order_time_to_live)),
    "key check": lambda one: flag(one.able.key_permissions),
    "testnet": testnet,
}
"""The README's: what somebody who chooses wants to know first."""


def table(rows: tuple[Product, ...], columns: Mapping[str, Cell]) -> str:
    """Return a Markdown table of `rows`, each named by broker and product."""
    lines = [["broker", "product", *columns], ["---"] * (len(columns) + 2)]
    lines += [
        [f"`{one.broker}`", f"`{one.product}`", *(cell(one) for cell in columns.values())] for one in rows
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
