from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers import models
from brokers.sandbox import faults as broker_faults
from config import sandbox as config_sandbox
from config.errors import ConfigError
from config.loader import load_sandbox, parse_sandbox
from config.sandbox import FaultKind, SandboxSettings

ACCOUNT = """\
accounts:
  - id: a
    broker: bybit
    api_key: k
    secret: s
    wallets: {USDT: 1000}
"""

OKX = ACCOUNT.replace("bybit", "okx") + "    password: p\n"
KRAKEN = ACCOUNT.replace("bybit", "krakenfutures").replace("secret: s", "secret: c2VjcmV0")
PEM = """\
|
      -----BEGIN EC PRIVATE KEY-----
      MHcCAQEEICREq8Qza4rjx0zJNgxFy1FXoCdcBleqA4/Gv4W0Ik6ooAoGCCqGSM49
      -----END EC PRIVATE KEY-----
"""
COINBASE = ACCOUNT.replace("bybit", "coinbase").replace("secret: s\n", f"secret: {PEM}")


def sandbox(text: str) -> SandboxSettings:
    return parse_sandbox(text.encode(), "sandbox.yaml")


def test_the_smallest_sandbox_is_calm_and_listens_anywhere() -> None:
    found = sandbox(ACCOUNT)
    assert (found.scenario, found.seed, found.speed) == ("calm", 7, Decimal(1))
    assert (found.listen.bybit, found.listen.binance, found.listen.okx) == (0, 0, 0)
    (account,) = found.accounts
    assert (account.product, account.mode, account.position_mode) == ("unified", "cross", "one_way")
    assert account.wallets == {"USDT": Decimal(1000)}
    assert account.funding == {}


@pytest.mark.parametrize(
    ("broker", "product", "mode"),
    [
        ("bybit", "unified", "cross"),
        ("binance", "usdm", "single_asset"),
        ("okx", "unified", "futures"),
        ("kraken", "spot", "spot_margin"),
        ("krakenfutures", "futures", "multi_collateral"),
        ("cryptocom", "exchange", "smart_cross"),
        ("coinbase", "spot", "cash"),
        ("binancecoinm", "coinm", "coin_margined"),
        ("binancepm", "portfolio", "portfolio_margin"),
        ("binancemargin", "cross", "classic"),
        ("binanceisolated", "isolated", "isolated_pairs"),
    ],
)
def test_each_venue_has_its_first_mode_by_default(broker: str, product: str, mode: str) -> None:
    spot = KRAKEN.replace("krakenfutures", "kraken")
    texts = {"okx": OKX, "kraken": spot, "krakenfutures": KRAKEN, "coinbase": COINBASE}
    (account,) = sandbox(texts.get(broker, ACCOUNT.replace("bybit", broker))).accounts
    assert (account.product, account.mode) == (product, mode)


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        (ACCOUNT, ["cross", "isolated", "portfolio", "uta1"]),
        (OKX, ["futures", "multi_currency", "portfolio", "spot"]),
    ],
)
def test_the_account_modes_of_bybit_and_okx(text: str, modes: list[str]) -> None:
    for mode in modes:
        (account,) = sandbox(f"{text}    mode: {mode}\n").accounts
        assert account.mode == mode


def test_a_spot_account_holds_no_positions() -> None:
    held = "    mode: spot\n    positions:\n      - {symbol: BTC-USDT, side: long, quantity: 1}\n"
    with pytest.raises(ConfigError, match="a spot account has none"):
        sandbox(OKX + held)


def test_debts_stand_beside_the_wallets_where_there_is_lending() -> None:
    (account,) = sandbox(OKX + "    mode: spot\n    debts: {USDT: 500, BTC: 0.1}\n").accounts
    assert account.debts == {"USDT": 500, "BTC": Decimal("0.1")}
    assert sandbox(OKX).accounts[0].debts == {}
    with pytest.raises(ConfigError, match="nothing is lent in mode isolated"):
        sandbox(ACCOUNT + "    mode: isolated\n    debts: {USDT: 500}\n")


