"""The request budget: how much we may still ask a venue, with a share that only protective calls may use."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import NoReturn
from weakref import WeakValueDictionary

from brokers.errors import Banned, RateLimited
from brokers.profile import BudgetRules

_SLOTS = 50
"""The period is counted in so many slots; a slot's cost leaves one period after the slot's last use."""

_LONG_PERIOD_S, _PACES = 30.0, 20
"""In a period so long, pictures get a twentieth of the polls' share at a time."""

_PROBE_INTERVAL_S = 30.0
"""During a ban one protective call in this time may find out whether it is over."""

_PATIENCE_S = 5.0

_GRAIN = 1e-6
"""Less than this too much is rounding."""


def boot_seconds() -> float:
    """Return seconds since boot, suspend included: it never steps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class _Slot:
    """What was spent within one short while."""

    first_use: float
    last_use: float
    cost: float


class _Window:
    """What was spent within the last period, and when it leaves it."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._spent: deque[_Slot] = deque()  # oldest first
        self._used = 0.0

    def used(self, now: float) -> float:
        """Return the cost spent in the period before `now`."""
        horizon = now - self._period_s
        while self._spent and self._spent[0].last_use <= horizon:
            self._used -= self._spent.popleft().cost
        if not self._spent:
            self._used = 0.0  # sheds the rounding of sums and differences
        return self._used

    def spend(self, cost: float, now: float) -> None:
        """Count `cost` as used from `now` on."""
        self.used(now)
        if self._spent and now - self._spent[-1].first_use < self._period_s / _SLOTS:
            self._spent[-1].last_use = now
            self._spent[-1].cost += cost
        else:
            self._spent.append(_Slot(first_use=now, last_use=now, cost=cost))
        self._used += cost

    def wait(self, cost: float, limit: float, now: float) -> float:
        """Return the seconds until `cost` fits below `limit`; 0 when it fits now.

        A cost above the whole limit fits when nothing is used, so that no call waits for ever.
        """
        room = limit - min(cost, limit)
        used = self.used(now)
        if used <= room:
            return 0.0
        for slot in self._spent:
            used -= slot.cost
            if used <= room:
                return max(slot.last_use + self._period_s - now, 0.001)
        return self._period_s


class _Bucket:
    """What was spent and has not leaked out yet: it leaks evenly, `rate` units a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._level = 0.0
        self._seen = 0.0

    def used(self, now: float) -> float:
        """Return what is left in it."""
        self._level = max(0.0, self._level - (now - self._seen) * self._rate)
        self._seen = now
        return self._level

    def spend(self, cost: float, now: float) -> None:
        """Count `cost` as used."""
        self._level = self.used(now) + cost

    def wait(self, cost: float, limit: float, now: float) -> float:
        """Return the seconds until `cost` fits below `limit`; 0 when it fits now."""
        excess = self.used(now) + min(cost, limit) - limit
        return max(excess / self._rate, 0.001) if excess > _GRAIN else 0.0


class Ledger:
    """The pure part: what was spent when. Every `now` is in seconds of one steady clock.

    Polls are held to their own share of what polls use, so that a burst of protective calls does not blind
    us for a period; beside that they leave a third of the reserve free whoever used the rest. Over a long
    period whole pictures take turns: more accounts than the share carries are all read less often, instead of
    all being blind for the rest of the minute.
    """

    def __init__(self, rules: BudgetRules) -> None:
        self.rules = rules
        self._all = _counter(rules)
        self._polls = _counter(rules)
        self._next_turn = float("-inf")
        self._turns = _Window(rules.period_s / _PACES) if rules.period_s >= _LONG_PERIOD_S else None
        self._paused_until = 0.0
        self._banned_at = float("-inf")
        self._banned_until = 0.0
        self._probed_at = float("-inf")

    def used(self, now: float) -> float:
        """Return the cost spent in the period before `now`."""
        return self._all.used(now)

    def spend(self, cost: float, now: float, *, protective: bool = False) -> None:
        """Count `cost` as used from `now` on."""
        self._all.spend(cost, now)
        if not protective:
            self._polls.spend(cost, now)

    def feed_back(self, used: float, now: float) -> None:
        """Take the venue's own figure of the used budget, when it is higher than ours."""
        missing = used - self.used(now)
        if missing > 0:
            self._all.spend(missing, now)

    def wait(self, cost: float, now: float, *, protective: bool) -> float:
        """Return the seconds until `cost` fits; 0 when it fits now."""
        capacity, reserve = self.rules.capacity, self.rules.reserve
        if protective:
            return self._all.wait(cost, capacity, now)
        return max(
            self._polls.wait(cost, capacity * (1 - reserve), now),
            self._all.wait(cost, capacity * (1 - reserve / 3), now),
        )

    def take_turn(self, cost: float, now: float, *, protective: bool = False) -> float:
        """Return the seconds until a picture of `cost` has its turn; 0: it has, and the turn is taken.

        Where the venue's count leaks, a picture waits for room for all of it, for its calls must not come
        apart: a poll also for its share of what leaks out, a protective one for room for a second, so that
        what is sent on its account can be looked up.
        """
        if self.rules.leaks:
            return self._take_leaking_turn(cost, now, protective=protective)
        if self._turns is None or protective:
            return 0.0
        share = self.rules.capacity * (1 - self.rules.reserve) / _PACES
        wait = self._turns.wait(cost, share, now)
        if wait == 0:
            self._turns.spend(cost, now)
        return wait

    def _take_leaking_turn(self, cost: float, now: float, *, protective: bool) -> float:
        if protective:
            return self.wait(2 * cost, now, protective=True)
        wait = max(self.wait(cost, now, protective=False), self._next_turn - now)
        if wait > 0:
            return wait
        share = self.rules.capacity / self.rules.period_s * (1 - self.rules.reserve)
        self._next_turn = now + cost / share
        return 0.0

    def pause(self, seconds: float, now: float) -> None:
        """Keep polls from asking for `seconds`."""
        self._paused_until = max(self._paused_until, now + seconds)

    def ban(self, seconds: float, now: float) -> None:
        """Keep every call from asking for `seconds`, but for a rare protective probe."""
        self._banned_until = max(self._banned_until, now + seconds)
        self._banned_at = self._probed_at = now

    def served(self, asked_at: float) -> None:
        """Note that the venue served what was asked at `asked_at`: a ban told before that is over.

        What was asked earlier and answered late says nothing; after a ban only a probe is asked.
        """
        if asked_at > self._banned_at:
            self._banned_until = min(self._banned_until, asked_at)

    def refusal(self, now: float, *, protective: bool) -> RateLimited | None:
        """Return why nothing may be asked at `now`, or `None`. A permitted probe is counted as made."""
        if now < self._banned_until:
            if protective and now - self._probed_at >= _PROBE_INTERVAL_S:
                self._probed_at = now
                return None
            left = self._banned_until - now
            return Banned(f"banned by the venue for another {left:.0f} s", retry_after=left)
        if now < self._paused_until and not protective:
            left = self._paused_until - now
            return RateLimited(f"told by the venue to wait another {left:.1f} s", retry_after=left)
        return None


