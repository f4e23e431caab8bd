"""What can go wrong with storage, sorted by what the caller may do next.

DatabaseError
├── JournalError            the write-ahead log did not take it: what was to be journaled must not be sent
│   ├── JournalBusy         another writer or a backup holds the file: try the same transaction again
│   ├── JournalFull         no space left: free some, then try the same transaction again
│   ├── JournalFailed       the disk refused a read, write or fsync: stop trusting this file, alarm, restart
│   ├── JournalDamaged      the file is not what was written: a human must look; `set_aside` starts a new one
│   │   └── JournalRewound  ... or is an older state of itself: rows that were committed are gone
│   ├── JournalInUse        another process owns this state directory
│   └── JournalMisuse       the caller broke the order of things (nested or missing transaction)
├── IntentExists            that intent is journaled already: somebody may have sent it, so do not
├── IllegalTransition       the state machine has no such move; nothing was written
├── UnknownRecord           the row to change is not there
├── SchemaTooNew            written by a newer margind: upgrade this one
├── HistoryUnavailable      the history database did not answer or refused; the outbox still holds all
├── HistoryRefused          the history will never take this row for what is in it
└── DatabaseUrlError        `database.url` is none that margind can use
"""


class DatabaseError(Exception):
    """Any failure of storage. `str(error)` never holds a password."""


class JournalError(DatabaseError):
    """The journal could not do what was asked; nothing of the transaction is in it."""


class JournalBusy(JournalError):
    """Somebody else held the write lock for longer than the busy timeout."""


class JournalFull(JournalError):
    """The file system of the state directory is full, and the reserve is used up."""


class JournalFailed(JournalError):
    """The operating system reported an input/output error."""


class JournalDamaged(JournalError):
    """The journal, or part of it, is missing or was altered behind our back."""


class JournalRewound(JournalDamaged):
    """The journal is whole but old: what it committed last is gone (`sequence` is how far it had come).

    Orders may have been sent that it knows nothing of. `Journal.open(..., accept_rewound=True)` goes on
    with what there is; whoever does that must not act before people have compared orders and positions.
    """

    def __init__(self, message: str, *, sequence: int) -> None:
        super().__init__(message)
        self.sequence = sequence


class JournalInUse(JournalError):
    """Another process holds the lock of the state directory."""


class JournalMisuse(JournalError):
    """A write outside a transaction, a transaction in a transaction, or any call after closing."""


class IntentExists(DatabaseError):
    """An intent with that id, or for that attempt, was journaled before."""


class IllegalTransition(DatabaseError):
    """A record cannot go from its state to the one asked for."""


class UnknownRecord(DatabaseError):
    """No such record."""


class SchemaTooNew(DatabaseError):
    """The file or database carries a schema that this version does not know."""


class HistoryUnavailable(DatabaseError):
    """The history database cannot be reached or used now."""


class HistoryRefused(DatabaseError):
    """The history database refuses a row for what is in it; another attempt would end the same."""


class DatabaseUrlError(DatabaseError):
    """A database URL that is damaged or of a kind margind does not support."""
