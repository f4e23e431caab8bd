"""The systemd notify protocol: a datagram to `$NOTIFY_SOCKET`, or nothing at all."""

import os
import socket


def notify(*assignments: str) -> None:
    """Tell systemd about `READY=1`, `STATUS=...`, `WATCHDOG=1` or `STOPPING=1`; silent if nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            channel.sendto("\n".join(assignments).encode(), address)
        except OSError:
            return  # a supervisor that does not listen must not stop what it supervises


def watchdog_interval() -> float | None:
    """Return how often systemd wants a heartbeat (half its limit, in seconds), or `None`."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    return int(limit) / 2_000_000 if limit.isdigit() and int(limit) > 0 else None
