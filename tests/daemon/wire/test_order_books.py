"""Order books at every product: plans are made with them, and whatever becomes of them the cut is as fast."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.sandbox.faults import Fault, FaultKind
from brokers.sandbox.wire.base import WireAnswer
from daemon.cycle import Cycle
from daemon.provision import PATIENCE_S
from daemon.state import CycleOutcome
from tests.daemon.matrix.site import CATALOGUE, Site

pytestmark = pytest.mark.wire

D = Decimal
PRODUCTS = {label: one for label, one in CATALOGUE.items() if one.is_margined and one.is_first}
ENDS = ("/depth", "/orderbook", "/books", "/Depth", "/get-book", "/product_book")
URGENT = D("0.94")
JITTER_S = 0.15


def book_paths(site: Site) -> list[str]:
    """Where a venue serves order books."""
    found = [path for _, path in site.server._gateway._routes if path.endswith(ENDS)]
    assert found, site.name
    return found


def asked(site: Site) -> int:
    return sum(site.asked("GET", path) for path in book_paths(site))


def drop_to(site: Site, utilization: Decimal) -> None:
    while site.utilization() < utilization:
        site.drop(D("0.999"))


def spoil(kind: FaultKind) -> Callable[[Site], None]:
    def set_fault(site: Site) -> None:
        for path in book_paths(site):
            site.server.faults.set(Fault(kind=kind, path=path))

    return set_fault


def absent(site: Site) -> None:
    gateway = site.server._gateway
    gateway._routes = {key: route for key, route in gateway._routes.items() if not key[1].endswith(ENDS)}


def crossed(site: Site) -> None:
    """Every book shows the bids as asks and the asks as bids."""

    def turn(payload: Any) -> None:  # noqa: ANN401 - raw JSON
        inner = list(payload.values()) if isinstance(payload, dict) else payload
        for names in (("bids", "asks"), ("b", "a")):
            if isinstance(payload, dict) and names[0] in payload:
                payload[names[0]], payload[names[1]] = payload[names[1]], payload[names[0]]
                return
        for one in inner if isinstance(inner, list) else ():
            if isinstance(one, (dict, list)):
                turn(one)

    gateway = site.server._gateway

    def turned(handler: Callable[..., WireAnswer]) -> Callable[..., WireAnswer]:
        def answer(request: Any, account: str) -> WireAnswer:  # noqa: ANN401 - a wire's
            told = handler(request, account)
            turn(told.payload)
            return told

        return answer

    for key in [key for key in gateway._routes if key[1].endswith(ENDS)]:
        route = gateway._routes[key]
        gateway._routes = {**gateway._routes, key: replace(route, handler=turned(route.handler))}


TROUBLE: dict[str, Callable[[Site], None]] = {
    "hangs": spoil(FaultKind.HANG),
    "fails": spoil(FaultKind.HTTP_502_HTML),
    "is limited": spoil(FaultKind.HTTP_429_PLAIN),
    "bans": spoil(FaultKind.BAN),
    "is absent": absent,
    "is crossed": crossed,
}


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> dict[str, CycleOutcome]:
    """The first cycle of every account that sent a reducing order."""
    found: dict[str, CycleOutcome] = {}
    run = Cycle.run

    async def told(cycle: Cycle) -> CycleOutcome:
        outcome = await run(cycle)
        if outcome.doing in {"reduce", "flatten"} and outcome.orders_sent:
            found.setdefault(cycle.account, outcome)
        return outcome

    monkeypatch.setattr(Cycle, "run", told)
    return found


async def check(watching: Callable[..., Any], acted: dict[str, CycleOutcome], trouble: list[str]) -> None:
    """Have two accounts of every product cut, one of them with one of the troubles; compare them."""
    products = list(enumerate(PRODUCTS.values()))
    sound = [Site(f"sound-{number}", one) for number, one in products]
    ill = [
        Site(f"{trouble[number % len(trouble)]}-{number}".replace(" ", "-"), one) for number, one in products
    ]
    sites = [*sound, *ill]
    async with watching(sites) as watch:
        for number, site in enumerate(ill):
            TROUBLE[trouble[number % len(trouble)]](site)
        for site in sites:
            drop_to(site, URGENT)
        await watch.until(sites, lambda site: site.name in acted, within=30, why="a cut")
        for site in sites:
            site.heal()
        await watch.until(sites, watch.is_settled, within=90, why="cut to the target")

        for site in sites:
            assert list(site.offences(flagged=False)) == [], watch.tell(site)
            assert not watch.events(site, "protection_lost"), watch.tell(site)
        for number, (one, other) in enumerate(zip(sound, ill, strict=True)):
            took, longer = acted[one.name].duration_s, acted[other.name].duration_s
            allowed = PATIENCE_S if trouble[number % len(trouble)] == "hangs" else 0.0
            assert longer <= took + allowed + JITTER_S, (other.name, took, longer)
        for site in sound:
            (row,) = first_cut(watch, site).plan["books"]
            assert D(row["bid"]) < D(row["ask"]), site.product.label
            assert 0 < asked(site) < 40, site.product.label
        for site in ill:
            assert first_cut(watch, site).plan["books"] == [], site.name


async def test_books_that_do_not_come_delay_no_cut_by_more_than_a_moment(
    watching: Callable[..., Any], acted: dict[str, CycleOutcome]
) -> None:
    await check(watching, acted, ["hangs"])


async def test_books_that_are_none_delay_no_cut(
    watching: Callable[..., Any], acted: dict[str, CycleOutcome]
) -> None:
    await check(watching, acted, [trouble for trouble in TROUBLE if trouble != "hangs"])


def first_cut(watch: Any, site: Site) -> Any:  # noqa: ANN401 - of a Watch a Plan
    """The first plan by which a site was cut."""
    ids = dict.fromkeys(event.plan_id for event in watch.events(site) if event.plan_id)
    plans = [plan for one in ids if (plan := watch.journal.plans.get(one)) is not None]
    return next(plan for plan in plans if plan.decision in {"reduce", "flatten"})
