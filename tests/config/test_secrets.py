import copy
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load, parse
from config.resolution import ResolvedCredentials, resolve
from config.schema import Settings
from config.secrets import Secret, SecretReference, SecretScheme

CANARY = "cAnArY-7f3a9"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\nIIrV\n-----END EC PRIVATE KEY-----"

Build = Callable[[str], Settings]
WriteSecret = Callable[..., Path]


def one(
    api_key: str = "env:K",
    secret: str = "env:S",  # noqa: S107 - the name of a place
    password: str = "",
    broker: str = "bybit",
) -> str:
    extra = f", password: '{password}'" if password else ""
    return (
        "accounts:\n"
        "  - id: desk-a\n"
        f"    broker: {broker}\n"
        f"    credentials: {{api_key: '{api_key}', secret: '{secret}'{extra}}}\n"
    )


def refused(settings: Settings, environ: dict[str, str]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve(settings, environ)
    return caught.value


# --- a secret never shows


def test_a_secret_shows_only_when_it_is_revealed() -> None:
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    assert {repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret} == {"<secret>"}  # noqa: UP031
    assert f"{secret:>10}" == "  <secret>"
    assert json.dumps({"key": secret}, default=str) == '{"key": "<secret>"}'


def test_a_secret_cannot_leave_by_pickle_json_or_its_state() -> None:
    secret = Secret(CANARY)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(secret)
    assert not hasattr(secret, "__dict__")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_compare_by_value_and_only_with_secrets() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_credentials_in_values_logs_and_tracebacks_stay_hidden(caplog: pytest.LogCaptureFixture) -> None:
    credentials = ResolvedCredentials(api_key=Secret(CANARY), secret=Secret(CANARY), password=Secret(CANARY))
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("opening with %s", credentials)
    try:
        raise ValueError(credentials, asdict(credentials))  # noqa: TRY301 - the traceback is the point
    except ValueError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert CANARY not in repr(credentials) + caplog.text + told


# --- a reference is resolved


@pytest.mark.parametrize(
    ("written", "scheme", "name"),
    [
        ("env:BYBIT_KEY", SecretScheme.ENV, "BYBIT_KEY"),
        ("file:/etc/margind/a b.key", SecretScheme.FILE, "/etc/margind/a b.key"),
        ("credential:bybit.key-1", SecretScheme.CREDENTIAL, "bybit.key-1"),
    ],
)
def test_references_name_a_place(settings: Build, written: str, scheme: SecretScheme, name: str) -> None:
    reference = settings(one(api_key=written)).accounts[0].credentials.api_key
    assert reference == SecretReference(scheme, name)
    assert str(reference) == written


def test_secrets_come_from_environment_file_and_systemd(
    settings: Build, secret_file: WriteSecret, tmp_path: Path
) -> None:
    path = secret_file("from-file\n")
    credential = secret_file("pass phrase\r\n", name="okx-pass", mode=0o440)
    found = settings(one("env:K", f"file:{path}", "credential:okx-pass", broker="okx"))
    environ = {"K": "from-env", "CREDENTIALS_DIRECTORY": str(credential.parent)}
    credentials = resolve(found, environ).accounts["desk-a"]
    assert credentials.api_key.reveal() == "from-env"
    assert credentials.secret.reveal() == "from-file"
    assert credentials.password is not None
    assert credentials.password.reveal() == "pass phrase"


@pytest.mark.parametrize("stored", [PEM, PEM + "\n", PEM.replace("\n", "\\n")])
def test_a_pem_keeps_its_lines(settings: Build, secret_file: WriteSecret, stored: str) -> None:
    path = secret_file(stored)
    found = settings(one("env:K", f"file:{path}", broker="coinbase"))
    key_name = "organizations/a-b/apiKeys/c-d"
    credentials = resolve(found, {"K": key_name}).accounts["desk-a"]
    assert credentials.secret.reveal() == PEM
    assert credentials.api_key.reveal() == key_name


def test_a_link_to_a_private_file_is_followed(
    settings: Build, secret_file: WriteSecret, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret_file("x1"))
    assert (
        resolve(settings(one(secret=f"file:{link}")), {"K": "k"}).accounts["desk-a"].secret.reveal() == "x1"
    )


def test_the_database_s_password_is_resolved_with_the_others(
    settings: Build, secret_file: WriteSecret
) -> None:
    path = secret_file("pg-pass\n")
    text = f"database: {{url: 'postgresql+psycopg://a@db/m', password: 'file:{path}'}}\n" + one()
    found = resolve(settings(text), {"K": "k", "S": "s"})
    assert found.database_password == Secret("pg-pass")
    assert resolve(settings(one()), {"K": "k", "S": "s"}).database_password is None


# --- or refused


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o610])
def test_a_file_that_others_may_use_is_refused_with_the_remedy(
    settings: Build, secret_file: WriteSecret, mode: int
) -> None:
    path = secret_file(CANARY, mode=mode)
    (problem,) = refused(settings(one(secret=f"file:{path}")), {"K": "k"}).problems
    assert problem.hint == f"chmod 600 {path}"
    assert (problem.line, problem.key, problem.account) == (4, "accounts[0].credentials.secret", "desk-a")


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        ("", "which is empty"),
        ("\n\n", "which is empty"),
        ("  \n", "which is empty"),
        ("has space", "holds a space"),
        ("tab\there", "holds a space, a control character"),
        ("two\nlines", "holds a space, a control character"),
        ("kéy", "outside ASCII"),
        ("x" * 70_000, "too large for a secret"),
    ],
)
@pytest.mark.parametrize("field", ["api_key", "secret"])
def test_what_cannot_be_a_key_is_refused(
    settings: Build, secret_file: WriteSecret, field: str, stored: str, what: str
) -> None:
    path = secret_file(stored)
    found = settings(one(**{field: f"file:{path}"}))
    (problem,) = refused(found, {"K": "k", "S": "s"}).problems
    assert what in problem.what
    assert problem.key == f"accounts[0].credentials.{field}"
    assert problem.hint


