"""Figures that somebody else published, out of this engine."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from brokers.models import ContractKind, MarginMode, MarginTier, Side
from brokers.sandbox.catalogue import BTC_USDT
from brokers.sandbox.engine import Engine
from brokers.sandbox.instrument import Instrument
from brokers.sandbox.spec import Asset, MarginPool, MarginPrice, OpeningPosition

D = Decimal


def tier(rate: str, deduction: str = "0") -> tuple[MarginTier, ...]:
    return (MarginTier(floor=D(0), rate=D(rate), deduction=D(deduction)),)


def linear(name: str, rate: str, deduction: str = "0", **more: object) -> Instrument:
    base = name.split("-", maxsplit=1)[0]
    defaults = {
        "price_step": D("0.01"),
        "lot_step": D("0.001"),
        "max_leverage": D(125),
        "liquidation_fee": D(0),
    }
    return Instrument(name=name, base=base, settle="USDT", tiers=tier(rate, deduction), **defaults | more)


def assets(**prices: str) -> tuple[Asset, ...]:
    return (
        *(Asset(name=name, usd_price=D(price)) for name, price in prices.items()),
        Asset(name="USDT", usd_price=D(1), stable=True),
    )


def opening(symbol: str, side: Side, quantity: str, entry: str, **more: object) -> OpeningPosition:
    return OpeningPosition(symbol=symbol, side=side, quantity=D(quantity), entry_price=D(entry), **more)


@pytest.mark.parametrize(
    ("notional", "maintenance"),
    [
        ("50000", "200"),  # both brackets agree at their edge
        ("250000", "1200"),
        ("732000", "6020"),
        ("3500000", "71200"),
    ],
)
def test_binance_brackets_of_2022_with_their_cum(notional: str, maintenance: str) -> None:
    assert BTC_USDT.maintenance(D(notional)) == D(maintenance)


@pytest.mark.parametrize(("notional", "most"), [("1", 125), ("60000", 100), ("300000", 50), ("2000000", 20)])
def test_binance_brackets_of_2022_with_their_leverage(notional: str, most: int) -> None:
    assert BTC_USDT.max_leverage_at(D(notional)) == most


def test_binance_cross_liquidation_price_with_two_longs(build: Callable[..., Engine]) -> None:
    """Source: freqtrade, test_liquidation_price_binance, after Binance's own worked example."""
    engine = build(
        instruments=(linear("BTC-USDT", "0.025", "16300"), linear("ETH-USDT", "0.1", "135365")),
        assets=assets(BTC="31967.27", ETH="1335.18"),
        wallets={"USDT": "1535443.01"},
        positions=(
            opening("BTC-USDT", Side.LONG, "109.488", "32481.98"),
            opening("ETH-USDT", Side.LONG, "3683.979", "1456.84"),
        ),
    )
    figures = engine.figures("a")
    assert figures.position("BTC-USDT").liquidation_price == pytest.approx(D("26316.89"), abs=D("0.005"))
    assert figures.position("ETH-USDT").liquidation_price == pytest.approx(D("1153.26"), abs=D("0.005"))


def test_binance_cross_liquidation_price_beside_a_losing_short(build: Callable[..., Engine]) -> None:
    engine = build(
        instruments=(linear("BTC-USDT", "0.01"), linear("ETH-USDT", "0.02")),
        assets=assets(BTC="29000", ETH="2100"),
        wallets={"USDT": 10_000},
        positions=(
            opening("BTC-USDT", Side.LONG, "1", "30000"),
            opening("ETH-USDT", Side.SHORT, "10", "2000"),
        ),
    )
    liquidation = engine.figures("a").position("BTC-USDT").liquidation_price
    assert liquidation == pytest.approx(D("21636.363636"), abs=D("0.00001"))


def test_binance_help_page_long_on_five_hundred(build: Callable[..., Engine]) -> None:
    """Source: Binance support, 500 USDT wallet, 1000 USDT long in BTCUSDT at 50,000."""
    engine = build(
        instruments=(linear("BTC-USDT", "0.004"),),
        assets=assets(BTC="50000"),
        wallets={"USDT": 500},
        positions=(opening("BTC-USDT", Side.LONG, "0.02", "50000"),),
    )
    liquidation = engine.figures("a").position("BTC-USDT").liquidation_price
    assert liquidation == pytest.approx(D("25100.4"), abs=D("0.01"))


