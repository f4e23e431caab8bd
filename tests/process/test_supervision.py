"""The daemon under systemd and its like: heartbeat, signals, pauses, and a log that nobody reads."""

import fcntl
import os
import signal
import socket
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

Workshop = Any
Account = dict[str, Any]  # the types live in conftest

NOTIFY_NAME = "notify"


def wait_until(is_so: Any, within: float = 20.0) -> None:  # noqa: ANN401 - any condition
    deadline = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_log_reader_that_stalls_does_not_stop_protection(workshop: Workshop, bybit: Account) -> None:
    sandbox = workshop.sandbox(bybit)
    config = workshop.configuration(sandbox)
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    try:
        daemon = workshop.start("run", "--config", str(config), log_to=writing)
        wait_until((workshop.folder / "state" / "journal.db").exists)
        time.sleep(5)  # a line is half a kilobyte: the pipe is full long before
        sandbox.venue("bybit").move("0.8668")
        wait_until(lambda: Decimal("1.258") <= sandbox.venue("bybit").position("bybit-a") <= Decimal("1.260"))
        assert daemon.terminate() == 0
    finally:
        os.close(writing)
        os.close(reading)


def test_a_log_reader_that_has_gone_does_not_stop_protection(workshop: Workshop, okx: Account) -> None:
    sandbox = workshop.sandbox(okx)
    config = workshop.configuration(sandbox)
    reading, writing = os.pipe()
    daemon = workshop.start("run", "--config", str(config), log_to=writing)
    os.close(writing)
    assert b"history" in os.read(reading, 4096)
    os.close(reading)
    sandbox.venue("okx").move("0.8668")
    wait_until(lambda: Decimal("1.0128") <= sandbox.venue("okx").position("okx-a") <= Decimal("1.0142"))
    assert daemon.terminate() == 0


def test_systemd_is_told_of_readiness_life_and_end(workshop: Workshop, bybit: Account) -> None:
    place = Path(os.environ.get("TMPDIR", "/tmp")) / f"mg-{os.getpid()}"  # noqa: S108 - socket paths are short
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(place))
        systemd.settimeout(30)
        try:
            config = workshop.configuration(workshop.sandbox(bybit))
            environment = {"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": "1000000"}
            daemon = workshop.start("run", "--config", str(config), env=environment)
            ready = systemd.recv(4096).decode().splitlines()
            assert ready == ["READY=1", "STATUS=guarding 1 accounts"]
            beats = [systemd.recv(4096) for _ in range(3)]
            assert beats == [b"WATCHDOG=1"] * 3
            assert daemon.terminate() == 0
            told = set()
            systemd.setblocking(False)
            while b"STOPPING=1" not in told:
                told.add(systemd.recv(4096))
        finally:
            place.unlink()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_end_daemon_and_sandbox_in_order(
    workshop: Workshop, bybit: Account, number: signal.Signals
) -> None:
    sandbox = workshop.sandbox(bybit)
    daemon = workshop.guard(sandbox)
    for program in (daemon, sandbox.program):
        program.process.send_signal(number)
        assert program.wait(10) == 0
    assert daemon.log()[-1]["event"] == "stopped"
    assert sandbox.program.stderr == ""


def test_a_sandbox_ends_when_asked_over_its_control_route(workshop: Workshop, okx: Account) -> None:
    sandbox = workshop.sandbox(okx)
    sandbox.venue("okx").ask("POST", "stop", {})
    assert sandbox.program.wait(10) == 0


@pytest.mark.parametrize("delay", [0.2, 0.5, 0.7])
def test_after_a_pause_of_the_whole_process_it_looks_again_before_it_acts(
    workshop: Workshop, bybit: Account, okx: Account, delay: float
) -> None:
    sandbox = workshop.sandbox(bybit, okx)
    daemon = workshop.guard(sandbox, poll={"interval": "400ms", "act_max_age": "1s"})
    opening = {"bybit-a": Decimal(2), "okx-a": Decimal("1.6")}
    for broker in sandbox.endpoints:
        sandbox.venue(broker).fault("slow", ms=350, writes=False)
        sandbox.venue(broker).move("0.8668")
    time.sleep(delay)
    daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    sent = {name: len(sandbox.venue_of(name).orders(name)) for name in opening}
    for broker in sandbox.endpoints:
        sandbox.venue(broker).move("1.1536")  # back to where it was
    time.sleep(3)
    mark = daemon.mark()
    daemon.process.send_signal(signal.SIGCONT)
    for name, size in opening.items():
        daemon.until(event="cycle", account=name, level="safe", protection="protected", since=mark)
        assert len(sandbox.venue_of(name).orders(name)) == sent[name], "what was seen before is no reason now"
        assert sandbox.venue_of(name).only_reduced(name, size)
