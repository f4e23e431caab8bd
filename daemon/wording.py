"""What a cycle did, in one word and in one sentence."""

from daemon.footing import Climb
from daemon.risk.answer import Act, Advise, Confirm, Decision, sentence


def doing_word(decision: Decision, climb: Climb | None) -> str:
    """Return what was done in one word, as logs and status show it."""
    match decision:
        case Act() if climb is not None:
            return decision.action.value
        case Advise() if climb is not None:
            return f"advise_{decision.action.value}"
        case Confirm():
            return "confirm"
        case _:
            return "hold"


def outcome_sentence(decision: Decision, climb: Climb | None) -> str:
    """Return what was done, or why nothing was, in words and numbers."""
    if climb is None:
        return sentence(decision)
    if climb.gave_nothing:
        return f"{climb.sentence}; {sentence(decision)}"
    return climb.sentence
