"""policy.toml: whatever is wrong in it stops the worker with one sentence, and nothing is left undecided."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from erasure.policy import Exemption, Order, Treatment, parse, refuse_gaps
from erasure.sentence import BadInput
from tests.erasure.samples import POLICY, TODAY, card, cards, one_clear_sentence


def changed(old: str, new: str) -> str:
    """Return the policy with one place changed."""
    assert POLICY.count(old) == 1
    return POLICY.replace(old, new)


def said(text: str) -> str:
    """Return the sentence with which a policy is refused."""
    with pytest.raises(BadInput) as refused:
        parse(text)
    assert refused.value.__cause__ is None
    assert one_clear_sentence(str(refused.value))
    return str(refused.value)


def test_what_it_says_is_what_is_read() -> None:
    """Every kind of line arrives with its meaning."""
    policy = parse(POLICY)
    assert policy.discovery.patience == timedelta(hours=1)
    assert policy.verification.second_look == timedelta(days=3)
    members = policy.systems["members"]
    assert (members.order, members.teaches, policy.systems["crm"].teaches) == (Order.ROOT, True, False)
    contribution = members.records["contribution"]
    assert (contribution.erasure, contribution.exception) == (Treatment.KEEP, "contributor_name")
    assert policy.exemption("contributor_name").scope == "the name"


KEEP = '{ keep = "contributor_name" }'
NO_TIME = 'is not a time such as "5 minutes", "2 hours" or "3 days"'
NO_REASON = 'a kept kind names its exception, as in { keep = "contributor_name" }'
KIND = "systems.members.records.contribution"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('version = "1"\n', "", "version: is missing"),
        ('version = "1"', "version = 2026-01-31", "version: Input should be a valid string"),
        ('version = "1"', 'version = "1"\nvesion = "2"', "vesion: is not a field that is known here"),
        ('patience = "1 hour"', 'patience = "soon"', f"discovery.patience: {NO_TIME}"),
        ('patience = "1 hour"', 'patience = "-1 hours"', f"discovery.patience: {NO_TIME}"),
        ('patience = "1 hour"', 'patience = "1 month"', f"discovery.patience: {NO_TIME}"),
        ('patience = "1 hour"', 'patience = "PT1H"', f"discovery.patience: {NO_TIME}"),
        ("rounds = 3", "rounds = 0", "discovery.rounds: Input should be greater than or equal to 1"),
        ("rounds = 3", "rounds = 11", "discovery.rounds: Input should be less than or equal to 10"),
        ("days_for_e4 = 2", "days_for_e4 = 0", "verification.days_for_e4: Input should be greater than or equal to 1"),
        ('second_look = "3 days"\n', "", "verification.second_look: is missing"),
        ("retention_years = 3\n", "", "exceptions.deleted_members.retention_years: is missing"),
        (
            "retention_years = 3",
            "retention_years = 31",
            "exceptions.deleted_members.retention_years: Input should be less than or equal to 30",
        ),
        (
            'scope = "the name"',
            'scope = ""',
            "exceptions.contributor_name.scope: String should match",
        ),
        ('disclosed = "Your name stays."\n', "", "exceptions.contributor_name.disclosed: is missing"),
        (
            "[exceptions.contributor_name]",
            "[exceptions.tax_law]",
            "exceptions.contributor_name: is missing",
        ),
        (
            '"members.member"',
            '"members.person"',
            "exceptions.deleted_members.written_for names no record kind that is erased",
        ),
        (
            '"members.member"',
            '"members"',
            "exceptions.deleted_members.written_for names no record kind that is erased",
        ),
        (
            'role = "own_store"',
            'role = "friend"',
            "systems.members.role: Input should be 'processor', 'own_store', 'separate_controller' or 'recipient'",
        ),
        ('order = "root"', 'order = "last"', "systems.members.order: Input should be 'source', 'rest' or 'root'"),
        ('lead = "erase"', 'lead = "mask"', "systems.crm.records.lead.erasure: Input should be 'erase' or 'keep'"),
        ('lead = "erase"', 'lead = "keep"', f"systems.crm.records.lead: {NO_REASON}"),
        ('lead = "erase"', 'lead = { keep = "" }', f"systems.crm.records.lead: {NO_REASON}"),
        ('lead = "erase"', 'lead = { keep = "habit" }', "systems.crm.records.lead: there is no exception of that name"),
        (KEEP, '{ erasure = "erase", exception = "contributor_name" }', f"{KIND}: {NO_REASON}"),
        (KEEP, "{ keep = 3 }", f"{KIND}.exception: Input should be a valid string"),
        (KEEP, "true", f"{KIND}: Input should be a valid dictionary or instance of RecordRule"),
        ("[systems.crm.records]", "[systems.crm.record]", "systems.crm.records: is missing"),
        ('contact = "erase"\nlead = "erase"\n', "", "systems.crm.records: must not be empty"),
    ],
)
def test_what_cannot_be_used(old: str, new: str, sentence: str) -> None:
    """The sentence names the line by its meaning."""
    assert said(changed(old, new)).startswith(f"policy.toml: {sentence}")


@pytest.mark.parametrize("text", ["x", "[systems", POLICY + "\n[systems.crm]\n", "a = 2026-99-99"])
def test_what_is_no_toml(text: str) -> None:
    """A slip of the keyboard is named with its line."""
    assert said(text).startswith("policy.toml is not TOML: ")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1 second", timedelta(seconds=1)),
        ("90 seconds", timedelta(seconds=90)),
        ("5 minutes", timedelta(minutes=5)),
        ("1.5 hours", timedelta(minutes=90)),
        ("3 days", timedelta(days=3)),
        ("1 day", timedelta(days=1)),
    ],
)
def test_times_are_written_as_people_say_them(written: str, meant: timedelta) -> None:
    """One number, one word."""
    assert parse(changed('second_look = "3 days"', f'second_look = "{written}"')).verification.second_look == meant


def test_the_digest_names_the_exact_text() -> None:
    """Also a comment that was changed later is another text than the one in force."""
    assert parse(POLICY).digest == parse(POLICY).digest
    assert len({parse(text).digest for text in (POLICY, f"{POLICY}\n", f"{POLICY}# approved\n")}) == 3


@pytest.mark.parametrize(("years", "end"), [(None, None), (1, date(2027, 1, 31)), (3, date(2029, 1, 31))])
def test_a_reason_ends_when_it_says(years: int | None, end: date | None) -> None:
    """Years are counted like the law's months; without a number there is no end."""
    reason = Exemption(article="a", scope="s", disclosed="d", retention_years=years)
    assert reason.until(TODAY) == end


