"""Recognising an order that carries no id of ours."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import MalformedAnswer
from brokers.models import MarginMode, Symbol
from brokers.orders import ReduceOrder, SentOrder
from brokers.venues.cryptocom.dispatches import Dispatches

Row = dict[str, Any]
Closing = Callable[..., ReduceOrder]
LTC = Symbol("LTCUSD-PERP")


def test_the_one_order_that_can_be_it_is_it(closing: Closing, row: Callable[..., Row], now: datetime) -> None:
    sent = Dispatches()
    dispatch = sent.note(closing(), now)
    assert sent.recognise(dispatch, [row(order_id="7")]) == row(order_id="7")


@pytest.mark.parametrize(
    "change",
    [
        {"instrument_name": "BTCUSD-PERP"},
        {"side": "BUY"},
        {"order_type": "LIMIT", "limit_price": "68"},
        {"quantity": "1.6"},
        {"isolation_id": "7"},
        {"create_time": 1688015000000},
        {"create_time": 1688015999000},
    ],
)
def test_an_order_that_cannot_be_it_is_not(
    closing: Closing, row: Callable[..., Row], now: datetime, change: Row
) -> None:
    sent = Dispatches()
    assert sent.recognise(sent.note(closing(), now), [row(**change)]) is None


def test_a_limit_is_known_by_its_price(closing: Closing, row: Callable[..., Row], now: datetime) -> None:
    sent = Dispatches()
    dispatch = sent.note(closing(limit_price=Decimal("68.5")), now)
    rows = [row(order_id="1"), row(order_id="2", order_type="LIMIT", limit_price="68.50")]
    found = sent.recognise(dispatch, rows)
    assert found is not None
    assert found["order_id"] == "2"


def test_an_isolated_close_is_known_by_its_isolation(
    closing: Closing, row: Callable[..., Row], now: datetime
) -> None:
    order = closing()
    leg = replace(order.position, unit="isolated:7", margin_mode=MarginMode.ISOLATED)
    sent = Dispatches()
    dispatch = sent.note(replace(order, position=leg), now)
    found = sent.recognise(dispatch, [row(order_id="1"), row(order_id="2", isolation_id="7")])
    assert found is not None
    assert found["order_id"] == "2"


def test_a_row_that_does_not_say_when_it_was_created_can_be_it(
    closing: Closing, row: Callable[..., Row], now: datetime
) -> None:
    sent = Dispatches()
    assert sent.recognise(sent.note(closing(), now), [row(create_time=None)]) is not None


def test_an_order_cut_down_to_the_position_is_found_where_no_other_fits(
    closing: Closing, row: Callable[..., Row], now: datetime
) -> None:
    sent = Dispatches()
    dispatch = sent.note(closing(), now)
    clipped = row(order_id="1", quantity="0.4")
    assert sent.recognise(dispatch, [clipped]) == clipped
    assert sent.recognise(dispatch, [clipped, row(order_id="2")]) == row(order_id="2")


def test_two_that_could_be_it_prove_nothing(closing: Closing, row: Callable[..., Row], now: datetime) -> None:
    sent = Dispatches()
    with pytest.raises(MalformedAnswer, match="2 orders"):
        sent.recognise(sent.note(closing(), now), [row(order_id="1"), row(order_id="2")])


def test_one_order_listed_twice_is_one(closing: Closing, row: Callable[..., Row], now: datetime) -> None:
    sent = Dispatches()
    assert sent.recognise(sent.note(closing(), now), [row(), row()]) == row()


def test_what_is_known_to_be_another_is_not_it(
    closing: Closing, row: Callable[..., Row], now: datetime
) -> None:
    sent = Dispatches()
    sent.note(closing(number=1), now).order_id = "18342500"
    assert sent.recognise(sent.note(closing(number=2), now), [row()]) is None


def test_an_unresolved_order_holds_up_its_instrument_until_the_venue_takes_it_no_more(
    closing: Closing, now: datetime
) -> None:
    sent = Dispatches()
    dispatch = sent.note(closing(), now)
    assert sent.unresolved(LTC, now) is dispatch
    assert sent.unresolved(Symbol("BTCUSD-PERP"), now) is None
    assert sent.unresolved(LTC, dispatch.sent.deadline) is dispatch
    assert sent.unresolved(LTC, dispatch.sent.deadline + timedelta(seconds=1.5)) is None
    dispatch.open = False
    assert sent.unresolved(LTC, now) is None


def recalled(order: ReduceOrder, now: datetime, **more: object) -> SentOrder:
    usual: dict[str, object] = {
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "limit_price": order.limit_price,
        "margin_mode": order.position.margin_mode,
        "sent_at": now,
        "deadline": order.deadline,
    }
    return SentOrder(**{**usual, **more})


def test_an_order_of_an_earlier_process_is_recognised_from_what_was_journaled(
    closing: Closing, row: Callable[..., Row], now: datetime
) -> None:
    sent, order = Dispatches(), closing()
    sent.recall(recalled(order, now))
    dispatch = sent.of(order.client_order_id)
    assert dispatch is not None
    assert sent.unresolved(LTC, now) is dispatch
    assert sent.recognise(dispatch, [row(order_id="1", isolation_id="7"), row(order_id="2")]) == row(
        order_id="2"
    )


def test_of_an_earlier_isolated_order_only_the_id_of_the_isolation_is_forgotten(
    closing: Closing, row: Callable[..., Row], now: datetime
) -> None:
    sent, order = Dispatches(), closing()
    sent.recall(recalled(order, now, margin_mode=MarginMode.ISOLATED))
    dispatch = sent.of(order.client_order_id)
    assert dispatch is not None
    rows = [row(order_id="1"), row(order_id="2", isolation_id="7")]
    assert sent.recognise(dispatch, rows) == rows[1]


def test_an_earlier_order_with_the_venues_id_is_resolved_and_never_replaces_what_is_known(
    closing: Closing, now: datetime
) -> None:
    sent, order = Dispatches(), closing()
    sent.recall(recalled(order, now, order_id="77"))
    dispatch = sent.of(order.client_order_id)
    assert dispatch is not None
    assert (dispatch.order_id, sent.unresolved(LTC, now)) == ("77", None)
    sent.recall(recalled(order, now, order_id="78"))
    assert sent.of(order.client_order_id) is dispatch
