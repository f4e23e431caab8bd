import gc
import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from brokers.errors import BrokerError
from brokers.registry import BrokerSpec
from brokers.transport import Transport

Venue = Any  # the loopback venue of conftest

pytestmark = pytest.mark.wire

CANARIES = ("CanaryKey4711CanaryKey", "CanarySecret0815CanarySecret", "CanaryPassphrase")
SIGNED = re.compile(r"[0-9a-f]{64}|recvWindow=|timestamp=|signature=|category=linear")

POSITIONS = "privateGetV5PositionList"
PATH = "/v5/position/list"


def leaks(text: str) -> bool:
    return any(canary in text for canary in CANARIES) or SIGNED.search(text) is not None


def echo(request: web.Request) -> str:
    """Everything secret that a request holds, as Bybit's 10004 and careless gateways repeat it."""
    sent = request.headers
    return (
        f"error sign! origin_string[{sent['X-BAPI-TIMESTAMP']}{sent['X-BAPI-API-KEY']}5000category=linear] "
        f"{sent['X-BAPI-SIGN']} {request.path_qs}&api_key={sent['X-BAPI-API-KEY']}"
    )


@pytest.fixture(params=["refusal", "unauthorized", "html", "hang up", "no host", "time-out"])
def failing(request: pytest.FixtureRequest, venue: Venue, spec: BrokerSpec) -> str:
    async def handler(incoming: web.Request) -> web.StreamResponse:
        match request.param:
            case "refusal":
                return web.json_response({"retCode": 10004, "retMsg": echo(incoming)})
            case "unauthorized":
                return web.json_response({"retCode": 10003, "retMsg": echo(incoming)}, status=401)
            case "html":
                return web.Response(text=f"<html>{echo(incoming)}</html>", content_type="text/html")
            case "hang up":
                incoming.transport.abort()
                return web.Response()
            case _:
                raise TimeoutError

    venue.on(PATH, handler)
    venue.on("/v5/order/create", handler)
    if request.param == "no host":
        object.__setattr__(spec, "endpoint", "http://127.0.0.1:1")
    return request.param


async def test_no_error_and_no_log_holds_a_secret(
    failing: str, spec: BrokerSpec, open_transport: Callable[..., Transport], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("ccxt"):
            caplog.set_level(logging.DEBUG, logger=name)
    transport = open_transport()
    with pytest.raises(BrokerError) as caught:
        await transport.read(POSITIONS, {"category": "linear"}, deadline_s=2)
    printed = "".join(traceback.format_exception(caught.value))
    assert not leaks(printed), failing
    assert not leaks(repr(caught.value.__dict__) + repr(caught.value.args))
    reply = await transport.write("privatePostV5OrderCreate", {"category": "linear"}, deadline_s=2)
    assert not leaks(f"{reply.message} {reply.failure!r} {reply.code}")
    assert not leaks(caplog.text)


def test_nothing_secret_is_in_a_repr(spec: BrokerSpec, transport: Transport) -> None:
    texts = (
        f"{spec!r} {spec.credentials!r} {transport!r} {transport._polling!r} {transport._polling._exchange!r}"
    )
    assert not leaks(texts)


async def test_ccxt_can_neither_print_nor_log_nor_queue_requests(
    transport: Transport, capsys: pytest.CaptureFixture[str]
) -> None:
    for door in (transport._polling, transport._emergency):
        exchange = door._exchange
        assert exchange.verbose is False
        assert exchange.enableRateLimit is False
        assert exchange.options["maxRetriesOnFailure"] == 0
        assert exchange.logger.disabled
        assert exchange.logger.name not in logging.Logger.manager.loggerDict
    await transport.read(POSITIONS)
    gc.collect()
    assert capsys.readouterr() == ("", "")
