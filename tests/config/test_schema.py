from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.accounts import PRODUCTS, BrokerId, Mode, stricter
from config.policy import Action, Breach, Strategy
from config.schema import LogFormat, LogLevel, Settings

Build = Callable[[str], Settings]

ONE_ACCOUNT = """
accounts:
  - id: a
    broker: {broker}
    credentials: {{api_key: env:K, secret: env:S{password}}}
"""


def test_defaults_alarm_only_and_step_in_before_the_venue(settings: Build) -> None:
    found = settings("")
    assert found.mode is Mode.OBSERVE
    assert found.mode_of(found.accounts[0]) is Mode.OBSERVE
    assert found.state_dir == Path("/var/lib/margind")
    assert found.database.url == "sqlite"
    assert (found.poll.interval, found.poll.act_max_age, found.poll.alarm_max_age) == (
        timedelta(seconds=2),
        timedelta(seconds=5),
        timedelta(seconds=15),
    )
    policy = found.policy
    assert [policy.utilization.warning, policy.utilization.critical, policy.utilization.liquidation] == [
        Decimal("0.70"),
        Decimal("0.80"),
        Decimal("0.90"),
    ]
    assert [policy.maintenance.warning, policy.maintenance.critical, policy.maintenance.liquidation] == [
        Decimal("0.50"),
        Decimal("0.65"),
        Decimal("0.80"),
    ]
    assert (policy.target.utilization, policy.target.maintenance) == (Decimal("0.60"), Decimal("0.40"))
    assert policy.hysteresis == Decimal("0.03")
    assert policy.actions.warning == ()
    assert policy.actions.critical == (Action.CANCEL_ORDERS,)
    assert policy.actions.liquidation == tuple(Action)
    assert policy.strategy is Strategy.CHEAPEST_RELIEF
    assert (found.log.level, found.log.format) == (LogLevel.INFO, LogFormat.AUTO)


def test_default_limits_bound_what_one_account_can_suffer(settings: Build) -> None:
    limits = settings("").limits
    assert limits.model_dump() == {
        "step_fraction": Decimal("0.5"),
        "positions_per_step": 3,
        "orders_per_minute": 30,
        "orders_per_hour": 360,
        "orders_per_episode": 120,
        "steps_per_episode": 40,
        "episodes_per_hour": 12,
        "common_mode_venues": 3,
        "slippage": Decimal("0.005"),
        "max_slippage": Decimal("0.03"),
        "fee_rate": Decimal("0.0006"),
        "confirm_after": timedelta(milliseconds=400),
        "lower_leverage": False,
        "daily_loss": {"share": None, "amount": {}, "action": Breach.ALARM},
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [("0.05", "0.05"), ("'0.05'", "0.05"), ("5%", "0.05"), ("'5 %'", "0.05"), ("2.5%", "0.025")],
)
def test_ratios_are_fractions_or_percents(settings: Build, written: str, value: str) -> None:
    assert settings(f"policy: {{hysteresis: {written}}}").policy.hysteresis == Decimal(value)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("400ms", 0.4), ("2s", 2), ("1.5s", 1.5), ("1m", 60), ("5 s", 5), ("'0.05m'", 3)],
)
def test_durations_carry_their_unit(settings: Build, written: str, seconds: float) -> None:
    text = f"poll: {{interval: {written}, alarm_max_age: 1h}}"
    assert settings(text).poll.interval == timedelta(seconds=seconds)


@pytest.mark.parametrize("broker", list(BrokerId))
def test_each_broker_is_accepted_with_its_first_product_and_its_cap(
    settings: Build, broker: BrokerId
) -> None:
    password = ", password: env:P" if broker is BrokerId.OKX else ""
    found = settings(ONE_ACCOUNT.format(broker=broker, password=password))
    assert found.accounts[0].product == PRODUCTS[broker][0]
    cap = Decimal(1) if broker is BrokerId.COINBASE else Decimal(5)
    assert found.max_leverage_of(found.accounts[0]) == cap


@pytest.mark.parametrize("word", PRODUCTS[BrokerId.BINANCE])
def test_every_product_of_a_broker_is_accepted(settings: Build, word: str) -> None:
    text = ONE_ACCOUNT.format(broker="binance", password="") + f"    product: {word}\n"
    assert settings(text).accounts[0].product == word


@pytest.mark.parametrize(("overall", "own"), list(product(Mode, [*Mode, None])))
def test_the_stricter_mode_wins(settings: Build, overall: Mode, own: Mode | None) -> None:
    text = f"mode: {overall}\n" + ONE_ACCOUNT.format(broker="bybit", password="")
    found = settings(text + (f"    mode: {own}\n" if own else ""))
    effective = found.mode_of(found.accounts[0])
    assert effective == (overall if own is None else stricter(overall, own))
    order = [Mode.OBSERVE, Mode.ADVISE, Mode.ENFORCE]
    assert order.index(effective) <= order.index(overall)


OVERRIDING = """
policy:
  utilization: {warning: 0.65}
  hysteresis: 2%
brokers: {okx: {max_leverage: 4}}
accounts:
  - id: plain
    broker: okx
    credentials: {api_key: env:A, secret: env:S, password: env:P}
  - id: careful
    broker: okx
    credentials: {api_key: env:B, secret: env:S, password: env:P}
    policy:
      utilization: {critical: 75%}
      target: {maintenance: 0.3}
      actions: {liquidation: [cancel_orders, reduce]}
    poll: {interval: 500ms}
    max_leverage: 2.5
"""


