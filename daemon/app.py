"""The composition root: settings become a running daemon, and a signal becomes an orderly end."""

import asyncio
import gc
import signal
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from datetime import datetime

from brokers.errors import BrokerError, VenueUnavailable
from config.resolution import ResolvedSecrets
from config.schema import Settings
from daemon.clock import SKEWED_S, Clock, SystemClock, skewed
from daemon.commonmode import CommonMode
from daemon.cycle import Cycle
from daemon.errors import ConfigurationFault, FatalError
from daemon.hedging import HedgeDesk
from daemon.history import database_url, start_carrier
from daemon.logs import configure, logger
from daemon.opening import Account, KeyRefused, guarded_of, open_accounts, secrets_of
from daemon.policies import hedges_of
from daemon.risk.policy import Mode
from daemon.sdnotify import notify
from daemon.state import Board
from daemon.supervisor import Guard, Supervisor
from daemon.upkeep import journal_fault
from database.errors import DatabaseError, JournalError, JournalRewound
from database.journal import Journal
from database.records import EVERY_ACCOUNT, OperatorOrder, OperatorOrderKind

REWOUND = "the journal lost its end"
REWOUND_NEXT = (
    "margind only observes: compare the venues' orders and positions with `margind check`, stop it, "
    "run `margind journal resume --config FILE`, start it"
)


async def run(settings: Settings, secrets: ResolvedSecrets, clock: Clock | None = None) -> None:
    """Guard every account until SIGTERM or SIGINT.

    Raises:
        FatalError: it cannot start, or cannot go on.
    """
    clock = clock or SystemClock()
    configure(level=settings.log.level, form=settings.log.format, secrets=secrets_of(secrets))
    accounts, url = open_accounts(settings, secrets), database_url(settings, secrets)
    async with AsyncExitStack() as stack:
        journal = open_journal(settings, clock.now())
        stack.callback(journal.close)
        stack.push_async_callback(_close_brokers, accounts)
        start_carrier(stack, url, journal, clock)
        _tell_orders(journal, clock.now())
        trusted = await _connect(accounts)
        _tell_skew(trusted, clock)
        supervisor = assemble(settings, trusted, journal=journal, board=Board(), clock=clock)
        _on_signals(supervisor.stop)
        _keep_for_good()
        logger().info(
            "started",
            mode=settings.mode.value,
            accounts=[account.settings.id for account, _ in trusted],
            state_dir=str(settings.state_dir),
            config=settings.source.file,
            config_hash=settings.source.sha256[:12],
        )
        notify("READY=1", f"STATUS=guarding {len(trusted)} accounts")
        await _until_the_end(supervisor)
        notify("STOPPING=1")
        logger().info("stopped")


def assemble(
    settings: Settings,
    accounts: Iterable[tuple[Account, bool]],
    *,
    journal: Journal,
    board: Board,
    clock: Clock,
) -> Supervisor:
    """Return a supervisor with a guard for each account, ready or not, and what all of them share."""
    common, hedges = CommonMode(), HedgeDesk(hedges_of(settings), journal=journal, clock=clock)
    guards = [
        Guard(
            cycle=Cycle(
                guarded_of(settings, account),
                journal=journal,
                clock=clock,
                is_ready=is_ready,
                common=common,
                hedges=hedges,
            ),
            board=board,
            clock=clock,
        )
        for account, is_ready in accounts
    ]
    for guard in guards:
        hedges.on_due(guard.account, guard.wake)
    return Supervisor(guards, board=board, clock=clock)


def _keep_for_good() -> None:
    """Take what start-up made out of the garbage collector's sight.

    Modules, ccxt's tables and market rules are a quarter of a million objects that never go; looking through
    them would stop every guard for a tenth of a second, now and then.
    """
    gc.collect()
    gc.freeze()


def open_journal(settings: Settings, now: datetime) -> Journal:
    """Open the journal of the state directory.

    A journal that lost its end (a file put back from a backup, a torn write-ahead file) knows nothing of what
    was sent last: an order in it then keeps margind from acting, over restarts, until an operator lifts it.

    Raises:
        FatalError: it cannot be used; one line that says what to do.
    """
    try:
        return Journal.open(settings.state_dir, now)
    except JournalRewound as error:
        why = str(error)
    except DatabaseError as error:
        raise journal_fault(settings.state_dir, error) from error
    journal = Journal.open(settings.state_dir, now, accept_rewound=True)
    with journal.transaction():
        journal.operator_orders.impose(
            OperatorOrder(
                account=EVERY_ACCOUNT,
                kind=OperatorOrderKind.MODE,
                mode=Mode.OBSERVE.label,
                set_at=now,
                actor="margind",
                reason=REWOUND,
            )
        )
    logger().critical("journal_rewound", why=why, next=REWOUND_NEXT)
    return journal


def _tell_orders(journal: Journal, now: datetime) -> None:
    """Say at every start what keeps margind from acting, so that nobody trusts a daemon that only watches."""
    for order in journal.operator_orders.in_force(now):
        lifted = REWOUND_NEXT if order.reason == REWOUND else None
        logger().critical(
            "operator_order_in_force",
            kind=order.kind.value,
            mode=order.mode,
            account=order.account,
            why=order.reason,
            next=lifted,
        )


def _tell_skew(accounts: tuple[tuple[Account, bool], ...], clock: Clock) -> None:
    """Say where the machine's clock is far off: that is made up for while the venue's can be measured."""
    for account, is_ready in accounts:
        offset_s = (account.broker.venue_now() - clock.now()).total_seconds() if is_ready else 0.0
        if abs(offset_s) > SKEWED_S:
            logger().error("clock_skewed", account=account.settings.id, why=skewed(offset_s))


async def _close_brokers(accounts: tuple[Account, ...]) -> None:
    for account in accounts:
        account.prepare.cancel()
    await asyncio.gather(*(account.broker.aclose() for account in accounts), return_exceptions=True)


async def _connect(accounts: tuple[Account, ...]) -> tuple[tuple[Account, bool], ...]:
    """Connect and vet every account; return those whose keys may be used, and whether they are connected.

    A venue that does not answer now is no reason to leave the others unguarded: its guard goes on trying,
    and alarms.

    Raises:
        ConfigurationFault: no account is left to guard.
    """
    trusted, refused = [], []
    for account, trouble in zip(accounts, await asyncio.gather(*map(_connect_one, accounts)), strict=True):
        if isinstance(trouble, KeyRefused):
            logger().critical("account_refused", account=account.settings.id, why=str(trouble))
            refused.append(trouble)
        else:
            trusted.append((account, trouble is None))
    if not trusted:
        raise ConfigurationFault("; ".join(map(str, refused)))
    return tuple(trusted)


async def _connect_one(account: Account) -> BrokerError | None:
    try:
        await account.prepare()
    except KeyRefused as error:
        return error
    except BrokerError as error:
        logger().error(
            "connect_failed", account=account.settings.id, why=str(error), next="its guard goes on trying"
        )
        return error
    except Exception as error:  # noqa: BLE001 - a bug in one adapter leaves the other accounts guarded
        logger().error("connect_bug", account=account.settings.id, exc_info=error)
        return VenueUnavailable(f"connecting failed: {error}")
    return None


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(
        signal.SIGHUP, lambda: logger().warning("reload_ignored", next="restart to apply a changed file")
    )


async def _until_the_end(supervisor: Supervisor) -> None:
    try:
        await supervisor.run()
    except JournalError as error:
        raise FatalError(f"the journal failed, so nothing may be sent any more: {error}") from error
