import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.audit import AuditHead, row_hash, verify_chain
from database.journal import Journal
from database.journal_file import GENESIS_HASH
from database.payload import decode
from database.records import AuditEntry, RowKind


@pytest.fixture
def chain(journal: Journal, now: datetime) -> list[AuditEntry]:
    """Six links as the outbox carries them."""
    for number in range(6):
        with journal.transaction():
            journal.audit.append(
                at=now,
                actor="ops",
                action="halt_imposed",
                subject=f"account-{number}",
                detail={"figure": Decimal("0.10"), "number": number},
            )
    return links_of(journal)


def links_of(journal: Journal) -> list[AuditEntry]:
    rows = (decode(row.kind, row.payload) for row in journal.outbox.batch(1000) if row.kind is RowKind.AUDIT)
    return [row for row in rows if isinstance(row, AuditEntry)]


def test_an_untouched_chain_is_intact(journal: Journal, chain: list[AuditEntry]) -> None:
    verdict = verify_chain(journal.install.install_id, chain, journal.audit.head)

    assert verdict.is_intact
    assert verdict.count == 6
    assert verdict.broken_at is None


def test_the_hash_can_be_computed_by_anyone(chain: list[AuditEntry]) -> None:
    """SHA-256 over the previous hash, a bar, and the row's JSON with sorted keys and no spaces."""
    first = chain[0]
    text = json.dumps(
        {
            "account": None,
            "action": "halt_imposed",
            "actor": "ops",
            "chain": first.chain,
            "detail": {"figure": "0.10", "number": 0},
            "number": 1,
            "subject": "account-0",
            "time": "2026-03-01T03:00:00.123456+00:00",
        },
        sort_keys=True,
        separators=(",", ":"),
    )

    assert first.prev_hash == GENESIS_HASH
    assert first.row_hash == hashlib.sha256(f"{GENESIS_HASH}|{text}".encode()).hexdigest()


@pytest.mark.parametrize(
    "edit",
    [
        {"actor": "someone"},
        {"action": "halt_lifted"},
        {"subject": "account-9"},
        {"account": "bybit-main"},
        {"detail": {"figure": "0.1", "number": 2}},
        {"row_hash": "0" * 64},
    ],
)
def test_an_edited_row_is_found(chain: list[AuditEntry], edit: dict[str, Any]) -> None:
    chain[2] = replace(chain[2], **edit)

    verdict = verify_chain(chain[0].chain, chain)

    assert not verdict.is_intact
    assert verdict.broken_at == 3
    assert verdict.why == "it was changed after it was written"


def test_an_edited_row_with_a_fresh_hash_breaks_the_next(chain: list[AuditEntry]) -> None:
    forged = replace(chain[2], actor="someone")
    chain[2] = replace(forged, row_hash=row_hash(forged))

    verdict = verify_chain(chain[0].chain, chain)

    assert verdict.broken_at == 4
    assert verdict.why == "it does not follow the link before it"


@settings(deadline=None)
@given(st.data())
def test_any_missing_doubled_or_swapped_link_is_found(data: st.DataObject) -> None:
    links: list[AuditEntry] = []
    previous = GENESIS_HASH
    for number in range(1, 6):
        draft = AuditEntry(
            chain="c",
            number=number,
            time=datetime.fromisoformat("2026-03-01T00:00:00+00:00"),
            actor="a",
            action="b",
            subject="s",
            account=None,
            detail={},
            prev_hash=previous,
            row_hash="",
        )
        links.append(replace(draft, row_hash=row_hash(draft)))
        previous = links[-1].row_hash
    order = data.draw(st.lists(st.integers(0, 4), min_size=0, max_size=6))
    head = AuditHead(chain="c", count=5, row_hash=previous)

    verdict = verify_chain("c", [links[index] for index in order], head)

    assert verdict.is_intact == (order == [0, 1, 2, 3, 4])


def test_a_cut_off_end_is_found_by_the_head_of_the_journal(journal: Journal, chain: list[AuditEntry]) -> None:
    assert verify_chain(chain[0].chain, chain[:4]).is_intact

    verdict = verify_chain(chain[0].chain, chain[:4], journal.audit.head)

    assert verdict.broken_at == 5
    assert verdict.why == "the chain has 4 links here, the journal knows of 6"


def test_the_chain_goes_on_after_a_restart(
    state_dir: Path, now: datetime, crashed_copy: Callable[[Path], Path]
) -> None:
    with Journal.open(state_dir, now) as journal:
        with journal.transaction():
            journal.audit.append(at=now, action="config_loaded", subject="margind.yaml")
        copy = crashed_copy(state_dir)

    with Journal.open(copy, now) as again:
        with again.transaction():
            again.audit.append(at=now, action="config_loaded", subject="margind.yaml")
        links = links_of(again)

    assert [link.number for link in links] == [1, 2]
    assert verify_chain(links[0].chain, links, again.audit.head).is_intact


def test_damaged_text_is_sealed_as_it_is_stored(journal: Journal, now: datetime) -> None:
    with journal.transaction():
        journal.audit.append(
            at=now,
            actor="o\x00ps",
            action="a",
            subject="\ud800",
            detail={"text": "\x00", "nan": float("nan")},
        )

    links = links_of(journal)

    assert links[0].actor == "o\ufffdps"
    assert verify_chain(links[0].chain, links, journal.audit.head).is_intact
