"""Who a request is about: identifiers in one normal form, and nothing of them in an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from erasure.subject import Identifier, IdentifierKind, Subject

ADA = Identifier.email("ada@example.org")
NAME = Identifier.name("Ada Quillfeather")
ADDRESSES = st.from_regex(r"[a-zA-Z0-9.+'%_-]{1,20}@[a-zA-Z0-9]{1,10}\.(org|com)", fullmatch=True)
IDENTIFIERS = st.one_of(
    ADDRESSES.map(Identifier.email),
    st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True).map(Identifier.openstackid),
    st.from_regex(r"[A-Z][a-z]{1,9} [A-Z][a-z]{1,9}", fullmatch=True).map(Identifier.name),
)


@pytest.mark.parametrize(
    "address",
    [
        "o'brien+dsr@example.org",
        '"quoted,comma"@example.org',
        "per%cent@example.org",
        "slash/back\\slash@example.org",
        "jörg@example.org",
        "root@localhost",
        f"{'a' * 64}@example.org",
    ],
)
def test_addresses_that_vendors_have_stored_are_accepted(address: str) -> None:
    """An address that we refuse to search for is an address that we fail to erase."""
    assert Identifier.email(address).value == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ada",
        "ada@",
        "@example.org",
        "a@b@c",
        "ada lovelace@example.org",
        "ada@exam ple.org",
        "ada@-x.org",
        "ada@example.org.",
        "ada\x00@example.org",
        "ada\n@example.org",
        f"{'a' * 65}@example.org",
        "Ada <ada@x.org>",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Neither empty nor torn nor dressed-up addresses get into a search."""
    with pytest.raises(ValidationError):
        Identifier.email(text)


@pytest.mark.parametrize("value", ["", "a b", "ada@example.org", "a/b", "x" * 65])
def test_what_is_no_openstackid_is_refused(value: str) -> None:
    """An OpenStackID is a short word, so that it is safe in a filter."""
    with pytest.raises(ValidationError):
        Identifier.openstackid(value)


@pytest.mark.parametrize(("length", "accepted"), [(0, False), (1, True), (200, True), (201, False)])
def test_a_name_has_a_length(length: int, *, accepted: bool) -> None:
    """A name is there, and is no novel."""
    assert bool(Identifier.readable(IdentifierKind.NAME, "x" * length)) is accepted


@given(ADDRESSES)
def test_an_address_has_one_form(address: str) -> None:
    """Capitals and spaces around it do not make another person of somebody."""
    known = Identifier.email(address)
    assert Identifier.email(f"  {address.upper()}\n") == known
    assert Identifier.email(known.value) == known


@given(st.lists(IDENTIFIERS, max_size=8), st.randoms())
def test_a_subject_does_not_depend_on_order_or_repetition(identifiers: list[Identifier], random: object) -> None:
    """The same identifiers are the same subject, however often and in which order they are said."""
    shuffled = [*identifiers, *identifiers]
    random.shuffle(shuffled)
    assert Subject(identifiers=tuple(shuffled)) == Subject(identifiers=tuple(identifiers))


@given(st.lists(IDENTIFIERS, max_size=6), st.lists(IDENTIFIERS, max_size=6))
def test_learning_ends(known: list[Identifier], learned: list[Identifier]) -> None:
    """Learned identifiers are new once; after that the search has nothing more to widen by."""
    before = Subject(identifiers=tuple(known))
    after = before.plus(learned)
    assert set(after.beyond(before, IdentifierKind)) == set(learned) - set(known)
    assert after.plus(learned) == after
    assert after.beyond(after, IdentifierKind) == ()


def test_only_the_kinds_that_a_system_searches_by_start_another_search() -> None:
    """A new name is nothing new to a system that finds by address."""
    assert Subject(identifiers=(ADA, NAME)).beyond(Subject(identifiers=(ADA,)), [IdentifierKind.EMAIL]) == ()


@pytest.mark.parametrize(
    ("value", "same"),
    [
        ("ada@example.org", True),
        (" ADA@Example.org ", True),
        ("ada@example.org.example", False),
        (None, False),
        ("xada@example.org", False),
        (["ada@example.org"], False),
        ("", False),
        (42, False),
    ],
)
def test_only_the_whole_address_is_the_persons(value: object, *, same: bool) -> None:
    """A longer address that contains it is somebody else's, and a field that holds no text is nobody's."""
    assert Subject(identifiers=(ADA,)).is_email(value) is same


@pytest.mark.parametrize("value", [None, "", "   ", 0, "not an address", [], {}])
def test_a_malformed_field_of_a_vendor_teaches_nothing(value: object) -> None:
    """What a vendor has in a field is read if it can be, and never stops a search."""
    assert Identifier.readable(IdentifierKind.EMAIL, value) == ()


@given(st.sampled_from(IdentifierKind), st.text(min_size=201).map(lambda text: f"{text}<zq@zq>"))
def test_an_error_never_repeats_the_value(kind: IdentifierKind, value: str) -> None:
    """Pydantic shows the input in its errors unless it is told not to."""
    with pytest.raises(ValidationError) as refused:
        Identifier(kind=kind, value=value)
    assert "zq" not in str(refused.value)
