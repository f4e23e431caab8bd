"""Venues that breach together, seen across all accounts of the process."""

from daemon.risk.breakers import COMMON_WINDOW


class CommonMode:
    """Which venues have come to be de-levered lately; one object for all cycles. Times are uptimes."""

    def __init__(self) -> None:
        self._breached: dict[str, float] = {}

    def note(self, venue: str, uptime: float) -> None:
        """Remember that an account at `venue` has come to be de-levered."""
        self._breached[venue] = uptime

    def breaching(self, uptime: float) -> tuple[str, ...]:
        """Return the venues that did within the common window."""
        window = COMMON_WINDOW.total_seconds()
        return tuple(venue for venue, at in self._breached.items() if uptime - at <= window)
