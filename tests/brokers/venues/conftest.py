"""Recorded answers of production hosts, replayed; nothing leaves the process."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import vcr
from vcr.request import Request

from brokers.models import AccountId, Position
from brokers.orders import ClientOrderId, ReduceOrder
from brokers.port import Broker
from brokers.registry import BrokerSpec, Credentials, open_broker

SIGNED = frozenset({"timestamp", "signature", "recvWindow", "nonce"})
OWN_ID = ClientOrderId("0123456789abcdef0123456789abcdef")
SECRET = "Y2FuYXJ5LXNlY3JldA=="  # Kraken's are base64, others any text
KEYS = (f"canary-key-{number}" for number in count())
"""A key for each test: requests of one key share a budget."""


@dataclass
class Tape:
    """What was asked of a recorded host, and where its answers lie."""

    sent: list[Request] = field(default_factory=list)

    def note(self, request: Request) -> Request:
        """Keep what is sent; the cassette's own requests, which pass here too, carry no headers."""
        if request.headers:
            self.sent.append(request)
        return request

    def last(self, path: str) -> str:
        """Return the body, or where there is none the query, of the last request to a path."""
        found = [request for request in self.sent if urlsplit(request.uri).path.endswith(path)]
        request = found[-1]
        body = request.body or urlsplit(request.uri).query
        return body.decode() if isinstance(body, bytes) else str(body)

    @contextmanager
    def play(self, cassette: Path) -> Iterator[None]:
        """Answer from a cassette, and from nothing else."""
        player = vcr.VCR(record_mode="none", before_record_request=self.note)
        player.register_matcher("question", _same_question)
        match = ["method", "scheme", "host", "path", "question"]
        with player.use_cassette(str(cassette), match_on=match, allow_playback_repeats=True):
            yield


def _same_question(sent: Request, kept: Request) -> None:
    asked, known = ({(k, v) for k, v in one.query if k not in SIGNED} for one in (sent, kept))
    assert known <= asked


@pytest.fixture
def tape() -> Tape:
    """What a test asks of a recorded host."""
    return Tape()


@pytest.fixture
def recorded(tape: Tape, request: pytest.FixtureRequest) -> Callable[[str], AbstractContextManager[None]]:
    """Play a cassette of the venue whose tests these are."""
    return lambda name: tape.play(request.path.parent / "cassettes" / f"{name}.yaml")


@pytest.fixture
async def at_home() -> AsyncIterator[Callable[..., Awaitable[Broker]]]:
    """Open and connect the adapter of a product at the venue's own host."""
    async with AsyncExitStack() as stack:

        async def opened(broker: str, product: str, secret: str = SECRET) -> Broker:
            spec = BrokerSpec(
                account_id=AccountId(f"{broker}-{product}"),
                broker=broker,
                product=product,
                credentials=Credentials(api_key=next(KEYS), secret=secret),
            )
            adapter = open_broker(spec)
            stack.push_async_callback(adapter.aclose)
            await adapter.connect()
            return adapter

        yield opened


@pytest.fixture
def own_order() -> Callable[..., ReduceOrder]:
    """Build an order that reduces a position, under the id that recorded answers carry."""

    def build(broker: Broker, position: Position, quantity: str, price: str | None = None) -> ReduceOrder:
        return ReduceOrder(
            position=position,
            quantity=Decimal(quantity),
            client_order_id=OWN_ID,
            deadline=broker.venue_now() + min(broker.capabilities.order_time_to_live, timedelta(seconds=6)),
            limit_price=None if price is None else Decimal(price),
        )

    return build
