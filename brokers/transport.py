"""One account's two doors to its venue, polling and emergency: shielded, budgeted, timed.

Reads may repeat inside their deadline. A write leaves once, by the emergency door, and ends in a `Reply`.
Where the account has an emergency key, that door uses it, with the nonces and the budget of that key.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from brokers.answers import Answer, Judgement, Reply, is_worth_another_try, judge, pause_of, told_time
from brokers.budget import boot_seconds
from brokers.clock import Sample, VenueClock, date_ms_of
from brokers.doors import Door, NotSent
from brokers.errors import (
    Banned,
    BrokerError,
    ClockRefused,
    KeyOrClockRefused,
    MalformedAnswer,
    NonceRefused,
    NotSupported,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    VenueUnavailable,
)
from brokers.models import ClockOffset
from brokers.nonce_window import NonceWindow
from brokers.nonces import Rank
from brokers.profile import NO_PARAMS, Json, Request, VenueProfile
from brokers.redaction import Redactor
from brokers.registry import BrokerSpec
from brokers.timekeeper import Timekeeper

READ_DEADLINE_S = 5.0
WRITE_DEADLINE_S = 2.5
_PUBLIC = "public"
"""How the raw names of calls begin that nobody signs."""


class Transport:
    """Carry one account's calls to its venue and back; everything it raises is a `BrokerError`.

    `call` is ccxt's implicit raw method name (`privateGetV5PositionList`). Payloads are parsed JSON, numbers
    as the venue sent them; pass them through `brokers.numbers` only. `read_deadline_s` and `write_deadline_s`
    hold for calls that name none.
    """

    def __init__(self, spec: BrokerSpec, profile: VenueProfile) -> None:
        self.profile = profile
        self.read_deadline_s = READ_DEADLINE_S
        self.write_deadline_s = WRITE_DEADLINE_S
        self._clock = VenueClock()
        self._redactor = Redactor(
            text for key in spec.keys for text in (key.api_key, key.secret, key.password)
        )
        door = partial(Door, spec, profile, self._clock.now_ms)
        self._polling = door(credentials=spec.keys[0], window_ms=profile.read_window_ms)
        self._emergency = door(credentials=spec.keys[-1], window_ms=profile.write_window_ms)
        self._in_flight: set[asyncio.Task[Reply]] = set()
        label = partial(self._labelled, profile.time_call)
        self._timekeeper = Timekeeper(self._clock, self._sample, label, samples=profile.time_samples)
        self._nonce_window = NonceWindow(profile, self._timekeeper.measure, self._takes_nonce)
        self._closing = False

    def _door(self, *, protective: bool) -> Door:
        return self._emergency if protective else self._polling

    def __repr__(self) -> str:
        return f"<Transport {self.profile.venue}>"

    @property
    def clock_offset(self) -> ClockOffset | None:
        """The last measurement of the venue's clock; `None` before the first."""
        return self._clock.offset

    # ------------------------------------------------------------------ reads

    async def read(
        self,
        call: str,
        params: Mapping[str, object] | list[Any] = NO_PARAMS,
        *,
        cost: float = 1,
        protective: bool = False,
        deadline_s: float | None = None,
    ) -> Json:
        """Return the payload of a read; at most two more tries inside the deadline (default 5 s).

        `protective` goes by the emergency door, may use the reserved budget and never waits behind polls. A
        refused timestamp leads to a new measurement of the clock and one more try, a refused nonce to one.

        Raises:
            BrokerError: sorted by what to do next; see `brokers.errors`.
        """
        if self._clock.is_due:
            self._timekeeper.start()
        request = Request(call=call, params=params, cost=cost)
        limit = self.read_deadline_s if deadline_s is None else deadline_s
        try:
            async with asyncio.timeout(limit):
                try:
                    return await self._read(request, limit, protective=protective)
                except ClockRefused:
                    self._clock.refused()
                    await self._timekeeper.measure()
                except KeyOrClockRefused:
                    if not await self._timekeeper.was_wrong():
                        raise
                except NonceRefused:
                    pass
                return await self._once(request, limit, protective=protective)
        except TimeoutError:
            pass
        raise self._labelled(call, VenueUnavailable(f"no answer within {limit:g} s"))

    async def read_aside(
        self, call: str, params: Mapping[str, object] = NO_PARAMS, *, cost: float = 1
    ) -> Json:
        """Return the payload of a read on which nothing depends: asked once, and only while there is room.

        Whatever comes of it, no other call is held back: a limit, a ban or a refusal may be this call's
        alone, and one that is not will be told to the next poll too.

        Raises:
            NotSent: there was no room, and nothing was asked.
            BrokerError: there is no payload.
        """
        request, door = Request(call=call, params=params, cost=cost), self._polling
        try:
            async with asyncio.timeout(self.read_deadline_s):
                try:
                    await self._make_room(request, 0.0, protective=False)
                except RateLimited as error:
                    raise NotSent(str(error)) from None
                _, judgement = await self._ask(door, request, Rank.POLL, aside=True)
            if judgement.error is None:
                return judgement.payload
            failure = judgement.error
        except TimeoutError:
            failure = VenueUnavailable(f"no answer within {self.read_deadline_s:g} s")
        except BrokerError as error:
            failure = error
        raise self._labelled(call, failure)

    async def take_turn(self, cost: float, *, protective: bool = False) -> None:
        """Wait until the budget has room for a picture of about `cost`; its reads then go together."""
        await self._door(protective=protective).budget.turn(cost, protective=protective)

    async def _read(self, request: Request, limit: float, *, protective: bool) -> Json:
        try:
            return await self._once(request, limit, protective=protective)
        except BrokerError as error:
            if not is_worth_another_try(error):
                raise
        return await self._again(request, limit, protective=protective)

    async def _once(self, request: Request, limit: float, *, protective: bool, nonce_age_ms: int = 0) -> Json:
        door = self._door(protective=protective)
        try:
            await self._make_room(request, limit, protective=protective)
            rank = Rank.PROTECTIVE if protective else Rank.POLL
            _, judgement = await self._ask(door, request, rank, nonce_age_ms=nonce_age_ms)
            if judgement.error is None:
                return judgement.payload
            failure = judgement.error
        except BrokerError as error:
            failure = error
        raise self._labelled(request.call, failure)

    _again = retry(
        retry=retry_if_exception(is_worth_another_try),
        stop=stop_after_attempt(2),
        wait=wait_random_exponential(multiplier=0.1, max=0.5),
        reraise=True,
    )(_once)

    # ------------------------------------------------------------------ writes

    async def write(
        self,
        call: str,
        params: Mapping[str, object] | list[Any],
        *,
        cost: float = 1,
        deadline_s: float | None = None,
        expires_at: datetime | None = None,
    ) -> Reply:
        """Send a write once, by the emergency door, and say what became of it (default deadline 2.5 s).

        `expires_at` is the venue time after which the venue must not accept it: it shortens the signature's
        window (or travels in `VenueProfile.extra_headers`), and past it nothing is sent. Never raises for an
        unknown outcome. A cancelled caller does not cut the request off: it ends by its own deadline, and
        `aclose` waits for it.
        """
        request = Request(call=call, params=params, cost=cost)
        limit = self.write_deadline_s if deadline_s is None else deadline_s
        task = asyncio.ensure_future(self._write(request, limit, expires_at))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        return await asyncio.shield(task)

    async def _write(self, request: Request, limit: float, expires_at: datetime | None) -> Reply:
        call = request.call
        until = boot_seconds() + limit
        try:
            if self._closing:
                raise NotSent("shutting down")
            await self._make_room(request, limit / 2, protective=True)
            window_ms = self._window(expires_at)
            nonce_age_ms = self._nonce_window.age_ms(window_ms)
            headers = self.profile.extra_headers(call, expires_at)
        except BrokerError as error:
            return self._reply(call, Judgement(payload=None, error=error), sent=False)
        try:
            async with asyncio.timeout(max(until - boot_seconds(), 0.0)):
                answer, judgement = await self._ask(
                    self._emergency,
                    request,
                    Rank.WRITE,
                    window_ms=window_ms,
                    nonce_age_ms=nonce_age_ms,
                    headers=headers,
                    patience_s=(until - boot_seconds()) / 2,
                )
        except TimeoutError:
            failure = OutcomeUnknown(f"no answer within {limit:g} s")
            return self._reply(call, Judgement(payload=None, error=failure))
        except (NotSent, NotSupported) as error:
            return self._reply(call, Judgement(payload=None, error=error), sent=False)
        except BrokerError as error:
            return self._reply(call, Judgement(payload=None, error=OutcomeUnknown(str(error))))
        if isinstance(judgement.error, ClockRefused):
            self._clock.refused()
            await self._nonce_window.doubt(nonce_age_ms, until - boot_seconds())
        return self._reply(call, judgement, answer.status)

    def _window(self, expires_at: datetime | None) -> int:
        """Return how many milliseconds the signature may live; refuse when there is no time left."""
        longest = self._emergency.window_ms
        if expires_at is None:
            return longest
        left = expires_at - self._clock.now()
        if left <= self.profile.shortest_order_life:
            raise NotSent("its deadline has passed" if left <= timedelta(0) else "its deadline is too near")
        return min(longest, left // timedelta(milliseconds=1))

    def _reply(
        self, call: str, judgement: Judgement, status: int | None = None, *, sent: bool = True
    ) -> Reply:
        failure = judgement.error
        message = None
        if failure is not None:
            message = self._redactor.text(str(failure))
            failure = self._labelled(call, failure)
            if isinstance(failure, (ClockRefused, KeyOrClockRefused)):
                self._timekeeper.start()
        return Reply(
            payload=judgement.payload,
            status=status,
            code=judgement.code,
            message=message,
            failure=failure,
            sent=sent,
        )

    async def _ask(
        self,
        door: Door,
        request: Request,
        rank: Rank,
        *,
        window_ms: int | None = None,
        nonce_age_ms: int = 0,
        headers: Mapping[str, str] | None = None,
        patience_s: float | None = None,
        aside: bool = False,
    ) -> tuple[Answer, Judgement]:
        """Send a request, in its turn where nonces must rise, and judge what came.

        `aside`: the judgement holds no other call back.
        """
        window_ms = door.window_ms if window_ms is None else window_ms
        headers = self.profile.extra_headers(request.call, None) if headers is None else headers
        nonces = None if request.call.startswith(_PUBLIC) else door.nonces
        async with nullcontext() if nonces is None else nonces.turn(rank, patience_s=patience_s) as turn:
            asked_at = boot_seconds()
            answer = await door.ask(request, window_ms=window_ms, nonce_age_ms=nonce_age_ms, headers=headers)
        judgement = judge(self.profile, answer) if aside else self._judge(door, answer, asked_at)
        if nonces is not None and turn is not None:
            nonces.told(turn, refused=isinstance(judgement.error, NonceRefused))
        return answer, judgement

    # ------------------------------------------------------------------ judging

    async def _make_room(self, request: Request, patience_s: float, *, protective: bool) -> None:
        """Wait for what the venue's limits leave, of this call by itself and of all calls together."""
        door = self._door(protective=protective)
        if (own := door.call_budgets.get(request.call)) is not None:
            await own.acquire(1, protective=protective, patience_s=patience_s)
        await door.budget.acquire(request.cost, protective=protective, patience_s=patience_s)

    def _judge(self, door: Door, answer: Answer, asked_at: float) -> Judgement:
        now, ledger = boot_seconds(), door.budget.ledger
        used = self.profile.used_weight(answer.headers)
        if used is not None:
            ledger.feed_back(used, now)
        judgement = judge(self.profile, answer)
        if judgement.error is None:
            ledger.served(asked_at)
        elif isinstance(judgement.error, Banned):
            ledger.ban(pause_of(judgement.error), now)
        elif isinstance(judgement.error, RateLimited):
            ledger.pause(pause_of(judgement.error), now)
        return judgement

    def _labelled(self, call: str, error: BrokerError) -> BrokerError:
        """Return `error` saying where it happened, without a secret, and without its history."""
        code = f" (code {error.code})" if isinstance(error, RequestRefused) else ""
        text = f"{self._redactor.text(str(error))}{code}"
        error.args = (f"{self.profile.venue} {call}: {text}",)
        error.__context__ = error.__cause__ = None
        return error

    async def measure_clock(self, *, disproved: bool = False) -> ClockOffset:
        """Measure the venue's clock: median of its samples, half the round trip as error.

        `disproved`: answers have shown that the clock in use is wrong. On failure signing goes on as before.

        Raises:
            BrokerError: the time call did not answer, or with a time nothing else speaks for.
        """
        if disproved:
            self._clock.refused()
        return await self._timekeeper.measure()

    def venue_now(self) -> datetime:
        """The venue's time by the last measurement; by the local clock before the first one."""
        return self._clock.now()

    async def _takes_nonce(self, age_ms: int) -> bool:
        request, limit = Request(call=self.profile.nonce_probe), self.write_deadline_s
        try:
            async with asyncio.timeout(limit):
                await self._once(request, limit, protective=True, nonce_age_ms=age_ms)
        except ClockRefused:
            return False
        return True

    async def _sample(self) -> Sample:
        request = Request(call=self.profile.time_call, params=self.profile.time_params)
        failure: BrokerError
        try:
            await self._polling.budget.acquire(self.profile.time_cost, protective=True)
            async with asyncio.timeout(self.write_deadline_s):
                asked_at = boot_seconds()
                sent = self._clock.steady()
                answer = await self._polling.ask(request, window_ms=self._polling.window_ms, headers={})
                received = self._clock.steady()
            judgement = self._judge(self._polling, answer, asked_at)
            if judgement.error is None:
                return Sample(
                    sent=sent,
                    received=received,
                    venue_ms=told_time(self.profile, answer, judgement.payload),
                    date_ms=date_ms_of(answer.headers),
                    resolution_ms=self.profile.time_resolution_ms,
                )
            failure = judgement.error
        except BrokerError as error:
            failure = error
        except TimeoutError:
            failure = VenueUnavailable("no answer")
        except (KeyError, IndexError, TypeError, ValueError):
            failure = MalformedAnswer("time answer of a foreign shape")
        raise self._labelled(request.call, failure)

    async def aclose(self) -> None:
        """Wait for writes in flight, then close every connection."""
        self._closing = True
        if self._in_flight:
            await asyncio.wait(set(self._in_flight))
        await self._nonce_window.aclose()
        await self._timekeeper.aclose()
        await self._polling.aclose()
        await self._emergency.aclose()
