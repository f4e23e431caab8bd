"""Keeping secrets out of error texts: venues echo keys, signatures and whole queries in their messages."""

import re
from collections.abc import Iterable

_MASK = "<secret>"
_SHORTEST_LITERAL = 4
_LONGEST_MESSAGE = 240

_ORIGIN = re.compile(r"(?i)origin_string\s*[\[:=].*", re.DOTALL)
_QUERY = re.compile(r"[\w.%\[\]-]+=[^&\s]*(?:&[\w.%\[\]-]+=[^&\s]*)+")
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{40,}")


class Redactor:
    """Clean texts of one account's secrets and of what looks like a signature or a signed query."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        known = {part for secret in secrets if secret for part in (secret, *secret.splitlines())}
        kept = sorted((text for text in known if len(text) >= _SHORTEST_LITERAL), key=len, reverse=True)
        self._literals = re.compile("|".join(map(re.escape, kept))) if kept else None

    def text(self, raw: str) -> str:
        """Return `raw` without secrets, cut to a line's length.

        Bybit's 10004 repeats the signed string after `origin_string`; queries and tokens of 40 characters or
        more are masked wherever they stand.
        """
        clean = self._literals.sub(_MASK, raw) if self._literals else raw
        clean = _ORIGIN.sub(_MASK, clean)
        clean = _QUERY.sub(_MASK, clean)
        clean = _TOKEN.sub(_MASK, clean)
        return clean if len(clean) <= _LONGEST_MESSAGE else clean[:_LONGEST_MESSAGE] + " ..."