def test_a_venue_may_have_another_name_as_a_broker_of_the_daemon() -> None:
    (kraken,), (okx,) = sandbox(KRAKEN).accounts, sandbox(OKX).accounts
    assert (kraken.broker, kraken.broker_id, okx.broker_id) == ("krakenfutures", "kraken", "okx")


def test_a_venue_of_one_product_has_its_brokers_name_in_the_daemon() -> None:
    (coinm,) = sandbox(ACCOUNT.replace("bybit", "binancecoinm")).accounts
    (okx,) = sandbox(OKX).accounts
    assert (coinm.broker, coinm.broker_id, okx.broker_id) == ("binancecoinm", "binance", "okx")


def test_an_opening_is_read_whole() -> None:
    text = (
        OKX
        + """\
    position_mode: hedge
    positions:
      - {symbol: BTC-USDT, side: long, quantity: 0.5, leverage: 3, entry: 90000,
         margin: isolated, margin_amount: 20}
      - {symbol: BTC-USDT, side: short, quantity: 0.1}
    orders:
      - {symbol: BTC-USDT, side: sell, quantity: 0.5, trigger: 80000, reduce_only: true, position_side: long}
faults:
  - {kind: slow, path: /api/v5/trade, account: a, venue: okx, count: 2, after: 5s, duration: 1m, delay: 300ms}
"""
    )
    found = sandbox(text)
    long, short = found.accounts[0].positions
    assert (long.entry, long.leverage, long.margin, long.margin_amount) == (90000, 3, "isolated", 20)
    assert (short.entry, short.leverage, short.margin) == (None, 5, None)
    assert found.accounts[0].orders[0].position_side == "long"
    (fault,) = found.faults
    assert (fault.after, fault.duration, fault.delay) == (
        timedelta(seconds=5),
        timedelta(minutes=1),
        timedelta(milliseconds=300),
    )


def test_the_keys_of_the_sandbox_stay_out_of_its_repr() -> None:
    text = ACCOUNT.replace("api_key: k", "api_key: plain-key").replace("secret: s", "secret: plain-secret")
    shown = repr(sandbox(text))
    assert "plain" not in shown


def test_fault_kinds_are_those_the_sandbox_can_show() -> None:
    assert {kind.value for kind in FaultKind} == {kind.value for kind in broker_faults.FaultKind}


@pytest.mark.parametrize("name", ["Side", "OrderSide", "PositionMode"])
def test_the_words_of_a_sandbox_file_are_the_brokers_own(name: str) -> None:
    own, theirs = getattr(config_sandbox, "PositionSide" if name == "Side" else name), getattr(models, name)
    assert {word.name: word.value for word in own} == {word.name: word.value for word in theirs}
    assert {word.value for word in config_sandbox.Margin} < {word.value for word in models.MarginMode}


ORDER = "    orders:\n      - {symbol: BTC-USDT, side: buy, quantity: 1"
POSITION = "    positions:\n      - {symbol: BTC-USDT, side: long, quantity: 1"


