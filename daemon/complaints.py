"""What is said as long as the venue does not do what it is asked to."""

from collections.abc import Mapping, Sequence

from brokers.orders import CancelReport, OpenOrder, Verdict
from daemon.footing import Footing
from daemon.logs import logger
from daemon.memory import RungMemory
from daemon.risk.reduction import PositionKey
from database.records import Intent


def tell_failing_cancels(
    footing: Footing, orders: Sequence[OpenOrder], reports: Sequence[CancelReport], memory: RungMemory
) -> None:
    """Say that orders that may raise risk stay, as long as they do."""
    failed = next((report for report in reports if report.verdict is not Verdict.ACCEPTED), None)
    logger().critical(
        "cancels_fail",
        account=footing.snapshot.account_id,
        orders=[order.order_id for order in orders],
        rounds_in_vain=memory.cancels_in_vain,
        code=failed.code if failed else None,
        why=(failed.message if failed else None) or "no answer",
        next="margind goes on trying; cancel them at the venue",
    )


def tell_failing(footing: Footing, outcomes: Mapping[PositionKey, Intent], memory: RungMemory) -> None:
    """Say that relief does not work, as long as it does not."""
    failing = memory.failing()
    for key in failing.keys() & outcomes.keys():
        logger().critical(
            "relief_fails",
            account=footing.snapshot.account_id,
            symbol=key[0],
            side=key[1].value,
            orders_in_vain=failing[key],
            code=outcomes[key].code,
            why=outcomes[key].message or "nothing was filled",
            next="margind goes on trying; look at the venue",
        )
