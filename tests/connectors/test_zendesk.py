"""Zendesk keeps the contract, and its traps are seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from erasure.connector import Verdict
from erasure.failures import AccessRefused, Ambiguous, Rejected, TryLater
from erasure.outcome import Effect
from simulators._frame import Person
from tests.connectors.contract import ConnectorContract
from tests.connectors.system import BYSTANDER, SUBJECT, System, subject_of

HOUR = 3600


class SystemAMinuteLater(System):
    """The export that tells whose a binned ticket was leaves out the last minute, so a new search comes after it."""

    def find(self, person):  # noqa: ANN001, ANN201 -- as in System
        """Search a good minute later."""
        self.vendor.clock.advance(61)
        return super().find(person)

    def seen(self, path: str, **query: Any) -> httpx.Response:
        """Return what a naive GET gets."""
        asked = {"grant_type": "client_credentials", **self.vendor.credentials}
        token = httpx.post(f"{self.running.url}/oauth/tokens", json=asked).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.running.url}/api/v2{path}", params=query, headers=headers)

    def user(self) -> dict[str, Any]:
        """Return the subject's live user."""
        return self.vendor._owner(SUBJECT.email)

    def of_kind(self, *kinds: str) -> list:
        """Return the subject's records of these kinds."""
        return [record for record in self.find(SUBJECT).records if record.kind in kinds]

    def read(self, records=(), **changed):  # noqa: ANN001, ANN003, ANN201
        """Verify once."""
        with self.open(**changed) as connector:
            return connector.verify(subject_of(SUBJECT), records)


@pytest.fixture
def system() -> SystemAMinuteLater:
    """An account that knows the subject."""
    system = SystemAMinuteLater("zendesk")
    system.seed(SUBJECT)
    return system


class TestZendesk(ConnectorContract):
    """Everything goes, and other people's tickets stay."""

    name = "zendesk"
    spoiled = {"client_secret": "wrong"}

    @pytest.fixture
    def system(self) -> System:
        """An empty account."""
        return SystemAMinuteLater(self.name)


def test_a_200_for_an_anonymous_caller_proves_nothing(system: SystemAMinuteLater) -> None:
    """A token that ended is answered 200 by users/me; the null id tells."""
    assert httpx.get(f"{system.running.url}/api/v2/users/me").status_code == 200
    with system.open() as connector:
        connector.check()
        system.vendor._tokens.clear()
        for call in (connector.check, lambda: connector.verify(subject_of(SUBJECT), ())):
            with pytest.raises(AccessRefused, match="anonymous"):
                call()


def test_an_agent_with_half_a_scope_is_not_enough(system: SystemAMinuteLater) -> None:
    """The check names what is missing, and nothing counts as proven without an admin."""
    system.vendor.role, system.vendor.scopes = "agent", "read"
    with system.open() as connector:
        assert connector.check().missing == ("write", "role admin")
    with pytest.raises(AccessRefused, match="not_admin"):
        system.read()


def test_each_instance_has_its_own_token_and_renews_it(system, monkeypatch) -> None:  # noqa: ANN001
    """A token lives in one instance, and is replaced before it ends."""
    for seconds, tokens in ((1800, 2), (30, 4)):
        monkeypatch.setattr(system.vendor, "token_seconds", seconds)
        system.vendor._tokens.clear()
        for _ in range(2):
            with system.open() as connector:
                connector.check()
                connector.check()
        assert len(system.vendor._tokens) == tokens


def test_the_search_matches_more_than_was_asked(system: SystemAMinuteLater) -> None:
    """The neighbour with the longer address is a hit of the vendor's, not of ours."""
    system.seed(BYSTANDER)
    assert system.seen("/users/search", query=SUBJECT.email).json()["count"] == 2
    assert [record.id for record in system.of_kind("user")] == [str(system.user()["id"])]


def test_more_than_one_page_of_identities_and_tickets(system: SystemAMinuteLater) -> None:
    """An address on the second page finds the user; tickets and bins beyond a hundred are found as well."""
    user = system.user()
    spare = [{"id": n, "type": "email", "value": f"a{n}@spare.example", "verified": True} for n in range(100)]
    user["_identities"] = [*spare, *user["_identities"]]
    for _ in range(120):
        system.vendor._add_ticket(user, "closed")
    for _ in range(150):
        system.vendor._add_ticket(user, "closed", _deleted_at=system.vendor.clock.now() - HOUR)
    assert "meta" not in system.seen(f"/users/{user['id']}/tickets/requested").json()
    assert len(system.of_kind("ticket")) == 122
    assert len(system.of_kind("deleted_ticket")) == 151