def _counter(rules: BudgetRules) -> "_Window | _Bucket":
    return _Bucket(rules.capacity / rules.period_s) if rules.leaks else _Window(rules.period_s)


class Budget:
    """The ledger with waiting: polls queue among themselves, protective calls among themselves."""

    def __init__(self, rules: BudgetRules) -> None:
        self.ledger = Ledger(rules)
        self._polls = asyncio.Lock()
        self._protective = asyncio.Lock()
        self._turns = {protective: asyncio.Lock() for protective in (False, True)}

    async def turn(self, cost: float, *, protective: bool = False) -> None:
        """Wait until a picture of about `cost` may be read; the calls of one picture then go together."""

        def wait() -> float:
            return self.ledger.take_turn(cost, boot_seconds(), protective=protective)

        async with self._turns[protective]:
            for seconds in iter(wait, 0.0):
                await asyncio.sleep(seconds)

    async def acquire(self, cost: float, *, protective: bool, patience_s: float = _PATIENCE_S) -> None:
        """Wait for room for `cost` and take it.

        Raises:
            Banned: the venue bans us.
            RateLimited: it told us to wait, or room will not come within `patience_s`.
        """
        now = boot_seconds()
        if refusal := self.ledger.refusal(now, protective=protective):
            raise refusal
        queue = self._protective if protective else self._polls
        if not queue.locked() and self.ledger.wait(cost, now, protective=protective) == 0:
            self.ledger.spend(cost, now, protective=protective)
            return
        until = now + patience_s
        async with queue:
            while (wait := self.ledger.wait(cost, boot_seconds(), protective=protective)) > 0:
                if boot_seconds() + wait > until:
                    _give_up(wait)
                await asyncio.sleep(wait)
                if refusal := self.ledger.refusal(boot_seconds(), protective=protective):
                    raise refusal
            self.ledger.spend(cost, boot_seconds(), protective=protective)


def _give_up(wait: float) -> NoReturn:
    raise RateLimited(f"our own request budget is used up for {wait:.1f} s", retry_after=wait)


_SHARED: WeakValueDictionary[tuple[str, ...], Budget] = WeakValueDictionary()


def shared_budget(rules: BudgetRules, *whom: str) -> Budget:
    """Return the one budget of `whom` (venue, host, key): accounts that the venue counts as one share it."""
    budget = _SHARED.get(whom)
    if budget is None:
        budget = _SHARED[whom] = Budget(rules)
    return budget
