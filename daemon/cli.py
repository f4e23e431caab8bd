"""`margind`: what an operator types.

Exit codes: 0 fine, 1 failure, 2 usage, 78 configuration.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from config.errors import ConfigError
from config.loader import load, load_sandbox
from config.resolution import ResolvedSecrets, resolve
from config.schema import Settings
from daemon.errors import EXIT_CONFIG, FatalError

app = typer.Typer(
    name="margind",
    help="Keeps leveraged crypto accounts from being liquidated: watches, warns at 70 %, is critical at "
    "80 %, and de-levers at 90 % by itself, if armed.",
    epilog="Exit codes: 0 fine, 1 failure, 2 usage, 78 configuration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The history database.", no_args_is_help=True)
app.add_typer(db, name="db")
journal_app = typer.Typer(help="The local journal; for a daemon that is stopped.", no_args_is_help=True)
app.add_typer(journal_app, name="journal")

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="The YAML configuration.", show_default=False)
]
SandboxPath = Annotated[
    Path,
    typer.Option(
        "--config", "-c", help="The sandbox's own YAML file; config/sandbox.yaml is one.", show_default=False
    ),
]


def main() -> None:
    """Run the command line; every expected failure is one line on standard error."""
    try:
        app(prog_name="margind")
    except ConfigError as error:
        _fail(str(error), EXIT_CONFIG)
    except FatalError as error:
        _fail(f"margind: {error}", error.exit_code)


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)  # noqa: T201 - the command's own answer
    raise SystemExit(code)


def _load(config: Path) -> tuple[Settings, ResolvedSecrets]:
    settings = load(config)
    return settings, resolve(settings)


@app.command()
def run(config: ConfigPath) -> None:
    """Guard the configured accounts until SIGTERM."""
    settings, secrets = _load(config)

    import uvloop  # noqa: PLC0415 - imported when needed, so that --help and refusals come at once

    from daemon.app import run as run_app  # noqa: PLC0415

    uvloop.run(run_app(settings, secrets))


@app.command()
def check(config: ConfigPath) -> None:
    """Validate the configuration, contact every account read-only, and print what is found."""
    settings, secrets = _load(config)

    from daemon.check import check_accounts  # noqa: PLC0415

    code = asyncio.run(check_accounts(settings, secrets))
    raise typer.Exit(code)


@app.command()
def sandbox(
    config: SandboxPath,
    seconds: Annotated[
        float | None, typer.Option(help="End by itself after so long; without it, at SIGTERM.", min=0.1)
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Compress the scenario to so many sandbox seconds.", min=1)
    ] = None,
) -> None:
    """Run sandbox venues on loopback, to rehearse on."""
    settings = load_sandbox(config)

    from daemon.rehearsal import serve  # noqa: PLC0415

    asyncio.run(serve(settings, seconds=seconds, duration_s=duration))


@app.command()
def demo(
    speed: Annotated[float, typer.Option(help="How fast the sandbox's market runs.", min=0.2, max=3)] = 1.0,
    scenario: Annotated[str, typer.Option(help="What prices do: slide, flash_crash, crawl, ...")] = "slide",
) -> None:
    """Show a falling market: sandbox venues, the real daemon, what it did, and what that saved."""
    from brokers.sandbox.presets import scenario_names  # noqa: PLC0415
    from daemon.demo.show import show  # noqa: PLC0415

    if scenario not in scenario_names():
        raise typer.BadParameter(f"no scenario {scenario!r}; there are: {', '.join(scenario_names())}")
    raise typer.Exit(asyncio.run(show(speed=speed, scenario=scenario)))


@db.command()
def upgrade(config: ConfigPath) -> None:
    """Bring the history database's schema up to date."""
    settings, secrets = _load(config)

    from daemon.history import database_url  # noqa: PLC0415
    from database.errors import DatabaseError  # noqa: PLC0415
    from database.upgrade import upgrade as upgrade_schema  # noqa: PLC0415

    try:
        print(upgrade_schema(database_url(settings, secrets)))  # noqa: T201 - the command's own answer
    except DatabaseError as error:
        raise FatalError(f"database.url: {error}") from error


@db.command()
def current(config: ConfigPath) -> None:
    """Print the history database's schema revision."""
    settings, secrets = _load(config)

    from daemon.history import database_url  # noqa: PLC0415
    from database.errors import DatabaseError  # noqa: PLC0415
    from database.upgrade import current as current_schema  # noqa: PLC0415

    try:
        print(current_schema(database_url(settings, secrets)) or "none")  # noqa: T201 - the answer
    except DatabaseError as error:
        raise FatalError(f"database.url: {error}") from error


@journal_app.command()
def resume(config: ConfigPath) -> None:
    """Let margind act again after its journal lost its end; compare orders and positions first."""
    from daemon.upkeep import resume as lift  # noqa: PLC0415

    print(lift(load(config)))  # noqa: T201 - the command's own answer


@journal_app.command("reset-flatten")
def reset_flatten(
    config: ConfigPath,
    account: Annotated[str, typer.Option(help="Whose flatten is to be released.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")],
    unit: Annotated[str | None, typer.Option(help="Of one risk unit only.")] = None,
) -> None:
    """Release a latched flatten by hand: what is left of the account is judged as any other."""
    from daemon.upkeep import reset_flatten as release  # noqa: PLC0415

    print(release(load(config), account, unit, reason))  # noqa: T201 - the command's own answer


@journal_app.command("set-aside")
def set_aside(config: ConfigPath) -> None:
    """Move a damaged journal away, so that the next start makes a new one."""
    from daemon.upkeep import set_journal_aside  # noqa: PLC0415

    print(set_journal_aside(load(config)))  # noqa: T201 - the command's own answer