def test_more_than_one_page_of_hits_and_of_the_export(system: SystemAMinuteLater) -> None:
    """A hundred longer addresses come before the person; a thousand later tickets before the one in the bin."""
    tickets, users = system.vendor.state.tickets, system.vendor.state.users
    (binned,) = (t for t in tickets.values() if t["_deleted_at"])
    own = system.user()
    for number in range(100):
        system.vendor._add_user(Person("Bo", "Tillerman", (f"{number}{SUBJECT.email}",)))
    for _ in range(1000):
        system.vendor._add_ticket(own, "closed", _created_at=system.vendor.clock.now() - HOUR)
    for rows, last in ((users, own["id"]), (tickets, binned["id"])):
        rows[last] = rows.pop(last)
    one_address = Person("Ada", "Quillfeather", SUBJECT.emails[:1])
    kinds = [record.kind for record in system.find(one_address).records]
    assert (kinds.count("user"), kinds.count("deleted_ticket")) == (1, 1)


def test_a_bin_too_long_to_read_is_a_doubt_and_no_proof(system: SystemAMinuteLater) -> None:
    """Ten looks a minute cannot reach the end of it, and trying again would start anew."""
    records = system.of_kind("suspended_ticket")
    system.erase(system.erasable(system.find(SUBJECT), ()))
    system.vendor.clock.advance(6 * HOUR)
    system.seed(BYSTANDER)
    other, before = system.vendor._owner(BYSTANDER.email), system.vendor.clock.now() - HOUR
    for _ in range(1000):
        system.vendor._add_ticket(other, "closed", _deleted_at=before)
    assert "ticket_bin_too_long" in system.find(BYSTANDER).doubts
    system.vendor.clock.advance(61)
    assert system.read(records).verdict is Verdict.NOT_PROVABLE


def test_only_verified_addresses_are_learned(system: SystemAMinuteLater) -> None:
    """What somebody typed in finds a user, but leads no further."""
    first, second = (i for i in system.user()["_identities"] if i["type"] == "email")
    second["verified"] = False
    findings = system.find(Person("Ada", "Quillfeather", (first["value"],)))
    assert [i.value for i in findings.learned] == [first["value"]]
    findings = system.find(Person("Ada", "Quillfeather", (second["value"],)))
    assert "address_not_verified" in findings.doubts
    assert findings.learned == ()


def test_doubtful_users_stop_for_a_person(system: SystemAMinuteLater) -> None:
    """Two people by single sign-on are not merged; an agent is not deleted by machine."""
    system.vendor.reset()
    system.seed(Person("Ada", "Q", SUBJECT.emails[:1], "1"), Person("Gus", "Other", SUBJECT.emails[1:], "2"))
    with pytest.raises(Ambiguous, match="several_external_ids"):
        system.find(SUBJECT)
    system.user()["role"] = "agent"
    with pytest.raises(Rejected, match="staff_account"):
        system.find(SUBJECT)


def test_two_users_of_one_person_both_go(system: SystemAMinuteLater) -> None:
    """Each address may have its own user."""
    system.vendor.reset()
    system.seed(*(Person("Ada", "Quillfeather", (address,)) for address in SUBJECT.emails))
    assert len(system.of_kind("user")) == 2
    system.erase(system.erasable(system.find(SUBJECT), ()))
    assert system.vendor.holdings(SUBJECT) == {}
    assert "+1555" not in str([u for u in system.vendor.state.users.values() if not u["_of"]])  # both phones


def test_a_requester_of_a_solved_ticket_cannot_be_deleted_first(system: SystemAMinuteLater) -> None:
    """Solved is not closed."""
    with pytest.raises(Rejected, match="HTTP 422 RecordInvalid"):
        system.erase(system.of_kind("user"))


def test_a_binned_ticket_is_still_there(system: SystemAMinuteLater) -> None:
    """Reading it gives 404, and yet it is only in the bin."""
    (record, *_) = system.of_kind("ticket")
    system.vendor.state.tickets[int(record.id)]["_deleted_at"] = system.vendor.clock.now()
    assert system.seen(f"/tickets/{record.id}").status_code == 404
    assert record in system.read((record,)).remaining
    with system.open() as connector:
        doubts = connector.find(subject_of(SUBJECT)).doubts
    assert "tickets_deleted_a_moment_ago" in doubts  # the export cannot say yet whose it was


def test_an_archived_ticket_goes_for_good(system: SystemAMinuteLater) -> None:
    """The list of the bin leaves archived tickets out; the second deletion reaches them all the same."""
    closed = next(t for t in system.vendor.state.tickets.values() if t["status"] == "closed")
    closed["_archived"] = True
    system.erase(system.of_kind("ticket"))
    assert closed["id"] not in system.vendor.state.tickets


