"""A port that the kernel gives out again is another host: what was learned of the first is forgotten."""

import brokers.budget
import brokers.nonces
import brokers.rulebook


def forget_hosts() -> None:
    """Begin with no ban, spent budget, nonce or market rules of any host; open brokers keep theirs."""
    brokers.budget._SHARED.clear()
    brokers.nonces._SHARED.clear()
    brokers.rulebook._SHARED.clear()
