"""Order books through every real adapter: what the venue holds, in the unit of orders, or calmly nothing."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.depth import ABSENT_S
from brokers.doors import NotSent
from brokers.errors import MalformedAnswer, NotSupported
from brokers.models import Symbol
from brokers.order_book import LEVELS, OrderBook
from brokers.sandbox.wire.base import Route, WireAnswer
from tests.brokers.conformance.cases import BTC, CASES, Case

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
Json = Any

WIRES = {
    "binance-single-asset": ("/fapi/v1/depth", 2, 2),
    "binance-coinm": ("/dapi/v1/depth", 2, 2),
    "binance-portfolio": ("/fapi/v1/depth", 2, 2),
    "binance-cross-classic": ("/api/v3/depth", 5, 5),
    "binance-isolated": ("/api/v3/depth", 5, 5),
    "bybit-cross": ("/v5/market/orderbook", 1, 1),
    "bybit-cross-inverse": ("/v5/market/orderbook", 1, 1),
    "okx-futures": ("/api/v5/market/books", 0.5, 1),
    "okx-spot-margin": ("/api/v5/market/books", 0.5, 1),
    "kraken-spot": ("/0/public/Depth", 0, None),
    "kraken-futures": ("/derivatives/api/v3/orderbook", 0, None),
    "cryptocom": ("/exchange/v1/public/get-book", 1, 1),
    "coinbase-futures": ("/api/v3/brokerage/market/product_book", 1, 0),
}
"""A case of every wire -> where it serves books, what margind counts for one, and what the venue does."""

PRIVATE = "/api/v3/brokerage/product_book"
"""Coinbase's other endpoint, for who has a key."""

NAMED = {"bybit-cross", "kraken-spot", "cryptocom", "coinbase-futures"}
"""Cases whose venue says whose book it is."""


@pytest.fixture
def wire(case: Case) -> tuple[str, float, float | None]:
    """Where the case's wire serves books, and what one costs on both sides."""
    return next(told for name, told in WIRES.items() if CASES[name] is case)


each_wire = pytest.mark.parametrize("case", [CASES[name] for name in WIRES], ids=list(WIRES))


def asked(station: Station, path: str) -> int:
    return sum(request[1] == path for request in station.server.received)


def tamper(station: Station, path: str, change: Callable[[Json], None]) -> None:
    """Change every answer of one endpoint."""
    gateway = station.server._gateway
    route: Route = gateway._routes["GET", path]

    def handler(request: Any, account: str) -> WireAnswer:  # noqa: ANN401 - a wire's
        answer = route.handler(request, account)
        change(answer.payload)
        return answer

    gateway._routes = {**gateway._routes, ("GET", path): replace(route, handler=handler)}


def sides_in(payload: Json) -> tuple[dict[str, Json], str, str] | None:
    """Return the object in a payload that holds both sides, and what they are called there."""
    if isinstance(payload, dict):
        for names in (("bids", "asks"), ("b", "a")):
            if names[0] in payload:
                return payload, *names
    if not isinstance(payload, (dict, list)):
        return None
    inner = payload.values() if isinstance(payload, dict) else payload
    return next((found for one in inner if (found := sides_in(one))), None)


def lacking(station: Station, *paths: str) -> None:
    """Take endpoints away."""
    gateway = station.server._gateway
    assert all(("GET", path) in gateway._routes for path in paths)
    gateway._routes = {key: route for key, route in gateway._routes.items() if key[1] not in paths}


def truth(station: Station, symbol: Symbol, levels: int = LEVELS) -> tuple[list[Any], list[Any]]:
    """The levels that the engine has now, in the venue's order unit."""
    name = station.listed(station.pair(symbol))
    depth, size = station.engine.depth(name, levels), station.engine.instrument(name).contract_size
    return tuple([(price, quantity / size) for price, quantity in side] for side in (depth.bids, depth.asks))


def told(book: OrderBook) -> tuple[list[Any], list[Any]]:
    return tuple([(level.price, level.quantity) for level in side] for side in (book.bids, book.asks))


async def test_a_book_is_the_venues_own_in_the_unit_of_orders(station: Station) -> None:
    for held in (await station.snapshot()).positions:
        book = await station.broker.fetch_order_book(held.symbol)
        assert book.symbol == held.symbol
        assert told(book) == truth(station, held.symbol)
        assert len(book.bids) == len(book.asks) == 25
        middle = (book.bids[0].price + book.asks[0].price) / 2
        assert abs(middle / held.mark_price - 1) < Decimal("0.001")
        ages = [station.broker.venue_now() - moment for moment in (book.as_of, book.fetched_at) if moment]
        assert all(abs(age.total_seconds()) < 2 for age in ages)


