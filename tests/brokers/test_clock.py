from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from brokers.clock import REFRESH_S, RETRY_S, Sample, VenueClock, date_ms_of
from brokers.errors import MalformedAnswer

NOON_MS = 1_700_000_000_000


@dataclass
class Machine:
    boot: float = 1000.0
    wall: float = NOON_MS / 1000

    def pass_time(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds

    def clock(self) -> VenueClock:
        return VenueClock(lambda: self.boot, lambda: self.wall)


def sample(
    machine: Machine, *, ahead_ms: int, round_trip_s: float = 0.02, date_off_s: float | None = None
) -> Sample:
    """A sample of a venue that is ahead of the wall clock, its `Date` that far off the same clock."""
    half = round_trip_s / 2
    return Sample(
        sent=machine.boot - half,
        received=machine.boot + half,
        venue_ms=round(machine.wall * 1000) + ahead_ms,
        date_ms=None if date_off_s is None else round((machine.wall + date_off_s) * 1000),
    )


def test_before_a_measurement_the_wall_clock_tells_the_time() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 7
    assert clock.now_ms() == NOON_MS + 7000
    assert clock.offset is None


def test_the_offset_is_the_median_of_the_samples_and_its_error_half_the_round_trip() -> None:
    machine = Machine()
    clock = machine.clock()
    ahead = (7000, 7010, 9000, 6990, 7005)
    offset = clock.adopt([sample(machine, ahead_ms=ms, round_trip_s=0.03) for ms in ahead])
    assert offset.offset_ms == pytest.approx(7005)
    assert offset.error_ms == pytest.approx(15)
    assert clock.now() == datetime.fromtimestamp((NOON_MS + 7005) / 1000, UTC)


def test_a_step_of_the_wall_clock_does_not_move_the_venues_time_but_asks_for_a_measurement() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.adopt([sample(machine, ahead_ms=0)])
    machine.pass_time(1)
    machine.wall -= 5
    assert clock.now_ms() == NOON_MS + 1000
    assert clock.is_due


@pytest.mark.parametrize("drift", [0.4, -0.4])
def test_a_small_correction_of_the_wall_clock_is_no_step(drift: float) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.adopt([sample(machine, ahead_ms=0)])
    machine.wall += drift
    assert not clock.is_due


def test_it_is_measured_again_after_five_minutes_and_soon_after_a_failure() -> None:
    machine = Machine()
    clock = machine.clock()
    assert not clock.is_due
    clock.adopt([sample(machine, ahead_ms=0)])
    machine.pass_time(REFRESH_S - 1)
    assert not clock.is_due
    machine.pass_time(1)
    assert clock.is_due
    clock.failed()
    assert not clock.is_due
    machine.pass_time(RETRY_S)
    assert clock.is_due


def test_suspend_is_counted() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.adopt([sample(machine, ahead_ms=-2000)])
    machine.pass_time(3600)
    assert clock.now_ms() == NOON_MS - 2000 + 3_600_000


def test_a_time_that_leaves_its_answers_date_is_refused_and_the_clock_in_use_stays() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.adopt([sample(machine, ahead_ms=7000, date_off_s=0)])
    machine.pass_time(60)
    with pytest.raises(MalformedAnswer, match="-600 s off, and not that of the answer's date"):
        clock.adopt([sample(machine, ahead_ms=7000 - 600_000, date_off_s=0)])
    assert clock.now_ms() == NOON_MS + 67_000
    assert clock.offset.offset_ms == pytest.approx(7000)


def test_a_signature_the_venue_refused_is_witness_for_its_time_once() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.adopt([sample(machine, ahead_ms=0, date_off_s=0)])
    clock.refused()
    assert clock.adopt([sample(machine, ahead_ms=90_000, date_off_s=0)]).offset_ms == pytest.approx(90_000)
    clock.adopt([sample(machine, ahead_ms=90_000, date_off_s=90)])
    with pytest.raises(MalformedAnswer):
        clock.adopt([sample(machine, ahead_ms=0, date_off_s=90)])


def test_a_wall_clock_that_is_wrong_does_not_speak_against_the_venue() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.adopt([sample(machine, ahead_ms=0, date_off_s=0)])
    machine.boot += 3600  # as after a suspension that the steady clock did not count
    off = [sample(machine, ahead_ms=0, date_off_s=0)]
    assert clock.adopt(off).offset_ms == pytest.approx(0)


@pytest.mark.parametrize("date_off_s", [None, 40 * 86_400])
def test_a_host_whose_date_never_was_that_of_its_time_is_taken_at_its_word(date_off_s: float | None) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.adopt([sample(machine, ahead_ms=0, date_off_s=date_off_s)])
    jump = clock.adopt([sample(machine, ahead_ms=3_600_000, date_off_s=date_off_s)])
    assert jump.offset_ms == pytest.approx(3_600_000)


@pytest.mark.parametrize("header", ["", "yesterday", "Tue, 99 Nov 2023 22:13:20 GMT"])
def test_a_date_that_is_none_is_no_witness(header: str) -> None:
    assert date_ms_of({"date": header}) is None
    assert date_ms_of({}) is None
    assert date_ms_of({"date": "Tue, 14 Nov 2023 22:13:20 GMT"}) == NOON_MS
