"""A request as it arrives: what is wrong is said in one sentence, and nobody's data is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erasure.request import MAX_BYTES, ErasureGround, Right, parse
from erasure.sentence import BadInput
from tests.erasure.samples import one_clear_sentence

ID = "a7551968-d5d6-44b2-9831-815ac9017798"
ADA = {"identity_type": "email", "identity_value": "ada@example.org"}
GONE = object()
MARK, NUMBER = "zqvxk", 48151623420108  # in every value that the property tests put in
UNKNOWN = "is not a field that is known here"
NO_UUID = "subject_request_id: is not a lower-case UUID of version 4"


def body(**changed: Any) -> dict[str, Any]:
    """Return a good request with some fields changed, or taken out by GONE."""
    whole = {
        "subject_request_id": ID,
        "subject_request_type": "erasure",
        "submitted_time": "2026-01-31T10:00:00Z",
        "subject_identities": [ADA],
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not GONE}


def said(text: str | bytes) -> str:
    """Return the sentence with which a request is refused."""
    with pytest.raises(BadInput) as refused:
        parse(text)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert one_clear_sentence(str(refused.value))
    return str(refused.value)


def identity(kind: str, value: Any) -> list[dict[str, Any]]:
    """Return one identity."""
    return [{"identity_type": kind, "identity_value": value}]


def ours(**fields: Any) -> dict[str, Any]:
    """Return our own extension."""
    return {"openinfra.dev": fields}


def test_everything_that_may_be_said_is_read() -> None:
    """Addresses, OpenStackID, name and ground arrive; the moment is the person's own."""
    extensions = ours(openstackid="90210", name=" Ada Quillfeather ", erasure_ground="17(1)(b)")
    both = [{**ADA, "identity_value": " ADA@Example.org"}, *identity("controller_customer_id", "90211")]
    request = parse(json.dumps(body(subject_identities=both, extensions=extensions)))
    assert (request.id, request.right, request.ground) == (ID, Right.ERASURE, ErasureGround.CONSENT_WITHDRAWN)
    assert request.submitted_at == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert [i.value for i in request.subject.identifiers] == ["ada@example.org", "Ada Quillfeather", "90210", "90211"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the request is not JSON"),
        ("{", "the request is not JSON"),
        ("{'a': 1}", "the request is not JSON"),
        (json.dumps(body())[:-1], "the request is not JSON"),
        (b"\xff\xfe", "the request is not JSON"),
        (b"\x89PNG\r\n\x1a\n", "the request is not JSON"),
        ("[" * 60_000, "the request is not JSON"),
        ('{"a":' * 9_000 + "1" + "}" * 9_000, "the request is not JSON"),
        ('{"a": ' + "9" * 5_000 + "}", "the request is not JSON"),
        ("null", "the request is not a JSON object"),
        ('"ada@example.org"', "the request is not a JSON object"),
        (f"[{json.dumps(body())}]", "the request is not a JSON object"),
        (json.dumps(body()) + " " * MAX_BYTES, "the request is larger than 64 KiB"),
        (b"\x00" * (MAX_BYTES + 1), "the request is larger than 64 KiB"),
    ],
)
def test_what_is_no_request(text: str | bytes, sentence: str) -> None:
    """Torn files, other files, bombs and novels are told apart and end without a stack."""
    assert said(text) == sentence


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"subject_request_id": GONE}, "subject_request_id: is missing"),
        ({"subject_request_id": 7}, "subject_request_id: Input should be a valid string"),
        ({"subject_request_id": ID.upper()}, NO_UUID),
        ({"subject_request_id": ID.replace("-", "")}, NO_UUID),
        ({"subject_request_id": f"{{{ID}}}"}, NO_UUID),
        ({"subject_request_id": ID.replace("-44b2", "-14b2")}, NO_UUID),
        ({"subject_request_id": ID.replace("-9831", "-f831")}, NO_UUID),
        ({"subject_request_id": "../../etc"}, NO_UUID),
        (
            {"subject_request_type": "portability"},
            "subject_request_type: is not a right this version carries out; it carries out: erasure",
        ),
        ({"subject_request_type": ["erasure"]}, "subject_request_type: Input should be a valid string"),
        ({"submitted_time": GONE}, "submitted_time: is missing"),
        ({"submitted_time": "2026-01-31T10:00:00"}, "submitted_time: is not a time such as 2026-11-01T10:00:00Z"),
        ({"submitted_time": "2999-01-01T00:00:00Z"}, "submitted_time: lies in the future"),
        ({"submitted_time": None}, "submitted_time: is not a time such as 2026-11-01T10:00:00Z"),
        ({"subject_identities": GONE}, "subject_identities: is missing"),
        ({"subject_identities": []}, "subject_identities: must not be empty"),
        ({"subject_identities": "ada@example.org"}, "subject_identities: Input should be a valid tuple"),
        (
            {"subject_identities": identity("email", None)},
            "subject_identities.0.identity_value: Input should be a valid string",
        ),
        (
            {"subject_identities": identity("phone", "555")},
            "subject_identities.0.identity_type: Input should be 'email' or 'controller_customer_id'",
        ),
        ({"subject_identities": identity("email", "nobody")}, "an e-mail identifier is not an e-mail address"),
        ({"subject_identities": identity("email", "a@b@c")}, "an e-mail identifier is not an e-mail address"),
        (
            {"subject_identities": identity("controller_customer_id", "a b")},
            "an OpenStackID identifier is not an OpenStackID",
        ),
        ({"regulation": "ccpa"}, "regulation: Input should be 'gdpr'"),
        ({"api_version": "3.0"}, "api_version: Input should be '2.0'"),
        ({"note": "please"}, f"note: {UNKNOWN}"),
        ({"ada@example.org": True}, f"?: {UNKNOWN}"),
        ({"Ada Quillfeather": True}, f"?: {UNKNOWN}"),
        ({"subject_identities": [{**ADA, "ada@example.org": 1}]}, f"subject_identities.0.?: {UNKNOWN}"),
        ({"extensions": {"elsewhere": {}}}, f"extensions.elsewhere: {UNKNOWN}"),
        ({"extensions": ours(name="x" * 201)}, "a name is empty, longer than 200 characters, or not printable"),
    ],
)
def test_what_cannot_be_used(changed: dict[str, Any], sentence: str) -> None:
    """The sentence names the field and what is wrong with it; a field's name is not shown when it could be a person."""
    assert said(json.dumps(body(**changed))) == f"the request cannot be used: {sentence}"