@each_wire
async def test_only_the_wanted_levels_are_told(station: Station) -> None:
    symbol = station.symbol(BTC)
    book = await station.broker.fetch_order_book(symbol, levels=3)
    assert told(book) == truth(station, symbol, 3)


@each_wire
async def test_a_market_order_fills_what_the_book_shows(station: Station) -> None:
    held = await station.position()
    book = await station.broker.fetch_order_book(held.symbol)
    before = station.exposure()
    quantity = held.quantity / 2
    await station.broker.submit(station.reduce(held, quantity))
    fills = station.engine.fills(station.account)
    size = station.engine.instrument(station.listed(BTC)).contract_size
    left, expected = quantity, []
    for level in book.bids:
        taken = min(left, level.quantity)
        expected.append((level.price, taken * size))
        left -= taken
        if left == 0:
            break
    assert [(fill.price, fill.quantity) for fill in fills][-len(expected) :] == expected
    assert station.exposure() != before


@each_wire
async def test_levels_out_of_order_and_told_twice_are_put_in_order(
    station: Station, wire: tuple[str, float, float | None]
) -> None:
    def muddle(payload: Json) -> None:
        book, *names = sides_in(payload)
        for name in names:
            book[name] = [*reversed(book[name]), book[name][0], _row(book[name][3], quantity="0")]

    symbol = station.symbol(BTC)
    bids, asks = truth(station, symbol)
    tamper(station, wire[0], muddle)
    book = await station.broker.fetch_order_book(symbol)
    assert told(book) == ([*bids[:3], *bids[4:]], [*asks[:3], *asks[4:]])


def _row(row: Json, *, price: object = None, quantity: object = None) -> Json:
    """Return a level with other figures."""
    if isinstance(row, dict):
        row = {"price": row["price"], "size": row["size"]}
        return (
            row
            | ({} if price is None else {"price": price})
            | ({} if quantity is None else {"size": quantity})
        )
    return [row[0] if price is None else price, row[1] if quantity is None else quantity, *row[2:]]


DAMAGE: dict[str, Callable[[dict[str, Json], str, str], None]] = {
    "crossed": lambda book, bids, asks: book.update({bids: book[asks], asks: book[bids]}),
    "no bids": lambda book, bids, _: book.pop(bids),
    "asks null": lambda book, _, asks: book.update({asks: None}),
    "NaN": lambda book, bids, _: book[bids].append(_row(book[bids][0], price="NaN")),
    "empty price": lambda book, bids, _: book[bids].append(_row(book[bids][0], price="")),
    "negative": lambda book, _, asks: book[asks].append(_row(book[asks][0], quantity="-1")),
    "free": lambda book, bids, _: book[bids].append(_row(book[bids][0], price="0")),
    "foreign level": lambda book, bids, _: book[bids].append("100"),
    "sides as text": lambda book, bids, _: book.update({bids: "none"}),
}


@each_wire
async def test_a_damaged_book_is_none(station: Station, wire: tuple[str, float, float | None]) -> None:
    damage: list[Callable[..., None]] = []
    tamper(station, wire[0], lambda payload: damage[-1](*sides_in(payload)))
    for change in DAMAGE.values():
        damage.append(change)
        with pytest.raises(MalformedAnswer):
            await station.broker.fetch_order_book(station.symbol(BTC))
        if "coinbase" in station.server.wire.venue:
            await asyncio.sleep(0.2)  # so many public calls it allows
    damage.append(lambda *_: None)
    assert (await station.broker.fetch_order_book(station.symbol(BTC))).bids, "damage is no absence"


@pytest.mark.parametrize("case", [CASES[name] for name in sorted(NAMED)], ids=sorted(NAMED))
async def test_the_book_of_another_instrument_is_none(
    station: Station, wire: tuple[str, float, float | None]
) -> None:
    symbol = station.symbol(BTC)

    def rename(payload: Json) -> None:
        for one in (payload, *_inside(payload)):
            for key, value in list(one.items()):
                if key == symbol:
                    one["XETHZUSD"] = one.pop(key)
                elif value == symbol:
                    one[key] = "ANOTHER"

    tamper(station, wire[0], rename)
    with pytest.raises(MalformedAnswer):
        await station.broker.fetch_order_book(symbol)


