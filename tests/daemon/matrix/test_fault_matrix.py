"""Every fault at every call of every product, under a whole guard: each account ends safely.

An account is calm, a fault is set at one call, and the market falls so far that the account has to be cut. It
is watched until it was cut in spite of the fault, or is told to be unprotected, or holds because a write's
fate is not known. Then the fault clears, and the account must end where the same fall ends without one.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from brokers.budget import boot_seconds
from brokers.sandbox.faults import Fault, FaultKind
from daemon.risk.assessment import Protection
from tests.daemon.matrix.rehearsal import STARTING, Call, Plan, rehearse
from tests.daemon.matrix.site import CATALOGUE, Product, Site
from tests.daemon.matrix.trials import Cell, Trial, endures, faults_of, judge
from tests.daemon.wire.watch import Watch, watching
from tests.report import NOT_APPLICABLE, note
from tests.virtual import VirtualClock

pytestmark = [pytest.mark.wire, pytest.mark.timeout(900)]

WHOLE = os.environ.get("MARGIND_MATRIX") == "whole"
SHARE = 1 if WHOLE else 20
"""One cell of so many is tried: each product meets every call with other faults than the next product.

`make matrix` tries them all.
"""

TRIES = 1 if WHOLE else 2
"""Virtual time runs away from a kernel that delivers late over loopback: on a busy machine, once more."""

LOOK_S = 0.5
UNDER_FAULT_S, AFTER_S, LASTS_S = 40.0, 1.5, 150.0
"""How long a fault lasts at most, how long after it has shown, and how long all may take together."""

AGAIN_S = 1.5

_plans: dict[str, Plan] = {}


async def plan_of(product: Product) -> Plan:
    """Return what is known of a product, rehearsed once a process."""
    if product.label not in _plans:
        _plans[product.label] = await rehearse(product)
    return _plans[product.label]


def trials_of(call: Call, plan: Plan, site: Site) -> list[Trial]:
    """Return what a call is tried with; look-ups are made only of what has no verdict."""
    found = []
    for name, fault in faults_of(call, site.server.wire):
        for told, provoked in provocations(call, plan):
            found.append(Trial(name=f"{name}{told}", fault=fault, provoked=provoked))
    turn = list(CATALOGUE).index(site.product.label) + plan.of(call.role).index(call)
    return [trial for number, trial in enumerate(found) if (number + turn) % SHARE == 0]


def provocations(call: Call, plan: Plan) -> list[tuple[str, tuple[Fault, ...]]]:
    """Return the faults that make a look-up necessary, with a word for each."""
    if call.role == "lookup":
        return [
            (word, tuple(_once(order, executes=executes) for order in plan.of("order") if order.writes))
            for word, executes in ((", order taken", True), (", order lost", False))
        ]
    if call.role == "transfer lookup":
        return [("", tuple(_once(one, executes=True) for one in plan.of("transfer") if one.writes))]
    return [("", ())]


def _once(call: Call, *, executes: bool) -> Fault:
    return Fault(kind=FaultKind.HTTP_502_HTML, method=call.method, path=call.path, count=1, executes=executes)


class Round:
    """The cells of one call under guard, side by side."""

    def __init__(self, product: Product, cells: list[Cell], control: Site, watch: Watch) -> None:
        self._product = product
        self._cells = cells
        self._control = control
        self._watch = watch

    def _is_cut(self, site: Site) -> bool:
        return self._product.is_margined and self._watch.is_settled(site)

    def _has_shown(self, site: Site) -> bool:
        """Whether the fault has come to something: the account is cut all the same, or holds."""
        holds = bool(self._watch.journal.intents.open(site.name))
        blind = self._watch.outcome(site).protection is Protection.UNPROTECTED
        return holds or blind or self._is_cut(site)

    def _is_well(self, site: Site) -> bool:
        seen = self._watch.outcome(site).protection is Protection.PROTECTED
        return seen and (self._is_cut(site) or not self._product.is_margined)

    async def go(self) -> None:
        """Heal each cell once its fault has shown, and wait until all are well or time is up."""
        began, shown = boot_seconds(), dict[str, float]()
        ill = {cell.site.name: cell for cell in self._cells}
        while ill and boot_seconds() < began + LASTS_S:
            now = boot_seconds()
            for name, cell in ill.items():
                if self._has_shown(cell.site) or now > began + UNDER_FAULT_S:
                    shown.setdefault(name, now)
            for name in [name for name, since in shown.items() if name in ill and now > since + AFTER_S]:
                ill[name].healed_at = VirtualClock().now()
                ill.pop(name).site.heal()
            await asyncio.sleep(LOOK_S)
        weak = [self._control, *(cell.site for cell in self._cells if not endures(cell))]
        for site in weak:
            while not self._is_well(site) and boot_seconds() < began + LASTS_S:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)


async def live(
    product: Product, call: Call, plan: Plan, folder: Path, settings: dict[str, Any]
) -> list[Cell]:
    """Let an account go through each trial of a call, all side by side, and judge them."""
    control = Site("control", product)
    trials = trials_of(call, plan, control)
    cells = [
        Cell(site=Site(f"cell-{number}", product), trial=trial, flagged=plan.flagged)
        for number, trial in enumerate(trials)
        if trial.fault is not None
    ]
    spared = [Cell(site=control, trial=one, word=NOT_APPLICABLE) for one in trials if one.fault is None]
    if not cells:
        return spared
    first = call.role in STARTING
    if first:
        begin(cells, control, call, plan)
    async with watching((control, *(cell.site for cell in cells)), folder, settings) as watch:
        if not first:
            begin(cells, control, call, plan)
        await Round(product, cells, control, watch).go()
        assert not product.is_margined or 0 <= control.held() < control.opened, watch.tell(control)
        for cell in cells:
            judge(cell, watch, call, control.held(), watch.outcome(cell.site))
            cell.problems += [watch.tell(cell.site)] if cell.problems else []
    return cells + spared


async def attempt(living: Coroutine[Any, Any, list[Cell]], *, is_last: bool) -> list[Cell]:
    """Return the cells; none where something failed and there is another try."""
    try:
        return await living
    except AssertionError:
        if is_last:
            raise
        return []


def begin(cells: list[Cell], control: Site, call: Call, plan: Plan) -> None:
    """Set every cell's fault, and let the market fall."""
    for cell in cells:
        assert cell.trial.fault is not None
        for fault in (cell.trial.fault, *cell.trial.provoked):
            cell.site.server.faults.set(fault)
        cell.before = {(call.method, call.path): cell.site.asked(call.method, call.path)}
        cell.site.drop(plan.danger)
    control.drop(plan.danger)


