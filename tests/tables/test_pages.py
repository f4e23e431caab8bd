"""The tables of README and docs/venues.md say what the adapters say of themselves."""

from pathlib import Path

import pytest

from brokers.registry import PRODUCTS
from config.accounts import TIMERS
from tests.tables.page import ROOT, filled, tables, written
from tests.tables.products import ACCESS, ACTING, JUDGED, SHORT, products, table

PAGES = sorted(tables())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_shows_what_the_code_says(page: Path) -> None:
    assert page.read_text() == written(page), "run `make tables`"


@pytest.mark.parametrize(
    "columns", [JUDGED, ACTING, ACCESS, SHORT], ids=["judged", "acting", "access", "short"]
)
def test_every_product_has_its_row_and_every_cell_a_word(columns: dict[str, object]) -> None:
    head, _, *rows = [line.strip("| ").split(" | ") for line in table(products(), columns).splitlines()]

    assert [tuple(row[:2]) for row in rows] == [
        (f"`{broker}`", f"`{product}`") for broker, listed in PRODUCTS.items() for product in listed
    ]
    assert head[2:] == list(columns)
    assert all(len(row) == len(head) and all(cell.strip() for cell in row) for row in rows)
    assert "None" not in table(products(), columns)


def test_a_page_without_its_markers_is_refused_not_appended_to() -> None:
    with pytest.raises(ValueError, match="one pair of markers"):
        filled("no table here\n", "venues", "| a |\n")


def test_the_timer_can_be_configured_where_there_is_one() -> None:
    assert {(one.broker, one.product) for one in products() if one.able.timer} == set(TIMERS)


def test_what_differs_between_products_is_told_apart() -> None:
    by_name = {(one.broker, one.product): one for one in products()}

    def cells(broker: str, product: str) -> dict[str, str]:
        columns = {**JUDGED, **ACTING, **ACCESS}
        return {name: cell(by_name[broker, product]) for name, cell in columns.items()}

    futures, cash = cells("coinbase", "futures"), cells("coinbase", "spot")
    assert (futures["reduces"], futures["orders"], futures["testnet"]) == (
        "closes the position",
        "market",
        "no",
    )
    assert (cash["measures"], cash["reduces"], cash["deadline"]) == ("n/a", "n/a", "n/a")
    assert cells("kraken", "spot")["read every"] == "9.1 s"
    assert cells("okx", "unified")["deadline"] == "3 s, `expTime`"
    assert cells("bybit", "unified")["deadline"] == "3 s, `recvWindow`"
    assert cells("cryptocom", "exchange")["deadline"] == "6 s, age of the nonce"
    assert cells("cryptocom", "exchange")["key permissions"] == "told nobody"
    assert cells("binance", "portfolio")["point of no return"].startswith(
        "maintenance 87.5 % (uniMMR 1.20): only reducing orders; "
    )
