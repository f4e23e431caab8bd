"""The same answers as another hand would write them: other orders of fields, more fields, numbers as text."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from brokers.models import OrderSide, Side
from brokers.orders import Verdict
from brokers.sandbox.wire.base import Route, WireAnswer, WireRequest
from tests.brokers.conformance.cases import BTC

pytestmark = pytest.mark.wire

Station = Any  # the fixture's type lives in conftest
Json = Any
DECIMAL = re.compile(r"-?\d{1,9}\.\d{1,8}")


def turned_around(value: Json) -> Json:
    """Every object with its fields in the opposite order, between fields that nobody documents."""
    if isinstance(value, dict):
        fields = {name: turned_around(field) for name, field in reversed(value.items())}
        named = all(isinstance(field, dict) for field in value.values())
        return fields if named else {"zz_first": None, **fields, "zz_last": {"zz": ["7", 7]}}
    return [turned_around(item) for item in value] if isinstance(value, list) else value


def as_numbers(value: Json) -> Json:
    """Every decimal text as a number; ids, times and long fractions are left alone."""
    if isinstance(value, dict):
        return {name: as_numbers(field) for name, field in value.items()}
    if isinstance(value, list):
        return [as_numbers(item) for item in value]
    return float(value) if isinstance(value, str) and DECIMAL.fullmatch(value) else value


def as_texts(value: Json) -> Json:
    """Every fraction as text."""
    if isinstance(value, dict):
        return {name: as_texts(field) for name, field in value.items()}
    if isinstance(value, list):
        return [as_texts(item) for item in value]
    return str(value) if isinstance(value, float) else value


@pytest.fixture(params=[turned_around, as_numbers, as_texts], ids=lambda how: how.__name__)
def respelled(request: pytest.FixtureRequest, strange: Station) -> Station:
    """A station, not connected yet, whose venue writes its answers in another way."""
    gateway = strange.server._gateway

    def wrapped(route: Route) -> Callable[[WireRequest, str], WireAnswer]:
        def handle(asked: WireRequest, account: str) -> WireAnswer:
            answer = route.handler(asked, account)
            return replace(answer, payload=request.param(answer.payload))

        return handle

    gateway._routes = {key: replace(to, handler=wrapped(to)) for key, to in gateway._routes.items()}
    return strange


async def test_another_spelling_is_the_same_picture(respelled: Station) -> None:
    await respelled.broker.connect()
    for _ in range(2):
        snapshot = await respelled.snapshot()
        await respelled.rest()
    assert snapshot.findings == ()
    assert respelled.flaws(snapshot) == []


async def test_another_spelling_is_the_same_account_to_act_on(respelled: Station) -> None:
    await respelled.broker.connect()
    respelled.place(BTC, OrderSide.BUY, "0.01", price="50000", leg=Side.LONG)
    reports = await respelled.broker.cancel_orders(await respelled.broker.fetch_open_orders())
    assert [report.verdict for report in reports] == [Verdict.ACCEPTED]
    held = await respelled.position()
    before = respelled.exposure()[BTC, Side.LONG]
    report = await respelled.broker.submit(respelled.reduce(held, held.quantity / 5))
    assert report.verdict is Verdict.ACCEPTED
    assert respelled.exposure()[BTC, Side.LONG] == before * 4 / 5
