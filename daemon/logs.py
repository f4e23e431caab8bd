"""Logs: JSON where a machine reads them, words and colour where a person does; never a secret in either."""

import logging
import os
import re
import select
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MASK = "<secret>"
_SHORTEST_LITERAL = 6
"""Masking shorter literals would eat ordinary words; no venue issues keys that short."""

_PATTERNS = (
    re.compile(
        r"(?i)((?:signature|sign|passphrase|apikey|api_key|secret)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+"
    ),
    re.compile(
        r"(?i)((?:OK-ACCESS-\w+|X-MBX-APIKEY|X-BAPI-(?:SIGN|API-KEY))[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+"
    ),
    re.compile(r"(://[^/\s:@]+:)[^@\s/]+(?=@)"),
    re.compile(r"()eyJ[\w-]{10,}\.[\w-]+\.[\w-]+"),
)


class Scrubber:
    """Removes known secrets, and what looks like one, from every text that leaves the process."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        literals = {part for secret in secrets for part in (secret, *secret.splitlines())}
        kept = sorted((text for text in literals if len(text) >= _SHORTEST_LITERAL), key=len, reverse=True)
        self._literals = re.compile("|".join(map(re.escape, kept))) if kept else None

    def text(self, raw: str) -> str:
        """Return `raw` with every secret masked."""
        clean = self._literals.sub(_MASK, raw) if self._literals else raw
        for pattern in _PATTERNS:
            clean = pattern.sub(_masked, clean)
        return clean

    def value(self, raw: object) -> object:
        """Return `raw` scrubbed through, containers included."""
        match raw:
            case str():
                return self.text(raw)
            case dict():
                return {self.value(key): self.value(item) for key, item in raw.items()}
            case list() | tuple():
                return [self.value(item) for item in raw]
            case bool() | int() | float() | None:
                return raw
            case _:
                return self.text(_shown(raw))

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """Scrub one log event (a structlog processor)."""
        return {key: self.value(item) for key, item in event.items()}


def _masked(found: re.Match[str]) -> str:
    """Keep what names a secret, mask the secret."""
    return f"{found[1]}{_MASK}"


def _shown(raw: object) -> str:
    try:
        return str(raw)
    except Exception as error:  # noqa: BLE001 - what cannot be shown must not stop what logs it
        return f"<{type(raw).__name__}: {type(error).__name__}>"


_CHUNK = 4096
"""So much goes into a pipe or socket that takes anything, without waiting (PIPE_BUF)."""

_LINES_KEPT = 5_000


class _SafeHandler(logging.StreamHandler[TextIO]):
    """A handler whose failure (disk full, reader gone) is dropped: logging never stops what protects."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Drop the record."""


class _PatientHandler(_SafeHandler):
    """Writes to a descriptor as much as it takes at once; a reader that stalls stops nothing.

    What the reader leaves waits for the next line. Of a long wait the newest lines are kept, and how many
    went is told when the reader is back.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._descriptor = stream.fileno()
        self._room = select.poll()
        self._room.register(self._descriptor, select.POLLOUT)
        self._waiting: deque[bytes] = deque()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write what waits and then the record, as far as there is room."""
        try:
            self._append(self.format(record))
            self.flush()
            if self._dropped and not self._waiting:
                self._append(self.format(_loss(self._dropped)))
                self._dropped = 0
                self.flush()
        except Exception:  # noqa: BLE001 - as logging does
            self.handleError(record)

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        with self.lock or nullcontext():
            while self._waiting and self._room.poll(0):
                line = self._waiting[0]
                try:
                    written = os.write(self._descriptor, line[:_CHUNK])
                except BlockingIOError:
                    return
                except OSError:
                    self._waiting.clear()  # the reader has gone, or the disk is full
                    return
                if written < len(line):
                    self._waiting[0] = line[written:]
                else:
                    self._waiting.popleft()

    def _append(self, text: str) -> None:
        if len(self._waiting) >= _LINES_KEPT:
            del self._waiting[1]  # the first may be half written
            self._dropped += 1
        self._waiting.append(f"{text}\n".encode(errors="replace"))


def _loss(lines: int) -> logging.LogRecord:
    told = f"{lines} log lines were dropped: nobody took them"
    return logging.LogRecord("margind", logging.WARNING, __file__, 0, told, None, None)


def _handler(stream: TextIO) -> logging.Handler:
    try:
        stream.fileno()
    except (OSError, ValueError):
        return _SafeHandler(stream)  # it lives in memory, or nowhere
    return _PatientHandler(stream)


def _add_severity(_logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Say how bad the line is; `level` is the account's."""
    return {"severity": name, **event}


def configure(*, level: str, form: str, secrets: Iterable[str], stream: TextIO | None = None) -> None:
    """Send every log of the process, third parties included, to `stream` (default: standard error).

    `form` is `auto` (JSON unless a person is watching), `json` or `console`.
    """
    stream = stream or sys.stderr
    human = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_severity,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=True),
        structlog.processors.format_exc_info,
        cast("Processor", Scrubber(secrets)),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=18)
        if human
        else structlog.processors.JSONRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = _handler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # third parties: ccxt logs request headers at DEBUG
    logging.getLogger("margind").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logger() -> Any:  # noqa: ANN401 - structlog's bound logger is dynamic
    """Return margind's logger."""
    return structlog.stdlib.get_logger("margind")
