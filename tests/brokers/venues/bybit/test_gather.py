"""Which calls make a snapshot and a list of open orders, and which of them may fail."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from brokers.errors import BrokerError, MalformedAnswer, RequestRefused, Unauthorized, VenueUnavailable
from brokers.models import AccountId, MarginMode
from brokers.profile import NO_PARAMS
from brokers.registry import BrokerSpec, Credentials
from brokers.venues.bybit.broker import BybitBroker

Payload = dict[str, Any]

WALLET = "privateGetV5AccountWalletBalance"
POSITIONS = "privateGetV5PositionList"
INFO = "privateGetV5AccountInfo"
ORDERS = "privateGetV5OrderRealtime"
INSTRUMENTS = "publicGetV5MarketInstrumentsInfo"


def rows(*found: Payload, cursor: str = "") -> Payload:
    return {
        "retCode": 0,
        "result": {"list": list(found), "nextPageCursor": cursor},
        "time": 1_700_000_000_000,
    }


class Script:
    """Answers by call and by `category settleCoin cursor`; counts what was asked."""

    def __init__(self, wallet: Payload, mode: str = "REGULAR_MARGIN") -> None:
        self.answers: dict[tuple[str, str], Payload | BrokerError] = {
            (WALLET, ""): wallet,
            (INFO, ""): {"retCode": 0, "result": {"marginMode": mode, "unifiedMarginStatus": 5}},
        }
        self.asked: list[tuple[str, str]] = []

    async def __call__(
        self, call: str, params: Mapping[str, object] = NO_PARAMS, *, cost: float = 1
    ) -> Payload:
        del cost
        names = ("category", "settleCoin", "symbol", "cursor")
        key = (call, " ".join(str(params[name]) for name in names if name in params))
        self.asked.append(key)
        answer = self.answers.get(key, rows())
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    def lists(self) -> list[str]:
        """Return the position lists asked for, and forget them."""
        found = [what for call, what in self.asked if call == POSITIONS]
        self.asked.clear()
        return sorted(found)


@pytest.fixture
async def broker() -> BybitBroker:
    spec = BrokerSpec(
        account_id=AccountId("main"),
        broker="bybit",
        product="unified",
        credentials=Credentials(api_key="k", secret="s"),
        endpoint="http://127.0.0.1:1",
    )
    return BybitBroker(spec)


@pytest.fixture
def script(cross_wallet: Payload, account_of: Callable[[Payload], Payload]) -> Script:
    """An account without positions and with nothing at stake."""
    account_of(cross_wallet).update(totalInitialMargin="0", totalMaintenanceMargin="0")
    return Script(cross_wallet)


EVERY = ["inverse", "linear USDC", "linear USDT", "option"]


async def test_the_first_time_every_list_is_read_then_only_what_is_needed(
    broker: BybitBroker, script: Script
) -> None:
    await broker.gather(script)
    assert script.lists() == EVERY
    await broker.gather(script)
    assert script.lists() == ["linear USDT"]


async def test_what_the_wallet_now_says_is_read_in_the_same_snapshot(
    broker: BybitBroker, script: Script, cross_wallet: Payload, account_of: Callable[[Payload], Payload]
) -> None:
    await broker.gather(script)
    script.lists()
    account_of(cross_wallet)["coin"][0].update(totalPositionIM="0.1", totalPositionMM="0.01")
    account_of(cross_wallet).update(totalMaintenanceMargin="160.3", totalInitialMargin="1603")
    answers = await broker.gather(script)
    assert script.lists() == ["inverse", "linear USDT"]
    assert len(answers.times) == 2


async def test_a_list_beyond_need_may_fail(broker: BybitBroker, script: Script) -> None:
    script.answers[(POSITIONS, "option")] = RequestRefused("no options here", code="10001")
    script.answers[(POSITIONS, "linear USDC")] = VenueUnavailable("HTTP 404")
    answers = await broker.gather(script)
    assert len(answers.times) == 2


async def test_a_list_in_need_may_not_fail(
    broker: BybitBroker, script: Script, cross_wallet: Payload, account_of: Callable[[Payload], Payload]
) -> None:
    account_of(cross_wallet)["coin"][0]["totalPositionMM"] = ""
    script.answers[(POSITIONS, "option")] = VenueUnavailable("HTTP 502")
    with pytest.raises(VenueUnavailable):
        await broker.gather(script)


@pytest.mark.parametrize(
    "refusal", [RequestRefused("no options", code="10001"), Unauthorized("no permission", code="10005")]
)
async def test_an_account_without_options_may_be_refused_their_list(
    broker: BybitBroker,
    script: Script,
    cross_wallet: Payload,
    account_of: Callable[[Payload], Payload],
    refusal: BrokerError,
) -> None:
    coin = account_of(cross_wallet)["coin"][0]
    coin["totalPositionMM"] = ""
    script.answers[(POSITIONS, "option")] = refusal
    assert len((await broker.gather(script)).times) == 3
    coin["equity"] = str(Decimal(coin["equity"]) * 2)
    with pytest.raises(type(refusal)):
        await broker.gather(script)


async def test_the_usdt_list_may_never_fail(broker: BybitBroker, script: Script) -> None:
    script.answers[(POSITIONS, "linear USDT")] = VenueUnavailable("HTTP 502")
    with pytest.raises(VenueUnavailable):
        await broker.gather(script)


async def test_every_page_is_read(broker: BybitBroker, script: Script, ltc_row: Payload) -> None:
    script.answers[(POSITIONS, "linear USDT")] = rows(ltc_row, cursor="a%3D1")
    script.answers[(POSITIONS, "linear USDT a%3D1")] = rows({**ltc_row, "symbol": "BTCUSDT"}, cursor="a%3D2")
    answers = await broker.gather(script)
    assert [one.row["symbol"] for one in answers.rows] == ["LTCUSDT", "BTCUSDT"]


async def test_a_cursor_that_leads_in_circles_is_malformed(
    broker: BybitBroker, script: Script, ltc_row: Payload
) -> None:
    script.answers[(POSITIONS, "linear USDT")] = rows(ltc_row, cursor="a")
    script.answers[(POSITIONS, "linear USDT a")] = rows(ltc_row, cursor="b")
    script.answers[(POSITIONS, "linear USDT b")] = rows(ltc_row, cursor="a")
    with pytest.raises(MalformedAnswer):
        await broker.gather(script)


async def test_the_mode_is_read_again_when_the_wallet_does_not_fit(
    broker: BybitBroker, script: Script, isolated_wallet: Payload
) -> None:
    assert (await broker.gather(script)).info.margin_mode is MarginMode.CROSS
    script.answers[(WALLET, "")] = isolated_wallet
    script.answers[(INFO, "")] = {"result": {"marginMode": "ISOLATED_MARGIN", "unifiedMarginStatus": 5}}
    script.asked.clear()
    assert (await broker.gather(script)).info.margin_mode is MarginMode.ISOLATED
    assert (INFO, "") in script.asked
    script.asked.clear()
    await broker.gather(script)
    assert (INFO, "") not in script.asked


async def test_rules_of_held_options_are_asked_for_by_name_and_once(
    broker: BybitBroker, script: Script
) -> None:
    symbol = "BTC-27MAR26-100000-C"
    held = {"symbol": symbol, "side": "Buy", "size": "0.1", "positionIdx": 0, "markPrice": "1950"}
    script.answers[(POSITIONS, "option")] = rows(held)
    script.answers[(INSTRUMENTS, f"option {symbol}")] = rows(
        {
            "symbol": symbol,
            "baseCoin": "BTC",
            "quoteCoin": "USD",
            "settleCoin": "USDC",
            "priceFilter": {"tickSize": "5"},
            "lotSizeFilter": {"qtyStep": "0.01", "minOrderQty": "0.01", "maxOrderQty": "500"},
        }
    )
    broker.sweep_every = 0
    assert list((await broker.gather(script)).options) == [symbol]
    assert list((await broker.gather(script)).options) == [symbol]
    assert [key for key in script.asked if key[0] == INSTRUMENTS] == [(INSTRUMENTS, f"option {symbol}")]


async def test_market_rules_of_linear_and_inverse(broker: BybitBroker, script: Script) -> None:
    script.answers[(INSTRUMENTS, "inverse")] = RequestRefused("not served", code="10001")
    assert await broker.load_markets(script) == {}
    script.answers[(INSTRUMENTS, "linear")] = RequestRefused("not served", code="10001")
    with pytest.raises(RequestRefused):
        await broker.load_markets(script)


async def test_open_orders_of_products_without_permission_are_none(
    broker: BybitBroker, script: Script
) -> None:
    order = {
        "orderId": "1",
        "orderLinkId": "",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "qty": "1",
        "leavesQty": "1",
        "price": "5",
        "orderStatus": "New",
    }
    script.answers[(ORDERS, "linear USDT")] = rows(order, cursor="next")
    script.answers[(ORDERS, "linear USDT next")] = rows({**order, "orderId": "2"}, order)
    script.answers[(ORDERS, "spot")] = Unauthorized("no spot", code="10005")
    script.answers[(ORDERS, "option")] = RequestRefused("no options", code="10001")
    assert [found.order_id for found in await broker.load_open_orders(script)] == ["1", "2"]
    script.answers[(ORDERS, "linear USDC")] = RequestRefused("?", code="10001")
    with pytest.raises(RequestRefused):
        await broker.load_open_orders(script)


async def test_inverse_orders_are_asked_for_by_coin_where_the_list_wants_one(
    broker: BybitBroker, script: Script
) -> None:
    script.answers[(INSTRUMENTS, "inverse")] = rows(
        *(
            {
                "symbol": f"{base}USD",
                "baseCoin": base,
                "quoteCoin": "USD",
                "settleCoin": base,
                "priceFilter": {"tickSize": "0.5"},
                "lotSizeFilter": {"qtyStep": "1", "minOrderQty": "1"},
            }
            for base in ("ETH", "BTC")
        )
    )
    broker._rulebook.rules = await broker.load_markets(script)
    script.answers[(ORDERS, "inverse")] = RequestRefused("settleCoin is missing", code="10001")
    script.asked.clear()
    assert await broker.load_open_orders(script) == ()
    asked = [what for _, what in script.asked if what.startswith("inverse")]
    assert asked == ["inverse", "inverse BTC", "inverse ETH"]


# ---------------------------------------------------------------- UTA 1.0


CONTRACT = {"accountType": "CONTRACT", "coin": []}


class OldScript(Script):
    """An account of UTA 1.0: two wallets; `asked_wallets` are the wallets read."""

    def __init__(self, wallet: Payload) -> None:
        super().__init__(wallet)
        self.answers[(INFO, "")] = info(3)
        self.second: Payload | BrokerError = rows(CONTRACT)
        self.asked_wallets: list[object] = []

    async def __call__(
        self, call: str, params: Mapping[str, object] = NO_PARAMS, *, cost: float = 1
    ) -> Payload:
        if call != WALLET:
            return await super().__call__(call, params, cost=cost)
        self.asked_wallets.append(params["accountType"])
        if params["accountType"] == "UNIFIED":
            return await super().__call__(call, cost=cost)
        if isinstance(self.second, BrokerError):
            raise self.second
        return self.second


def info(status: int) -> Payload:
    return {"retCode": 0, "result": {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": status}}


@pytest.fixture
def old(cross_wallet: Payload, account_of: Callable[[Payload], Payload]) -> OldScript:
    account_of(cross_wallet).update(totalInitialMargin="0", totalMaintenanceMargin="0")
    return OldScript(cross_wallet)


async def test_uta_1_has_two_wallets_and_its_inverse_list_is_always_read(
    broker: BybitBroker, old: OldScript
) -> None:
    await broker.load_mode(old)
    for lists in (EVERY, ["inverse", "linear USDT"]):
        answers = await broker.gather(old)
        assert answers.contract is not None
        assert old.lists() == lists
    assert sorted(map(str, old.asked_wallets)) == ["CONTRACT"] * 2 + ["UNIFIED"] * 2
    assert broker.transfer_request("BTC", Decimal(1), "0" * 32).params["toAccountType"] == "CONTRACT"
    assert broker.transfer_request("USDC", Decimal(1), "0" * 32).params["toAccountType"] == "UNIFIED"


async def test_a_second_wallet_that_does_not_answer_leaves_no_picture(
    broker: BybitBroker, old: OldScript
) -> None:
    await broker.load_mode(old)
    for failure in (VenueUnavailable("HTTP 502"), RequestRefused("accountType", code="10001")):
        old.second = failure
        with pytest.raises(type(failure)):
            await broker.gather(old)
    old.second = rows()
    with pytest.raises(MalformedAnswer):
        await broker.gather(old)


async def test_an_account_that_was_upgraded_has_one_wallet_again(broker: BybitBroker, old: OldScript) -> None:
    await broker.load_mode(old)
    await broker.gather(old)
    old.answers[(INFO, "")] = info(5)
    old.second = RequestRefused("accountType only support UNIFIED.", code="10001")
    answers = await broker.gather(old)
    assert (answers.contract, answers.info.status) == (None, 5)
    old.asked_wallets.clear()
    await broker.gather(old)
    assert old.asked_wallets == ["UNIFIED"]
    assert broker.transfer_request("BTC", Decimal(1), "0" * 32).params["toAccountType"] == "UNIFIED"


async def test_uta_2_is_never_asked_for_a_second_wallet(broker: BybitBroker, old: OldScript) -> None:
    old.answers[(INFO, "")] = info(6)
    await broker.load_mode(old)
    assert (await broker.gather(old)).contract is None
    assert old.asked_wallets == ["UNIFIED"]
