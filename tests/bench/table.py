"""The figures side by side, for a person."""

from rich.console import Console
from rich.table import Table

from tests.bench.round import Figures

WIDTH = 110


def show(figures: Figures) -> None:
    """Print every figure."""
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    for table in (_cycles(figures), _memory(figures), _reactions(figures), _durability(figures)):
        console.print(table, end="\n\n")


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", caption_justify="left", min_width=WIDTH
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _cycles(figures: Figures) -> Table:
    table = _table(
        "CPU of one account's cycle: margind's whole cycle against ccxt fetch_balance + fetch_positions",
        "venue",
        "positions",
        "margind / ccxt (8 of 10 rounds)",
        "margind ms",
        "ccxt ms",
        "accounts a core, 2 s polls",
    )
    for cost in figures.cycles:
        table.add_row(
            cost.broker,
            str(cost.positions),
            str(cost.ratio),
            f"{cost.margind_ms:.2f}",
            f"{cost.ccxt_ms:.2f}",
            str(figures.accounts_per_core(cost)),
        )
    table.caption = f"accounts a core: all of one core, a log line ({figures.log_line_ms:.3f} ms) included"
    return table


def _memory(figures: Figures) -> Table:
    table = _table(
        "Resident memory of one further account of 10 positions: margind against two ccxt instances",
        "venue",
        "margind / ccxt",
        "margind KB",
        "ccxt KB",
    )
    for cost in figures.memory:
        table.add_row(
            cost.broker,
            f"{cost.margind_kb / cost.ccxt_kb:.2f}",
            f"{cost.margind_kb:.0f}",
            f"{cost.ccxt_kb:.0f}",
        )
    return table


def _reactions(figures: Figures) -> Table:
    table = _table(
        "From the confirming answer's last byte to the order's first, journaled in between",
        "venue",
        "p50 ms",
        "p99 ms",
        "worst ms",
        "episodes",
        "missed",
    )
    reactions = figures.reactions
    for time in (*reactions.venues, reactions.together):
        table.add_row(
            time.broker,
            f"{time.p50_ms:.1f}",
            f"{time.p99_ms:.1f}",
            f"{time.worst_ms:.1f}",
            str(time.episodes),
            str(time.missed),
        )
    table.caption = (
        f"meanwhile an idle process was woken {reactions.idle_p50_ms:.2f} ms late (p50), "
        f"{reactions.idle_p99_ms:.2f} ms (p99)"
    )
    return table


def _durability(figures: Figures) -> Table:
    cost = figures.durability
    table = _table("Writing first", "what", "p50 ms", "p99 ms", "count")
    table.add_row(
        "journal commit: plan, intent, alarm",
        f"{cost.commit_p50_ms:.2f}",
        f"{cost.commit_p99_ms:.2f}",
        str(cost.commits),
    )
    table.add_row(
        "the disk's bare fsync", f"{cost.fsync_p50_ms:.2f}", f"{cost.fsync_p99_ms:.2f}", str(cost.commits)
    )
    table.caption = f"outbox to SQLite: {cost.carried_per_s:.0f} rows/s over {cost.carried_rows} rows"
    return table
