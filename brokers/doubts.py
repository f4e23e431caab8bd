"""What speaks against a snapshot as a whole, whatever each of its answers says."""

from brokers.models import AccountSnapshot, Finding, FindingCode

SPREAD_S = 1.5
"""Answers of one snapshot further apart than this may not belong together."""


def doubts_of(snapshot: AccountSnapshot, spread_s: float) -> list[Finding]:
    """Return what speaks against a snapshot as a whole: answers far apart, positions without rules."""
    findings = []
    if spread_s > SPREAD_S:
        detail = f"its answers came {spread_s:.1f} s apart"
        findings.append(Finding(code=FindingCode.INCONSISTENT, detail=detail))
    noted = {finding.symbol for finding in snapshot.findings if finding.code is FindingCode.SYMBOL_UNKNOWN}
    findings += [
        Finding(
            code=FindingCode.SYMBOL_UNKNOWN,
            detail=f"no market rules for {position.symbol}",
            unit=position.unit,
            symbol=position.symbol,
        )
        for position in snapshot.positions
        if position.symbol not in snapshot.markets and position.symbol not in noted and position.reducible
    ]
    return findings
