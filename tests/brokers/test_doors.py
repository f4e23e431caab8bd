from collections.abc import Callable
from typing import Any

import ccxt.async_support as ccxt
import pytest
from aiohttp import web

from brokers.doors import check_endpoint, redirect
from brokers.errors import NotSupported
from brokers.profile import Endpoint, Request
from brokers.transport import Transport

Open = Callable[..., Transport]
Venue = Any  # conftest.LoopbackVenue


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://proxy.desk.example", "https://proxy.desk.example"),
    ],
)
def test_an_endpoint_is_scheme_host_and_port(given: str, taken: str) -> None:
    assert check_endpoint(given) == taken


@pytest.mark.parametrize(
    "given",
    [
        "http://10.0.0.1:8080",
        "http://proxy.desk.example",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "https://proxy.desk.example/path",
        "https://user:word@proxy.desk.example",
        "https://proxy.desk.example?x=1",
        "",
    ],
)
def test_anything_else_is_no_endpoint(given: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        check_endpoint(given)


def test_every_url_gets_the_new_host_and_keeps_its_path() -> None:
    urls = {
        "fapiPrivateV3": "https://fapi.venue.example/fapi/v3",
        "rest": "https://{hostname}",
        "nested": {"public": "https://api.venue.example/v5"},
        "none": None,
    }
    assert redirect(urls, "http://127.0.0.1:9") == {
        "fapiPrivateV3": "http://127.0.0.1:9/fapi/v3",
        "rest": "http://127.0.0.1:9",
        "nested": {"public": "http://127.0.0.1:9/v5"},
        "none": None,
    }


async def test_accounts_and_doors_share_no_credentials_options_or_headers(open_transport: Open) -> None:
    one, other = open_transport(), open_transport(options={"recvWindow": 1})
    exchanges = [door._exchange for t in (one, other) for door in (t._polling, t._emergency)]
    exchanges[0].options["recvWindow"] = 77
    exchanges[0].headers["x"] = "y"
    exchanges[0].apiKey = "mine"
    assert [exchange.options["recvWindow"] for exchange in exchanges] != [77] * 4
    assert all(exchange.headers == {} for exchange in exchanges[1:])
    assert all(exchange.apiKey != "mine" for exchange in exchanges[1:])
    assert len({id(exchange.session) for exchange in exchanges}) == 4


async def test_what_came_passes_the_shield_untouched(transport: Transport, venue: Venue) -> None:
    page = " <html> \ufeff"
    venue.always("/v5/account/info", lambda: web.Response(status=502, headers={"X-A": "1"}, text=page))
    answer = await transport._polling.ask(
        Request(call="privateGetV5AccountInfo"), window_ms=5000, headers={"x-b": "2"}
    )
    assert (answer.status, answer.headers["x-a"], answer.body) == (502, "1", page)
    assert venue.received[0].headers["x-b"] == "2"


async def test_nothing_of_ccxts_own_carrying_and_judging_runs(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("fetch", "fetch2", "handle_errors", "handle_http_status_code", "on_rest_response"):
        monkeypatch.setattr(ccxt.bybit, name, lambda *_, name=name: asked.append(name))
    await transport._polling.ask(Request(call="privateGetV5AccountInfo"), window_ms=5000, headers={})
    assert asked == []


async def test_a_call_that_ccxt_does_not_list_is_signed_and_sent_like_its_others(
    open_transport: Open, venue: Venue
) -> None:
    endpoint = Endpoint(path="v5/asset/new-call", section=("private",), method="POST")
    transport = open_transport(endpoints={"privatePostV5AssetNewCall": endpoint})
    request = Request(call="privatePostV5AssetNewCall", params={"coin": "BTC"})
    await transport._polling.ask(request, window_ms=5000, headers={})
    (received,) = venue.received
    assert (received.method, received.path) == ("POST", "/v5/asset/new-call")
    assert received.headers["X-BAPI-SIGN"]
    with pytest.raises(NotSupported):
        await transport._polling.ask(Request(call="privateGetV5AssetNewCall"), window_ms=5000, headers={})


def test_a_section_that_ccxt_does_not_know_lies_on_the_venues_own_host(open_transport: Open) -> None:
    transport = open_transport(sections={"auth": "/api/auth/"})
    urls = transport._polling._exchange.urls["api"]
    assert urls["auth"] == f"{urls['private'].rstrip('/')}/api/auth/"
