"""One run of the benchmark: how large it is, and every figure it gave."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.cycle_cost import CycleCost, measure_cycles
from tests.bench.durability import Durability, measure_durability
from tests.bench.fleet import Fleet, measure_fleet
from tests.bench.log_line import measure_log_line
from tests.bench.memory import MemoryCost, measure_memory
from tests.bench.planning import SIZES, Planning, measure_planning
from tests.bench.products import ONE_OF_EACH, PRODUCTS
from tests.bench.reaction import CROWD, Reactions, measure_reactions

POLL_MS = 2000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured; the defaults are those of `make bench`.

    `sizes` are numbers of positions, `None`: each product's own. `weighed` are the products whose memory is
    measured. `fleet` is how many accounts of each product one daemon watches, for `watched_s` seconds after
    `fleet_settled_s`; `None`: each product's own. `plans` are planned of each number of positions in
    `planned`, and strategies compared on `compared` accounts.
    """

    products: Sequence[str] = tuple(PRODUCTS)
    sizes: Sequence[int] | None = None
    rounds: int = 8
    weighed: Sequence[str] = ONE_OF_EACH
    further_accounts: int = 20
    fleet: Mapping[str, int] | None = None
    watched_s: float = 45.0
    fleet_settled_s: float = 10.0
    crowd: Mapping[str, int] = field(default_factory=lambda: CROWD)
    falls: int = 10
    settled_s: float = 5.0
    commits: int = 500
    samples: int = 5000
    planned: Sequence[int] = SIZES
    plans: int = 200
    compared: int = 1000


FULL = Effort()
SMALLEST = Effort(
    products=("bybit unified",),
    weighed=("bybit unified",),
    sizes=(2,),
    rounds=2,
    further_accounts=2,
    fleet={"bybit unified": 2, "coinbase spot": 1},
    watched_s=5.0,
    fleet_settled_s=0.0,
    crowd={"bybit unified": 1},
    falls=1,
    settled_s=0.5,
    commits=5,
    samples=10,
    planned=(5,),
    plans=2,
    compared=4,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything one run measured."""

    cycles: tuple[CycleCost, ...]
    memory: tuple[MemoryCost, ...]
    fleet: Fleet
    reactions: Reactions
    durability: Durability
    log_line_ms: float
    planning: Planning

    def accounts_per_core(self, cost: CycleCost) -> int:
        """Return how many accounts, polled every two seconds, one core carries with all its time."""
        return int(POLL_MS / (cost.margind_ms + self.log_line_ms))

    def as_json(self) -> dict[str, Any]:
        """Return every figure, for a machine."""
        figures = asdict(self)
        for row, cost in zip(figures["cycles"], self.cycles, strict=True):
            row["accounts_per_core"] = self.accounts_per_core(cost)
        return figures


async def measure(folder: Path, effort: Effort) -> Figures:
    """Measure everything; what must be on a disk lies in `folder`."""
    return Figures(
        cycles=await measure_cycles(
            folder, rounds=effort.rounds, sizes=effort.sizes, products=effort.products
        ),
        memory=await measure_memory(count=effort.further_accounts, products=effort.weighed),
        fleet=await measure_fleet(
            folder, seconds=effort.watched_s, settled_s=effort.fleet_settled_s, fleet=effort.fleet
        ),
        reactions=await measure_reactions(
            folder, rounds=effort.falls, crowd=effort.crowd, settled_s=effort.settled_s
        ),
        durability=measure_durability(folder, commits=effort.commits, samples=effort.samples),
        log_line_ms=measure_log_line(),
        planning=measure_planning(plans=effort.plans, accounts=effort.compared, sizes=effort.planned),
    )
