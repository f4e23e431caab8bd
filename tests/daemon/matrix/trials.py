"""Which faults every call is tried with, and what each account must have come to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.sandbox.faults import DEFORMED, GATEWAY, REFUSED, Fault, FaultKind
from brokers.sandbox.spec import MarginPool
from brokers.sandbox.wire.base import Wire
from daemon.risk.assessment import Protection
from daemon.risk.policy import Level
from daemon.settlement import FORGOTTEN_MESSAGE, LINGERING_MESSAGE, SILENT_MESSAGE
from daemon.state import CycleOutcome
from database.records import Intent, IntentState
from tests.daemon.matrix.rehearsal import Call
from tests.daemon.matrix.site import Site
from tests.daemon.wire.watch import Watch

D = Decimal
NEAR = D("0.03")
"""How far a position may end from where the same fall ends without a fault, as a share of it."""

UNANSWERED = (SILENT_MESSAGE, LINGERING_MESSAGE, FORGOTTEN_MESSAGE)
"""How the journal ends an order of which the venue would not tell: the picture tells what it did."""

DELAYS_MS = {FaultKind.SLOW: 1_000, FaultKind.EXECUTED_LATE: 700, FaultKind.CLOCK_SKEW: 90_000}
TOO_LATE_MS = {FaultKind.SLOW: 4_000, FaultKind.EXECUTED_LATE: 9_000}
"""Past the deadline of a write, past that of an order."""

BELIED = {FaultKind.REVOKED_KEY, FaultKind.REDUCE_ONLY_REJECTED, FaultKind.BAN}
"""Where a venue executes what it calls refused by such a code, the journal believes the code, and only the
next picture tells of the fill."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One fault at one call. `fault` `None`: it cannot meet this call, or changes nothing in its answer.

    `provoked` is a fault of another call that makes this one be asked.
    """

    name: str
    fault: Fault | None
    provoked: tuple[Fault, ...] = ()


@dataclass(slots=True, kw_only=True)
class Cell:
    """An account, the trial it went through, and what came of it."""

    site: Site
    trial: Trial
    word: str = ""
    problems: list[str] = field(default_factory=list)
    before: dict[tuple[str, str], int] = field(default_factory=dict)
    healed_at: datetime | None = None
    flagged: bool = True


def faults_of(call: Call, wire: Wire) -> Iterator[tuple[str, Fault | None]]:
    """Name every fault there is, as it meets `call`: the venue's own traps, and then every kind."""
    once: dict[str, Any] = {"count": 1} if call.writes else {}
    met: dict[str, Any] = {"method": call.method, "path": call.path}
    for name, trap in wire.traps.items():
        fault = Fault(kind=FaultKind.TRAP, trap=name, **met, **once)
        yield f"trap: {name}", fault if trap.concerns(call.path) else None
    for kind in FaultKind:
        if kind is FaultKind.TRAP:
            continue
        more = met | once | ({"count": 1} if kind is FaultKind.OUTSIDER_TRADES else {})
        fault = Fault(kind=kind, ms=DELAYS_MS.get(kind, 0), **more)
        yield kind.value, fault if _matters(fault, call, wire) else None
        if call.writes and kind in GATEWAY | REFUSED:
            yield f"{kind.value}, executed", Fault(kind=kind, executes=True, **more)
        if call.writes and kind in TOO_LATE_MS:
            yield f"{kind.value}, too late", Fault(kind=kind, ms=TOO_LATE_MS[kind], **more)


def _matters(fault: Fault, call: Call, wire: Wire) -> bool:
    if fault.kind is FaultKind.CLOCK_SKEW:
        return call.role == "time"
    if fault.kind is FaultKind.PARTIAL_FILL:
        return call.role == "order"
    if fault.kind in DEFORMED:
        return any(wire.deform(fault.kind, call.path, answer) != answer for answer in call.answers)
    if fault.kind is FaultKind.OUTSIDER_TRADES and not call.role.startswith(("picture", "order", "lookup")):
        return False
    return fault.hits(call.path, "", writes=call.writes, method=call.method)


def _tells_positions(call: Call, wire: Wire) -> bool:
    return any(wire.deform(FaultKind.EMPTY_POSITIONS, call.path, one) != one for one in call.answers)


