"""`margind check`: contact every account read-only and print what is found, one row an account."""

import asyncio
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

from brokers.errors import (
    BrokerError,
    ClockRefused,
    MalformedAnswer,
    NotSupported,
    RateLimited,
    RequestRefused,
    Unauthorized,
)
from brokers.models import AccountSnapshot, ClockOffset, KeyPermissions, Side, Symbol
from config.resolution import ResolvedSecrets
from config.schema import Settings
from daemon.clock import SKEWED_S, skewed
from daemon.errors import EXIT_CONFIG, EXIT_FAILURE, EXIT_OK
from daemon.history import database_url
from daemon.logs import Scrubber, configure
from daemon.opening import Account, open_accounts, secrets_of
from daemon.policies import mode_of, policy_within
from daemon.recording import percent
from daemon.risk.assessment import Assessment, assess
from daemon.vetting import Concern, KeyRole, concerns_about, objection_to, roles_of
from database.engine import shown

PATIENCE_S = 30.0
WIDTH = 200
"""Wide enough for the table: a narrow terminal folds a row, and never loses its end."""

ELSEWHERE = Concern(
    event="emergency_key_elsewhere",
    why="its two keys show different positions",
    next="make sure that both are keys of the same account, and check again",
    urgent=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one account answered. `trouble` is why it could not be checked to the end.

    `answered`: the venue did answer, if only to refuse. `permissions` are those of each key, main one first;
    `key_troubles` say why one's are not known.
    """

    account: Account
    clock: ClockOffset | None = None
    permissions: tuple[KeyPermissions | None, ...] = ()
    concerns: tuple[Concern, ...] = ()
    key_troubles: tuple[str, ...] = ()
    snapshot: AccountSnapshot | None = None
    assessment: Assessment | None = None
    trouble: str | None = None
    answered: bool = False
    objections: tuple[str, ...] = ()


async def check_accounts(settings: Settings, secrets: ResolvedSecrets) -> int:
    """Check every account and print the table; return the exit code."""
    configure(level="error", form="auto", secrets=secrets_of(secrets))
    url = database_url(settings, secrets)
    accounts = open_accounts(settings, secrets)
    try:
        reports = await asyncio.gather(*(_check(settings, account) for account in accounts))
    finally:
        await asyncio.gather(*(account.broker.aclose() for account in accounts), return_exceptions=True)
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(f"{settings.source.file}: valid; history at {shown(url)}", soft_wrap=True, markup=False)
    console.print(_table(settings, reports))
    scrub = Scrubber(secrets_of(secrets))
    for report in reports:
        for line in (*_clamped_lines(settings, report.account), *_lines(report)):
            console.print(scrub.text(line), soft_wrap=True, markup=False)
    return _exit_code(reports)


async def _check(settings: Settings, account: Account) -> Report:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _ask(settings, account)
    except BrokerError as error:
        answered = isinstance(error, (RequestRefused, RateLimited))
        return Report(account=account, trouble=_in_words(error), answered=answered)
    except TimeoutError:
        return Report(account=account, trouble=f"no answer within {PATIENCE_S:g} s")


def _in_words(error: BrokerError) -> str:
    """Return a failure with what to look at first."""
    match error:
        case Unauthorized():
            advice = "the venue refuses its key; check key, secret and the addresses the key is bound to"
        case ClockRefused():
            advice = "the venue refuses our time; check this machine's clock"
        case RateLimited():
            advice = "the venue asks for a pause, or has banned this address for a while; wait"
        case RequestRefused():
            advice = "the venue refused the request; its own code and words follow"
        case MalformedAnswer():
            advice = "what answered is not the venue's API; check the endpoint, and whether the venue is down"
        case _:
            advice = "cannot be read; check the network and the endpoint"
    return f"{advice} ({error})"


async def _ask(settings: Settings, account: Account) -> Report:
    broker = account.broker
    await broker.connect()
    try:
        clock = await broker.measure_clock()
    except BrokerError:
        clock = None  # the venue's time call is optional; the table says "unknown"
    vetted = await _vet_keys(settings, account)
    snapshot = await broker.fetch_snapshot()
    if account.settings.emergency_credentials is not None:
        seen = await broker.fetch_snapshot(protective=True)
        if _held(seen) != _held(snapshot):
            vetted = replace(vetted, concerns=(*vetted.concerns, ELSEWHERE))
    clamped = policy_within(settings, account.settings, broker.capabilities)
    assessment = assess(snapshot, clamped.policy, broker.venue_now(), None)
    return replace(vetted, clock=clock, snapshot=snapshot, assessment=assessment)


def _held(snapshot: AccountSnapshot) -> set[tuple[Symbol, Side]]:
    return {(position.symbol, position.side) for position in snapshot.positions}


async def _vet_keys(settings: Settings, account: Account) -> Report:
    """Ask what each of an account's keys may do."""
    report, broker, mode = Report(account=account), account.broker, mode_of(settings, account.settings)
    for role in roles_of(account.settings):
        permissions = None
        try:
            permissions = await broker.fetch_permissions(emergency=role is KeyRole.EMERGENCY)
        except BrokerError as error:
            why = "this venue tells nobody" if isinstance(error, NotSupported) else str(error)
            trouble = (
                f"what its {role.label} may do is not known ({why}); "
                "make sure at the venue that it cannot withdraw"
            )
            report = replace(report, key_troubles=(*report.key_troubles, trouble))
        report = replace(report, permissions=(*report.permissions, permissions))
        if permissions is None:
            continue
        objection = objection_to(account.settings, permissions, role)
        report = replace(
            report,
            concerns=(*report.concerns, *concerns_about(permissions, mode, broker.venue_now(), role)),
            objections=report.objections if objection is None else (*report.objections, objection),
        )
    return report


def _table(settings: Settings, reports: list[Report]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in (
        "account",
        "level",
        "utilization",
        "maintenance",
        "positions",
        "reachable",
        "clock offset",
        "mode",
        "broker",
        "account mode",
        "key",
    ):
        table.add_column(heading, no_wrap=True)
    for report in reports:
        table.add_row(*_row(settings, report))
    return table


def _row(settings: Settings, report: Report) -> tuple[str, ...]:
    account, assessment, snapshot = report.account.settings, report.assessment, report.snapshot
    mode, broker = mode_of(settings, account).label, f"{account.broker.value} {account.product}"
    if snapshot is None or assessment is None:
        reachable = "refused" if report.answered else "no"
        return (account.id, "UNPROTECTED", "-", "-", "-", reachable, "-", mode, broker, "-", "-")
    level = assessment.level.label.upper()
    return (
        account.id,
        level if assessment.actionable else f"{level}, UNPROTECTED",
        percent(assessment.utilization, cash=assessment.is_cash),
        percent(assessment.maintenance_ratio, cash=assessment.is_cash),
        str(len(snapshot.positions)),
        "yes",
        "unknown" if report.clock is None else f"{round(report.clock.offset_ms):+d} ms",
        mode,
        broker,
        snapshot.mode.label,
        _key_words(report),
    )


def _key_words(report: Report) -> str:
    tells = report.account.broker.capabilities.key_permissions
    return " / ".join(_permission_words(each, tells=tells) for each in report.permissions)


def _permission_words(permissions: KeyPermissions | None, *, tells: bool) -> str:
    if permissions is None:
        return "unknown" if tells else "unverified"
    words = {
        "read": permissions.can_read,
        "trade": permissions.can_trade,
        "transfer": permissions.can_transfer,
        "WITHDRAW": permissions.can_withdraw,
    }
    return " ".join(word for word, holds in words.items() if holds) or "unknown"


def _clamped_lines(settings: Settings, account: Account) -> list[str]:
    """Return which thresholds count otherwise than configured; no venue need answer for that."""
    clamps = policy_within(settings, account.settings, account.broker.capabilities).clamps
    return [f"account {account.settings.id}: {one.sentence}" for one in clamps]


def _lines(report: Report) -> list[str]:
    """Return what the table has no room for."""
    name = report.account.settings.id
    lines: list[str] = []
    lines += report.objections
    if report.trouble is not None:
        lines.append(f"account {name}: {report.trouble}")
    lines += [f"account {name}: {trouble}" for trouble in report.key_troubles]
    lines += [f"account {name}: {one.why}; {one.next}" for one in report.concerns]
    skew_s = 0.0 if report.clock is None else report.clock.offset_ms / 1000
    if abs(skew_s) > SKEWED_S:
        lines.append(f"account {name}: {skewed(skew_s)}")
    gates = report.assessment.gates if report.assessment else ()
    return [*lines, *(f"account {name}: {gate.reason.value}: {gate.detail}" for gate in gates)]


def _exit_code(reports: list[Report]) -> int:
    if any(report.objections for report in reports):
        return EXIT_CONFIG
    if any(report.trouble or not (report.assessment and report.assessment.actionable) for report in reports):
        return EXIT_FAILURE
    return EXIT_OK
