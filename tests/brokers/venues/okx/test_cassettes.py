"""The adapter against recorded answers of the production host: what it sends, and what it makes of them.

The cassettes hold OKX's documented samples; nothing leaves the process, for nothing else may be replayed.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import vcr

from brokers.errors import RequestRefused, Unauthorized
from brokers.models import AccountId, MarginMode, PositionMode, Symbol
from brokers.orders import ClientOrderId, OrderBook, OrderState, ReduceOrder, Verdict
from brokers.port import Broker
from brokers.profile import Json
from brokers.registry import BrokerSpec, Credentials, open_broker

FOLDER = Path(__file__).parent / "cassettes"
SWAP = Symbol("BTC-USDT-SWAP")
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")


@dataclass
class Tape:
    """What was asked of the recorded host."""

    sent: list[Json] = field(default_factory=list)

    def note(self, request: Json) -> Json:
        """Keep what is sent; the cassette's own requests, which pass here too, carry no headers."""
        if request.headers:
            self.sent.append(request)
        return request

    def to(self, path: str) -> Sequence[Json]:
        found = [request for request in self.sent if urlsplit(request.uri).path == f"/api/v5/{path}"]
        return list({id(request): request for request in found}.values())


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def replay(tape: Tape) -> Callable[[str], AbstractContextManager[None]]:
    """Answer from a cassette, and from nothing else."""

    @contextmanager
    def play(name: str) -> Iterator[None]:
        player = vcr.VCR(
            record_mode="none",
            match_on=["method", "scheme", "host", "path", "query"],
            before_record_request=tape.note,
        )
        with player.use_cassette(str(FOLDER / f"{name}.yaml"), allow_playback_repeats=True):
            yield

    return play


Replay = Callable[[str], AbstractContextManager[None]]


KEYS = (f"canary-key-{number}" for number in count())
"""A key for each test: requests of one key share a budget."""


@pytest.fixture
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """An account at the production host; parametrized with `True`, in simulated trading."""
    opened = open_broker(
        BrokerSpec(
            account_id=AccountId("okx-main"),
            broker="okx",
            product="unified",
            credentials=Credentials(api_key=next(KEYS), secret="canary-secret", password="canary-pass"),
            testnet=getattr(request, "param", False),
        )
    )
    yield opened
    await opened.aclose()


def percent(value: Decimal | None) -> str:
    assert value is not None
    return f"{value * 100:.6f}"


async def test_multi_currency_account(broker: Broker, replay: Replay) -> None:
    with replay("multi_currency"):
        await broker.connect()
        snapshot = await broker.fetch_snapshot()
    unit = snapshot.unit("account")
    assert snapshot.findings == ()
    assert snapshot.mode.position_mode is PositionMode.HEDGE
    assert percent(unit.venue_ratio) == "0.006255"
    assert unit.initial_margin is not None
    assert unit.available_margin is not None
    assert percent(unit.initial_margin / (unit.initial_margin + unit.available_margin)) == "0.067171"
    (position,) = snapshot.positions
    assert (position.symbol, position.quantity, position.hedged) == ("LTC-USDT-SWAP", 1, True)
    assert snapshot.collaterals[0].debt == 12
    assert timedelta(0) < snapshot.fetched_at - snapshot.as_of < timedelta(seconds=5)


async def test_futures_mode_account(broker: Broker, replay: Replay) -> None:
    with replay("futures_mode"):
        await broker.connect()
        snapshot = await broker.fetch_snapshot()
    assert snapshot.findings == ()
    assert [unit.key for unit in snapshot.units] == ["USDT", "BTC", "isolated:BTC-USDT-SWAP:short"]
    assert {(p.symbol, p.unit, p.margin_mode) for p in snapshot.positions} == {
        (SWAP, "USDT", MarginMode.CROSS),
        ("BTC-USD-SWAP", "BTC", MarginMode.CROSS),
        (SWAP, "isolated:BTC-USDT-SWAP:short", MarginMode.ISOLATED),
    }
    assert Symbol("BTC-USDT-250926") in snapshot.markets


async def test_portfolio_account_with_a_dangerous_key(broker: Broker, replay: Replay) -> None:
    with replay("portfolio_margin"):
        await broker.connect()
        snapshot = await broker.fetch_snapshot()
        granted = await broker.fetch_permissions()
    assert snapshot.findings == ()
    assert snapshot.mode.margin_mode is MarginMode.PORTFOLIO
    assert percent(snapshot.unit("account").venue_ratio) == "0.055109"
    assert (granted.can_withdraw, granted.ip_bound) == (True, False)


async def test_deleted_key_is_for_a_human(broker: Broker, replay: Replay) -> None:
    with replay("deleted_key"), pytest.raises(Unauthorized) as refused:
        await broker.connect()
    assert refused.value.code == "50119"
    assert "canary" not in str(refused.value)


