"""The demo's hedged pair, from the accounts of the shipped market to what is said of it."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from config.loader import load_sandbox
from daemon.demo.hedged import ending_of_the_pair, hedges_of

ACCOUNTS = load_sandbox(Path(str(files("config") / "sandbox.yaml"))).accounts


def holding(*rows: tuple[str, str]) -> dict[str, Any]:
    return {"positions": [{"side": side, "quantity": quantity} for side, quantity in rows]}


def test_the_shipped_market_has_the_pair() -> None:
    (hedge,) = hedges_of(ACCOUNTS)
    assert [leg["account"] for leg in hedge["legs"]] == ["basis-long", "basis-short"]
    positions = {one.id: one.positions for one in ACCOUNTS if one.id.startswith("basis-")}
    (long,), (short,) = positions["basis-long"], positions["basis-short"]
    assert (long.quantity, long.side, short.side) == (short.quantity, "long", "short")


def test_without_both_legs_there_is_no_group() -> None:
    assert hedges_of(one for one in ACCOUNTS if one.id != "basis-short") == []


def test_the_ending_is_told_for_both_markets() -> None:
    alone = {"basis-long": holding(), "basis-short": holding(("short", "1"))}
    guarded = {"basis-long": holding(("long", "0.3")), "basis-short": holding(("short", "0.29"))}
    assert ending_of_the_pair(alone, guarded) == (
        "The hedged pair basis-long / basis-short ended at +0 and -1 BTC alone, net -1; "
        "guarded at +0.3 and -0.29, net +0.01."
    )
    assert ending_of_the_pair({}, guarded) is None
