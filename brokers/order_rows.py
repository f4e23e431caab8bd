"""What a raw order row of any venue must hold: names, a side, a state. One without them is no order."""

from collections.abc import Mapping
from typing import Any

from brokers.errors import MalformedAnswer
from brokers.models import OrderSide
from brokers.orders import OrderState


def text_of(row: Mapping[str, Any], name: str) -> str:
    """Return a word or an id, which may come as a whole number.

    Raises:
        MalformedAnswer: it is absent or empty.
    """
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise MalformedAnswer(f"an order without {name}")
    return str(value)


def side_of(row: Mapping[str, Any], sides: Mapping[str, OrderSide], name: str = "side") -> OrderSide:
    """Return the side by the venue's own words for it.

    Raises:
        MalformedAnswer: it is none of them.
    """
    side = sides.get(str(row.get(name)))
    if side is None:
        raise MalformedAnswer(f"an order with {name} {row.get(name)!r}")
    return side


def state_of(word: object, states: Mapping[str, OrderState], where: str) -> OrderState:
    """Return where an order stands by the venue's own word for it.

    Raises:
        MalformedAnswer: the venue documents no such word: nothing is known of the order.
    """
    state = states.get(str(word or ""))
    if state is None:
        raise MalformedAnswer(f"{where}: unknown status {word!r}")
    return state
