"""No credential is in anything a running daemon writes or shows; every other test here checks that too."""

from pathlib import Path
from typing import Any

import pytest

Workshop = Any
Account = dict[str, Any]  # the types live in conftest

CANARY = b"Canary4711"


def test_no_secret_is_in_argv_environment_state_or_output(
    workshop: Workshop, bybit: Account, binance: Account, okx: Account
) -> None:
    sandbox = workshop.sandbox(bybit, binance, okx)
    config = workshop.configuration(sandbox, log={"level": "debug", "format": "json"})
    workshop.run("check", "--config", str(config))
    daemon = workshop.daemon(config)
    for row in sandbox.accounts:
        daemon.until(event="cycle", account=row["id"])
    for broker, fault in (("bybit", "revoked_key"), ("binance", "http_502_html"), ("okx", "truncated")):
        sandbox.venue(broker).fault(fault)
    for row in sandbox.accounts:
        daemon.until(event="protection_lost", account=row["id"])
    for broker in sandbox.endpoints:
        sandbox.venue(broker).heal()
        sandbox.venue(broker).move("0.8668")
    for row in sandbox.accounts:
        daemon.until(event="episode_ended", account=row["id"])

    process = Path("/proc") / str(daemon.process.pid)
    if process.exists():
        assert CANARY not in (process / "cmdline").read_bytes()
        assert CANARY not in (process / "environ").read_bytes()
    assert daemon.terminate() == 0
    written = [path for path in daemon.state_dir.rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {"journal.db", "history.db", "journal.lock"}
    for path in (
        *written,
        *(file for program in workshop.programs[1:] for file in (program.out, program.err)),
    ):
        assert CANARY not in path.read_bytes(), path


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_that_a_venue_repeats_is_masked_in_the_log(
    workshop: Workshop, okx: Account, tmp_path: Path, form: str
) -> None:
    sandbox = workshop.sandbox(okx)
    shown = workshop.secret("shown.password", "Canary4711-wrong-phrase")
    credentials = {
        "api_key": workshop.secret("okx-a.api_key", okx["api_key"]),
        "secret": workshop.secret("okx-a.secret", okx["secret"]),
        "password": shown,
    }
    config = workshop.configuration(
        sandbox, changes={"okx-a": {"credentials": credentials}}, log={"format": form, "level": "debug"}
    )
    program = workshop.start("run", "--config", str(config))
    program.shows("protection_lost")
    assert program.terminate() == 0
    assert "\x1b" not in program.stderr
    assert CANARY not in program.err.read_bytes()
    assert not [p for p in (tmp_path / "state").rglob("*") if p.is_file() and CANARY in p.read_bytes()]
