import pytest

from brokers.errors import MalformedAnswer
from brokers.models import OrderSide
from brokers.order_rows import side_of, state_of, text_of
from brokers.orders import OrderState

SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}


@pytest.mark.parametrize(("stated", "text"), [("a1", "a1"), (17, "17"), ("0", "0"), (0, "0")])
def test_an_id_is_text_or_a_whole_number(stated: object, text: str) -> None:
    assert text_of({"id": stated}, "id") == text


@pytest.mark.parametrize("stated", [None, "", True, 1.5, [], {}])
def test_what_is_neither_is_no_order(stated: object) -> None:
    for row in ({"id": stated}, {}):
        with pytest.raises(MalformedAnswer, match="without id"):
            text_of(row, "id")


def test_a_side_is_one_of_the_venues_words() -> None:
    assert side_of({"side": "sell"}, SIDES) is OrderSide.SELL
    assert side_of({"type": "buy"}, SIDES, "type") is OrderSide.BUY
    for row in ({"side": "BUY"}, {"side": None}, {}):
        with pytest.raises(MalformedAnswer, match="side"):
            side_of(row, SIDES)


def test_a_state_that_nobody_documents_is_none() -> None:
    states = {"open": OrderState.OPEN}
    assert state_of("open", states, "the list") is OrderState.OPEN
    for word in ("opened", "", None):
        with pytest.raises(MalformedAnswer, match="the list: unknown status"):
            state_of(word, states, "the list")
