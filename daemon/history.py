"""The history beside the running daemon: where it lives, and the thread that carries the outbox there."""

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy import URL

from config.resolution import ResolvedSecrets
from config.schema import Settings
from daemon.clock import Clock
from daemon.errors import ConfigurationFault
from daemon.logs import logger
from database.carrier import Carrier, CarrierStatus
from database.engine import history_engine, history_url, shown
from database.errors import DatabaseUrlError
from database.history import History
from database.journal import Journal
from database.upgrade import upgrade

GLANCE_S = 2.0
"""How often the carrier's state is looked at; its failures are told, and nothing waits for it."""


def database_url(settings: Settings, secrets: ResolvedSecrets) -> URL:
    """Return where the history goes, password included.

    Raises:
        ConfigurationFault: the URL is none that margind can use.
    """
    try:
        url = history_url(settings.database.url, settings.state_dir)
    except DatabaseUrlError as error:
        raise ConfigurationFault(str(error)) from error
    password = secrets.database_password
    return url if password is None else url.set(password=password.reveal())


def start_carrier(stack: AsyncExitStack, url: URL, journal: Journal, clock: Clock) -> None:
    """Carry the outbox to the history in a thread until `stack` unwinds; tell of its failures."""
    engine = history_engine(url)
    history = History(engine, journal.install.install_id)
    carrier = Carrier(journal, history, clock.now, prepare=lambda: upgrade(url))
    logger().info("history", url=shown(url))
    carrier.start()
    stack.callback(engine.dispose)
    stack.callback(carrier.stop)
    watching = asyncio.create_task(_watch(carrier), name="history watch")
    stack.callback(watching.cancel)


async def _watch(carrier: Carrier) -> None:
    told = CarrierStatus()
    while True:
        await asyncio.sleep(GLANCE_S)
        status = carrier.status
        _tell(told, status)
        told = status


def _tell(before: CarrierStatus, now: CarrierStatus) -> None:
    """Log what became different: the history stopped or took rows again, or rows were lost to it."""
    if now.failures and not before.failures:
        logger().error(
            "history_unavailable",
            why=now.last_error,
            waiting=now.waiting,
            next="protection goes on; rows wait in the journal, and are brought when it answers",
        )
    elif before.failures and not now.failures:
        logger().warning("history_regained", waiting=now.waiting)
    if now.parked > before.parked:
        logger().error("history_refused_rows", parked=now.parked, next="they stay in the journal's outbox")
    if now.samples_dropped > before.samples_dropped:
        logger().warning("history_samples_dropped", dropped=now.samples_dropped)
    if now.is_rewound and not before.is_rewound:
        logger().critical("history_ahead_of_journal", next="the journal was put back from an older copy")
