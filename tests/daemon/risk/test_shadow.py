"""What would have been done about an account that is only watched, and what it counts as."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Collateral, Finding, FindingCode, Measure, UnitKind
from daemon.risk.policy import Action, MarginPolicy
from daemon.risk.reason import Reason
from daemon.risk.scorecard import Score, Scored, lead_time, lines, score, tally
from daemon.risk.shadow import HORIZON, Ended, Ending, Shadow, WouldAct, follow
from daemon.risk.shadow_values import ended_of, ended_values, shadow_of, shadow_values

D = Decimal
BUILD = Any
POLICY = MarginPolicy()


class Watched:
    """One unit that is watched: every picture is followed, and answered with a cut while one is asked for."""

    def __init__(self, build: BUILD) -> None:
        self.build = build
        self.watch = build.watch(POLICY)
        self.shadow: Shadow | Ended | None = None

    def picture(self, seconds: float, snapshot: Any, *, acts: bool = False) -> "Watched":  # noqa: ANN401
        self.watch.show(snapshot)
        would = ()
        if acts:
            at = self.build.at(seconds)
            would = (WouldAct(at=at, action=Action.REDUCE, reason=Reason.LIQUIDATION_REACHED, plan={"a": 1}),)
        assert not isinstance(self.shadow, Ended)
        self.shadow = follow(
            self.shadow,
            "account",
            would,
            alarm=self.watch.alarm,
            assessment=self.watch.assessment,
            policy=POLICY,
            held=Reason.OBSERVE_MODE,
        )
        return self

    def at(self, seconds: float, maintenance: str, *, acts: bool = False, **more: Any) -> "Watched":  # noqa: ANN401
        book = self.build.levered(utilization="0.1", maintenance=maintenance, seconds=seconds, **more)
        return self.picture(seconds, book, acts=acts)

    @property
    def ended(self) -> Ended:
        assert isinstance(self.shadow, Ended)
        return self.shadow

    @property
    def running(self) -> Shadow:
        assert isinstance(self.shadow, Shadow)
        return self.shadow


@pytest.fixture
def watched(build: BUILD) -> Watched:
    """An account at 82 % of maintenance at which a cut is due since the first second."""
    return Watched(build).at(0, "0.82").at(1, "0.82", acts=True)


def calm_down(watched: Watched, seconds: float) -> Watched:
    return watched.at(seconds, "0.3").at(seconds + 1, "0.3")


def test_who_comes_back_by_itself_makes_the_act_a_false_one(watched: Watched, build: BUILD) -> None:
    running = watched.running
    assert (running.crossed_at, running.act.at) == (build.at(0), build.at(1))  # type: ignore[union-attr]
    assert (running.measure, running.depth) == (Measure.MAINTENANCE, D("0.82"))
    ended = calm_down(watched.at(2, "0.88").at(3, "0.85"), 60).ended
    assert (ended.ending, ended.shadow.worst, ended.shadow.worst_at) == (
        Ending.CAME_BACK,
        D("0.88"),
        build.at(2),
    )
    assert score(ended) is Score.FALSE_ACT
    assert lead_time(ended) == timedelta(seconds=1)


def test_who_neared_liquidation_before_it_came_back_was_rightly_to_be_cut(watched: Watched) -> None:
    ended = calm_down(watched.at(9, "0.91"), 60).ended
    assert (ended.ending, score(ended)) == (Ending.NEARED, Score.RIGHT_ACT)
    assert lead_time(ended) == timedelta(seconds=8), "to the deepest point"


def test_who_comes_back_after_the_horizon_only_was_rightly_to_be_cut(watched: Watched) -> None:
    late = HORIZON.total_seconds() + 2
    watched.at(late, "0.82")
    ended = calm_down(watched, late + 10).ended
    assert (ended.ending, score(ended)) == (Ending.LINGERED, Score.RIGHT_ACT)


def test_who_is_out_of_danger_and_not_at_target_is_on_the_same_excursion_until_the_horizon(
    watched: Watched, build: BUILD
) -> None:
    """55 % is WARNING: nothing is asked for, and the episode goes on down to 40 %."""
    assert watched.at(2, "0.55").at(3, "0.55").running.back_at == build.at(3)
    assert watched.at(4, "0.82").at(5, "0.82").running.back_at is None
    assert watched.at(6, "0.55").at(7, "0.55").running.act.at == build.at(1)  # type: ignore[union-attr]
    over = round(HORIZON.total_seconds()) + 2
    for second in range(16, over, 9):
        assert watched.at(second, "0.55").running.back_at == build.at(7)
    ended = watched.at(over, "0.55").ended
    assert (ended.ending, ended.at) == (Ending.CAME_BACK, build.at(over))


@pytest.mark.parametrize(
    ("left", "ending", "counted"),
    [("8200", Ending.LIQUIDATED, Score.RIGHT_ACT), ("9000", Ending.HELPED, Score.UNTOLD)],
)
def test_positions_that_went_with_no_more_left_than_they_had_required_were_taken_by_the_venue(
    *, watched: Watched, build: BUILD, left: str, ending: Ending, counted: Score
) -> None:
    half = replace(build.Row(initial="0.02", maintenance="0.164"), quantity="0.5")
    ended = watched.picture(7, build.book(left, [half], seconds=7)).ended
    assert (ended.ending, score(ended)) == (ending, counted)
    assert lead_time(ended) == timedelta(seconds=6 if ending is Ending.LIQUIDATED else 0)


def test_positions_that_vanish_are_not_believed_at_once_but_dated_from_when_they_were_missed(
    watched: Watched, build: BUILD
) -> None:
    gone = build.book("9990", [], seconds=5)
    assert watched.picture(5, gone).running.shrunk_at == build.at(5)
    ended = watched.picture(16, build.book("9990", [], seconds=16)).ended
    assert (ended.ending, ended.at) == (Ending.HELPED, build.at(5))


def test_a_unit_that_is_gone_with_its_wallet_was_taken_once_that_is_believed(
    watched: Watched, build: BUILD
) -> None:
    def emptied(seconds: float) -> Any:  # noqa: ANN401 - a snapshot
        return build.snapshot(units=[build.unit("other")], seconds=seconds)

    assert watched.picture(2, emptied(2)).running.shrunk_at == build.at(2)
    ended = watched.picture(61, emptied(61)).ended
    assert (ended.ending, ended.at) == (Ending.LIQUIDATED, build.at(2))


def test_positions_that_went_beyond_the_urgent_line_were_taken_by_the_venue(
    watched: Watched, build: BUILD
) -> None:
    watched.at(4, "0.93")
    half = replace(build.Row(initial="0.02", maintenance="0.164"), quantity="0.5")
    assert watched.picture(5, build.book("9900", [half], seconds=5)).ended.ending is Ending.LIQUIDATED


def test_a_venue_that_says_so_is_believed(watched: Watched) -> None:
    found = Finding(code=FindingCode.VENUE_ACTING, detail="liquidating", unit="account")
    assert watched.at(5, "0.84", findings=[found]).ended.ending is Ending.LIQUIDATED


@pytest.mark.parametrize(("grown", "ending"), [("10100", None), ("10201", Ending.HELPED), ("9000", None)])
def test_collateral_that_came_in_ends_it_and_says_nothing(
    *, build: BUILD, grown: str, ending: Ending | None
) -> None:
    def wallet(amount: str) -> dict[str, Any]:
        return {"collaterals": [Collateral(currency="USDT", wallet_balance=D(amount), equity=D(amount))]}

    watched = Watched(build).at(0, "0.82", **wallet("10000")).at(1, "0.82", acts=True, **wallet("10000"))
    watched.at(2, "0.82", **wallet(grown))
    if ending is None:
        assert watched.running.back_at is None
    else:
        assert (watched.ended.ending, score(watched.ended)) == (ending, Score.UNTOLD)


def test_an_isolated_position_that_is_gone_is_known_by_the_wallet_it_leaves(build: BUILD) -> None:
    """It held 2,000 of its wallet, less 1,100 of loss: a close leaves the 900, a liquidation takes them."""

    def book(seconds: float, wallet: str, *, gone: bool = False) -> Any:  # noqa: ANN401 - a snapshot
        row = build.Row(quantity="0.2", mark="44500", entry="50000", unit="account", initial=None)
        unit = build.unit(
            kind=UnitKind.ISOLATED_POSITION,
            equity="900",
            initial_margin=None,
            maintenance_margin=D("774.3"),
            available_margin=None,
            measures=frozenset({Measure.MAINTENANCE}),
            wallet_balance=D(2000),
            unrealized_pnl=D(-1100),
            parent="wallet",
        )
        parent = build.unit("wallet", equity=wallet, kind=UnitKind.CURRENCY)
        held = row.position(maintenance_margin=D("774.3"))
        return build.snapshot(
            units=[parent] if gone else [parent, unit],
            positions=[] if gone else [held],
            collaterals=[Collateral(currency="USDT", wallet_balance=D(wallet), equity=D(wallet))],
            seconds=seconds,
        )

    def play(wallet_after: str) -> Watched:
        watched = Watched(build).picture(0, book(0, "10000")).picture(1, book(1, "10000"), acts=True)
        return watched.picture(2, book(2, wallet_after, gone=True))

    assert play("8000").ended.ending is Ending.LIQUIDATED
    closed = play("8900")
    assert closed.running.shrunk_at == build.at(2)
    assert closed.picture(13, book(13, "8900", gone=True)).ended.ending is Ending.HELPED


@pytest.mark.parametrize(("stays_s", "counted"), [(10, Score.QUIET), (20, Score.MISSED_ACT)])
def test_without_an_act_a_short_visit_is_nothing_and_a_long_one_is_missed(
    *, build: BUILD, stays_s: float, counted: Score
) -> None:
    watched = Watched(build).at(0, "0.82")
    assert (watched.running.crossed_at, watched.running.held) == (build.at(0), Reason.OBSERVE_MODE)
    ended = calm_down(watched, stays_s).ended
    assert (ended.ending, score(ended)) == (Ending.CAME_BACK, counted)
    assert lead_time(ended) is None


def test_a_liquidation_without_an_act_before_is_missed_and_so_is_an_act_that_came_late(build: BUILD) -> None:
    found = Finding(code=FindingCode.VENUE_ACTING, detail="liquidating", unit="account")
    without = Watched(build).at(0, "0.82").at(1, "0.85", findings=[found])
    assert score(without.ended) is Score.MISSED_ACT
    late = Watched(build).at(0, "0.82").at(16, "0.82", acts=True).at(20, "0.9", findings=[found])
    assert (score(late.ended), lead_time(late.ended)) == (Score.MISSED_ACT, timedelta(seconds=4))


def test_a_level_that_asks_for_nothing_begins_no_excursion(build: BUILD) -> None:
    assert Watched(build).at(0, "0.55").at(1, "0.6", acts=True).shadow is None


def test_cancelling_alone_begins_an_excursion_and_counts_for_nothing(build: BUILD) -> None:
    watched = Watched(build).at(0, "0.7").at(1, "0.7", acts=True)
    cancel = replace(watched.running.act, action=Action.CANCEL_ORDERS)
    watched.shadow = replace(watched.running, act=None, depth=None, cancel=cancel)
    ended = calm_down(watched, 30).ended
    assert (ended.ending, score(ended)) == (Ending.CAME_BACK, Score.QUIET)


def test_an_excursion_survives_as_plain_values(watched: Watched) -> None:
    shadow = watched.at(2, "0.88").running
    assert shadow_of(shadow_values(shadow)) == shadow
    ended = calm_down(watched, 60).ended
    assert ended_of(ended_values(ended)) == ended
    with pytest.raises(ValueError, match="not the description"):
        shadow_of({**shadow_values(shadow), "last": None})
    with pytest.raises(ValueError, match="not the description"):
        ended_of(shadow_values(shadow))


def test_a_scorecard_counts_and_tells_its_lead_times_in_order() -> None:
    def row(score: Score, ending: Ending, lead: float | None = None) -> Scored:
        span = None if lead is None else timedelta(seconds=lead)
        return Scored(account="desk", unit="account", score=score, ending=ending, lead=span)

    card = tally(
        [
            row(Score.RIGHT_ACT, Ending.LIQUIDATED, 9),
            row(Score.RIGHT_ACT, Ending.LIQUIDATED, 4),
            row(Score.RIGHT_ACT, Ending.LIQUIDATED, 30),
            row(Score.RIGHT_ACT, Ending.NEARED, 2),
            row(Score.FALSE_ACT, Ending.CAME_BACK, 1),
            row(Score.MISSED_ACT, Ending.LIQUIDATED, 3),
            row(Score.QUIET, Ending.CAME_BACK),
            row(Score.UNTOLD, Ending.HELPED, 5),
        ],
        running=2,
    )
    assert (card.right_acts, card.false_acts, card.missed_acts) == (4, 1, 1)
    assert [span.total_seconds() for span in card.before_liquidation] == [4, 9, 30]
    assert [span.total_seconds() for span in card.before_worst] == [2]
    assert lines(card) == (
        "would have acted rightly 4, falsely 1; missed 1",
        "beside: 1 came to nothing without an act, 1 changed by somebody else, 2 not over yet",
        "lead time before the venue's liquidation: shortest 4.0 s, median 9.0 s",
        "lead time before the worst: shortest 2.0 s, median 2.0 s",
    )
    assert lines(tally(())) == ("would have acted rightly 0, falsely 0; missed 0",)
