"""Every word of the configuration that concerns judgement arrives in the policy."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountId
from config.accounts import Mode as ConfiguredMode
from config.loader import parse
from config.policy import PolicySettings, Strategy
from config.schema import AdviseSettings, LimitSettings, PollSettings, Settings
from config.section import Section
from daemon.policies import hedges_of, mode_of, policy_of
from daemon.risk.daily_loss import Breach, DailyLoss
from daemon.risk.exposure import Limit, Remedy
from daemon.risk.hedge_group import HedgeGroup, LegName, PartnerRule
from daemon.risk.policy import Action, Level, MarginPolicy, Mode

D = Decimal
ACCOUNT = {"id": "main", "broker": "bybit", "credentials": {"api_key": "env:K", "secret": "env:S"}}
SECTIONS = {
    "policy": PolicySettings(),
    "poll": PollSettings(),
    "advise": AdviseSettings(),
    "limits": LimitSettings(),
}


def leaves(section: Section, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value of a section with its path."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name == "daily_loss":  # has tests of its own
            continue
        if isinstance(value, Section):
            yield from leaves(value, *path, name)
        else:
            yield (*path, name), value


def another(value: Any) -> Any:  # noqa: ANN401 - whatever the field holds
    """Return another value that is valid in the same place."""
    match value:
        case bool():
            return not value
        case Decimal():
            return str(value * D("0.98"))
        case int():
            return value + 1
        case Strategy():
            return "pro_rata"
        case timedelta():
            return f"{value * 0.9 / timedelta(milliseconds=1):.0f}ms"
        case ():
            return ["cancel_orders"]
        case tuple():
            return [action.value for action in value[:-1]]
    raise TypeError(value)


def nested(path: tuple[str, ...], value: object) -> dict[str, object]:
    """Return a mapping that says `value` at `path`."""
    for name in reversed(path):
        value = {name: value}
    return value


def read(document: dict[str, object]) -> Settings:
    """Return the settings that a file holding this would give."""
    return parse(json.dumps(document).encode(), "margind.yaml")


def policy(account: dict[str, object] | None = None, **changes: object) -> MarginPolicy:
    """Return the policy of the one account."""
    written = read({"accounts": [ACCOUNT | (account or {})]} | changes)
    return policy_of(written, written.accounts[0])


LEAVES = [(name, *leaf) for name, section in SECTIONS.items() for leaf in leaves(section)]


@pytest.mark.parametrize(
    ("section", "path", "value"), LEAVES, ids=[".".join((name, *path)) for name, path, _ in LEAVES]
)
def test_every_value_of_the_whole_reaches_the_policy(
    section: str, path: tuple[str, ...], value: object
) -> None:
    changed = policy(**{section: nested(path, another(value))})

    assert changed != policy(), f"{section}.{'.'.join(path)} says nothing to the policy"


@pytest.mark.parametrize(
    ("section", "path", "value"),
    [leaf for leaf in LEAVES if leaf[0] in {"policy", "poll"}],
    ids=[".".join((name, *path)) for name, path, _ in LEAVES if name in {"policy", "poll"}],
)
def test_every_value_an_account_has_of_its_own_is_laid_over_the_whole(
    section: str, path: tuple[str, ...], value: object
) -> None:
    own = policy({section: nested(path, another(value))})

    assert own == policy(**{section: nested(path, another(value))})


def test_the_leverage_cap_is_the_accounts_own_else_its_brokers() -> None:
    assert policy().max_leverage == 5
    assert policy(brokers={"bybit": {"max_leverage": 3}}).max_leverage == 3
    assert policy({"max_leverage": 2}, brokers={"bybit": {"max_leverage": 3}}).max_leverage == 2


def test_the_caps_of_symbols_are_the_accounts_own_laid_over_its_brokers() -> None:
    brokers = {"bybit": {"symbols": {"BTCUSDT": {"max_leverage": 3}, "ETHUSDT": {"max_leverage": 2}}}}
    own = {"symbols": {"ETHUSDT": {"max_leverage": "1.5"}}}

    assert policy().exposure.symbol_leverage == {}
    assert policy(own, brokers=brokers).exposure.symbol_leverage == {"BTCUSDT": 3, "ETHUSDT": D("1.5")}


def test_above_a_cap_it_is_reduced_where_the_account_or_its_broker_says_so() -> None:
    reducing = {"bybit": {"over_cap": "reduce"}}

    assert policy().exposure.over_cap is Remedy.ALARM
    assert policy(brokers=reducing).exposure.over_cap is Remedy.TRIM
    assert policy({"over_cap": "alarm"}, brokers=reducing).exposure.over_cap is Remedy.ALARM


def test_the_limits_of_size_reach_the_policy_and_an_account_states_only_what_differs() -> None:
    whole = {
        "position_notional": {"max": 250_000, "symbols": {"BTCUSDT": 500_000}, "then": "trim"},
        "underlying_share": {"max": "150%", "then": "cancel"},
    }
    own = {"position_notional": {"max": 1000}, "positions": {"max": 4, "then": "flatten"}}
    limits = policy({"exposure": own}, exposure=whole).exposure

    assert limits.position_notional == Limit(
        most=D(1000), remedy=Remedy.TRIM, by_symbol={"BTCUSDT": D(500_000)}
    )
    assert limits.underlying_share == Limit(most=D("1.5"), remedy=Remedy.CANCEL)
    assert limits.positions == Limit(most=D(4), remedy=Remedy.FLATTEN)
    assert (limits.position_notional.of("BTCUSDT"), limits.position_notional.of("X")) == (500_000, 1000)


def test_the_defaults_are_those_of_the_core() -> None:
    core, written = MarginPolicy(), policy()

    assert written == MarginPolicy(max_leverage=D(5))
    assert (written.utilization, written.maintenance) == (core.utilization, core.maintenance)
    assert written.actions[Level.LIQUIDATION] == (
        Action.CANCEL_ORDERS,
        Action.TOP_UP,
        Action.REPAY,
        Action.REDUCE,
        Action.FLATTEN,
    )


@pytest.mark.parametrize("whole", ConfiguredMode)
@pytest.mark.parametrize("own", [None, *ConfiguredMode])
def test_of_two_modes_the_stricter_holds(whole: ConfiguredMode, own: ConfiguredMode | None) -> None:
    account = ACCOUNT if own is None else ACCOUNT | {"mode": own.value}
    written = read({"mode": whole.value, "accounts": [account]})
    expected = min(Mode[whole.name], Mode[(own or whole).name])

    assert mode_of(written, written.accounts[0]) is expected


@pytest.mark.parametrize(("pace_s", "interval_s"), [(0, 2), (1, 2), (9, 9)])
def test_a_venue_that_lets_itself_be_read_less_often_sets_the_poll_interval(
    pace_s: int, interval_s: int
) -> None:
    settings = read({"accounts": [ACCOUNT]})
    paced = policy_of(settings, settings.accounts[0], timedelta(seconds=pace_s))
    assert paced.poll_interval == timedelta(seconds=interval_s)


@pytest.mark.parametrize("rule", list(PartnerRule))
def test_hedge_groups_reach_the_core_word_by_word(rule: PartnerRule) -> None:
    legs = [{"account": "main", "symbol": "BTCUSDT"}, {"account": "main", "asset": "BTC"}]
    hedge = {"id": "pair", "legs": legs, "tolerance": "0.05", "partner_out": rule.value, "repair_budget": "2"}
    settings = parse(json.dumps({"accounts": [ACCOUNT], "hedges": [hedge]}).encode(), "margind.yaml")
    main = AccountId("main")
    assert hedges_of(settings) == (
        HedgeGroup(
            name="pair",
            legs=(
                LegName(account=main, symbol="BTCUSDT"),
                LegName(account=main, symbol="BTC", is_balance=True),
            ),
            tolerance=D("0.05"),
            partner_out=rule,
            repair_budget=D(2),
        ),
    )


def test_a_daily_loss_limit_arrives_and_an_account_has_its_own() -> None:
    general = {"share": "5%", "amount": {"USDT": 2500}, "action": "flatten"}
    settings = read({"limits": {"daily_loss": general}, "accounts": [ACCOUNT]})
    expected = DailyLoss(share=D("0.05"), amounts={"USDT": D(2500)}, breach=Breach.FLATTEN)
    assert policy_of(settings, settings.accounts[0]).daily_loss == expected

    own = {**ACCOUNT, "daily_loss": {"amount": {"USDT": 100}, "action": "cancel"}}
    settings = read({"limits": {"daily_loss": general}, "accounts": [own]})
    expected = DailyLoss(amounts={"USDT": D(100)}, breach=Breach.CANCEL)
    assert policy_of(settings, settings.accounts[0]).daily_loss == expected

    settings = read({"accounts": [ACCOUNT]})
    assert policy_of(settings, settings.accounts[0]).daily_loss is None
