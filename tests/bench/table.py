"""The figures side by side, for a person."""

from rich.console import Console
from rich.table import Table

from tests.bench.fleet import TOLERANCE
from tests.bench.round import Figures

WIDTH = 110


def show(figures: Figures) -> None:
    """Print every figure."""
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    tables = (_fleet, _cycles, _memory, _reactions, _durability, _plans, _strategies)
    for table in (make(figures) for make in tables):
        console.print(table, end="\n\n")


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", caption_justify="left", min_width=WIDTH
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    return table


def _fleet(figures: Figures) -> Table:
    fleet = figures.fleet
    table = _table(
        "One daemon on one core over all of these: does each account keep its own pace?",
        "account",
        "accounts",
        "pace s",
        "every s",
        "cycles",
        "on time %",
        "late p50 ms",
        "p99 ms",
        "cycle p50 ms",
        "p99 ms",
    )
    for pace in (*fleet.products, fleet.together):
        table.add_row(
            pace.product,
            str(pace.accounts),
            "" if pace.pace_s is None else f"{pace.pace_s:.2f}",
            "" if pace.pace_s is None else f"{pace.every_s:.2f}",
            str(pace.cycles),
            f"{pace.on_time * 100:.1f}",
            f"{pace.late_p50_ms:.1f}",
            f"{pace.late_p99_ms:.1f}",
            f"{pace.cycle_p50_ms:.0f}",
            f"{pace.cycle_p99_ms:.0f}",
        )
    denied = "" if fleet.waited is None else f"; denied its core {fleet.waited * 100:.0f} % of the time"
    table.caption = (
        f"on time: begun within {TOLERANCE * 100:.0f} % of the pace, and ended before the next is due\n"
        f"{fleet.cores * 100:.0f} % of a core, {fleet.cpu_per_cycle_ms:.1f} ms a cycle{denied}\n"
        f"loop lag {fleet.lag_p50_ms:.1f} ms (p50), {fleet.lag_p99_ms:.1f} ms (p99), "
        f"{fleet.lag_worst_ms:.0f} ms (worst)\n"
        f"{fleet.rss_mb:.0f} MB resident, {fleet.grown_kb:+.0f} KB meanwhile"
    )
    return table


def _cycles(figures: Figures) -> Table:
    table = _table(
        "CPU of one account's cycle: margind's whole cycle against plain ccxt making the same reads",
        "account",
        "positions",
        "margind / ccxt (8 of 10 rounds)",
        "margind ms",
        "ccxt ms",
        "accounts a core, 2 s polls",
    )
    for cost in figures.cycles:
        table.add_row(
            cost.product,
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
        "Resident memory of one further account: margind against two ccxt instances",
        "account",
        "margind / ccxt",
        "margind KB",
        "ccxt KB",
    )
    for cost in figures.memory:
        table.add_row(
            cost.product,
            f"{cost.margind_kb / cost.ccxt_kb:.2f}",
            f"{cost.margind_kb:.0f}",
            f"{cost.ccxt_kb:.0f}",
        )
    return table


def _reactions(figures: Figures) -> Table:
    table = _table(
        "From the confirming answer's last byte to the order's first, journaled in between",
        "account",
        "p50 ms",
        "p99 ms",
        "worst ms",
        "episodes",
        "missed",
    )
    reactions = figures.reactions
    for time in (*reactions.venues, reactions.together):
        table.add_row(
            time.product,
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


def _plans(figures: Figures) -> Table:
    table = _table(
        "CPU of one plan, every coin with an order book of fifty levels",
        "positions",
        "p50 ms",
        "p99 ms",
        "plans",
    )
    for took in figures.planning.times:
        table.add_row(str(took.positions), f"{took.p50_ms:.2f}", f"{took.p99_ms:.2f}", str(took.plans))
    return table


def _strategies(figures: Figures) -> Table:
    table = _table(
        "What it costs to reach the same target on the same books, in basis points of margin equity",
        "strategy",
        "p50 bp",
        "p90 bp",
        "cheapest saves %",
        "cheapest dearer",
        "target missed",
    )
    for cost in figures.planning.costs:
        table.add_row(
            cost.strategy,
            f"{cost.p50_bp:.1f}",
            f"{cost.p90_bp:.1f}",
            f"{cost.saved * 100:.1f}",
            str(cost.dearer),
            str(cost.missed),
        )
    table.caption = f"{figures.planning.accounts} accounts, drawn; the saving is the median over accounts"
    return table