@pytest.mark.parametrize(
    ("text", "line", "key", "hint"),
    [
        ("seed: -1\n" + ACCOUNT, 1, "seed", "the least is 0"),
        ("speed: 0\n" + ACCOUNT, 1, "speed", "0 < value"),
        ("speed: 20000\n" + ACCOUNT, 1, "speed", "the most is 10000"),
        ("scenario: Flash Crash\n" + ACCOUNT, 1, "scenario", "a-z, 0-9"),
        (
            "listen: {deribit: 0}\n" + ACCOUNT,
            1,
            "listen.deribit",
            "known here: binance, binancecoinm, binanceisolated, binancemargin, binancepm",
        ),
        ("listen: {bybit: 70000}\n" + ACCOUNT, 1, "listen.bybit", "the most is 65535"),
        ("accounts: []", 1, "accounts", "at least one"),
        (ACCOUNT.replace("bybit", "deribit"), 3, "accounts[0].broker", "known here: bybit, binance, okx"),
        (ACCOUNT + "    mode: spot\n", 7, "accounts[0].mode", "known here: cross, isolated, portfolio, uta1"),
        (ACCOUNT + "    product: usdm\n", 7, "accounts[0].product", "known here: unified"),
        (ACCOUNT.replace("bybit", "coinbase"), 5, "accounts[0].secret", "write one in PEM form"),
        (COINBASE + "    mode: futures\n", 10, "accounts[0].mode", "known here: cash"),
        (COINBASE + POSITION + "}\n", 10, "accounts[0].positions", "a cash account has none"),
        (ACCOUNT + "    password: p\n", 7, "accounts[0].password", "bybit keys have no passphrase"),
        (KRAKEN.replace("c2VjcmV0", "s"), 5, "accounts[0].secret", "Kraken's secrets are base64"),
        (
            KRAKEN.replace("krakenfutures", "kraken") + POSITION + ", margin: isolated}\n",
            8,
            "accounts[0].positions[0].margin",
            "one margin account",
        ),
        (KRAKEN + "    position_mode: hedge\n", 7, "accounts[0].position_mode", "holds one position"),
        (ACCOUNT.replace("bybit", "okx"), 2, "accounts[0].password", "OKX keys come with a passphrase"),
        (ACCOUNT.replace("api_key: k", "api_key: 'a b'"), 4, "accounts[0].api_key", "without spaces"),
        (ACCOUNT.replace("{USDT: 1000}", "1000"), 6, "accounts[0].wallets", "`key: value`"),
        (ACCOUNT.replace("1000", "-5"), 6, "accounts[0].wallets.USDT", "0 < value"),
        (ACCOUNT + ACCOUNT.partition("\n")[2], 7, "accounts[1].id", "choose another"),
        (ACCOUNT + POSITION + ", margin: isolated}", 8, "accounts[0].positions[0].margin", "account's mode"),
        (ACCOUNT + POSITION + ", leverage: 500}", 8, "accounts[0].positions[0].leverage", "<= 125"),
        (
            ACCOUNT + POSITION + ", margin: cross, margin_amount: 5}",
            8,
            "accounts[0].positions[0].margin_amount",
            "only isolated",
        ),
        (
            ACCOUNT + POSITION + "}\n      - {symbol: BTC-USDT, side: short, quantity: 1}",
            9,
            "accounts[0].positions[1].symbol",
            "one position a symbol",
        ),
        (
            ACCOUNT + POSITION.replace("BTC-USDT", "BTCUSDT") + "}",
            8,
            "accounts[0].positions[0].symbol",
            "such as BTC-USDT",
        ),
        (
            ACCOUNT + ORDER + "}",
            8,
            "accounts[0].orders[0]",
            "would not rest",
        ),
        (
            ACCOUNT
            + "    orders:\n      - {symbol: A-B, side: buy, quantity: 1, price: 1, position_side: long}",
            8,
            "accounts[0].orders[0].position_side",
            "set position_mode: hedge",
        ),
        (
            OKX + "    position_mode: hedge\n" + ORDER + ", price: 1}",
            10,
            "accounts[0].orders[0].position_side",
            "which leg",
        ),
        (ACCOUNT + "faults: [{kind: http_501}]", 7, "faults[0].kind", "did you mean http_50"),
        (ACCOUNT + "faults: [{kind: slow, account: b}]", 7, "faults[0].account", "accounts here: a"),
        (ACCOUNT + "faults: [{kind: slow, path: v5}]", 7, "faults[0].path", "beginning of a request's path"),
        (ACCOUNT + "faults: [{kind: slow, count: 0}]", 7, "faults[0].count", "the least is 1"),
    ],
)
def test_refused_with_line_key_and_hint(text: str, line: int, key: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sandbox(text)
    problem = caught.value.problems[0]
    assert (problem.line, problem.key) == (line, key)
    assert hint in f"{problem.what}; {problem.hint}"


def test_a_file_s_name_and_lines_stay_with_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.yaml"
    path.write_text("\n\n" + ACCOUNT)
    source = load_sandbox(path).source
    assert source.file == str(path)
    assert source.line(("accounts", 0, "id")) == 4


def read_missing(load: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert read_missing(load_sandbox, path) == (
        f"{path}: cannot be read: No such file or directory; check the path, and that you may read it"
    )
