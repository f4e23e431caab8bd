"""Operator orders: modes and halts imposed by hand, each until its expiry."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from database.audit import AuditTrail
from database.journal_store import JournalStore
from database.journal_tables import operator_orders
from database.outbox import Outbox
from database.records import EVERY_ACCOUNT, Event, OperatorOrder, OperatorOrderKind

_insert = insert(operator_orders)
IMPOSE = _insert.on_conflict_do_update(
    index_elements=[operator_orders.c.account, operator_orders.c.kind],
    set_={name: _insert.excluded[name] for name in ("mode", "set_at", "actor", "reason", "expires_at")},
)
ONE = select(operator_orders).where(
    operator_orders.c.account == bindparam("account"), operator_orders.c.kind == bindparam("kind")
)
LIFT = delete(operator_orders).where(
    operator_orders.c.account == bindparam("of_account"), operator_orders.c.kind == bindparam("of_kind")
)
ALL = select(operator_orders).order_by(operator_orders.c.set_at)


class OperatorOrders:
    """What people told the daemon to do, or not to do."""

    def __init__(self, store: JournalStore, outbox: Outbox, audit: AuditTrail) -> None:
        self._store = store
        self._outbox = outbox
        self._audit = audit

    def impose(self, order: OperatorOrder) -> None:
        """Put `order` in force in place of an earlier one of its kind for that account."""
        self._store.write(IMPOSE, order.values())
        self._tell(order, f"{order.kind}_imposed", order.set_at)

    def lift(
        self, account: str, kind: OperatorOrderKind, at: datetime, *, actor: str, reason: str
    ) -> OperatorOrder | None:
        """End an order, expired or not, and return it; `None` if there was none."""
        rows = self._store.rows(ONE, {"account": account, "kind": kind})
        if not rows:
            return None
        self._store.write(LIFT, {"of_account": account, "of_kind": kind})
        order = OperatorOrder(**rows[0])
        self._tell(replace(order, actor=actor, reason=reason), f"{kind}_lifted", at)
        return order

    def in_force(self, now: datetime, account: str | None = None) -> tuple[OperatorOrder, ...]:
        """Return the orders that hold now, oldest first: all of them, or what applies to one account."""
        orders = (OperatorOrder(**row) for row in self._store.known(operator_orders, ALL, {}))
        return tuple(
            order
            for order in orders
            if (order.expires_at is None or order.expires_at > now)
            and (account is None or order.account in {account, EVERY_ACCOUNT})
        )

    def _tell(self, order: OperatorOrder, action: str, at: datetime) -> None:
        concerned = None if order.account == EVERY_ACCOUNT else order.account
        self._outbox.append(
            Event(
                time=at,
                kind=action,
                message=f"{order.mode}: {order.reason}",
                account=concerned,
                reason=order.reason,
                detail=order.values(),
            )
        )
        self._audit.append(
            at=at,
            action=action,
            subject=order.account,
            actor=order.actor,
            account=concerned,
            detail=order.values(),
        )