async def test_signed_request_carries_key_passphrase_and_no_secret(
    broker: Broker, replay: Replay, tape: Tape
) -> None:
    with replay("multi_currency"):
        await broker.connect()
        await broker.fetch_snapshot()
    headers = tape.to("account/balance")[0].headers
    assert headers["OK-ACCESS-KEY"].startswith("canary-key")
    assert headers["OK-ACCESS-PASSPHRASE"] == "canary-pass"
    assert headers["OK-ACCESS-TIMESTAMP"].startswith("2025-07-11T14:15:")  # the venue's clock, not ours
    assert "x-simulated-trading" not in headers
    assert "canary-secret" not in str(headers)


@pytest.mark.parametrize("broker", [True], indirect=True)
async def test_simulated_trading_is_a_header(broker: Broker, replay: Replay, tape: Tape) -> None:
    with replay("multi_currency"):
        await broker.connect()
        await broker.fetch_snapshot()
    assert tape.to("account/balance")[0].headers["x-simulated-trading"] == "1"


async def test_reducing_order_as_it_leaves(broker: Broker, replay: Replay, tape: Tape) -> None:
    with replay("orders"):
        await broker.connect()
        (position,) = (await broker.fetch_snapshot()).positions
        deadline = broker.venue_now() + timedelta(seconds=3)
        order = ReduceOrder(
            position=position, quantity=Decimal(40), client_order_id=OWN_ID, deadline=deadline
        )
        report = await broker.submit(order)
        found = await broker.find_order(OWN_ID, SWAP)
        other = await broker.find_order(ClientOrderId("f" * 32), SWAP)
    (request,) = tape.to("trade/order")[:1]
    assert json.loads(request.body) == {
        "instId": SWAP, "tdMode": "cross", "side": "sell", "ordType": "market", "sz": "40",
        "clOrdId": OWN_ID, "reduceOnly": True,
    }  # fmt: skip
    assert request.headers["expTime"] == str(round(deadline.timestamp() * 1000))
    assert "expTime" not in tape.to("account/balance")[0].headers
    assert (report.verdict, report.state, report.order_id) == (Verdict.ACCEPTED, None, "312269865356374016")
    assert found is not None
    assert (found.state, found.filled, found.average_price, found.fee) == (
        OrderState.FILLED, 40, Decimal("59990.1"), Decimal("0.1199802"),
    )  # fmt: skip
    assert other is None


async def test_order_books_are_read_to_the_last_page_and_cancelled_by_row(
    broker: Broker, replay: Replay, tape: Tape
) -> None:
    with replay("orders"):
        await broker.connect()
        orders = await broker.fetch_open_orders()
        reports = await broker.cancel_orders(
            [order for order in orders if order.book is OrderBook.ACTIVE][:2]
        )
    assert len(orders) == 104
    assert [order.kind for order in orders if order.is_protective] == ["conditional"]
    assert [report.verdict for report in reports] == [Verdict.ACCEPTED, Verdict.REJECTED]
    assert [report.code for report in reports] == [None, "51400"]
    body = json.loads(tape.to("trade/cancel-batch-orders")[0].body)
    assert body == [{"instId": SWAP, "ordId": report.order_id} for report in reports]


async def test_refused_leverage_is_told_with_its_code(broker: Broker, replay: Replay, tape: Tape) -> None:
    with replay("orders"):
        await broker.connect()
        with pytest.raises(RequestRefused) as refused:
            await broker.set_leverage(SWAP, Decimal("3.0"))
    assert refused.value.code == "59107"
    assert json.loads(tape.to("account/set-leverage")[0].body) == {
        "instId": SWAP,
        "lever": "3",
        "mgnMode": "cross",
    }


async def test_transfer_from_the_funding_wallet(broker: Broker, replay: Replay, tape: Tape) -> None:
    with replay("orders"):
        await broker.connect()
        assert await broker.fetch_funding_balance("USDT") == Decimal("37.11827078")
        assert await broker.fetch_funding_balance("BTC") == 0
        report = await broker.transfer_in("USDT", Decimal("0.1"), OWN_ID)
        found = await broker.find_transfer(OWN_ID, "USDT", Decimal("0.1"), broker.venue_now())
    assert (report.verdict, report.transfer_id) == (Verdict.ACCEPTED, "754147")
    assert found is not None
    assert (found.verdict, found.transfer_id) == (Verdict.ACCEPTED, "754147")
    body = json.loads(tape.to("asset/transfer")[0].body)
    assert (body["from"], body["to"], body["amt"], body["clientId"]) == ("6", "18", "0.1", OWN_ID)


def test_cassettes_hold_no_secret() -> None:
    for path in FOLDER.glob("*.yaml"):
        text = path.read_text()
        assert "OK-ACCESS" not in text
        assert "canary" not in text
