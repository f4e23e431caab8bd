"""What a cycle decided, in words."""

from daemon.footing import Climb
from daemon.risk.decision import Act, Advise, Confirm, Decision, sentence


def doing(decision: Decision, climb: Climb | None) -> str:
    """Return what a cycle did, in a word."""
    match decision:
        case Act() if climb is not None:
            return decision.action.value
        case Advise() if climb is not None:
            return f"advise_{decision.action.value}"
        case Confirm():
            return "confirm"
        case _:
            return "hold"


def told(decision: Decision, climb: Climb | None) -> str:
    """Return what a cycle did and why, in a sentence."""
    if climb is None:
        return sentence(decision)
    if climb.gave_nothing:
        return f"{climb.sentence}; {sentence(decision)}"
    return climb.sentence
