"""`margind check` against what the venues know: the accounts of the shipped sandbox."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

Workshop = Any
Sandbox = Any
Account = dict[str, Any]
Row = dict[str, str]  # the types live in conftest

SHIPPED = Path(__file__).parents[2] / "config" / "sandbox.yaml"
MODES = {
    "bybit-cross": "REGULAR_MARGIN",
    "bybit-isolated": "ISOLATED_MARGIN",
    "binance-single": "single-asset",
    "binance-multi": "multi-assets",
    "okx-futures": "futures mode",
    "okx-multi": "multi-currency margin",
    "kraken-flex": "multi-collateral",
    "kraken-coin": "multi-collateral",
    "cryptocom-cross": "smart cross margin",
    "coinbase-futures": "US futures, default portfolio",
    "coinbase-spot": "cash account, default portfolio",
    "binance-coin": "coin-margined",
    "binance-portfolio": "portfolio margin",
    "basis-long": "REGULAR_MARGIN",
    "basis-short": "futures mode",
}
KEYS = {
    "cryptocom-cross": "unverified",
    "coinbase-futures": "read trade",
    "coinbase-spot": "read trade",
}
ACCEPTED = {"cryptocom-cross": {"allow_withdrawal_key": "i accept that this key can withdraw"}}
SECRETS = {"api_key", "secret", "password"}
ENCODED = {"kraken", "krakenfutures"}
ROUNDING = Decimal("0.06")
"""The table shows tenths of a percent; the venue's figures move a little between two looks."""


@pytest.fixture
def demo_market(workshop: Workshop) -> Sandbox:
    """The shipped sandbox with canaries for credentials, standing still."""
    shipped = yaml.safe_load(SHIPPED.read_text())
    accounts = [
        {
            name: canary(account, name) if name in SECRETS and "\n" not in value else value
            for name, value in account.items()
        }
        for account in shipped["accounts"]
    ]
    return workshop.sandbox(*json.loads(json.dumps(accounts)), prices=shipped["prices"], seed=shipped["seed"])


def canary(account: Account, name: str) -> str:
    """Make a credential that is easily found again, in base64 where the venue's secrets are."""
    text = f"Canary4711-{account['id']}-{name}"
    encoded = name == "secret" and account["broker"] in ENCODED
    return b64encode(text.encode()).decode() if encoded else text


