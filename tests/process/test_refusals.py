"""Configurations that must not be used: exit code 78, a line per problem with its place, nothing else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Workshop = Any  # the types live in conftest

GOOD = """\
mode: observe
state_dir: {state}
accounts:
  - id: bybit-main
    broker: bybit
    credentials: {{api_key: "env:MARGIND_TEST_KEY", secret: "env:MARGIND_TEST_SECRET"}}
    endpoint: http://127.0.0.1:9
"""
SECRETS = {"MARGIND_TEST_KEY": "Canary4711Key", "MARGIND_TEST_SECRET": "Canary4711Secret"}

# What is put in place of what, and what each line must then say, after the file's name.
REFUSED = {
    "mode": ("mode: observe", "mode: enforced", [r":1: mode: .*enforce"]),
    "unknown-key": ("mode: observe", "mode: observe\nmod: enforce", [r":2: mod: .*mode"]),
    "twice": ("mode: observe", "mode: observe\nmode: enforce", [r":2: mode: .*"]),
    "inverted": (
        "mode: observe",
        "policy:\n  utilization: {{warning: 0.8, critical: 0.7, liquidation: 0.9}}",
        [r":2: policy\.utilization\.critical: is not above warning"],
    ),
    "percent": (
        "mode: observe",
        "policy: {{utilization: {{liquidation: 90}}}}",
        [r":1: policy\.utilization\.liquidation: is out of range: 0 < value < 1; ten percent is 0\.10 or"],
    ),
    "nan": ("mode: observe", "policy: {{hysteresis: .nan}}", [r":1: policy\.hysteresis: .*finite.*; write"]),
    "inf": (
        "mode: observe",
        "poll: {{act_max_age: .inf}}",
        [r":1: poll\.act_max_age: is not a finite number; write a plain decimal number$"],
    ),
    "unit": ("mode: observe", "poll: {{interval: 2}}", [r":1: poll\.interval: .*2s"]),
    "anchor": (
        "mode: observe",
        "mode: &a observe",
        [r":1: mode: an anchor \(&name\) is not allowed; write the value out$"],
    ),
    "alias": (
        'api_key: "env:MARGIND_TEST_KEY"',
        "api_key: *key",
        [r":6: accounts\[0\]\.credentials\.api_key \(account bybit-main\): an alias \(\*name\) .*; write "],
    ),
    "deep": (
        "endpoint: http://127.0.0.1:9",
        f"endpoint: {'[' * 20}{']' * 20}",
        [r":7: accounts\[0\]\.endpoint \(account bybit-main\): nested deeper than 20 levels; no setting"],
    ),
    "large": ("mode: observe", f"mode: observe  {'#' * 256 * 1024}", [r": is larger than 256 KiB; is it"]),
    "target": (
        "mode: observe",
        "policy:\n  target: {{utilization: 0.95}}",
        [r":2: policy\.target\.utilization: .* is not below 0\.90, the liquidation threshold .*; relief"],
    ),
    "account-twice": (
        "accounts:",
        "accounts:\n  - {{id: bybit-main, broker: bybit, credentials: {{api_key: env:A, secret: env:B}}}}",
        [r":5: accounts\[1\]\.id \(account bybit-main\): .*"],
    ),
    "two-problems": (
        "mode: observe",
        "mode: on\npoll: {{interval: soon}}",
        [r":1: mode: ", r":2: poll\.interval: "],
    ),
    "secret-in-file": ('"env:MARGIND_TEST_SECRET"', '"Canary4711Literal"', [r":6: accounts\[0\].*secret.*"]),
    "secret-unset": (
        "env:MARGIND_TEST_SECRET",
        "env:MARGIND_NOT_SET",
        [r":6: accounts\[0\]\.credentials\.secret \(account bybit-main\): .*MARGIND_NOT_SET"],
    ),
    "secret-file-missing": (
        "env:MARGIND_TEST_SECRET",
        "file:/nowhere/secret",
        [r":6: accounts\[0\]\.credentials\.secret \(account bybit-main\): .*/nowhere/secret"],
    ),
    "credential-missing": (
        "env:MARGIND_TEST_SECRET",
        "credential:bybit-secret",
        [r":6: accounts\[0\]\.credentials\.secret \(account bybit-main\): .*bybit-secret"],
    ),
    "plain-http": ("http://127.0.0.1:9", "http://192.0.2.1:9", [r":7: accounts\[0\]\.endpoint.*"]),
    "broker": ("broker: bybit", "broker: mtgox", [r":5: accounts\[0\]\.broker.*"]),
    "okx-passphrase": (
        "broker: bybit",
        "broker: okx",
        [r":6: accounts\[0\]\.credentials.*\(account bybit-main\): .*passphrase"],
    ),
    "no-accounts": ("accounts:", "accounts: []\nrest:", [r":3: accounts: is empty", r":4: rest: .*"]),
    "relative-state": ("{state}", "var/margind", [r":2: state_dir: is not an absolute path"]),
    "database": (
        "mode: observe",
        "database: {{url: mysql://localhost/margind}}",
        [r":1: database\.url: is not a database margind can use"],
    ),
    "database-password": (
        "mode: observe",
        "database: {{url: postgresql+psycopg://u:Canary4711@127.0.0.1/m}}",
        [r":1: database\.url: must not hold the password"],
    ),
    "tab": ("mode: observe", "mode: observe\nlog:\n\tlevel: info", [r":3: is not valid YAML: .*"]),
    "product": (
        "broker: bybit",
        "broker: bybit\n    product: inverse",
        [r":\d+: accounts\[0\]\.product.* is not a product of bybit.*"],
    ),
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(old: str = "", new: str = "") -> Path:
        text = GOOD.replace(old, new, 1) if old else GOOD
        assert text != GOOD or not old
        file = tmp_path / "margind.yaml"
        file.write_text(text.format(state=tmp_path / "state"))
        return file

    return write


CASES = [(name, "check") for name in REFUSED] + [(name, "run") for name in ("two-problems", "product")]


@pytest.mark.parametrize(("name", "command"), CASES, ids=map(" ".join, CASES))
def test_a_refused_file_is_one_line_a_problem(
    workshop: Workshop, written: Callable[..., Path], name: str, command: str
) -> None:
    old, new, expected = REFUSED[name]
    file = written(old, new)
    done = workshop.run(command, "--config", str(file), env=SECRETS)
    assert done.process.returncode == 78
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == len(expected), done.stderr
    for line, wanted in zip(lines, expected, strict=True):
        place = re.escape(str(file)) if wanted.startswith(":") else "margind: "
        assert re.match(place + wanted, line), line
        assert "; " in line, f"says not what to do: {line}"
    assert not (file.parent / "state").exists(), "a refused configuration leaves no trace"


@pytest.mark.parametrize("command", ["run", "check", "sandbox", "db upgrade", "db current"])
def test_a_file_that_cannot_be_read_is_named(workshop: Workshop, tmp_path: Path, command: str) -> None:
    missing = tmp_path / "nowhere.yaml"
    done = workshop.run(*command.split(), "--config", str(missing))
    assert done.process.returncode == 78
    assert done.stdout == ""
    expected = (
        f"{missing}: cannot be read: No such file or directory; check the path, and that you may read it\n"
    )
    assert done.stderr == expected


def test_a_folder_is_no_configuration(workshop: Workshop, tmp_path: Path) -> None:
    done = workshop.run("check", "--config", str(tmp_path))
    assert done.process.returncode == 78
    assert done.stderr.splitlines() == [
        f"{tmp_path}: cannot be read: not a regular file; check the path, and that you may read it"
    ]


def test_a_secret_file_that_others_may_read_is_refused_with_the_remedy(
    workshop: Workshop, written: Callable[..., Path], tmp_path: Path
) -> None:
    secret = tmp_path / "open.secret"
    secret.write_text("Canary4711Secret")
    secret.chmod(0o644)
    file = written("env:MARGIND_TEST_SECRET", f"file:{secret}")
    done = workshop.run("check", "--config", str(file), env=SECRETS)
    assert done.process.returncode == 78
    assert done.stderr == (
        f"{file}:6: accounts[0].credentials.secret (account bybit-main): names {secret}, "
        f"which others than its owner may use; chmod 600 {secret}\n"
    )


def test_a_sandbox_file_is_checked_like_any_other(workshop: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "sandbox.yaml"
    file.write_text(
        "scenario: doom\naccounts:\n  - {id: a, broker: bybit, api_key: k, secret: s, wallets: {}}\n"
    )
    done = workshop.run("sandbox", "--config", str(file))
    assert done.process.returncode == 78
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "doom" in done.stderr
    assert "flash_crash" in done.stderr
