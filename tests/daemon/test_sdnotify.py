"""The notify protocol over real datagram sockets."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sdnotify import notify, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def listener(
    request: pytest.FixtureRequest, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """What `$NOTIFY_SOCKET` names: a file, or a name in Linux's abstract namespace."""
    address = str(quick_folder / "notify") if request.param == "path" else f"@margind-{quick_folder.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + address[1:] if address.startswith("@") else address)
        channel.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield channel


def test_assignments_arrive_in_one_datagram_a_line_each(listener: socket.socket) -> None:
    notify("READY=1", "STATUS=guarding 3 accounts")

    assert listener.recv(4096) == b"READY=1\nSTATUS=guarding 3 accounts"


def test_text_beyond_ascii_arrives_as_utf_8(listener: socket.socket) -> None:
    notify("STATUS=wacht über 3 Konten")

    assert listener.recv(4096).decode() == "STATUS=wacht über 3 Konten"


def test_a_listener_that_does_not_read_costs_messages_and_never_time(listener: socket.socket) -> None:
    for _ in range(2_000):
        notify("WATCHDOG=1")

    assert listener.recv(4096) == b"WATCHDOG=1"


def test_a_listener_that_is_gone_is_nobodys_trouble(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(quick_folder / "nobody"))
    notify("WATCHDOG=1")


@pytest.mark.parametrize("address", [None, ""])
def test_without_a_socket_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("WATCHDOG=1")


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ("15000000", 7.5),
        ("2000000", 1.0),
        ("0", None),
        ("", None),
        ("-1", None),
        ("soon", None),
        (None, None),
    ],
)
def test_the_heartbeat_is_due_twice_within_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str | None, seconds: float | None
) -> None:
    if limit is None:
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    else:
        monkeypatch.setenv("WATCHDOG_USEC", limit)

    assert watchdog_interval() == seconds