def _inside(payload: dict[str, Json]) -> list[dict[str, Json]]:
    found = [one for one in payload.values() if isinstance(one, dict)]
    return found + [inner for one in found for inner in _inside(one)]


@each_wire
@pytest.mark.parametrize("by_status", [False, True], ids=["in the venue's words", "by a plain 404"])
async def test_a_host_without_books_is_left_alone_for_a_good_while(
    station: Station,
    wire: tuple[str, float, float | None],
    *,
    by_status: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    venue = station.server.wire
    paths = [wire[0], *([PRIVATE] if "coinbase" in venue.venue else [])]
    lacking(station, *paths)
    if by_status:
        nothing = WireAnswer(status=404, payload={"detail": "Not Found"})
        refusal = venue.refusal
        venue.refusal = lambda kind: nothing if kind == "not_found" else refusal(kind)
    symbol = station.symbol(BTC)
    for _ in range(3):
        with pytest.raises(NotSupported):
            await station.broker.fetch_order_book(symbol)
    assert [asked(station, path) for path in paths] == [1] * len(paths)

    snapshot = await station.snapshot()
    assert (snapshot.findings, len(snapshot.positions)) == ((), len(station.case.positions))
    held = await station.position()
    before = station.exposure()
    await station.broker.submit(station.reduce(held, held.quantity / 5))
    assert station.exposure() != before

    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    monkeypatch.setattr("brokers.depth.boot_seconds", lambda: now + ABSENT_S + 1)
    with pytest.raises(NotSupported):
        await station.broker.fetch_order_book(symbol)
    assert [asked(station, path) for path in paths] == [2] * len(paths)


@pytest.mark.parametrize("case", [CASES["coinbase-futures"]], ids=["coinbase-futures"])
async def test_where_there_is_no_public_book_the_private_one_is_read(station: Station) -> None:
    lacking(station, WIRES["coinbase-futures"][0])
    symbol = station.symbol(BTC)
    for _ in range(2):
        assert told(await station.broker.fetch_order_book(symbol)) == truth(station, symbol)
    assert asked(station, WIRES["coinbase-futures"][0]) == 1
    assert asked(station, PRIVATE) == 2


@each_wire
async def test_a_book_is_counted_as_the_venue_counts_it(
    station: Station, wire: tuple[str, float, float | None]
) -> None:
    path, ours, theirs = wire
    await station.rest()
    ledgers = station.broker.transport._polling.budget.ledger, station.server._gateway._ledger
    clocks = time.clock_gettime(time.CLOCK_BOOTTIME), station.server._gateway._clock()
    before = [ledger.used(now) for ledger, now in zip(ledgers, clocks, strict=True)]
    await station.broker.fetch_order_book(station.symbol(BTC))
    after = [ledger.used(now) for ledger, now in zip(ledgers, clocks, strict=True)]
    assert asked(station, path) == 1
    assert after[0] - before[0] == pytest.approx(ours, abs=0.2)
    if theirs is not None:
        assert after[1] - before[1] == pytest.approx(theirs, abs=0.2)


@each_wire
async def test_a_deep_book_is_read_within_what_the_venue_takes(
    station: Station, wire: tuple[str, float, float | None]
) -> None:
    book = await station.broker.fetch_order_book(station.symbol(BTC), levels=10_000)
    assert told(book) == truth(station, station.symbol(BTC), 10_000)


@pytest.mark.parametrize("case", [CASES["binance-single-asset"]], ids=["binance"])
async def test_without_room_for_polls_no_book_is_asked_for_and_orders_go(station: Station) -> None:
    ledger = station.broker.transport._polling.budget.ledger
    held = await station.position()
    await station.rest()
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    ledger.spend(ledger.rules.capacity * (1 - ledger.rules.reserve), now)
    before, began = ledger.used(now), time.monotonic()
    with pytest.raises(NotSent):
        await station.broker.fetch_order_book(held.symbol)
    assert time.monotonic() - began < 0.2
    assert asked(station, "/fapi/v1/depth") == 0
    assert ledger.used(now) == before
    exposure = station.exposure()
    await station.broker.submit(station.reduce(held, held.quantity / 5))
    assert station.exposure() != exposure
