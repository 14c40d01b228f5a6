"""One treatment for every record, each kept one with its reason, and the same plan for the same input."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erasure.connector import Record
from erasure.plan import DELETED_MEMBERS, SystemPlan, plan_system
from erasure.policy import Treatment, parse
from erasure.sentence import BadInput
from tests.erasure.samples import KINDS, POLICY, TODAY, records

RULES = parse(POLICY)
FOUND = st.sampled_from(sorted(KINDS)).flatmap(lambda system: st.tuples(st.just(system), records(system)))


def planned(system: str, found: list[Record]) -> SystemPlan:
    """Return the plan of today."""
    return plan_system(system, found, RULES, TODAY)


@given(FOUND)
def test_no_record_is_lost_or_invented(found: tuple[str, list[Record]]) -> None:
    """Every record has exactly one step."""
    steps = [step.record for step in planned(*found).steps]
    assert steps == found[1]


@given(FOUND)
def test_what_is_kept_is_never_erased(found: tuple[str, list[Record]]) -> None:
    """The two parts of a plan are apart, also by kind, and together they are the whole."""
    plan = planned(*found)
    assert {record.kind for record in plan.to_erase}.isdisjoint(plan.kept_kinds)
    assert plan.kept_kinds <= {"contribution"}
    assert len(plan.to_erase) + sum(step.treatment is Treatment.KEEP for step in plan.steps) == len(found[1])
    assert sum(plan.counts.values()) == len(found[1])


@given(FOUND)
def test_every_kept_record_has_its_reason(found: tuple[str, list[Record]]) -> None:
    """Article and scope come from the policy, and the numbers add up."""
    plan = planned(*found)
    told = [kept for kept in plan.kept if kept.exception != DELETED_MEMBERS]
    assert {kept.record_kind: kept.count for kept in told} == Counter(
        step.record.kind for step in plan.steps if step.treatment is Treatment.KEEP
    )
    for kept in plan.kept:
        rule = RULES.exemption(kept.exception)
        assert (kept.article, kept.scope) == (rule.article, rule.scope)
        assert kept.article
        assert kept.scope


@given(FOUND)
def test_a_tombstone_means_an_erased_membership(found: tuple[str, list[Record]]) -> None:
    """It is written for nothing else, it is told as kept data with its end, and it is one."""
    plan = planned(*found)
    system = found[0]
    assert plan.tombstone == any(record.kind == "member" and system == "members" for record in plan.to_erase)
    entries = [kept for kept in plan.kept if kept.exception == DELETED_MEMBERS]
    assert [(kept.count, kept.until) for kept in entries] == [(1, date(2029, 1, 31))] * plan.tombstone


@given(FOUND, st.randoms())
def test_the_digest_does_not_depend_on_the_order(found: tuple[str, list[Record]], random: object) -> None:
    """A vendor lists in any order; that is the same plan."""
    system, some = found
    shuffled = some.copy()
    random.shuffle(shuffled)
    assert planned(system, some).digest == planned(system, shuffled).digest


@given(
    st.sampled_from(sorted(KINDS)).flatmap(lambda system: st.tuples(st.just(system), records(system), records(system)))
)
def test_the_digest_names_exactly_this_plan(drawn: tuple[str, list[Record], list[Record]]) -> None:
    """One record more, less or other is another plan."""
    system, one, other = drawn
    same = {(r.kind, r.id) for r in one} == {(r.kind, r.id) for r in other}
    assert (planned(system, one).digest == planned(system, other).digest) == same


def test_the_digest_tells_treatments_apart() -> None:
    """The same records under another policy, or in another system, are another plan."""
    found = [Record(kind="contribution", id="1")]
    text = POLICY.replace('contribution = { keep = "contributor_name" }', 'contribution = "erase"')
    other = plan_system("members", found, parse(text), TODAY)
    assert planned("members", found).digest != other.digest
    assert planned("crm", []).digest != planned("members", []).digest


def test_a_tombstone_for_a_membership_that_is_kept_is_refused() -> None:
    """The record of a deletion is written for a deletion only, so such a policy would never write one."""
    with pytest.raises(BadInput, match="no record kind that is erased"):
        parse(POLICY.replace('\nmember = "erase"', '\nmember = { keep = "contributor_name" }'))


def test_the_digest_tells_a_tombstone() -> None:
    """The same steps with and without it are two plans."""
    found = [Record(kind="member", id="1")]
    other = plan_system("members", found, parse(POLICY.replace('"members.member"', '"members.affiliation"')), TODAY)
    assert (planned("members", found).tombstone, other.tombstone) == (True, False)
    assert planned("members", found).digest != other.digest


def test_an_undecided_kind_is_never_guessed() -> None:
    """The check at start makes this impossible; if it were not, nothing may happen to the record."""
    with pytest.raises(KeyError):
        planned("crm", [Record(kind="note", id="1")])


def test_a_record_without_an_id_does_not_exist() -> None:
    """An empty id in a path names a whole collection."""
    with pytest.raises(ValueError, match="at least 1 character"):
        Record(kind="contact", id="")
