"""How many days a machine of tests lives through: fewer while somebody waits for it."""

import os

EVERYDAY = "MARGIND_EVERYDAY"
"""Set in the environment, properties that take long are tried with a fifth of their examples."""


def examples(thorough: int) -> int:
    """Return how many examples to try, of those that a whole run tries."""
    return max(thorough // 5, 5) if os.environ.get(EVERYDAY) else thorough
