import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.errors import ConfigError
from config.loader import load, parse, parse_sandbox
from config.schema import Settings
from daemon.policies import policy_of

PACKAGE = files("config")
EXAMPLE = (PACKAGE / "example.yaml").read_text()
SANDBOX = (PACKAGE / "sandbox.yaml").read_text()


def why_unreadable(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(path), None)
    return problem.what


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert why_unreadable(tmp_path / "none") == "cannot be read: No such file or directory"
    assert why_unreadable(tmp_path) == "cannot be read: not a regular file"
    assert why_unreadable(tmp_path / "pipe") == "cannot be read: not a regular file"
    assert why_unreadable(Path("/dev/zero")) == "cannot be read: not a regular file"
    assert why_unreadable(Path("a\0b")) == "cannot be read: no such path"


def test_a_huge_file_is_refused_after_a_bounded_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    assert why_unreadable(path) == "is larger than 256 KiB"


# --- nothing but ConfigError ever comes out


def refusal_of(reading: Callable[[bytes, str], object], raw: bytes) -> ConfigError | None:
    try:
        reading(raw, "fuzz.yaml")
    except ConfigError as error:
        return error
    return None


def only_refused_or_sound(raw: bytes) -> None:
    for reading in (parse, parse_sandbox):
        error = refusal_of(reading, raw)
        if error is not None:
            assert error.problems
            assert all(str(problem).startswith("fuzz.yaml") for problem in error.problems)
            assert len(str(error).splitlines()) == len(error.problems)


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    only_refused_or_sound(raw)


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-?[]{},&*!|>%@`'\"#~<= \n\t\\.0159einfN", max_size=80))
def test_any_text_of_yaml_s_signs(text: str) -> None:
    only_refused_or_sound(text.encode())


def known_keys() -> list[str]:
    def walk(value: object) -> Iterator[str]:
        match value:
            case dict():
                for key, inner in value.items():
                    yield key
                    yield from walk(inner)
            case list():
                for inner in value:
                    yield from walk(inner)

    return sorted({*walk(yaml.safe_load(EXAMPLE)), *walk(yaml.safe_load(SANDBOX)), "", "[key]", "<<", "é"})


KEYS = st.sampled_from(known_keys())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from(
        [
            "80%",
            "2s",
            "env:K",
            "file:/x",
            "okx",
            "bybit",
            "enforce",
            "reduce",
            "https://x",
            "http://[",
            "9" * 30,
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=20,
)


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_values_under_known_keys(values: dict[str, object]) -> None:
    only_refused_or_sound(yaml.safe_dump(values, allow_unicode=True).encode("utf-8", "replace"))


def leaves(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield (*path, key)
                yield from leaves(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield (*path, index)
                yield from leaves(inner, (*path, index))


@pytest.mark.parametrize("text", [EXAMPLE, SANDBOX], ids=["example", "sandbox"])
@hypothesis_settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_sound_file_with_one_value_replaced(text: str, data: st.DataObject) -> None:
    values = yaml.safe_load(text)
    path = data.draw(st.sampled_from(list(leaves(values))))
    place = values
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = data.draw(VALUES)
    only_refused_or_sound(yaml.safe_dump(values, allow_unicode=True).encode("utf-8", "replace"))


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.integers(0, len(EXAMPLE.encode())), st.binary(max_size=3))
def test_a_sound_file_with_a_few_bytes_damaged(position: int, damage: bytes) -> None:
    raw = EXAMPLE.encode()
    only_refused_or_sound(raw[:position] + damage + raw[position + len(damage) :])


# --- what is accepted here is accepted where it is judged


@pytest.mark.parametrize(
    "text",
    [
        "policy: {utilization: {warning: 1%, critical: 2%, liquidation: 99.9%}, hysteresis: 0.9%}",
        "policy: {target: {utilization: 86.9%, maintenance: 1%}}",
        "policy: {actions: {warning: [], critical: [], liquidation: []}}",
        "policy: {actions: {warning: [cancel_orders, top_up], critical: [cancel_orders, top_up]}}",
        "policy: {actions: {liquidation: [flatten]}}",
        "limits: {step_fraction: 100%, slippage: 50%, max_slippage: 50%, fee_rate: 0, confirm_after: 0s}",
        "poll: {interval: 200ms, act_max_age: 200ms, alarm_max_age: 1s}",
        "poll: {interval: 5m, act_max_age: 1h, alarm_max_age: 1h}",
        "brokers: {bybit: {max_leverage: 125}}",
    ],
)
def test_the_edges_of_the_schema_make_a_policy(settings: Callable[[str], Settings], text: str) -> None:
    found = settings(text)
    policy_of(found, found.accounts[0])


def test_every_sound_ladder_makes_a_policy(settings: Callable[[str], Settings]) -> None:
    steps = [Decimal(percent) / 100 for percent in (10, 35, 60, 85)]
    built = 0
    for warning, critical, liquidation, target in product(steps, repeat=4):
        text = (
            f"policy: {{target: {{utilization: {target}}}, utilization: "
            f"{{warning: {warning}, critical: {critical}, liquidation: {liquidation}}}}}"
        )
        try:
            found = settings(text)
        except ConfigError:
            continue
        policy_of(found, found.accounts[0])
        built += 1
    assert built == 11
