"""What leaves the process as a log line: its form, and that no secret is in it."""

import io
import json
import logging
import os
import pty
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import VenueUnavailable
from daemon.logs import Scrubber, configure, logger

KEY, SECRET = "AbCdEf0123456789", "s3cr3t/with+signs=="
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBkg4LVWM9nuwNSk\nAwEHoUQDQgAEo3\n-----END EC PRIVATE KEY-----"
SECRETS = (KEY, SECRET, PEM)


@pytest.fixture
def lines() -> Callable[..., list[dict[str, Any]]]:
    """Configure JSON logs with the secrets known, let a test log, and return the lines."""

    def collect(write: Callable[[], object], *, level: str = "debug") -> list[dict[str, Any]]:
        stream = io.StringIO()
        configure(level=level, form="json", secrets=SECRETS, stream=stream)
        write()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    return collect


class Terminal:
    """A pseudo-terminal: what a person would see."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w")

    def text(self) -> str:
        self.stream.flush()
        return os.read(self._master, 1 << 16).decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


# ---------------------------------------------------------------- form


def test_off_a_terminal_a_line_is_one_json_object() -> None:
    stream = io.StringIO()
    configure(level="info", form="auto", secrets=(), stream=stream)
    logger().warning("cycle", account="main", level="safe", orders=0, utilization=Decimal("0.5"))

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "cycle",
        "severity": "warning",
        "account": "main",
        "level": "safe",
        "orders": 0,
        "utilization": "0.5",
    }


def test_on_a_terminal_a_line_is_for_people() -> None:
    terminal = Terminal()
    configure(level="info", form="auto", secrets=SECRETS, stream=terminal.stream)
    logger().error("cycle", account="main", why=f"hold, {SECRET}")
    text = terminal.text()
    terminal.close()

    assert "cycle" in text
    assert "main" in text
    assert "\x1b[" in text
    assert not text.lstrip().startswith("{")
    assert SECRET not in text


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_form_can_be_chosen_against_what_the_stream_is(form: str) -> None:
    terminal, stream = Terminal(), io.StringIO()
    configure(level="info", form=form, secrets=(), stream=terminal.stream if form == "json" else stream)
    logger().info("started", accounts=["a", "b"])
    text = terminal.text() if form == "json" else stream.getvalue()
    terminal.close()

    assert text.lstrip().startswith("{") is (form == "json")
    assert "\x1b[" not in text


def test_text_with_line_breaks_stays_one_line(lines: Callable[..., list[dict[str, Any]]]) -> None:
    (line,) = lines(lambda: logger().info("cycle", why='a\nb\r\x1b[31m"c'))

    assert line["why"] == 'a\nb\r\x1b[31m"c'


@pytest.mark.parametrize(
    ("level", "heard"),
    [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)],
)
def test_the_level_holds_for_margind(
    lines: Callable[..., list[dict[str, Any]]], level: str, heard: int
) -> None:
    def write() -> None:
        for name in ("debug", "info", "warning", "error"):
            getattr(logger(), name)("cycle")

    assert len(lines(write, level=level)) == heard


def test_third_parties_are_heard_from_warning_on_whatever_our_level(
    lines: Callable[..., list[dict[str, Any]]],
) -> None:
    def write() -> None:
        other = logging.getLogger("ccxt.base.exchange")
        other.debug("request headers: X-BAPI-SIGN: %s", SECRET)
        other.info("info")
        other.warning("slow %s", "venue")

    written = {line["event"]: line["severity"] for line in lines(write)}
    assert written["slow venue"] == "warning"
    assert not [event for event in written if event == "info" or "request headers" in event]


# ---------------------------------------------------------------- secrets


def everything(line: object) -> str:
    """A line as text."""
    return json.dumps(line, ensure_ascii=False)


def test_known_secrets_are_masked_in_every_kind_of_value(lines: Callable[..., list[dict[str, Any]]]) -> None:
    def write() -> None:
        logger().error(
            f"event {KEY}",
            text=f"a {SECRET} b",
            nested={"deep": [{"deeper": (KEY, 1)}], KEY: "as a name"},
            some={KEY},
            raw=f"x{SECRET}x".encode(),
            error=VenueUnavailable(f"refused {KEY}"),
        )

    (line,) = lines(write)
    assert KEY not in everything(line)
    assert SECRET not in everything(line)
    assert line["text"] == "a <secret> b"
    assert line["error"] == "refused <secret>"


@pytest.mark.parametrize("by_us", [True, False])
def test_a_traceback_holds_no_secret(lines: Callable[..., list[dict[str, Any]]], *, by_us: bool) -> None:
    def fail() -> None:
        try:
            {}[SECRET]
        except KeyError as error:
            raise VenueUnavailable(f"GET /v5?api_key=qwertyuiop&sign=deadbeef with {KEY}") from error

    def write() -> None:
        try:
            fail()
        except VenueUnavailable as error:
            if by_us:
                logger().error("cycle_bug", exc_info=error)
            else:
                logging.getLogger("aiohttp.client").exception("failed")

    (line,) = lines(write)
    assert "VenueUnavailable" in line["exception"]
    assert "KeyError" in line["exception"]
    for secret in (KEY, SECRET, "qwertyuiop", "deadbeef"):
        assert secret not in everything(line)


def test_every_line_of_a_private_key_is_a_secret_of_its_own(
    lines: Callable[..., list[dict[str, Any]]],
) -> None:
    (line,) = lines(lambda: logger().info("loaded", what="MHcCAQEEIBkg4LVWM9nuwNSk and AwEHoUQDQgAEo3"))

    assert line["what"] == "<secret> and <secret>"


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        ("https://api/v3/account?timestamp=1&signature=c0ffee00", "c0ffee00"),
        ("{'X-MBX-APIKEY': 'vmPUZE6mv9SD5VNHk4'}", "vmPUZE6mv9SD5VNHk4"),
        ('{"OK-ACCESS-KEY": "abc-def", "OK-ACCESS-PASSPHRASE": "hunter2"}', "hunter2"),
        ("OK-ACCESS-SIGN=Zm9vYmFy", "Zm9vYmFy"),
        ("X-BAPI-SIGN: 9f86d081", "9f86d081"),
        ("X-BAPI-API-KEY: k-1234", "k-1234"),
        ("secret=topsecret;", "topsecret"),
        ('"passphrase": "open sesame"', "open"),
        ("postgresql+psycopg://margind:pa55word@db:5432/margind", "pa55word"),
        ("Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJjZHAifQ.MEUCIQ", "eyJpc3MiOiJjZHAifQ"),
    ],
)
def test_what_looks_like_a_secret_is_masked_though_nobody_knows_it(text: str, leak: str) -> None:
    clean = Scrubber().text(text)

    assert leak not in clean
    assert "<secret>" in clean


@pytest.mark.parametrize(
    "text",
    [
        "hold (calm), level safe, unit USDT, utilization 0.5000 against 0.70",
        "reduce: sell 185.49 X-USDT limit 88.96: filled, filled 185.49",
        "account main: its key cannot trade; margind can only watch it",
        "sqlite:////var/lib/margind/history.db",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert Scrubber(SECRETS).text(text) == text


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    assert Scrubber(["abcdef", "abcdefghij"]).text("abcdefghij abcdef") == "<secret> <secret>"


def test_literals_too_short_to_be_keys_do_not_eat_words() -> None:
    assert Scrubber(["it", ""]).text("it is lit") == "it is lit"


@given(
    before=st.text(max_size=20),
    secret=st.text(min_size=6, max_size=40).filter(lambda text: text.strip() == text and "\n" not in text),
    after=st.text(max_size=20),
)
def test_no_surrounding_text_saves_a_secret(before: str, secret: str, after: str) -> None:
    clean = Scrubber([secret]).text(f"{before}{secret}{after}")

    assert secret not in clean.replace("<secret>", "\0")


# ---------------------------------------------------------------- trouble


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make", [FullDisk, closed])
def test_a_stream_that_fails_stops_nobody(
    make: Callable[[], io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    configure(level="info", form="json", secrets=(), stream=stream)
    logging.getLogger().handlers[0].setStream(make())
    logger().error("cycle", account="main")
    logging.getLogger("aiohttp").error("cycle")

    assert capsys.readouterr().err == ""


def test_a_reader_that_has_gone_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", buffering=1)
    configure(level="info", form="json", secrets=(), stream=stream)
    for _ in range(10):
        logger().error("cycle", account="main")
    stream.close()

    assert capsys.readouterr().err == ""


def test_a_reader_that_stalls_stops_nobody_and_gets_the_newest_lines_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daemon.logs._LINES_KEPT", 50)
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    configure(level="info", form="json", secrets=(), stream=stream)
    for number in range(2_000):
        logger().error("cycle", account="main", number=number, why="x" * 100)
    taken = os.read(reading, 1 << 20)
    logger().error("cycle", account="main", number=2_000)
    told = [json.loads(line) for line in (taken + os.read(reading, 1 << 20)).splitlines()]
    stream.close()
    os.close(reading)

    numbers = [line["number"] for line in told if line["event"] == "cycle"]
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    assert numbers[-49:] == list(range(1_952, 2_001))
    lost = 2_001 - len(numbers)
    assert told[-1]["event"] == f"{lost} log lines were dropped: nobody took them"


def test_an_object_that_cannot_be_shown_stops_nobody(lines: Callable[..., list[dict[str, Any]]]) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError("no")

    def write() -> None:
        logger().info("cycle", what=Unspeakable())
        logger().info("next")

    assert lines(write)[-1]["event"] == "next"