def test_a_tombstone_is_for_a_membership_only() -> None:
    """The record kind and its system must both be the ones that the policy names."""
    policy = parse(POLICY)
    kinds = {(s, k) for s, rules in policy.systems.items() for k in rules.records if policy.writes_tombstone_for(s, k)}
    assert kinds == {("members", "member")}


def test_a_complete_policy_has_no_gaps() -> None:
    """Every system that is on is decided, and every decision is about something that is on."""
    refuse_gaps(parse(POLICY), cards())


@pytest.mark.parametrize(
    ("cards_now", "sentence"),
    [
        (cards() | {"shop": card("shop", "order")}, "policy.toml says nothing about system shop"),
        (
            {"crm": cards()["crm"]},
            "systems.toml does not switch on, though policy.toml names it, system members",
        ),
        (cards() | {"crm": card("crm", "contact", "lead", "note")}, "does not classify record kind of crm note"),
        (
            cards() | {"crm": card("crm", "contact")},
            "policy.toml classifies what the connector does not hold: record kind of crm lead",
        ),
    ],
)
def test_gaps_are_named(cards_now: dict, sentence: str) -> None:
    """What is undecided, or decided without existing, is red before anything runs."""
    with pytest.raises(BadInput) as refused:
        refuse_gaps(parse(POLICY), cards_now)
    assert sentence in str(refused.value)
    assert one_clear_sentence(str(refused.value))


# -- defects found while writing these tests --


def test_a_field_named_digest_is_one_sentence() -> None:
    """It is a field of the model that the file must not set."""
    said(f'digest = "x"\n{POLICY}')


@pytest.mark.parametrize("written", ["99999999999 days", f"{'9' * 400} days"])
def test_a_time_beyond_all_calendars_is_one_sentence(written: str) -> None:
    """Too many nines are a slip, not a crash."""
    assert "discovery.patience" in said(changed('patience = "1 hour"', f'patience = "{written}"'))


@pytest.mark.parametrize("written", ["5", "-5", "0.5", "true"])
def test_a_bare_number_is_no_time(written: str) -> None:
    """Whether it means seconds or days only its writer knows, and a negative one is never due."""
    assert "discovery.patience" in said(changed('patience = "1 hour"', f"patience = {written}"))


@pytest.mark.parametrize("field", ["article", "scope"])
def test_an_address_in_a_reason_is_refused_at_start(field: str) -> None:
    """The ledger takes no address: every plan that keeps something would fail, long after the worker started."""
    old = {"article": '"Art. 6(1)(f)"', "scope": '"the name"'}[field]
    said(changed(f"{field} = {old}", f'{field} = "ask legal@example.org"'))
