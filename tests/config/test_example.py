from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from config.accounts import PRODUCTS, WITHDRAWAL_WORDS, AccountSettings, BrokerId, Mode
from config.hedges import PartnerOut
from config.loader import load, load_sandbox
from config.policy import Action
from config.sandbox import PRODUCTS as PLAYED
from config.sandbox import FaultKind, SandboxAccount, SandboxSettings
from config.schema import LogFormat, LogLevel, Settings

EXAMPLE = Path(str(files("config") / "example.yaml"))
SANDBOX = Path(str(files("config") / "sandbox.yaml"))


def models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {Union, UnionType, Annotated, tuple}:
        return [model for each in get_args(annotation) for model in models_in(each)]
    return []


def schema_paths(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key the schema knows; list positions are left out, overrides count as their block."""
    paths: set[str] = set()
    for name, field in model.model_fields.items():
        paths.add(f"{prefix}{name}")
        for inner in models_in(field.annotation):
            if not inner.__name__.endswith("Override"):
                paths |= schema_paths(inner, f"{prefix}{name}.")
    return paths


def written_paths(value: object, prefix: str = "") -> set[str]:
    if isinstance(value, list):
        return {path for item in value for path in written_paths(item, prefix)}
    if not isinstance(value, dict):
        return set()
    paths = {f"{prefix}{key}" for key in value}
    return paths | {path for key, each in value.items() for path in written_paths(each, f"{prefix}{key}.")}


def test_the_example_holds_every_key_of_the_schema() -> None:
    assert schema_paths(Settings) <= written_paths(yaml.safe_load(EXAMPLE.read_text()))


def test_the_example_s_values_are_the_defaults() -> None:
    example = load(EXAMPLE)
    assert example == Settings(accounts=example.accounts, hedges=example.hedges)
    first = example.accounts[0]
    required = {"id": first.id, "broker": first.broker, "credentials": first.credentials}
    assert first == AccountSettings.model_validate(required)


@pytest.mark.parametrize("kind", [Mode, LogLevel, LogFormat, Action, BrokerId, PartnerOut])
def test_the_example_names_every_word_of_each_choice(kind: type[Mode]) -> None:
    assert [word for word in kind if word.value not in EXAMPLE.read_text()] == []


def test_the_example_names_every_product_and_the_withdrawal_words() -> None:
    text = EXAMPLE.read_text()
    for broker, products in PRODUCTS.items():
        assert f"{broker}: {', '.join(products)}" in text
    assert f'"{WITHDRAWAL_WORDS}"' in text


def test_the_example_has_an_account_of_every_product() -> None:
    written = {(account.broker, account.product) for account in load(EXAMPLE).accounts}
    assert written == {(broker, product) for broker, products in PRODUCTS.items() for product in products}


def test_every_key_of_the_example_says_why_it_is_there() -> None:
    lines = EXAMPLE.read_text().splitlines()
    explained = [line for line in lines if "#" in line]
    assert len(explained) >= len(schema_paths(Settings)) * 0.6


def test_the_sandbox_market_holds_every_key_of_its_schema() -> None:
    text = SANDBOX.read_text()
    uncommented = text.replace("# faults:\n", "faults:\n").replace("#   - kind:", "  - kind:")
    uncommented = uncommented.replace("faults: []", "").replace("#     ", "    ")
    assert schema_paths(SandboxSettings) - written_paths(yaml.safe_load(uncommented)) == set()
    assert [kind for kind in FaultKind if kind.value not in text] == []


def test_the_sandbox_market_shows_each_venue_in_different_modes() -> None:
    accounts = load_sandbox(SANDBOX).accounts
    modes = {(account.broker, account.product, account.mode) for account in accounts}
    for broker, products in PLAYED.items():
        if broker in {"kraken", "binancemargin", "binanceisolated"}:
            continue  # read too rarely for a fall of a minute; lent too little for the fall of this market
        for product, words in products.items():
            assert {word for *of, word in modes if of == [broker, product]} >= set(words[:2])
    assert "hedge" in {account.position_mode for account in accounts}


SANDBOX_ACCOUNTS = load_sandbox(SANDBOX).accounts


LEVERAGED = [account for account in SANDBOX_ACCOUNTS if account.mode != "cash"]


@pytest.mark.parametrize("account", LEVERAGED, ids=lambda account: account.id)
def test_each_sandbox_account_starts_sound_and_near_its_leverage_cap(account: SandboxAccount) -> None:
    prices = {"USDT": 1, "USD": 1} | {
        name: float(price) for name, price in load_sandbox(SANDBOX).prices.items()
    }
    equity = sum(float(amount) * prices[currency] for currency, amount in account.wallets.items())
    notional, margin = 0.0, 0.0
    for position in account.positions:
        base, _, quote = position.symbol.partition("-")
        inverse = quote == "USD"  # counted in dollars
        value = float(position.quantity) * (1 if inverse else prices[base])
        notional += value
        margin += value / float(position.leverage)
    assert 3.5 < notional / equity < 5
    if account.mode != "isolated":
        assert 0.4 < margin / equity < 0.6
    assert any(order.reduce_only and order.trigger for order in account.orders), "no protective stop"