@pytest.mark.parametrize(
    ("side", "leverage", "entry", "expected"),
    [
        (Side.LONG, 3, "10", "6.723905723905723"),
        (Side.LONG, 5, "10", "8.070707070707071"),
        (Side.SHORT, 5, "8", "9.514851485148514"),
        (Side.SHORT, 3, "10", "13.211221122079207"),
    ],
)
def test_binance_isolated_liquidation_price(
    build: Callable[..., Engine], side: Side, leverage: int, entry: str, expected: str
) -> None:
    """Source: freqtrade, test_get_liquidation_price, 1 % with a deduction of 0.01."""
    engine = build(
        instruments=(linear("X-USDT", "0.01", "0.01"),),
        assets=assets(X=entry),
        wallets={"USDT": 100},
        leverage=leverage,
        margin_mode=MarginMode.ISOLATED,
        positions=(opening("X-USDT", side, "1", entry),),
    )
    liquidation = engine.figures("a").position("X-USDT").liquidation_price
    assert liquidation == pytest.approx(D(expected), rel=D("1e-8"))


@pytest.mark.parametrize(
    ("side", "leverage", "expected"),
    [(Side.SHORT, 10, "10.9"), (Side.SHORT, 1, "19.9"), (Side.LONG, 1, "0.1"), (Side.LONG, 5, "8.1")],
)
def test_bybit_isolated_liquidation_price(
    build: Callable[..., Engine], side: Side, leverage: int, expected: str
) -> None:
    """Source: freqtrade, test_get_liquidation_price: Bybit, `entry x (1 -+ (1/lev - mmr))`."""
    engine = build(
        instruments=(linear("X-USDT", "0.01"),),
        assets=assets(X="10"),
        wallets={"USDT": 100},
        leverage=leverage,
        margin_mode=MarginMode.ISOLATED,
        rules={"margin_price": MarginPrice.ENTRY},
        positions=(opening("X-USDT", side, "1", "10"),),
    )
    assert engine.figures("a").position("X-USDT").liquidation_price == D(expected)


def test_okx_isolated_liquidation_price_holds_the_fee(build: Callable[..., Engine]) -> None:
    """Source: freqtrade, OKX short at 3x: `(entry + margin) / (1 + mmr + fee)`."""
    engine = build(
        instruments=(linear("X-USDT", "0.01", liquidation_fee=D("0.0006")),),
        assets=assets(X="10"),
        wallets={"USDT": 100},
        leverage=3,
        margin_mode=MarginMode.ISOLATED,
        rules={"liquidation_fee_margined": True},
        positions=(opening("X-USDT", Side.SHORT, "1", "10"),),
    )
    liquidation = engine.figures("a").position("X-USDT").liquidation_price
    assert liquidation == pytest.approx(D("13.193482419684678"), rel=D("1e-12"))


def test_bybit_position_margins_hold_the_closing_fee(build: Callable[..., Engine]) -> None:
    """Source: ccxt's static Bybit LTCUSDT position: 1.2 at 64.59947917, 6x, positionIM and positionMM."""
    engine = build(
        instruments=(linear("LTC-USDT", "0.01", taker_fee=D("0.00055"), lot_step=D("0.1")),),
        assets=assets(LTC="71.1"),
        wallets={"USDT": 100},
        leverage=6,
        rules={"margin_price": MarginPrice.ENTRY, "closing_fee_margined": True},
        positions=(opening("LTC-USDT", Side.LONG, "1.2", "64.59947917"),),
    )
    row = engine.figures("a").position("LTC-USDT")
    assert row.initial_margin == pytest.approx(D("12.95542633"), abs=D("0.000001"))
    assert row.maintenance_margin == pytest.approx(D("0.81072399"), abs=D("0.000001"))
    assert row.unrealized_pnl == pytest.approx(D("7.800625"), abs=D("0.0000005"))
    assert row.entry_notional == pytest.approx(D("77.519375"), abs=D("0.0000005"))


