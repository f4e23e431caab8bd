"""What can go wrong with a venue, sorted by what the caller may do next.

BrokerError
├── VenueUnavailable        read again later; nothing is known
│   ├── RateLimited         ... and not before `retry_after`
│   └── Banned              ... and stop calling altogether until then
├── MalformedAnswer         the venue answered, but not with what it documents; nothing is known
├── RequestRefused          the venue understood and said no, with `code`
│   ├── ClockRefused        our timestamp is outside the venue's window: measure the clock, then read again
│   ├── NonceRefused        a later nonce came before ours: nothing was done, read again
│   └── Unauthorized        a human must act: key revoked, wrong permission, wrong address
│       └── KeyOrClockRefused   ... or our clock: the venue does not say which
├── OutcomeUnknown          a write was sent and no verdict came: look it up, never resend
└── NotSupported            this venue or product has no such call
"""


class BrokerError(Exception):
    """Any failure at or before a venue. `str(error)` never holds a secret."""


class VenueUnavailable(BrokerError):
    """No usable answer: no connection, a deadline passed, a gateway's page, the venue down."""


class RateLimited(VenueUnavailable):
    """Too many requests; `retry_after` is in seconds, `None` when the venue does not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Banned(RateLimited):
    """The venue bans our address for a while: every further call makes it longer."""


class MalformedAnswer(BrokerError):
    """An answer that is not what the venue documents: damaged, incomplete, or of another shape."""


class RequestRefused(BrokerError):
    """The venue understood the request and refused it; `code` is its raw code as text."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class ClockRefused(RequestRefused):
    """The venue refused our timestamp."""


class NonceRefused(RequestRefused):
    """The venue has seen a later nonce of our key than the one of this request, and did nothing."""


class Unauthorized(RequestRefused):
    """The venue refused our credentials or their permissions."""


class KeyOrClockRefused(Unauthorized):
    """The venue refused our signature and does not say whether for the key or for its time."""


class OutcomeUnknown(BrokerError):
    """A write left and no trustworthy verdict came back; the venue may hold it."""


class NotSupported(BrokerError):
    """The venue or product offers no such call."""
