from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.models import (
    AccountId,
    AccountMode,
    AccountSnapshot,
    ContractKind,
    MarginMode,
    MarketRules,
    Measure,
    OrderSide,
    Position,
    RiskUnit,
    Side,
    Symbol,
    UnitKind,
)
from brokers.orders import ClientOrderId, OpenOrder, OrderBook, ReduceOrder

D = Decimal
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = ClientOrderId("6d67" + "0" * 28)

POSITION = Position(
    symbol=Symbol("BTCUSDT"),
    unit="account",
    side=Side.LONG,
    quantity=D(2),
    settle="USDT",
    kind=ContractKind.LINEAR,
    margin_mode=MarginMode.CROSS,
    hedged=False,
    entry_price=D(100),
    mark_price=D(90),
    notional=D(180),
    initial_margin=D(18),
    maintenance_margin=D(1),
    unrealized_pnl=D(-20),
)
UNIT = RiskUnit(
    key="account",
    kind=UnitKind.ACCOUNT,
    currency="USD",
    margin_equity=D(50),
    initial_margin=D(18),
    maintenance_margin=D(1),
    available_margin=D(32),
)


CASH = RiskUnit(
    key="cash",
    kind=UnitKind.CASH,
    currency="USD",
    margin_equity=D(50),
    initial_margin=None,
    maintenance_margin=None,
    available_margin=None,
    measures=frozenset(),
)


def snapshot(**changes: object) -> AccountSnapshot:
    usual: dict[str, object] = {
        "account_id": AccountId("a"),
        "broker": "bybit",
        "product": "unified",
        "as_of": NOW,
        "fetched_at": NOW,
        "mode": AccountMode(label="cross", margin_mode=MarginMode.CROSS, position_mode=None),
        "units": (UNIT,),
        "positions": (POSITION,),
    }
    return AccountSnapshot(**{**usual, **changes})  # type: ignore[arg-type]


def order(position: Position = POSITION, **changes: object) -> ReduceOrder:
    usual: dict[str, object] = {"quantity": D(1), "client_order_id": ID, "deadline": NOW}
    return ReduceOrder(position=position, **{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "closing"), [(Side.LONG, OrderSide.SELL), (Side.SHORT, OrderSide.BUY)])
def test_the_only_order_there_is_stands_against_its_position(side: Side, closing: OrderSide) -> None:
    assert order(replace(POSITION, side=side)).side is closing


@pytest.mark.parametrize("quantity", ["0", "-1", "2.0001", "100"])
def test_nothing_more_than_the_position_can_be_ordered(quantity: str) -> None:
    with pytest.raises(ValueError, match="cannot reduce"):
        order(quantity=D(quantity))


def test_the_whole_position_can_be_ordered() -> None:
    assert order(quantity=D(2)).quantity == D(2)


@pytest.mark.parametrize(
    "bad", ["", "abc", "6D67" + "0" * 28, "g" * 32, "0" * 31, "0" * 33, "mrg-" + "0" * 28]
)
def test_a_client_id_no_venue_would_take_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        order(client_order_id=ClientOrderId(bad))


def test_a_naive_deadline_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        order(deadline=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("quantity", ["0", "-3"])
def test_an_empty_row_is_no_position(quantity: str) -> None:
    with pytest.raises(ValueError, match="positive quantity"):
        replace(POSITION, quantity=D(quantity))


@pytest.mark.parametrize("name", ["lot_step", "price_step", "contract_size"])
def test_market_rules_without_a_step_are_refused(name: str) -> None:
    rules = MarketRules(
        symbol=Symbol("X"), base="X", quote="USDT", settle="USDT", kind=ContractKind.LINEAR,
        contract_size=D(1), lot_step=D(1), min_quantity=D(1), price_step=D(1),
    )  # fmt: skip
    with pytest.raises(ValueError, match="must be positive"):
        replace(rules, **{name: D(0)})  # type: ignore[arg-type]


def test_a_snapshot_refuses_naive_times_unknown_units_and_twins() -> None:
    with pytest.raises(ValueError, match="aware"):
        snapshot(as_of=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no risk unit"):
        snapshot(units=())
    with pytest.raises(ValueError, match="share one key"):
        snapshot(units=(UNIT, UNIT))


def test_margin_freed_in_a_child_returns_to_its_parent() -> None:
    child = replace(UNIT, key="BTCUSDT:long", parent="USDT", measures=frozenset({Measure.MAINTENANCE}))
    parent = replace(UNIT, key="USDT", measures=frozenset({Measure.UTILIZATION}))
    isolated = replace(POSITION, unit="BTCUSDT:long", margin_mode=MarginMode.ISOLATED)
    seen = snapshot(units=(parent, child), positions=(isolated,))
    assert seen.positions_of("USDT") == ()
    assert seen.positions_under("USDT") == (isolated,)
    assert seen.positions_of("BTCUSDT:long") == (isolated,)
    assert seen.unit("USDT") is parent


@pytest.mark.parametrize(
    ("book", "reduce_only", "protective"),
    [
        (OrderBook.TRIGGER, True, True),
        (OrderBook.TRIGGER, False, False),
        (OrderBook.ACTIVE, True, False),
        (OrderBook.ACTIVE, False, False),
    ],
)
def test_only_a_reducing_stop_is_protective(book: OrderBook, *, reduce_only: bool, protective: bool) -> None:
    resting = OpenOrder(
        order_id="1", client_order_id=None, symbol=Symbol("X"), side=OrderSide.SELL, quantity=D(1),
        price=None, reduce_only=reduce_only, book=book, kind="Stop",
    )  # fmt: skip
    assert resting.is_protective is protective


@pytest.mark.parametrize(
    "changes",
    [
        {"measures": frozenset({Measure.UTILIZATION})},
        {"measures": frozenset(Measure)},
        {"initial_margin": D(0)},
        {"maintenance_margin": D(1)},
        {"available_margin": D(50)},
        {"venue_ratio": D("0.1")},
    ],
)
def test_a_cash_unit_has_no_margin_and_no_measure(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a cash unit has no margin"):
        replace(CASH, **changes)


def test_a_cash_unit_answers_for_no_position() -> None:
    assert snapshot(units=(CASH,), positions=()).units == (CASH,)
    with pytest.raises(ValueError, match="answers for no position"):
        snapshot(units=(CASH,), positions=(replace(POSITION, unit="cash"),))