def judge(cell: Cell, watch: Watch, call: Call, reference: Decimal, outcome: CycleOutcome) -> None:
    """Fill in what a cell came to, and what is wrong with that."""
    site, fault = cell.site, cell.trial.fault
    assert fault is not None
    intents, told = watch.intents(site), watch.events(site)
    wrong = list(site.offences(flagged=cell.flagged))
    if not endures(cell):
        wrong += _unwell(cell, watch, reference, outcome)
    if not all(intent.state.is_final for intent in intents):
        wrong.append("a write is left without an end")
    if site.product.pool is not MarginPool.ISOLATED_ONLY or _tells_positions(call, site.server.wire):
        wrong += _blind_orders(cell, told)  # else the fault may be the wallet's, and the position is sound
    wrong += _books(cell, intents)
    cell.problems = wrong
    cell.word = _word(cell, watch, call, intents)


def endures(cell: Cell) -> bool:
    """Whether what the fault led to outlasts it: a ban that was told keeps us from asking till its end."""
    return cell.trial.fault is not None and cell.trial.fault.kind is FaultKind.BAN


def _unwell(cell: Cell, watch: Watch, reference: Decimal, outcome: CycleOutcome) -> Iterator[str]:
    """Tell how an account differs from one that fell without a fault."""
    site, fault = cell.site, cell.trial.fault
    if outcome.protection is not Protection.PROTECTED:
        yield "it is unprotected although nothing is amiss"
    if fault is not None and fault.kind is FaultKind.OUTSIDER_TRADES:
        if outcome.level >= Level.CRITICAL:
            yield "it is still in danger"
        return
    if site.product.is_margined and not watch.is_settled(site):
        yield "the episode did not end"
    near = NEAR if site.venue.rules.lending is None else 2 * NEAR  # a margin level does not fall in a line
    if abs(site.held() - reference) > near * site.opened and not _is_flattened(cell, watch):
        yield f"{site.held()} is held, where a calm fall leaves {reference}"


def _is_flattened(cell: Cell, watch: Watch) -> bool:
    """Whether the position was closed since nothing said by what steps it could be cut."""
    unsized = any(event.reason == "symbol_unknown" for event in watch.events(cell.site, "protection_lost"))
    return unsized and bool(watch.events(cell.site, "latch_set")) and cell.site.held() == 0


def _blind_orders(cell: Cell, told: list[Any]) -> Iterator[str]:
    """Tell of every order that was planned while a fault kept the account from being seen."""
    assert cell.healed_at is not None
    since = None
    for event in told:
        if event.kind == "protection_lost":
            since = event.time
        elif event.kind == "protection_regained":
            since = None
        elif event.reason == "flatten_latched":
            continue  # that the position can be held no longer was known before
        elif event.kind == "plan_approved" and since is not None and event.time < cell.healed_at:
            yield f"at {event.time} a plan was approved on a picture not believed since {since}"


def _books(cell: Cell, intents: list[Intent]) -> Iterator[str]:
    """Tell where the journal and the venue differ on what was executed."""
    site, fault = cell.site, cell.trial.fault
    fills = [event.fill for event in site.fills() if event.actor == "api"]
    if len({fill.order_id for fill in fills}) > len(intents):
        yield "the venue executed an order twice"
    size = site.contract_size
    journaled = sum(((intent.filled or D(0)) * size for intent in intents), D(0))
    executed = sum((fill.quantity for fill in fills), D(0))
    is_belied = fault is not None and fault.kind in BELIED and fault.executes
    unanswered = any((intent.message or "").startswith(UNANSWERED) for intent in intents)
    if journaled != executed and not (is_belied or (unanswered and journaled < executed)):
        yield f"the journal tells of {journaled} executed, the venue of {executed}"


def _word(cell: Cell, watch: Watch, call: Call, intents: list[Intent]) -> str:
    """Say in a few words what happened."""
    key = (call.method, call.path)
    if cell.site.asked(*key) == cell.before.get(key, 0):
        return "not asked"
    lost = any(event.kind == "protection_lost" for event in watch.events(cell.site))
    words = ["unprotected, then recovered"] if lost else []
    if watch.outcome(cell.site).protection is Protection.UNPROTECTED:
        words = ["unprotected until the ban ends"]
    states = [intent.state for intent in intents]
    if _is_flattened(cell, watch):
        words.append("flattened: nothing to size a cut by")
    if watch.was_unknown(cell.site):
        found = (
            "looked up: filled once" if states[0] is IntentState.FILLED else "looked up: not there, sent anew"
        )
        words.append(found)
    elif IntentState.REJECTED in states:
        words.append("refused, sent anew")
    elif len(states) > 1:
        words.append("cut in steps")
    return "; ".join(words) or "worked through"
