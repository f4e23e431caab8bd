"""What the demo shows while it runs: a live table on a terminal, plain lines anywhere else."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

COLOURS = {"safe": "green", "warning": "yellow", "critical": "dark_orange", "liquidation": "red"}
NEWS = frozenset(
    {
        "level_rose",
        "level_fell",
        "protection_lost",
        "protection_regained",
        "episode_began",
        "episode_ended",
        "leverage_over_cap",
        "account_refused",
        "connect_failed",
        "cycle_bug",
    }
)
LINES_KEPT = 12
PLAIN_TABLE_EVERY_S = 5.0
WIDTH_OFF_A_TERMINAL = 160


@dataclass(slots=True)
class Screen:
    """The live view of one daemon's log lines."""

    console: Console
    accounts: tuple[str, ...]
    started: float
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    news: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once every account has had a cycle."""
    _live: Live | None = None
    _last_table: float = 0.0

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(self.render(), console=self.console, refresh_per_second=4, transient=False)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self.render())
            self._live.__exit__(kind, error, trace)

    def take(self, line: dict[str, Any], now: float) -> None:
        """Show one line of the daemon's log."""
        event, account = line.get("event"), line.get("account")
        if event == "cycle" and account in self.accounts:
            self.rows[account] = line
            self.seen_at[account] = now
            if set(self.accounts) <= set(self.rows):
                self.complete.set()
            if line.get("orders"):
                self.say(f"{account}: {line['why']}", now)
        elif event in NEWS:
            text = line.get("message") or line.get("why") or event
            self.say(f"{account}: {text}", now)
        if self._live is not None:
            self._live.update(self.render())
        elif now - self._last_table >= PLAIN_TABLE_EVERY_S and self.rows:
            self._last_table = now
            self.console.print(self.table())

    def rows_since(self, moment: float) -> dict[str, dict[str, Any]]:
        """Return the last cycle of each account that has had one since `moment`."""
        return {name: row for name, row in self.rows.items() if self.seen_at[name] >= moment}

    def say(self, text: str, now: float) -> None:
        """Add one line of news."""
        line = f"{now - self.started:5.1f} s  {text}"
        self.news.append(line)
        if self._live is None:
            self.console.print(line, markup=False, soft_wrap=True)

    def render(self) -> Group:
        """Return everything as it stands."""
        return Group(self.table(), *(Text(line, overflow="ellipsis", no_wrap=True) for line in self.news))

    def table(self) -> Table:
        """Return the accounts as their last cycle saw them; a narrow terminal cuts the reasons short."""
        table = Table(box=None, pad_edge=False, expand=self.console.is_terminal)
        for heading in ("account", "level", "utilization", "maintenance", "leverage", "doing"):
            table.add_column(heading, no_wrap=True)
        table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
        for account in self.accounts:
            row = self.rows.get(account)
            if row is None:
                table.add_row(account, "-", "-", "-", "-", "connecting", "")
                continue
            level = row["level"]
            shown = level.upper() if row["protection"] == "protected" else f"{level.upper()}, UNPROTECTED"
            table.add_row(
                account,
                Text(shown, style=COLOURS.get(level, "")),
                row["utilization"],
                row["maintenance"],
                row["leverage"],
                row["doing"],
                row["why"],
            )
        return table


def console() -> Console:
    """Return a console that is as wide as its reader, or wide enough for a file."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH_OFF_A_TERMINAL)
