"""What is written down: no address in the ledger, five fields in a tombstone, nothing personal in a repr."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from erasure.entry import Entry, Event, Part, PartKind, ReadPurpose, Tombstone

ADDRESS = "zqvxk@example.org"
CLEAN = st.text(alphabet=st.characters(blacklist_characters="@", blacklist_categories=["Cs"]), max_size=12)
PAPERS = st.recursive(
    st.none() | st.booleans() | st.integers() | CLEAN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CLEAN, inner, max_size=3),
    max_leaves=10,
)


def entry(**facts: Any) -> Entry:
    """Return a line of the ledger."""
    return Entry(**{"key": "r:crm:acted", "request_id": "r", "at": datetime.now(UTC), "event": Event.ACTED, **facts})


@given(st.dictionaries(CLEAN, PAPERS, max_size=4))
def test_facts_without_an_address_are_kept_as_they_are(detail: dict[str, Any]) -> None:
    """The check takes nothing away and adds nothing."""
    assert entry(detail=detail).detail == detail


@given(st.data())
def test_an_address_is_found_however_deep(data: st.DataObject) -> None:
    """As a value, as a key, in a list of lists: the line is refused, and the refusal does not repeat it."""
    place: Any = data.draw(st.sampled_from([ADDRESS, {ADDRESS: 1}, [ADDRESS], (ADDRESS,), f"Ada <{ADDRESS}>"]))
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.sampled_from([{"a": place, "b": 1}, [1, place], (place, "b")]))
    with pytest.raises(ValidationError) as refused:
        entry(detail={"x": place})
    assert "zqvxk" not in str(refused.value)


@pytest.mark.parametrize("field", ["key", "request_id", "system", "event", "reason", "version", "by", "outcome"])
def test_no_field_takes_an_address(field: str) -> None:
    """Every text field has a shape, and an address has none of them."""
    with pytest.raises(ValidationError) as refused:
        entry(**{field: ADDRESS})
    assert "zqvxk" not in str(refused.value)


def test_no_count_is_named_after_a_person() -> None:
    """Numbers have names, and those are texts, too."""
    with pytest.raises(ValidationError):
        entry(counts={ADDRESS: 1})


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("key", "R:crm"),
        ("key", ""),
        ("key", "a" * 201),
        ("key", "a\n"),
        ("system", "crm-eu"),
        ("system", "c" * 41),
        ("reason", "says 'no'"),
        ("reason", "x" * 81),
        ("reason", "two\nlines"),
        ("version", "1 2"),
        ("by", "A"),
        ("by", "ada lovelace"),
        ("by", "x" * 33),
        ("note", "free text"),
    ],
)
def test_there_is_no_free_text(field: str, text: str) -> None:
    """What has no shape could hold anything."""
    with pytest.raises(ValidationError):
        entry(**{field: text})


def test_a_moment_has_a_zone() -> None:
    """A line without one could not be put in order."""
    with pytest.raises(ValidationError):
        entry(at=datetime(2026, 1, 31))  # noqa: DTZ001 -- that is the point


def test_a_line_survives_being_written_down() -> None:
    """What is read back is what was written."""
    line = entry(detail={"kept": [{"article": "Art. 6"}]}, counts={"user": 1}, reason="clean", by="ada", version="1+b")
    assert Entry.model_validate_json(line.model_dump_json()) == line


TOMBSTONE = Tombstone(
    request_id="r", name="Zqvxk Quillfeather", email=ADDRESS, openstackid="zqvxk9", expires_on=date(2029, 1, 31)
)


def test_a_tombstone_has_exactly_the_fields_of_the_policy() -> None:
    """Part X allows name, e-mail and OpenStackID; the request and the end are ours, and nothing else comes in."""
    assert set(Tombstone.model_fields) == {"request_id", "name", "email", "openstackid", "expires_on"}
    with pytest.raises(ValidationError):
        Tombstone(**TOMBSTONE.model_dump(), company="Quill & Sons")


def test_a_tombstone_ends() -> None:
    """There is no tombstone without a last day."""
    with pytest.raises(ValidationError):
        Tombstone(**TOMBSTONE.model_dump(exclude={"expires_on"}))


PART = Part(request_id="r", system="crm", kind=PartKind.FINDINGS, content=json.dumps({"email": ADDRESS}))


@pytest.mark.parametrize("paper", [TOMBSTONE, PART])
def test_nothing_personal_is_shown(paper: Tombstone | Part) -> None:
    """Printed, logged or in a failed assertion: the fields that tell about the person are left out."""
    assert "zqvxk" not in f"{paper!r} {paper} {[paper]}".lower()


def test_a_bad_tombstone_does_not_show_the_person() -> None:
    """The error of a model with personal fields hides them."""
    with pytest.raises(ValidationError) as refused:
        Tombstone.model_validate({**TOMBSTONE.model_dump(), "expires_on": ADDRESS})
    assert "zqvxk" not in str(refused.value).lower()


def test_a_tombstone_is_read_for_two_purposes() -> None:
    """The privacy policy names them; a third one would be a new purpose."""
    assert {purpose.value for purpose in ReadPurpose} == {"track_compliance", "answer_communication"}


# -- defects found while writing these tests --


@pytest.mark.parametrize("container", [{ADDRESS}, frozenset({ADDRESS}), ADDRESS.encode(), PART])
def test_an_address_is_found_in_what_becomes_json_later(container: object) -> None:
    """Sets, bytes and models pass the check, and are written down as lists, texts and objects with the address."""
    with pytest.raises(ValidationError):
        entry(detail={"x": container})