def test_binance_multi_assets_totals(build: Callable[..., Engine]) -> None:
    """Source: ccxt's static Binance account: 25.72610060 wallet in two coins, 0.009 BTC long at 80x."""
    engine = build(
        instruments=(linear("BTC-USDT", "0.004"),),
        assets=(
            Asset(name="BTC", usd_price=D("67506.17")),
            Asset(name="USDT", usd_price=D(1), stable=True),
            Asset(name="USDC", usd_price=D(1), stable=True),
        ),
        wallets={"USDT": "3.72964781", "USDC": "22.0"},
        pool=MarginPool.ACCOUNT,
        leverage=80,
        positions=(opening("BTC-USDT", Side.LONG, "0.009", "67445.90"),),
    )
    pool = engine.figures("a").pool("account")
    assert pool.initial_margin == pytest.approx(D("7.59444"), abs=D("0.00001"))
    assert pool.maintenance_margin == pytest.approx(D("2.43022"), abs=D("0.00001"))
    assert pool.margin_balance == pytest.approx(D("26.2721"), abs=D("0.0001"))
    assert pool.ratio == pytest.approx(D("0.0925"), abs=D("0.0001"))


def test_coin_margined_position_of_binance(build: Callable[..., Engine]) -> None:
    """Source: ccxt's static BTCUSD_PERP position: 300 USD short at 68,911, mark 68,234.2, 20x."""
    inverse = Instrument(
        name="BTC-USD",
        base="BTC",
        settle="BTC",
        kind=ContractKind.INVERSE,
        contract_size=D(100),
        lot_step=D(100),
        min_quantity=D(100),
        price_step=D("0.1"),
        tiers=tier("0.004"),
    )
    engine = build(
        instruments=(inverse,),
        assets=(Asset(name="BTC", usd_price=D("68234.2")),),
        wallets={"BTC": "0.001"},
        leverage=20,
        positions=(opening("BTC-USD", Side.SHORT, "300", "68911"),),
    )
    row = engine.figures("a").position("BTC-USD")
    assert inverse.to_contracts(row.quantity) == 3
    assert row.notional == pytest.approx(D("0.00439662"), abs=D("5e-9"))
    assert row.initial_margin == pytest.approx(D("0.00021983"), abs=D("5e-9"))
    assert row.maintenance_margin == pytest.approx(D("0.0000175865"), abs=D("5e-10"))
    assert row.unrealized_pnl > 0


def test_ten_thousand_at_five_times_is_called_at_84_23_and_gone_at_69_23(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    """325 units at 100 with maintenance at 75 % of the initial margin of 6,500."""
    engine = build(
        instrument={"tiers": tier("0.15"), "price_step": D("0.0001")},
        leverage=5,
        rules={"margin_price": MarginPrice.ENTRY},
        positions=(long_x(325),),
    )
    pool = engine.figures("a").pool("USDT")
    assert (pool.initial_margin, pool.maintenance_margin, pool.available) == (6500, 4875, 3500)
    row = engine.figures("a").position("X-USDT")
    assert row.liquidation_price == pytest.approx(D("84.23"), abs=D("0.005"))


def test_equity_is_gone_at_69_23(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    engine = build(
        instrument={"tiers": tier("0"), "price_step": D("0.0001")}, leverage=5, positions=(long_x(325),)
    )
    engine.move_price("X", D("0.692308"))
    assert engine.figures("a").pool("USDT").equity == pytest.approx(D(0), abs=D("0.02"))


def test_the_venue_acts_at_84_23_and_not_above(
    build: Callable[..., Engine], long_x: Callable[..., OpeningPosition]
) -> None:
    def after(price: str) -> Engine:
        engine = build(
            instrument={"tiers": tier("0.15"), "price_step": D("0.0001")},
            leverage=5,
            rules={"margin_price": MarginPrice.ENTRY},
            positions=(long_x(325),),
        )
        engine.move_price("X", D(price) / 100)
        return engine

    assert after("84.2308").figures("a").position("X-USDT") is not None
    assert after("84.2307").figures("a").position("X-USDT") is None
