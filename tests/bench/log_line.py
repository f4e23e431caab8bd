"""What the one line costs that every cycle ends in."""

import io
import time
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median

from daemon.diary import log_outcome
from daemon.logs import configure
from daemon.risk.assessment import Protection
from daemon.risk.policy import Level, Mode
from daemon.risk.reason import Reason
from daemon.state import CycleOutcome
from tests.bench.market import cell
from tests.bench.products import PRODUCTS

ROUNDS = 15
LINES = 100


def measure_log_line() -> float:
    """Return the CPU milliseconds of a calm cycle's line as JSON, fifty secrets scrubbed out of it."""
    product = PRODUCTS["bybit unified"]
    secrets = [product.secret_of(holder.name) for holder in cell(1, 50)]
    configure(level="info", form="json", secrets=secrets, stream=io.StringIO())
    outcome = _calm_outcome()
    return median(_milliseconds(outcome) for _ in range(ROUNDS))


def _milliseconds(outcome: CycleOutcome) -> float:
    began = time.process_time()
    for _ in range(LINES):
        log_outcome(outcome)
    return (time.process_time() - began) / LINES * 1000


def _calm_outcome() -> CycleOutcome:
    return CycleOutcome(
        account="bybit-main",
        at=datetime.now(UTC),
        level=Level.SAFE,
        protection=Protection.PROTECTED,
        mode=Mode.ENFORCE,
        doing="hold",
        reason=Reason.CALM,
        sentence="hold (calm), level safe, unit account, utilization 0.3515 against 0.70",
        unit="account",
        utilization=Decimal("0.3515"),
        maintenance_ratio=Decimal("0.0501"),
        leverage=Decimal("3.5"),
        positions=10,
        orders_sent=0,
        episode=None,
        transitions=(),
        duration_s=0.004,
        next_s=2.0,
    )