def test_an_override_changes_what_it_says_and_nothing_else(settings: Build) -> None:
    found = settings(OVERRIDING)
    plain, careful = found.account("plain"), found.account("careful")
    assert found.policy_of(plain) == found.policy
    policy = found.policy_of(careful)
    assert policy.utilization.model_dump() == {
        "warning": Decimal("0.65"),
        "critical": Decimal("0.75"),
        "liquidation": Decimal("0.90"),
    }
    assert policy.maintenance == found.policy.maintenance
    assert policy.target.model_dump() == {"utilization": Decimal("0.60"), "maintenance": Decimal("0.3")}
    assert policy.hysteresis == Decimal("0.02")
    assert policy.actions.critical == (Action.CANCEL_ORDERS,)
    assert policy.actions.liquidation == (Action.CANCEL_ORDERS, Action.REDUCE)
    assert found.poll_of(careful).interval == timedelta(milliseconds=500)
    assert found.poll_of(careful).alarm_max_age == found.poll.alarm_max_age
    assert found.max_leverage_of(careful) == Decimal("2.5")
    assert found.max_leverage_of(plain) == Decimal(4)


def test_an_unknown_account_is_a_key_error(settings: Build) -> None:
    with pytest.raises(KeyError, match="nobody"):
        settings("").account("nobody")


def test_without_a_day_s_cap_nothing_may_be_moved(settings: Build) -> None:
    top_up = settings("").top_up
    assert top_up.transfer_cap("USDT") is None
    assert top_up.day_cap("USDT") is None
    top_up = settings("top_up: {max_per_day: {USDT: 5000, BTC: 0.1}, max_per_transfer: {USDT: 1000}}").top_up
    assert (top_up.transfer_cap("USDT"), top_up.day_cap("USDT")) == (Decimal(1000), Decimal(5000))
    assert (top_up.transfer_cap("BTC"), top_up.day_cap("BTC")) == (Decimal("0.1"), Decimal("0.1"))
    assert top_up.transfer_cap("USDC") is None


@pytest.mark.parametrize(
    "written",
    [
        "https://proxy.example",
        "https://10.0.0.1:8443",
        "http://127.0.0.1:8080",
        "http://127.8.0.1",
        "http://localhost:9000",
        "http://[::1]:9000",
        "https://[2001:db8::1]:443",
        "HTTP://LOCALHOST:80",
    ],
)
def test_endpoints_are_hosts_and_plain_http_stays_on_this_machine(settings: Build, written: str) -> None:
    text = ONE_ACCOUNT.format(broker="bybit", password="") + f'    endpoint: "{written}"\n'
    assert settings(text).accounts[0].endpoint == written.lower()


@pytest.mark.parametrize("word", PRODUCTS[BrokerId.KRAKEN])
@pytest.mark.parametrize(("written", "seconds"), [("30s", 30), ("1m", 60), ("1h", 3600)])
def test_a_timer_is_off_unless_one_is_set(settings: Build, word: str, written: str, seconds: int) -> None:
    text = ONE_ACCOUNT.format(broker="kraken", password="") + f"    product: {word}\n"
    assert settings(text).accounts[0].cancel_all_after is None
    timed = settings(text + f"    cancel_all_after: {written}\n")
    assert timed.accounts[0].cancel_all_after == timedelta(seconds=seconds)


def test_a_key_that_can_withdraw_needs_the_words(settings: Build) -> None:
    text = ONE_ACCOUNT.format(broker="bybit", password="")
    assert settings(text).accounts[0].allow_withdrawal_key is False
    words = "    allow_withdrawal_key: i accept that this key can withdraw\n"
    assert settings(text + words).accounts[0].allow_withdrawal_key is True


@pytest.mark.parametrize(
    "url",
    [
        "sqlite",
        "sqlite:////var/lib/margind/history.db",
        "postgresql+psycopg://margind@db.internal:5432/margin",
        "postgresql+psycopg:///margin?host=/run/postgresql",
    ],
)
def test_databases_margind_can_use(settings: Build, url: str) -> None:
    assert settings(f"database: {{url: '{url}'}}").database.url == url


def test_settings_cannot_be_changed(settings: Build) -> None:
    found = settings("")
    with pytest.raises(ValidationError):
        found.mode = Mode.ENFORCE
    with pytest.raises(ValidationError):
        found.policy.hysteresis = Decimal("0.5")


def test_where_a_value_was_written_does_not_change_it(settings: Build) -> None:
    one, other = settings("mode: advise"), settings("\n\n# moved\nmode: advise\n")
    assert one == other
    assert one.source.sha256 != other.source.sha256
    assert (one.source.line(("mode",)), other.source.line(("mode",))) == (1, 4)
    assert one != settings("mode: enforce")


def test_settings_as_json_read_as_they_were_written(settings: Build) -> None:
    dumped = settings("poll: {interval: 1500ms}").model_dump(mode="json")
    assert dumped["poll"]["interval"] == "1500ms"
    assert dumped["poll"]["alarm_max_age"] == "15s"
    assert dumped["policy"]["hysteresis"] == "0.03"
    assert dumped["accounts"][0]["credentials"] == {
        "api_key": "env:KEY_A",
        "secret": "env:SECRET_A",
        "password": None,
    }
