"""Configurations that must not be used: each with the line, the key and the way out.

The offending line ends in `#!`.
"""

# ruff: noqa: E501 - a row a refusal

from collections.abc import Callable

import pytest

from config.errors import ConfigError

Judge = Callable[[str], ConfigError]

GOOD = """\
accounts:
  - id: good
    broker: bybit
    credentials: {api_key: env:KEY, secret: env:SECRET}
"""


def head(text: str) -> str:
    """A top-level block, with a sound account after it."""
    return text + "\n" + GOOD


def account(text: str, broker: str = "bybit", password: str = "") -> str:
    """A sound account and then one with the given lines."""
    keys = f"{{api_key: env:KEY_B, secret: env:SECRET_B{password}}}"
    body = "".join(f"    {line}\n" for line in text.splitlines())
    return GOOD + f"  - id: bad\n    broker: {broker}\n    credentials: {keys}\n" + body


OKX = {"broker": "okx", "password": ", password: env:PASS_B"}

REFUSED = [
    # --- keys
    ("unknown key", head("pol1cy: {} #!"), "pol1cy", "did you mean policy?"),
    ("unknown key far off", head("zzz: 1 #!"), "zzz", "known here: accounts, advise, brokers"),
    ("unknown nested key", head("poll: {intervall: 2s} #!"), "poll.intervall", "did you mean interval?"),
    ("key in the wrong block", head("max_leverage: 5 #!"), "max_leverage", "known here"),
    ("unknown level", head("policy: {utilization: {warn: 0.7}} #!"), "policy.utilization.warn", "warning?"),
    ("unknown broker block", head("brokers: {binanace: {}} #!"), "brokers.binanace", "did you mean binance?"),
    ("unknown account key", account("levrage: 3 #!"), "accounts[1].levrage", "did you mean max_leverage?"),
    ("unknown override key", account("policy: {targets: {}} #!"), "accounts[1].policy.targets", "target?"),
    ("block without value", head("policy: #!"), "policy", "write its value, or remove the key"),
    ("block as list", head("policy: [] #!"), "policy", "write `key: value` lines"),
    ("block as text", head("log: info #!"), "log", "write `key: value` lines"),
    # --- words
    ("unknown mode", head("mode: enforced #!"), "mode", "did you mean enforce?"),
    ("mode as boolean", head("mode: true #!"), "mode", "known here: observe, advise, enforce"),
    ("unknown log level", head("log: {level: warn} #!"), "log.level", "did you mean warning?"),
    ("unknown action", head("policy: {actions: {critical: [cancel]}} #!"), "policy.actions.critical[0]", "did"),
    ("unknown strategy", head("policy: {strategy: cheapest} #!"), "policy.strategy", "cheapest_relief"),
    ("account's unknown strategy", account("policy: {strategy: losers} #!"), "accounts[1].policy.strategy", "known"),
    ("relative state directory", head("state_dir: var/margind #!"), "state_dir", "/var/lib/margind"),
    ("home state directory", head("state_dir: ~/margind #!"), "state_dir", "absolute path"),
    ("climbing state directory", head("state_dir: /var/../etc #!"), "state_dir", "write one such as"),
    # --- ratios
    ("ratio above one", head("policy: {hysteresis: 9.0} #!"), "policy.hysteresis", "0 < value < 1"),
    ("percent without sign", head("policy: {hysteresis: 3} #!"), "policy.hysteresis", "0 < value < 1"),
    ("negative ratio", head("policy: {hysteresis: -0.03} #!"), "policy.hysteresis", "0 < value < 1"),
    ("zero threshold", head("policy: {utilization: {warning: 0}} #!"), "policy.utilization.warning", "0 <"),
    ("threshold of one", head("policy: {maintenance: {liquidation: 100%}} #!"), "policy.maintenance", "< 1"),
    ("ratio in words", head("policy: {hysteresis: small} #!"), "policy.hysteresis", '0.80 or "80%"'),
    ("ratio with comma", head('policy: {hysteresis: "0,03"} #!'), "policy.hysteresis", '0.80 or "80%"'),
    ("ratio with exponent", head("policy: {hysteresis: 3e-2} #!"), "policy.hysteresis", '0.80 or "80%"'),
    ("ratio as NaN text", head('policy: {hysteresis: "NaN"} #!'), "policy.hysteresis", '0.80 or "80%"'),
    ("ratio as boolean", head("policy: {hysteresis: true} #!"), "policy.hysteresis", '0.80 or "80%"'),
    ("ratio .nan", head("policy: {hysteresis: .nan} #!"), "policy.hysteresis", "plain decimal number"),
    ("ratio .inf", head("policy: {hysteresis: .inf} #!"), "policy.hysteresis", "plain decimal number"),
    ("step of more than all", head("limits: {step_fraction: 150%} #!"), "limits.step_fraction", "<= 1"),
    ("no step at all", head("limits: {step_fraction: 0} #!"), "limits.step_fraction", "0 < value"),
    ("slippage of 60%", head("limits: {max_slippage: 60%} #!"), "limits.max_slippage", "<= 0.5"),
    # --- ladders
    ("ladder 90/80/70", head("policy: {utilization: {warning: 90%, critical: 80%, liquidation: 70%}} #!"),
     "policy.utilization.critical", "a ladder rises"),
    ("flat ladder", head("policy: {maintenance: {critical: 0.50}} #!"), "policy.maintenance.critical", "rises"),
    ("warning above default", head("policy:\n  utilization:\n    warning: 0.85 #!"),
     "policy.utilization.warning", "is not below critical, 0.80 by default; a ladder rises"),
    ("target above trigger", head("policy:\n  target:\n    utilization: 0.95 #!"),
     "policy.target.utilization", "relief must end clearly below its trigger"),
    ("target at trigger's end", head("policy: {target: {maintenance: 0.77}} #!"),
     "policy.target.maintenance", "relief must end"),
    ("target above early relief", head(
        "policy:\n  actions: {warning: [reduce], critical: [reduce]}\n  target:\n    utilization: 0.68 #!"),
     "policy.target.utilization", "relief must end"),
    ("hysteresis as wide as a step", head("policy:\n  hysteresis: 0.10 #!"), "policy.hysteresis",
     "a level must end above the start of the one below it"),
    ("account inverts ladder", account("policy:\n  utilization: #!\n    warning: 0.82"),
     "accounts[1].policy.utilization.critical", "a ladder rises"),
    ("account's target above trigger", account("policy:\n  target:\n    utilization: 0.89 #!"),
     "accounts[1].policy.target.utilization", "relief must end"),
    # --- actions
    ("actions out of order", head("policy: {actions: {liquidation: [reduce, cancel_orders]}} #!"),
     "policy.actions.liquidation", "mildest first"),
    ("action twice", head("policy: {actions: {liquidation: [reduce, reduce]}} #!"),
     "policy.actions.liquidation", "each once"),
    ("worse level does less", head("policy: {actions: {critical: [reduce], liquidation: [cancel_orders]}} #!"),
     "policy.actions.liquidation", "a worse level never does less"),
    ("flatten too early", head("policy: {actions: {critical: [flatten]}} #!"), "policy.actions.critical",
     "flatten belongs to liquidation"),
    ("actions as text", head("policy: {actions: {critical: reduce}} #!"), "policy.actions.critical", "- entry"),
    # --- durations
    ("duration without unit", head("poll: {interval: 2} #!"), "poll.interval", "400ms, 2s, 1m"),
    ("duration of unknown unit", head("poll: {interval: 2w} #!"), "poll.interval", "400ms, 2s, 1m"),
    ("negative duration", head("poll: {interval: -2s} #!"), "poll.interval", "400ms, 2s, 1m"),
    ("duration too short", head("poll: {interval: 1ms} #!"), "poll.interval", "200ms to 5m"),
    ("duration too long", head("poll: {interval: 999999d} #!"), "poll.interval", "longer than a year"),
    ("endless pause", head("limits: {confirm_after: 1h} #!"), "limits.confirm_after", "0s to 10s"),
    ("acting on what is too old", head("poll:\n  act_max_age: 20s #!"), "poll.act_max_age", "too old to trust"),
    ("polling slower than alarming", head("poll:\n  interval: 20s #!"), "poll.interval", "between two polls"),
    ("account polls too slowly", account("poll: {interval: 1m} #!"), "accounts[1].poll.interval", "between two"),
    # --- the day's loss
    ("breach of no limit", head("limits: {daily_loss: {action: flatten}} #!"), "limits.daily_loss.action", "add share"),
    ("all may be lost", head("limits: {daily_loss: {share: 100%}} #!"), "limits.daily_loss.share", "< 1"),
    ("nothing may be lost", head("limits: {daily_loss: {amount: {USDT: 0}}} #!"), "limits.daily_loss.amount.USDT", "0 <"),
    ("unknown breach", head("limits: {daily_loss: {share: 5%, action: trim}} #!"), "limits.daily_loss.action", "known"),
    ("own breach of no limit", account("daily_loss: {action: cancel} #!"), "accounts[1].daily_loss.action", "add share"),
    ("lowering to a number", head("limits: {lower_leverage: 5} #!"), "limits.lower_leverage", "true"),
    # --- advice
    ("plan that never waits", head("advise: {plan_lasts: 0s} #!"), "advise.plan_lasts", "10s to 1d"),
    ("approval for ever", head("advise: {approval_lasts: 30d} #!"), "advise.approval_lasts", "10s to 1d"),
    ("any change replaces", head("advise: {worse_by: 0} #!"), "advise.worse_by", "0 < value <= 0.5"),
    # --- limits and top-ups
    ("no orders", head("limits: {orders_per_minute: 0} #!"), "limits.orders_per_minute", "the least is 1"),
    ("too many orders", head("limits: {orders_per_minute: 99999} #!"), "limits.orders_per_minute", "most is 600"),
    ("orders as text", head('limits: {orders_per_minute: "30"} #!'), "limits.orders_per_minute", "digits only"),
    ("half an order", head("limits: {orders_per_minute: 1.5} #!"), "limits.orders_per_minute", "digits only"),
    ("slippage narrows", head("limits:\n  slippage: 4% #!"), "limits.slippage", "nearer to mark"),
    ("no room for a step", head("limits: {orders_per_minute: 2} #!"), "limits.orders_per_minute", "a single step"),
    ("no room in an hour", head("limits: {orders_per_hour: 2} #!"), "limits.orders_per_hour", "a single step"),
    ("no room in an episode", head("limits: {orders_per_episode: 2} #!"), "limits.orders_per_episode", "a single"),
    ("too many in an hour", head("limits: {orders_per_hour: 9999} #!"), "limits.orders_per_hour", "most is 6000"),
    ("one venue is no common fall", head("limits:\n  common_mode_venues: 1 #!"), "limits.common_mode_venues", "0 for"),
    ("transfer without day", head("top_up: {max_per_transfer: {USDT: 5}} #!"), "top_up.max_per_transfer.USDT",
     "add top_up.max_per_day.USDT"),
    ("transfer above day", head("top_up: {max_per_transfer: {USDT: 5}, max_per_day: {USDT: 4}} #!"),
     "top_up.max_per_transfer.USDT", "cannot be larger than the day's"),
    ("amount without currency", head("top_up: {max_per_day: 5000} #!"), "top_up.max_per_day", "`key: value`"),
    ("currency in small letters", head("top_up: {max_per_day: {usdt: 5}} #!"), "top_up.max_per_day.usdt",
     "in capitals, such as USDT"),
    ("negative amount", head("top_up: {max_per_day: {USDT: -5}} #!"), "top_up.max_per_day.USDT", "0 < value"),
    ("zero leverage", head("brokers: {okx: {max_leverage: 0}} #!"), "brokers.okx.max_leverage", "0 < value"),
    ("leverage with x", head("brokers: {okx: {max_leverage: 5x}} #!"), "brokers.okx.max_leverage", "plain number"),
    ("symbol cap above all", head("brokers: {okx: {symbols: {BTC-USDT-SWAP: {max_leverage: 5}}}} #!"),
     "brokers.okx.symbols.BTC-USDT-SWAP.max_leverage", "no symbol can have more than all of them"),
    ("symbol cap above the account's", account("max_leverage: 2\nsymbols: {BTCUSDT: {max_leverage: 3}} #!"),
     "accounts[1].symbols.BTCUSDT.max_leverage", "lower it, or remove it"),
    ("symbol without a cap", account("symbols: {BTCUSDT: {}} #!"), "accounts[1].symbols.BTCUSDT.max_leverage",
     "add it"),
    ("no symbol", account("symbols: {'BTC USDT': {max_leverage: 3}} #!"), "accounts[1].symbols",
     "the venue's own name"),
    ("remedy without a limit", head("exposure: {positions: {then: trim}} #!"), "exposure.positions.then",
     "set max beside it"),
    ("own remedy without a limit", account("exposure: {underlying_share: {then: cancel}} #!"),
     "accounts[1].exposure.underlying_share.then", "set max beside it"),
    ("no positions at all", head("exposure: {positions: {max: 0}} #!"), "exposure.positions.max", "the least is 1"),
    ("negative notional", head("exposure: {position_notional: {max: -1}} #!"), "exposure.position_notional.max",
     "0 < value"),
    ("share of nothing", head("exposure: {underlying_share: {max: 0}} #!"), "exposure.underlying_share.max",
     "within these bounds"),
    ("unknown action of a limit", head("exposure: {positions: {max: 3, then: close}} #!"), "exposure.positions.then",
     "known here: alarm, cancel, trim, flatten"),
    ("unknown remedy", account("over_cap: cut #!"), "accounts[1].over_cap", "known here: alarm, reduce"),
    # --- database
    ("password in the URL", head("database:\n  url: postgresql+psycopg://a:b@host/db #!"), "database.url",
     "database.password: file:"),
    ("password in the query", head("database: {url: 'postgresql+psycopg://host/db?password=b'} #!"),
     "database.url", "database.password: file:"),
    ("driver left out", head("database: {url: postgresql://a@host/db} #!"), "database.url", "postgresql+psycopg"),
    ("relative SQLite file", head("database: {url: 'sqlite:///x.db'} #!"), "database.url", "/absolute/path.db"),
    ("SQLite in memory", head("database: {url: 'sqlite://'} #!"), "database.url", "/absolute/path.db"),
    ("other database", head("database: {url: 'mysql://host/db'} #!"), "database.url", "sqlite"),
    ("password for a file", head("database: {password: env:P} #!"), "database.password", "PostgreSQL"),
    ("literal database password", head("database: {password: hunter2} #!"), "database.password", "env:NAME"),
    # --- accounts
    ("no accounts key", "mode: observe #!", "accounts", "add it"),
    ("no accounts", "accounts: [] #!", "accounts", "describe at least one account"),
    ("accounts as block", "accounts: {a: {}} #!", "accounts", "write `- entry` lines"),
    ("account as text", "accounts:\n  - bybit #!", "accounts[0]", "write `key: value` lines"),
    ("account without id", "accounts:\n  - broker: okx #!", "accounts[0].id", "add it"),
    ("two accounts one id", GOOD + GOOD.partition("\n")[2].replace("good", "good #!").replace("KEY", "K2"),
     "accounts[1].id", "give each account its own id"),
    ("two accounts one key", GOOD + "  - id: bad\n    broker: bybit\n"
     "    credentials: {api_key: env:KEY, secret: env:OTHER} #!",
     "accounts[1].credentials.api_key", "would de-lever it twice"),
    ("id in capitals", GOOD.replace("id: good", "id: Good #!"), "accounts[0].id", "a-z, 0-9, _ and -"),
    ("id too long", GOOD.replace("id: good", f"id: {'a' * 33} #!"), "accounts[0].id", "up to 32"),
    ("id as number", GOOD.replace("id: good", "id: 7 #!"), "accounts[0].id", "put it in quotes"),
    ("unknown broker", GOOD.replace("broker: bybit", "broker: bybitt #!"), "accounts[0].broker", "mean bybit?"),
    ("unbuilt broker", GOOD.replace("broker: bybit", "broker: deribit #!"), "accounts[0].broker", "known here"),
    ("product of another broker", account("product: usdm #!"), "accounts[1].product", "bybit has: unified"),
    ("misspelt product", account("product: usd-m #!", broker="binance"), "accounts[1].product", "mean usdm?"),
    ("unknown account mode", account("mode: dry-run #!"), "accounts[1].mode", "known here: observe"),
    ("testnet as word", account("testnet: yes #!"), "accounts[1].testnet", "write true or false"),
    ("testnet where none is", account("testnet: true #!", broker="kraken"), "accounts[1].testnet", "sandbox"),
    ("testnet of a venue without one", account("testnet: true #!", broker="coinbase"), "accounts[1].testnet", "`margind sandbox`"),
    ("endpoint and testnet", account("endpoint: https://x\ntestnet: true #!"), "accounts[1].testnet", "keep one"),
    ("timer where none is", account("cancel_all_after: 60s #!"), "accounts[1].cancel_all_after", "only Kraken"),
    ("timer too short", account("cancel_all_after: 29s #!", broker="kraken"), "accounts[1].cancel_all_after", "30s"),
    ("timer too long", account("cancel_all_after: 61m #!", broker="kraken"), "accounts[1].cancel_all_after", "1h"),
    ("timer without unit", account("cancel_all_after: 60 #!", broker="kraken"), "accounts[1].cancel_all_after", "unit"),
    # --- endpoints
    ("http off loopback", account("endpoint: http://10.0.0.5:80 #!"), "accounts[1].endpoint", "use https"),
    ("http to a lookalike", account("endpoint: http://localhost.evil.com #!"), "accounts[1].endpoint", "https"),
    ("endpoint with path", account("endpoint: https://proxy/v5 #!"), "accounts[1].endpoint", "nothing more"),
    ("endpoint with slash", account("endpoint: https://proxy/ #!"), "accounts[1].endpoint", "nothing more"),
    ("endpoint with user", account("endpoint: https://u:p@proxy #!"), "accounts[1].endpoint", "nothing more"),
    ("endpoint with query", account("endpoint: https://proxy?x=1 #!"), "accounts[1].endpoint", "nothing more"),
    ("endpoint without scheme", account("endpoint: 127.0.0.1:8080 #!"), "accounts[1].endpoint", "scheme://host"),
    ("endpoint of another scheme", account("endpoint: ws://127.0.0.1 #!"), "accounts[1].endpoint", "scheme://"),
    ("endpoint port zero", account("endpoint: http://127.0.0.1:0 #!"), "accounts[1].endpoint", "scheme://host"),
    ("endpoint port too high", account("endpoint: http://127.0.0.1:70000 #!"), "accounts[1].endpoint", "scheme"),
    ("endpoint broken IPv6", account("endpoint: 'http://[::1' #!"), "accounts[1].endpoint", "scheme://host"),
    # --- credentials
    ("no credentials", "accounts:\n  - id: a #!\n    broker: bybit", "accounts[0].credentials", "add it"),
    ("no secret", "accounts:\n  - id: a\n    broker: bybit\n    credentials: {api_key: env:K} #!",
     "accounts[0].credentials.secret", "add it"),
    ("literal secret", GOOD.replace("env:SECRET}", "s3cr3tvalue} #!"), "accounts[0].credentials.secret",
     "write env:NAME, file:/absolute/path or credential:NAME"),
    ("secret as number", GOOD.replace("env:SECRET}", "12345} #!"), "accounts[0].credentials.secret", "env:NAME"),
    ("relative secret file", GOOD.replace("env:SECRET}", "file:x.key} #!"), "accounts[0].credentials.secret",
     "write file:/absolute/path"),
    ("credential with path", GOOD.replace("env:SECRET}", "credential:../x} #!"),
     "accounts[0].credentials.secret", "write credential:NAME"),
    ("nameless variable", GOOD.replace("env:SECRET}", "'env:'} #!"), "accounts[0].credentials.secret",
     "write env:NAME"),
    ("OKX without passphrase", account("mode: observe", broker="okx").replace("SECRET_B}", "SECRET_B} #!"),
     "accounts[1].credentials.password", "OKX keys come with a passphrase"),
    ("passphrase where none is", account("mode: observe", password=", password: env:P").replace("P}", "P} #!"),
     "accounts[1].credentials.password", "bybit keys have no passphrase"),
    ("emergency key that is the main one", account("emergency_credentials: {api_key: env:KEY_B, secret: env:E} #!"),
     "accounts[1].emergency_credentials.api_key", "make a second key of the same account"),
    ("emergency key that is another account's", account("emergency_credentials: {api_key: env:KEY, secret: env:E} #!"),
     "accounts[1].emergency_credentials.api_key", "would de-lever it twice"),
    ("emergency key without secret", account("emergency_credentials: {api_key: env:E} #!"),
     "accounts[1].emergency_credentials.secret", "add it"),
    ("literal emergency secret", account("emergency_credentials: {api_key: env:E, secret: s3cr3tvalue} #!"),
     "accounts[1].emergency_credentials.secret", "write env:NAME"),
    ("emergency key with a passphrase where none is",
     account("emergency_credentials: {api_key: env:E, secret: env:F, password: env:G} #!"),
     "accounts[1].emergency_credentials.password", "bybit keys have no passphrase"),
    ("emergency key without a passphrase",
     account("emergency_credentials: {api_key: env:E, secret: env:F} #!", **OKX),
     "accounts[1].emergency_credentials.password", "OKX keys come with a passphrase"),
    ("withdrawal key waved through", account("allow_withdrawal_key: true #!", **OKX),
     "accounts[1].allow_withdrawal_key", '"i accept that this key can withdraw"'),
    ("withdrawal words misspelt", account('allow_withdrawal_key: "I accept" #!', **OKX),
     "accounts[1].allow_withdrawal_key", '"i accept that this key can withdraw"'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key", "hint"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_with_line_key_and_hint(refusal: Judge, text: str, key: str, hint: str) -> None:
    line = next(number for number, each in enumerate(text.splitlines(), 1) if each.endswith("#!"))
    problem = refusal(text).problems[0]
    assert problem.line == line
    assert problem.key == key or problem.key.startswith(f"{key}.")
    assert hint in f"{problem.what}; {problem.hint}"
    assert str(problem).startswith(f"margind.yaml:{line}: {key}")
    assert "\n" not in str(problem)


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(REFUSED) >= 100
    assert len({row[0] for row in REFUSED}) == len(REFUSED)


def test_every_problem_is_told_at_once_in_the_file_s_order(refusal: Judge) -> None:
    error = refusal(
        """\
        mode: loud
        poll: {interval: 2}
        policy:
          utilization: {warning: 0.9, critical: 0.8}
          maintenance: {liquidation: 2}
        accounts:
          - id: one
            broker: bybitt
            credentials: {api_key: env:K, secret: hush}
          - id: two
            broker: okx
            endpoint: http://example.org
        """
    )
    assert [(problem.line, problem.key, problem.account) for problem in error.problems] == [
        (1, "mode", None),
        (2, "poll.interval", None),
        (4, "policy.utilization.critical", None),
        (5, "policy.maintenance.liquidation", None),
        (8, "accounts[0].broker", "one"),
        (9, "accounts[0].credentials.secret", "one"),
        (10, "accounts[1].credentials", "two"),
        (12, "accounts[1].endpoint", "two"),
    ]
    assert str(error).count("\n") == len(error.problems) - 1
    assert "hush" not in str(error)


def test_a_flood_of_problems_is_cut_with_a_count(refusal: Judge) -> None:
    error = refusal("".join(f"key{number}: 1\n" for number in range(150)))
    assert len(error.problems) == 101
    assert str(error).endswith("has 51 problems more")