def rows_in(table: str) -> Iterator[Row]:
    """Read the table as a person does: by its columns."""
    lines = table.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("account "))
    starts = [match.start() for match in re.finditer(r"(?<!\S)(?:\S+ )*\S+", lines[head])]
    names = [lines[head][a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
    for line in lines[head + 1 :]:
        if not re.match(r"[a-z0-9-]+ +[A-Z]+", line):
            return
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        yield dict(zip(names, cells, strict=True))


def worst_of(truth: dict[str, Any], *, holds: bool = False) -> dict[str, Decimal]:
    """Return the largest ratio of each measure over an account's pools, in percent.

    `holds`: what orders need is taken off the equity, not counted as used.
    """
    kinds = ("position",) if holds else ("position", "order")
    used = [
        (sum(Decimal(pool[f"{kind}_initial_margin"]) for kind in kinds), pool["available"])
        for pool in truth["pools"]
        if pool["kind"] != "isolated_position"
    ]
    utilization = [100 * own / (own + Decimal(free)) for own, free in used if own + Decimal(free) > 0]
    return {
        "utilization": max(utilization, default=Decimal(0)),
        "maintenance": max(
            (100 * Decimal(pool["ratio"] or 0) for pool in truth["pools"]), default=Decimal(0)
        ),
    }


def percent_in(cell: str) -> Decimal | None:
    return None if cell == "-" else Decimal(cell.removesuffix(" %"))


def test_the_table_tells_what_the_venues_know(workshop: Workshop, demo_market: Sandbox) -> None:
    config = workshop.configuration(demo_market, changes=ACCEPTED)
    done = workshop.run("check", "--config", str(config))
    assert done.process.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert done.stdout.splitlines()[0] == (
        f"{config}: valid; history at sqlite+pysqlite:///{workshop.folder}/state/history.db"
    )
    rows = {row["account"]: row for row in rows_in(done.stdout)}
    assert list(rows) == list(MODES)
    for name, row in rows.items():
        truth = demo_market.venue_of(name).truth(name)
        assert row["account mode"] == MODES[name]
        key = KEYS.get(name, "read trade transfer")
        assert (row["mode"], row["reachable"], row["key"]) == ("enforce", "yes", key)
        assert int(row["positions"]) == len(truth["positions"])
        assert abs(int(row["clock offset"].removesuffix(" ms"))) < 500
        expected = worst_of(truth, holds=name == "coinbase-futures")
        if name == "bybit-isolated":
            continue  # its worst unit is the wallet, which Bybit gives no ratio
        for measure in ("utilization", "maintenance"):
            if name == "coinbase-spot":
                assert row[measure] == "n/a"
                continue
            shown = percent_in(row[measure])
            assert shown is not None
            assert abs(shown - expected[measure]) <= ROUNDING, (name, measure, shown, expected)
        assert row["level"] == "SAFE"


def test_the_table_follows_the_market_to_its_worst(workshop: Workshop, demo_market: Sandbox) -> None:
    for broker in ("bybit", "binance", "okx", "cryptocom"):
        demo_market.venue(broker).move("0.88")
    config = workshop.configuration(demo_market, changes=ACCEPTED)
    done = workshop.run("check", "--config", str(config))
    assert done.process.returncode == 0, done.stdout
    rows = {row["account"]: row for row in rows_in(done.stdout)}
    for name in ("bybit-cross", "binance-single", "okx-futures", "cryptocom-cross"):
        expected = worst_of(demo_market.venue_of(name).truth(name))
        shown = percent_in(rows[name]["utilization"])
        assert shown is not None
        assert abs(shown - expected["utilization"]) <= ROUNDING
        assert rows[name]["level"] == ("LIQUIDATION" if expected["utilization"] >= 90 else "CRITICAL")
    assert "account bybit-cross: leverage_over_cap: effective leverage" in done.stdout


def test_a_skewed_venue_clock_is_measured_and_does_no_harm(
    workshop: Workshop,
    bybit: Account,
    binance: Account,
    okx: Account,
) -> None:
    sandbox = workshop.sandbox(bybit, binance, okx)
    skews = {"bybit": 4_000, "binance": -7_000, "okx": 40_000}
    for broker, ms in skews.items():
        sandbox.venue(broker).fault("clock_skew", ms=ms)
    done = workshop.run("check", "--config", str(workshop.configuration(sandbox)))
    assert done.process.returncode == 0, done.stdout
    for row in rows_in(done.stdout):
        expected = skews[row["broker"].split()[0]]
        assert abs(int(row["clock offset"].removesuffix(" ms")) - expected) < 500
    told = [line for line in done.stdout.splitlines() if "this machine's clock is" in line]
    assert [line.partition(":")[0] for line in told] == ["account binance-a", "account okx-a"]
    assert ["s ahead of the venue's" in told[0], "s behind the venue's" in told[1]] == [True, True]


def test_a_threshold_above_a_point_of_no_return_is_told_in_one_line_and_counts_lower(
    workshop: Workshop, demo_market: Sandbox
) -> None:
    late = {
        name: {"policy": {"maintenance": {"liquidation": "90%"}}}
        for name in ("binance-portfolio", "binance-coin")
    }
    config = workshop.configuration(demo_market, changes=ACCEPTED | late)
    done = workshop.run("check", "--config", str(config))
    assert done.process.returncode == 0, done.stdout
    (told,) = [line for line in done.stdout.splitlines() if "counts as" in line]
    assert told == (
        "account binance-portfolio: maintenance: liquidation is configured at 90 % and counts as 83.1 %: "
        "from 87.5 % on (uniMMR 1.20) the venue takes only orders that reduce"
    )


def test_a_check_sends_nothing_and_leaves_nothing(workshop: Workshop, bybit: Account) -> None:
    sandbox = workshop.sandbox(bybit)
    sandbox.venue("bybit").move("0.867")
    before = sandbox.venue("bybit").history()
    assert workshop.run("check", "--config", str(workshop.configuration(sandbox))).process.returncode == 0
    assert sandbox.venue("bybit").history() == before
    assert not (workshop.folder / "state").exists()


def test_a_venue_that_does_not_say_what_a_key_may_do_is_checked_all_the_same(
    workshop: Workshop, bybit: Account
) -> None:
    sandbox = workshop.sandbox(bybit)
    sandbox.venue("bybit").fault("http_500", path="/v5/user/query-api")
    done = workshop.run("check", "--config", str(workshop.configuration(sandbox)))
    assert done.process.returncode == 0, done.stdout
    (row,) = rows_in(done.stdout)
    assert (row["reachable"], row["key"], row["level"]) == ("yes", "unknown", "SAFE")
    assert "what its key may do is not known" in done.stdout
