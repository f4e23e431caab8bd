"""What all venues share, over a venue of the test's own making: a smallest adapter, and its answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from brokers.ccxt_broker import Ack, CancelBatch, CcxtBroker, Read, SnapshotContext
from brokers.errors import MalformedAnswer, NotSupported, RequestRefused, VenueUnavailable
from brokers.hooks import Receipt
from brokers.models import (
    AccountMode,
    AccountSnapshot,
    ContractKind,
    FindingCode,
    KeyPermissions,
    MarginMode,
    MarketRules,
    OrderSide,
    Position,
    PositionMode,
    RiskUnit,
    Side,
    Symbol,
    UnitKind,
)
from brokers.numbers import decimal_from, time_from_ms
from brokers.orders import (
    ClientOrderId,
    OpenOrder,
    OrderBook,
    OrderReport,
    ReduceOrder,
    Repayment,
    Verdict,
)
from brokers.outcomes import BYBIT
from brokers.port import Broker, Capabilities
from brokers.profile import Json, Request, VenueProfile
from brokers.registry import BrokerSpec

pytestmark = pytest.mark.wire

Venue = Any  # the loopback venue of conftest
BTC = Symbol("BTCUSDT")
WALLET, POSITIONS, INFO = "/v5/account/wallet-balance", "/v5/position/list", "/v5/account/info"
NOW_MS = 1_700_000_000_000
OWED = Repayment(unit="account", currency="USDT", amount=Decimal(5), client_id="a" * 32)


@dataclass(frozen=True)
class Raw:
    wallet: Json
    positions: Json


class SmallBroker(CcxtBroker[Raw]):
    """The smallest adapter there can be, in Bybit's envelope."""

    outcomes = BYBIT
    mode_every = 3
    capabilities = Capabilities(
        order_time_to_live=timedelta(seconds=3),
        ids_unique_for_ever=True,
        reduce_only=True,
        transfer_in=False,
        key_permissions=False,
    )

    async def load_markets(self, read: Read) -> Mapping[Symbol, MarketRules]:
        payload = await read("publicGetV5MarketInstrumentsInfo")
        return {Symbol(name): rules(name) for name in payload["result"]["list"]}

    async def load_mode(self, read: Read) -> AccountMode:
        payload = await read("privateGetV5AccountInfo")
        label = str(payload["result"]["mode"])
        return AccountMode(label=label, margin_mode=MarginMode.CROSS, position_mode=PositionMode.ONE_WAY)

    async def gather(self, read: Read) -> Raw:
        wallet, positions = await asyncio.gather(
            read("privateGetV5AccountWalletBalance"), read("privateGetV5PositionList")
        )
        return Raw(wallet, positions)

    def parse_snapshot(self, raw: Raw, context: SnapshotContext) -> AccountSnapshot:
        equity = decimal_from(raw.wallet["result"]["equity"])
        unit = RiskUnit(
            key="account",
            kind=UnitKind.ACCOUNT,
            currency="USD",
            margin_equity=equity,
            initial_margin=Decimal(1),
            maintenance_margin=Decimal(1),
            available_margin=equity - 1,
        )
        return AccountSnapshot(
            account_id=context.account_id,
            broker=context.broker,
            product=context.product,
            as_of=time_from_ms(raw.wallet["time"]),
            fetched_at=context.now,
            mode=context.mode,
            units=(unit,),
            positions=tuple(held(Symbol(name)) for name in raw.positions["result"]["list"]),
            markets=context.markets,
        )

    async def load_open_orders(self, read: Read) -> tuple[OpenOrder, ...]:
        payload = await read("privateGetV5OrderRealtime")
        return tuple(resting(row["id"]) for row in payload["result"]["list"])

    async def load_permissions(self, read: Read) -> KeyPermissions:
        del read
        raise NotSupported("no permissions here")

    def order_request(self, order: ReduceOrder) -> Request:
        return Request(call="privatePostV5OrderCreate", params={"orderLinkId": order.client_order_id})

    def parse_ack(self, order: ReduceOrder, payload: Json) -> Ack:
        del order
        return Ack(order_id=payload["result"]["orderId"], client_order_id=payload["result"].get("echo"))

    async def look_up_order(
        self, read: Read, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport | None:
        del client_order_id, symbol
        payload = await read("privateGetV5OrderRealtime")
        return None if payload["result"]["list"] == [] else payload["result"]["list"][0]["report"]

    def cancel_batches(self, orders: Sequence[OpenOrder]) -> Sequence[CancelBatch]:
        sent = [order for order in orders if order.kind != "unknown book"]
        request = Request(call="privatePostV5OrderCancel")
        return [CancelBatch(request=request, orders=(order,)) for order in sent]

    def leverage_requests(self, symbol: Symbol, leverage: Decimal) -> Sequence[Request]:
        params = {"symbol": symbol, "leverage": str(leverage)}
        return (Request(call="privatePostV5PositionSetLeverage", params=params),)


def rules(name: str) -> MarketRules:
    return MarketRules(
        symbol=Symbol(name),
        base="BTC",
        quote="USDT",
        settle="USDT",
        kind=ContractKind.LINEAR,
        contract_size=Decimal(1),
        lot_step=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        price_step=Decimal("0.1"),
    )


def held(symbol: Symbol) -> Position:
    return Position(
        symbol=symbol,
        unit="account",
        side=Side.LONG,
        quantity=Decimal(1),
        settle="USDT",
        kind=ContractKind.LINEAR,
        margin_mode=MarginMode.CROSS,
        hedged=False,
        entry_price=None,
        mark_price=None,
        notional=None,
        initial_margin=None,
        maintenance_margin=None,
        unrealized_pnl=None,
    )


def resting(order_id: str, kind: str = "Limit") -> OpenOrder:
    return OpenOrder(
        order_id=order_id,
        client_order_id=None,
        symbol=BTC,
        side=OrderSide.BUY,
        quantity=Decimal(1),
        price=Decimal(1),
        reduce_only=False,
        book=OrderBook.ACTIVE,
        kind=kind,
    )


def success(**result: object) -> web.Response:
    return web.json_response({"retCode": 0, "time": NOW_MS, "result": result})


@pytest.fixture
async def broker(venue: Venue, spec: BrokerSpec, profile: VenueProfile) -> AsyncIterator[SmallBroker]:
    venue.always("/v5/market/instruments-info", lambda: success(list=["BTCUSDT"]))
    venue.always(INFO, lambda: success(mode="REGULAR"))
    venue.always(WALLET, lambda: success(equity="100"))
    venue.always(POSITIONS, lambda: success(list=["BTCUSDT"]))
    small: SmallBroker = type("LoopbackBroker", (SmallBroker,), {"profile": profile})(spec)
    await small.connect()
    yield small
    await small.aclose()


def codes(snapshot: AccountSnapshot) -> list[FindingCode]:
    return [finding.code for finding in snapshot.findings]


def reduction(broker: SmallBroker) -> ReduceOrder:
    return ReduceOrder(
        position=held(BTC),
        quantity=Decimal(1),
        client_order_id=ClientOrderId("a" * 32),
        deadline=broker.venue_now() + timedelta(seconds=2),
    )


async def test_it_is_a_broker(broker: SmallBroker) -> None:
    port: Broker = broker
    assert port.account_id == "canary"
    assert "Canary" not in repr(broker)


async def test_a_snapshot_is_one_picture_of_the_account(broker: SmallBroker) -> None:
    snapshot = await broker.fetch_snapshot()
    assert (snapshot.as_of, snapshot.mode.label) == (time_from_ms(NOW_MS), "REGULAR")
    assert [position.symbol for position in snapshot.positions] == [BTC]
    assert snapshot.findings == ()


async def test_connecting_again_after_a_failure_is_enough(venue: Venue, broker: SmallBroker) -> None:
    venue.always(INFO, lambda: web.Response(status=503))
    with pytest.raises(VenueUnavailable):
        await broker.connect()
    assert (await broker.fetch_snapshot()).mode.label == "REGULAR"
    venue.always(INFO, lambda: success(mode="PORTFOLIO"))
    await broker.connect()
    assert (await broker.fetch_snapshot()).mode.label == "PORTFOLIO"


async def test_a_changed_mode_is_found_within_some_cycles_and_marks_the_one_it_changed_in(
    venue: Venue, broker: SmallBroker
) -> None:
    venue.always(INFO, lambda: success(mode="ISOLATED"))
    seen = [await broker.fetch_snapshot() for _ in range(4)]
    assert [snapshot.mode.label for snapshot in seen] == ["REGULAR", "REGULAR", "ISOLATED", "ISOLATED"]
    assert [codes(snapshot) for snapshot in seen] == [[], [], [FindingCode.MODE_UNKNOWN], []]


async def test_a_mode_that_cannot_be_read_again_is_taken_as_it_was_and_told_once(
    venue: Venue, broker: SmallBroker, caplog: pytest.LogCaptureFixture
) -> None:
    venue.always(INFO, lambda: web.Response(status=503))
    seen = [await broker.fetch_snapshot() for _ in range(6)]
    assert {snapshot.mode.label for snapshot in seen} == {"REGULAR"}
    told = [one.getMessage() for one in caplog.records if "account mode" in one.getMessage()]
    assert len(told) == 1
    assert "taken as it was, REGULAR" in told[0]

    venue.always(INFO, lambda: success(mode="ISOLATED"))
    assert codes(await broker.fetch_snapshot()) == [FindingCode.MODE_UNKNOWN]


async def test_answers_far_apart_are_a_finding(
    venue: Venue, broker: SmallBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(_: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return success(list=["BTCUSDT"])

    venue.on(POSITIONS, late)
    monkeypatch.setattr("brokers.doubts.SPREAD_S", 0.05)
    assert codes(await broker.fetch_snapshot()) == [FindingCode.INCONSISTENT]


async def test_a_position_in_an_unlisted_symbol_is_kept_with_a_finding(
    venue: Venue, broker: SmallBroker
) -> None:
    venue.always(POSITIONS, lambda: success(list=["BTCUSDT", "NEWUSDT"]))
    snapshot = await broker.fetch_snapshot()
    assert [position.symbol for position in snapshot.positions] == ["BTCUSDT", "NEWUSDT"]
    assert [(f.code, f.symbol) for f in snapshot.findings] == [(FindingCode.SYMBOL_UNKNOWN, "NEWUSDT")]


@pytest.mark.parametrize(
    "wallet",
    [{}, {"equity": None}, {"equity": "NaN"}, {"equity": "1,000"}, {"equity": {"value": 1}}],
)
async def test_a_foreign_snapshot_is_malformed_and_never_an_account(
    venue: Venue, broker: SmallBroker, wallet: dict[str, object]
) -> None:
    venue.always(WALLET, lambda: success(**wallet))
    with pytest.raises(MalformedAnswer, match="snapshot of a foreign shape"):
        await broker.fetch_snapshot()


async def test_one_failed_answer_fails_the_whole_picture(venue: Venue, broker: SmallBroker) -> None:
    venue.always(POSITIONS, lambda: web.json_response({"retCode": 10001, "retMsg": "no"}))
    with pytest.raises(RequestRefused):
        await broker.fetch_snapshot()


async def test_an_order_is_accepted_by_id_and_echo_only(venue: Venue, broker: SmallBroker) -> None:
    venue.always("/v5/order/create", lambda: success(orderId="7", echo="a" * 32))
    assert (await broker.submit(reduction(broker))).verdict is Verdict.ACCEPTED
    for result in ({"orderId": ""}, {"orderId": None}, {}, {"orderId": "7", "echo": "b" * 32}):
        venue.always("/v5/order/create", lambda r=result: success(**r))
        assert (await broker.submit(reduction(broker))).verdict is Verdict.UNKNOWN


async def test_an_order_that_no_words_exist_for_is_refused_unsent(
    venue: Venue, broker: SmallBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wordless(order: ReduceOrder) -> Request:
        raise NotSupported(f"{order.symbol}: nothing is known of it")

    venue.always("/v5/order/create", lambda: success(orderId="7", echo="a" * 32))
    monkeypatch.setattr(broker, "order_request", wordless)
    report = await broker.submit(reduction(broker))
    assert (report.verdict, report.message) == (Verdict.REJECTED, "BTCUSDT: nothing is known of it")


async def test_orders_no_call_covers_are_reported_as_not_cancelled(venue: Venue, broker: SmallBroker) -> None:
    venue.always("/v5/order/cancel", success)
    reports = await broker.cancel_orders([resting("1"), resting("2", "unknown book"), resting("3")])
    assert [(report.order_id, report.verdict) for report in reports] == [
        ("1", Verdict.ACCEPTED),
        ("2", Verdict.REJECTED),
        ("3", Verdict.ACCEPTED),
    ]


async def test_leverage_as_it_is_already_is_success_and_a_refusal_is_raised(
    venue: Venue, broker: SmallBroker
) -> None:
    path = "/v5/position/set-leverage"
    venue.always(path, lambda: web.json_response({"retCode": 110043, "retMsg": "not modified"}))
    await broker.set_leverage(BTC, Decimal(3))
    venue.always(path, lambda: web.json_response({"retCode": 110013, "retMsg": "above the limit"}))
    with pytest.raises(RequestRefused):
        await broker.set_leverage(BTC, Decimal(300))


async def test_absence_needs_a_whole_answer(venue: Venue, broker: SmallBroker) -> None:
    assert await broker.find_order(ClientOrderId("a" * 32), BTC) is None
    venue.always("/v5/order/realtime", lambda: web.json_response({"retCode": 0, "result": {}}))
    with pytest.raises(MalformedAnswer):
        await broker.find_order(ClientOrderId("a" * 32), BTC)


async def test_what_a_venue_does_not_offer_is_not_supported(broker: SmallBroker) -> None:
    with pytest.raises(NotSupported):
        await broker.fetch_permissions()
    with pytest.raises(NotSupported):
        await broker.fetch_funding_balance("USDT")
    with pytest.raises(NotSupported):
        await broker.transfer_in("USDT", Decimal(1), "a" * 32)
    with pytest.raises(NotSupported):
        await broker.repay(OWED)


class RepayingBroker(SmallBroker):
    """One that can give debt back; its answers say how it went."""

    def repay_request(self, repayment: Repayment) -> Request:
        return Request(call="privatePostV5AccountRepay", params={"coin": repayment.currency})

    def parse_receipt(self, repayment: Repayment, payload: Json) -> Receipt:
        del repayment
        failed = payload["result"]["status"] == "FA"
        return Receipt(verdict=Verdict.REJECTED if failed else Verdict.ACCEPTED, repaid=Decimal(3))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"retCode": 0, "result": {"status": "SU"}}, (Verdict.ACCEPTED, 3, None)),
        ({"retCode": 0, "result": {"status": "FA"}}, (Verdict.REJECTED, 3, None)),
        ({"retCode": 0, "result": []}, (Verdict.UNKNOWN, None, None)),
        ({"retCode": 10003, "retMsg": "no key"}, (Verdict.REJECTED, None, "10003")),
        ({"retCode": 10016, "retMsg": "failed inside"}, (Verdict.UNKNOWN, None, "10016")),
    ],
)
async def test_a_repayment_is_what_its_answer_proves(
    venue: Venue,
    spec: BrokerSpec,
    profile: VenueProfile,
    answer: dict[str, Json],
    told: tuple[Verdict, int | None, str | None],
) -> None:
    venue.always("/v5/account/repay", lambda: web.json_response(answer))
    broker: RepayingBroker = type("LoopbackBroker", (RepayingBroker,), {"profile": profile})(spec)
    report = await broker.repay(OWED)
    assert report.repayment == OWED
    assert (report.verdict, report.repaid, report.code) == told
    await broker.aclose()