@pytest.mark.parametrize("stored", [" leading", "trailing ", "bell\x07"])
def test_a_passphrase_may_hold_spaces_but_not_at_its_ends(settings: Build, stored: str) -> None:
    found = settings(one(password="env:P", broker="okx"))
    (problem,) = refused(found, {"K": "k", "S": "s", "P": stored}).problems
    assert problem.key == "accounts[0].credentials.password"


def test_bytes_that_are_no_text_are_refused(settings: Build, tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    (problem,) = refused(settings(one(secret=f"file:{path}")), {"K": "k"}).problems
    assert "is not text" in problem.what


def test_only_regular_files_hold_secrets(settings: Build, tmp_path: Path) -> None:
    directory = tmp_path / "folder"
    directory.mkdir(mode=0o700)
    for path, what in ((directory, "not a regular file"), (Path("/dev/zero"), "not a regular file")):
        (problem,) = refused(settings(one(secret=f"file:{path}")), {"K": "k"}).problems
        assert what in problem.what


def test_a_fifo_does_not_hold_up_the_start(settings: Build, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)
    (problem,) = refused(settings(one(secret=f"file:{path}")), {"K": "k"}).problems
    assert "not a regular file" in problem.what


def test_two_references_to_one_key_are_one_account(settings: Build) -> None:
    text = one() + one(api_key="env:K2", secret="env:S2").partition("\n")[2].replace("desk-a", "desk-b")
    error = refused(settings(text), {"K": CANARY, "K2": CANARY, "S": "s", "S2": "s"})
    (problem,) = error.problems
    assert problem.account == "desk-b"
    assert problem.what == "is the key of accounts[0] too, at the same broker and product"
    assert CANARY not in str(error)


EMERGENCY = "    emergency_credentials: {api_key: env:EK, secret: env:ES}\n"


def test_an_emergency_key_is_read_like_the_main_one(settings: Build) -> None:
    found = resolve(settings(one() + EMERGENCY), {"K": "k", "S": "s", "EK": "ek", "ES": "es"})
    assert found.accounts["desk-a"] == ResolvedCredentials(
        api_key=Secret("k"),
        secret=Secret("s"),
        emergency=ResolvedCredentials(api_key=Secret("ek"), secret=Secret("es")),
    )
    assert resolve(settings(one()), {"K": "k", "S": "s"}).accounts["desk-a"].emergency is None


def test_an_unfit_emergency_key_is_refused_and_not_left_out(settings: Build) -> None:
    error = refused(settings(one() + EMERGENCY), {"K": "k", "S": "s", "EK": CANARY + " x"})
    assert [problem.key for problem in error.problems] == [
        "accounts[0].emergency_credentials.api_key",
        "accounts[0].emergency_credentials.secret",
    ]
    assert CANARY not in str(error)


def test_an_emergency_key_that_turns_out_to_be_the_main_one_is_refused(settings: Build) -> None:
    found = settings(one() + EMERGENCY)
    (problem,) = refused(found, {"K": CANARY, "S": "s", "EK": CANARY, "ES": "es"}).problems
    assert problem.key == "accounts[0].emergency_credentials.api_key"
    assert problem.what == "is the account's main key too"


def test_an_emergency_key_that_turns_out_to_be_another_account_s_is_refused(settings: Build) -> None:
    other = one(api_key="env:K2", secret="env:S2").partition("\n")[2].replace("desk-a", "desk-b")
    environ = {"K": "k", "S": "s", "EK": CANARY, "ES": "es", "K2": CANARY, "S2": "s2"}
    (problem,) = refused(settings(one() + EMERGENCY + other), environ).problems
    assert problem.account == "desk-b"
    assert problem.what == "is the key of accounts[0] too, at the same broker and product"


def test_a_secret_in_the_place_of_a_key_of_the_emergency_block_is_not_quoted(settings: Build) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(one() + f"    emergency_credentials: {{{CANARY}: env:EK, secret: env:ES}}\n")
    assert CANARY not in str(caught.value)


def test_every_missing_secret_is_listed_at_once_with_its_line(
    settings: Build, secret_file: WriteSecret, tmp_path: Path
) -> None:
    text = f"""\
database: {{url: "postgresql+psycopg://a@db/m", password: "env:PG_PASSWORD"}}
accounts:
  - id: one
    broker: bybit
    credentials:
      api_key: env:ONE_KEY
      secret: file:{tmp_path}/nothing-here
  - id: two
    broker: okx
    credentials:
      api_key: credential:two-key
      secret: env:TWO_SECRET
      password: env:TWO_PASSWORD
"""
    error = refused(settings(text), {"TWO_SECRET": "", "TWO_PASSWORD": "fine"})
    assert [(each.line, each.key, each.account) for each in error.problems] == [
        (1, "database.password", None),
        (6, "accounts[0].credentials.api_key", "one"),
        (7, "accounts[0].credentials.secret", "one"),
        (11, "accounts[1].credentials.api_key", "two"),
        (12, "accounts[1].credentials.secret", "two"),
    ]
    lines = str(error).splitlines()
    assert "ONE_KEY, which is not set" in lines[1]
    assert "No such file or directory" in lines[2]
    assert "$CREDENTIALS_DIRECTORY is not set; run under systemd with LoadCredential=two-key" in lines[3]
    assert "env:TWO_SECRET, which is empty" in lines[4]


# --- and no refusal quotes it


def places() -> list[str]:
    """Texts with a secret written into every place where one could slip in."""
    top = one()
    return [
        top.replace("'env:S'", f"'{CANARY}'"),
        top.replace("'env:S'", f"'env:{CANARY} x'"),
        top.replace("'env:S'", f"'file:{CANARY}'"),
        top.replace("'env:S'", f"'secret:{CANARY}'"),
        top.replace("'env:S'", f"[{CANARY}]"),
        top.replace("'env:S'", f"{{{CANARY}: x}}"),
        top.replace("secret: 'env:S'", f"secret:{CANARY}"),
        top.replace("secret: 'env:S'", f"secret: env:S, {CANARY}: x"),
        top.replace("secret: 'env:S'", f"secret: env:S, {CANARY}: x, {CANARY}: y"),
        top.replace("secret: 'env:S'", f'secret: env:S, "{CANARY}": .nan'),
        top + f"    endpoint: https://user:{CANARY}@host\n",
        top + f"    endpoint: '{CANARY}'\n",
        top + f"    product: {CANARY}\n",
        top + f"    mode: {CANARY}\n",
        top + f"    testnet: {CANARY}\n",
        top + f"    allow_withdrawal_key: {CANARY}\n",
        top + f"    max_leverage: {CANARY}\n",
        top.replace("desk-a", CANARY),
        top.replace("bybit", CANARY),
        top + f"database: {{url: 'postgresql+psycopg://a:{CANARY}@h/d'}}\n",
        top + f"database: {{url: 'postgresql+psycopg://h/d?password={CANARY}'}}\n",
        top + f"database: {{password: {CANARY}}}\n",
        top + f"state_dir: {CANARY}\n",
        top + f"poll: {{interval: {CANARY}}}\n",
        top + f"policy: {{hysteresis: {CANARY}}}\n",
        top + f"log: {CANARY}\n",
        top + f'"{CANARY}:{CANARY}": x\n',
        top + f"{CANARY}\n",
        top + f"x: *{CANARY}\n",
        top + f"x: !{CANARY} y\n",
    ]


@pytest.mark.parametrize("text", places(), ids=lambda text: str(places().index(text)))
def test_no_refusal_quotes_a_secret_wherever_it_was_written(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), "margind.yaml")
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.problems)
    assert CANARY not in told


def test_nothing_made_of_the_settings_shows_a_secret(secret_file: WriteSecret, tmp_path: Path) -> None:
    path = secret_file(CANARY)
    config = tmp_path / "margind.yaml"
    config.write_text(one(api_key="env:K", secret=f"file:{path}", password="env:P", broker="okx"))
    settings = load(config)
    secrets = resolve(settings, {"K": CANARY, "P": CANARY})
    shown = [repr(settings), str(settings), settings.model_dump_json(), repr(secrets), str(secrets)]
    assert CANARY not in "".join(shown)
    assert secrets.accounts["desk-a"].secret.reveal() == CANARY