def test_only_the_cc_leaves_another_persons_ticket(system: SystemAMinuteLater) -> None:
    """The ticket, its requester and the others in CC stay."""
    (record,) = system.of_kind("ticket_cc")
    ticket = system.vendor.state.tickets[int(record.locator["ticket"])]
    user, other = ticket["email_cc_ids"]
    assert str(user) == record.locator["user"]
    assert [receipt.effect for receipt in system.erase([record, record])] == [Effect.ERASED, Effect.ALREADY_GONE]
    assert ticket["email_cc_ids"] == [other]


def test_a_cc_that_cannot_be_removed_is_told(system: SystemAMinuteLater) -> None:
    """Where the account ignores the change a person is asked; on a closed ticket it is a doubt, not a record."""
    (record,) = system.of_kind("ticket_cc")
    system.vendor.legacy_ccs = True
    with pytest.raises(Rejected, match="cc_stays"):
        system.erase([record])
    system.vendor.state.tickets[int(record.locator["ticket"])]["status"] = "closed"
    with pytest.raises(Rejected, match="ticket_closed"):
        system.erase([record])
    assert system.of_kind("ticket_cc") == []
    assert "cc_on_closed_ticket" in system.find(SUBJECT).doubts


def test_a_forgotten_job_is_judged_by_the_ticket(system: SystemAMinuteLater) -> None:
    """After about an hour the vendor answers 404 for the job; that says nothing about the ticket."""
    (record, *_) = system.of_kind("ticket")
    with system.open() as connector:
        receipt = connector.erase(record)
        system.vendor.state.jobs.clear()
        again = connector.confirm(receipt)
        assert again.pending
        assert again.job != receipt.job
        system.vendor.clock.advance(3 * HOUR)
        settled = connector.confirm(again)
    assert (settled.pending, settled.effect) == (False, Effect.ERASED)
    assert int(record.id) not in system.vendor.state.tickets


def test_limits_are_waits(system: SystemAMinuteLater) -> None:
    """Thirty waiting jobs, or ten looks into the bin in a minute, are too many for the moment."""
    for _ in range(30):
        system.vendor._add_ticket(system.user(), "closed")
    *first, last = system.find(SUBJECT).records[:31]
    with system.open() as connector:
        for record in first:
            connector.erase(record)
        with pytest.raises(TryLater, match="TooManyJobs") as late:
            connector.erase(last)
        assert late.value.retry_after == timedelta(seconds=60)
        for _ in range(9):
            connector.find(subject_of(SUBJECT))
        with pytest.raises(TryLater, match="HTTP 429"):
            connector.find(subject_of(SUBJECT))


def test_the_deletion_is_done_when_every_product_is(system, monkeypatch) -> None:  # noqa: ANN001
    """Not before Support completes, not while Chat is under way, and with Chat named not before it starts either."""
    monkeypatch.setattr(system.vendor, "index_seconds", 0)  # only the deletion log speaks
    records = system.erasable(system.find(SUBJECT), ())
    system.erase(records)
    (user,) = (record for record in records if record.kind == "user")
    assert system.seen(f"/users/{user.id}").json()["user"]["name"] == "Permanently Deleted User"
    seen = []
    for seconds in (0, 1, 4, 1):  # when: at once, after one hour, five (Chat starts after four), six
        system.vendor.clock.advance(seconds * HOUR - (600 if seconds == 4 else 0))
        seen += [(system.read(records).verdict, system.read(records, applications=("support", "chat")).verdict)]
    not_yet, clean = Verdict.NOT_YET, Verdict.CLEAN
    assert seen == [(not_yet, not_yet), (clean, not_yet), (not_yet, not_yet), (clean, clean)]


def test_the_lagging_index_is_not_believed(system, monkeypatch) -> None:  # noqa: ANN001
    """A hit whose user is gone is "not yet", and no record."""
    monkeypatch.setattr(system.vendor, "index_seconds", 10 * HOUR)
    records = system.erasable(system.find(SUBJECT), ())
    system.erase(records)
    system.vendor.clock.advance(6 * HOUR)
    assert system.seen("/users/search", query=SUBJECT.email).json()["count"] == 1
    assert system.find(SUBJECT).records == ()
    assert system.read(records).verdict is Verdict.NOT_YET
    system.vendor.clock.advance(6 * HOUR)
    assert system.read(records).verdict is Verdict.CLEAN


def test_a_suspension_that_somebody_ended_stays_ended(system: SystemAMinuteLater) -> None:
    """Neither as restricted nor as before: a person decides."""
    system.user()["suspended"] = True
    (record,) = system.of_kind("user")
    with system.open() as connector:
        earlier = connector.state(record)
        connector.restrict(record)
        system.user()["suspended"] = False
        with pytest.raises(Rejected, match="changed_by_others"):
            connector.lift(record, earlier)
