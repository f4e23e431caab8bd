"""A tap on the wire: a proxy on loopback that writes down when answers end and orders begin.

It sits between the daemon and a venue, and one clock reads both sides: an answer's time is taken before its
last bytes are handed on to the daemon, an order's when its first bytes are here. What the tap and loopback
themselves take is therefore in the figure.
"""

import asyncio
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

PICTURE: Mapping[str, frozenset[str]] = {
    "bybit": frozenset({"/v5/account/wallet-balance", "/v5/position/list"}),
    "binance": frozenset({"/fapi/v3/account", "/fapi/v3/positionRisk"}),
    "okx": frozenset({"/api/v5/account/balance", "/api/v5/account/positions"}),
}
"""The signed reads that make a picture of an account."""

ORDERS: Mapping[str, str] = {
    "bybit": "/v5/order/create",
    "binance": "/fapi/v1/order",
    "okx": "/api/v5/trade/order",
}
KEY_HEADERS = frozenset({"x-bapi-api-key", "x-mbx-apikey", "ok-access-key"})
METHODS = (b"GET ", b"POST ", b"PUT ", b"DELETE ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first bytes of a request: what is asked, and by whose key (`None`: by nobody's)."""

    method: str
    path: str
    key: str | None


def head_of(data: bytes) -> Head | None:
    """Read the head of a request; `None`: these bytes go on with an earlier one."""
    if not data.startswith(METHODS):
        return None
    first, *rest = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = (line.partition(": ") for line in rest)
    key = next((value for name, _, value in headers if name.lower() in KEY_HEADERS), None)
    return Head(method=method, path=target.partition("?")[0], key=key)


class Tap:
    """Stand before the venue at `target` while the context is open; `url` is where the daemon asks."""

    def __init__(self, broker: str, target: str) -> None:
        self.url = ""
        self.seen: dict[str, float] = {}  # by key: when the last answer of a picture left for the daemon
        self._target = urlsplit(target)
        self._picture = PICTURE[broker]
        self._order = ORDERS[broker]
        self._waiting: dict[str, asyncio.Future[float]] = {}
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        assert self._server is not None  # entered
        self._server.close()
        for link in set(self._links):
            link.hang_up()

    def next_order(self, key: str) -> asyncio.Future[float]:
        """Return what will be the seconds from the last picture's answer to the next order of `key`."""
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        return future

    def ordered(self, head: Head, now: float) -> None:
        """Take down an order, if this is one somebody waits for."""
        if head.method != "POST" or head.path != self._order or head.key is None:
            return
        waiting = self._waiting.pop(head.key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(now - self.seen[head.key])

    def answered(self, head: Head, now: float) -> None:
        """Take down that bytes of an answer are about to leave for the daemon."""
        if head.path in self._picture and head.key is not None:
            self.seen[head.key] = now
            self._news.set()

    async def until_seen(self, keys: AbstractSet[str]) -> None:
        """Return when every one of `keys` has been read."""
        while not keys <= self.seen.keys():
            self._news.clear()
            await self._news.wait()

    async def connect(self, link: "_Link") -> None:
        """Connect a link of the daemon's with the venue."""
        self._links.add(link)
        loop = asyncio.get_running_loop()
        assert self._target.hostname is not None
        await loop.create_connection(lambda: _FarSide(link), self._target.hostname, self._target.port)

    def forget(self, link: "_Link") -> None:
        """Drop a link that is closed."""
        self._links.discard(link)


class _Link(asyncio.Protocol):
    """The daemon's side of one connection."""

    def __init__(self, tap: Tap) -> None:
        self.tap = tap
        self.head: Head | None = None
        self.far: asyncio.Transport | None = None
        self._near: asyncio.Transport | None = None
        self._held: list[bytes] = []
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect with the venue; what comes until then is held."""
        self._near = cast("asyncio.Transport", transport)
        self._connecting = asyncio.ensure_future(self.tap.connect(self))

    def data_received(self, data: bytes) -> None:
        """Hand a request on."""
        now = time.perf_counter()
        head = head_of(data)
        if head is not None:
            self.head = head
            self.tap.ordered(head, now)
        if self.far is None:
            self._held.append(data)
        else:
            self.far.write(data)

    def connected(self, far: asyncio.Transport) -> None:
        """Hand on what was held."""
        self.far = far
        far.writelines(self._held)
        self._held.clear()

    def answer(self, data: bytes) -> None:
        """Hand an answer back to the daemon."""
        if self.head is not None:
            self.tap.answered(self.head, time.perf_counter())
        if self._near is not None:
            self._near.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Close the other side too."""
        del error
        self.hang_up()

    def hang_up(self) -> None:
        """Close both sides."""
        for side in (self._near, self.far):
            if side is not None:
                side.close()
        self.tap.forget(self)


class _FarSide(asyncio.Protocol):
    """The venue's side of one connection."""

    def __init__(self, link: _Link) -> None:
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the daemon's side."""
        self._link.connected(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Hand an answer back."""
        self._link.answer(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Close the other side too."""
        del error
        self._link.hang_up()
