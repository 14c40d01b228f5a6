"""A small policy, the systems it speaks of, and what every sentence to a person must be like."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from erasure.connector import Automation, DataCategory, Record, RecordKind, SystemCard
from erasure.outcome import EvidenceLevel
from erasure.subject import IdentifierKind

POLICY = """
version = "1"
privacy_policy = "https://example.org/privacy"

[discovery]
patience = "1 hour"
rounds = 3

[verification]
first_look = "5 minutes"
second_look = "3 days"
days_for_e4 = 2

[exceptions.deleted_members]
written_for = "members.member"
article = "Art. 5(2)"
scope = "three fields"
disclosed = "We keep three fields."
retention_years = 3

[exceptions.contributor_name]
article = "Art. 6(1)(f)"
scope = "the name"
disclosed = "Your name stays."

[systems.crm]
role = "processor"
order = "source"
[systems.crm.records]
contact = "erase"
lead = "erase"

[systems.members]
role = "own_store"
order = "root"
teaches = true
[systems.members.records]
affiliation = "erase"
member = "erase"
contribution = { keep = "contributor_name" }
"""
KINDS = {"crm": ("contact", "lead"), "members": ("affiliation", "member", "contribution")}
TODAY = date(2026, 1, 31)


def card(name: str, *kinds: str) -> SystemCard:
    """Return the card of a system that holds these kinds."""
    return SystemCard(
        name=name,
        title=name.title(),
        holds=tuple(RecordKind(name=kind, category=DataCategory.CONTACT) for kind in kinds),
        finds_by=frozenset({IdentifierKind.EMAIL}),
        erases=Automation.AUTOMATED,
        restricts=None,
        proof=EvidenceLevel.E4,
        vendor_docs="https://example.org/deletion",
    )


def cards() -> dict[str, SystemCard]:
    """Return the cards of all systems of the policy."""
    return {name: card(name, *kinds) for name, kinds in KINDS.items()}


def records(system: str) -> st.SearchStrategy[list[Record]]:
    """Draw what a search in a system could have found, each record once."""
    one = st.builds(Record, kind=st.sampled_from(KINDS[system]), id=st.integers(1, 10**9).map(str))
    return st.lists(one, unique_by=lambda record: (record.kind, record.id), max_size=12)


def one_clear_sentence(text: str) -> bool:
    """Tell whether a person can read this: one line, no stack, no quoting of pydantic."""
    return bool(text) and text == text.strip() and text.isprintable() and len(text) < 240 and "pydantic" not in text