ROLES = (
    *STARTING,
    "picture",
    "open orders",
    "cancel",
    "order",
    "lookup",
    "funds",
    "transfer",
    "transfer lookup",
)


BY_MODE = ("picture", "order")
"""What the other modes of a product are tried with: elsewhere its calls are the same in all of them."""

CASES = [
    (label, role) for label, product in CATALOGUE.items() for role in (ROLES if product.is_first else BY_MODE)
]


@pytest.mark.parametrize(("label", "role"), CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])
async def test_every_fault_ends_safely(
    label: str,
    role: str,
    quick_folder: Path,
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("brokers.budget._PROBE_INTERVAL_S", AGAIN_S)  # half a minute, else
    monkeypatch.setattr("brokers.ccxt_broker.NEWCOMER_S", AGAIN_S)  # ten minutes, else
    product = CATALOGUE[label]
    plan = await plan_of(product)
    failures = []
    for number, call in enumerate(plan.of(role)):
        settings: dict[str, Any] = {"poll": {"interval": "12s"}}
        if role in {"funds", "transfer", "transfer lookup"}:
            settings["top_up"] = {"max_per_day": {product.venue.currency: product.small_change}}
        for again in range(TRIES):
            cells = await attempt(
                live(product, call, plan, quick_folder / f"{number}-{again}", settings),
                is_last=again == TRIES - 1,
            )
            if cells and not any(cell.problems for cell in cells):
                break
        for cell in cells:
            word = "UNSAFE" if cell.problems else cell.word + " (second try)" * again
            note(record_property, label, call.role, f"{call.method} {call.path}", cell.trial.name, word)
            failures += [f"{call.label}, {cell.trial.name}: {'; '.join(cell.problems)}"] * bool(cell.problems)
    assert not failures, f"{len(failures)} cells:\n" + "\n".join(failures)
