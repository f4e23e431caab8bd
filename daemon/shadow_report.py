"""The shadow scorecard out of the events of the history or the journal."""

from collections.abc import Iterable

from daemon.risk.scorecard import Scorecard, Scored, lead_time, score, tally
from daemon.risk.shadow_values import ended_of
from database.records import Event

BEGAN, ENDED = "would_act", "would_act_ended"
SHADOW_KINDS = (BEGAN, ENDED)
"""The kinds of event that tell of an excursion: each rung that would have been climbed, and its end."""


def scorecard(events: Iterable[Event]) -> Scorecard:
    """Count the excursions that events tell of, of any accounts; all other events are passed over.

    An excursion whose end cannot be read (another version's words) is left out.
    """
    began: set[tuple[object, ...]] = set()
    unread: set[tuple[object, ...]] = set()
    ended: dict[tuple[object, ...], Scored] = {}
    for event in events:
        key = (event.account, event.detail.get("unit"), event.detail.get("began_at"))
        if event.kind == BEGAN:
            began.add(key)
        elif event.kind == ENDED:
            try:
                one = ended_of(event.detail)
            except ValueError:
                unread.add(key)
                continue
            ended[key] = Scored(
                account=event.account or "",
                unit=one.shadow.unit,
                score=score(one),
                ending=one.ending,
                lead=lead_time(one),
            )
    return tally(ended.values(), running=len(began - unread - ended.keys()))