def test_twenty_identities_are_enough() -> None:
    """One person has at most twenty; more would be a list of people."""
    many = [{**ADA, "identity_value": f"ada{n}@example.org"} for n in range(21)]
    assert len(parse(json.dumps(body(subject_identities=many[:20]))).subject.emails) == 20
    assert "subject_identities: " in said(json.dumps(body(subject_identities=many)))


def test_the_senders_clock_may_be_a_little_ahead() -> None:
    """Five minutes are a clock, six are the future."""
    now = datetime.now(UTC)
    parse(json.dumps(body(submitted_time=(now + timedelta(minutes=4)).isoformat())))
    said(json.dumps(body(submitted_time=(now + timedelta(minutes=6)).isoformat())))


MARKED = st.one_of(
    st.text(max_size=12).map(lambda text: f"{text}{MARK}"),
    st.text(max_size=12).map(lambda text: f"{text}{MARK}@example.org"),
    st.just(f"2026-01-31T10:00:00{MARK}"),
    st.just(f"{ID}{MARK}"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.just(NUMBER) | st.floats() | MARKED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MARKED.map("{}@".format), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*body(), "regulation", "api_version", "extensions"]


def refusal(changed: dict[str, Any]) -> str:
    """Return the sentence with which this is refused, or a good one when it is not."""
    try:
        parse(json.dumps(body(**changed)))
    except BadInput as refused:
        return str(refused)
    return "fine"


@given(st.dictionaries(st.sampled_from(FIELDS) | MARKED.map("{}@".format), VALUES, min_size=1, max_size=3))
def test_a_sentence_never_repeats_what_was_put_in(changed: dict[str, Any]) -> None:
    """Whatever stands where, the refusal is one clear sentence with nothing of it."""
    sentence = refusal(changed)
    assert not [part for part in (MARK, "@", str(NUMBER)) if part in sentence]
    assert one_clear_sentence(sentence)


@given(st.sampled_from(["email", "controller_customer_id"]), MARKED)
def test_a_sentence_never_repeats_an_identifier(kind: str, value: str) -> None:
    """Also not from inside the list of identities or our own extension."""
    for changed in (
        {"subject_identities": identity(kind, value)},
        {"subject_identities": [{**ADA, "identity_type": value}]},
        {"subject_identities": [{**ADA, f"{value}@": value}]},
        {"extensions": ours(openstackid=value)},
        {"extensions": ours(name=value * 60)},
        {"extensions": ours(erasure_ground=value)},
    ):
        sentence = refusal(changed)
        assert not [part for part in (MARK, "@") if part in sentence]
        assert one_clear_sentence(sentence)


@given(st.permutations(list(body(extensions=ours(name="Ada", openstackid="9")).items())), st.sampled_from([None, 1, 7]))
def test_the_same_request_has_the_same_fingerprint(items: list[tuple[str, Any]], indent: int | None) -> None:
    """Neither the order of the fields nor white space nor the encoding makes another request of it."""
    whole = body(extensions=ours(openstackid="9", name="Ada"))
    text = json.dumps(dict(items), indent=indent)
    assert parse(text) == parse(json.dumps(whole)) == parse(text.encode())


OTHERS = [
    body(subject_request_id="b7551968-d5d6-44b2-9831-815ac9017798"),
    body(submitted_time="2026-01-31T10:00:01Z"),
    body(subject_identities=identity("email", "bo@example.org")),
    body(subject_identities=[ADA, *identity("email", "bo@example.org")]),
    body(subject_identities=identity("controller_customer_id", "ada")),
    body(extensions=ours(name="Ada")),
    body(extensions=ours(openstackid="Ada")),
    body(extensions=ours(erasure_ground="17(1)(a)")),
]


def test_another_request_has_another_fingerprint() -> None:
    """Whoever sends other words under a known id is noticed."""
    prints = [parse(json.dumps(one)).fingerprint for one in (body(), *OTHERS)]
    assert len(set(prints)) == len(prints)


# -- defects found while writing these tests --


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_at_the_edge_of_the_calendar_is_one_sentence(moment: str) -> None:
    """Turning it into UTC leaves the calendar; that is bad input, not a crash."""
    assert "submitted_time" in said(json.dumps(body(submitted_time=moment)))


def test_half_a_surrogate_pair_is_one_sentence() -> None:
    """JSON can spell a character that no text has."""
    said(json.dumps(body(extensions=ours(name="\ud800"))))


@pytest.mark.parametrize("moment", [0, 1_769_853_600, 1_769_853_600_000, "1769853600"])
def test_a_number_is_no_moment(moment: object) -> None:
    """Seconds and milliseconds look alike; the legal clock does not start by a guess."""
    assert "submitted_time" in said(json.dumps(body(submitted_time=moment)))


def test_a_field_that_is_said_twice_is_refused() -> None:
    """Of two lists of people, which one is erased must not be the JSON reader's choice."""
    twice = json.dumps(body())[:-1] + ', "subject_identities": ' + json.dumps(identity("email", "bo@example.org")) + "}"
    said(twice)
