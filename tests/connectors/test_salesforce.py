"""Salesforce keeps the contract; its own traps catch the naive call and not the connector."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from connectors._http import RefusedCall
from connectors._salesforce_session import id18
from erasure.connector import Record, Verdict
from erasure.failures import AccessRefused, Ambiguous, Rejected, TryLater
from erasure.outcome import Effect, EvidenceLevel
from erasure.subject import Identifier
from simulators._frame import Person
from tests.connectors.contract import ConnectorContract
from tests.connectors.system import SUBJECT, System, subject_of

_DATA = "/services/data/v64.0"
_LIVE = {"IsDeleted": False}


def naive(system: System, method: str, path: str, **params: str) -> httpx.Response:
    """Call the vendor as one would without knowing its traps."""
    base = system.running.url
    form = {"grant_type": "client_credentials", **system.vendor.credentials}
    token = httpx.post(f"{base}/services/oauth2/token", data=form).json()["access_token"]
    return httpx.request(
        method, f"{base}{_DATA}/{path}", params=params or None, headers={"Authorization": f"Bearer {token}"}
    )


def rows(system: System, kind: str, **cells: Any) -> list[str]:
    """Return the ids of the vendor's rows that hold these values."""
    return [
        row_id
        for row_id, row in system.vendor.state.rows.items()
        if row.kind == kind and cells.items() <= row.cells.items()
    ]


def contact(system: System) -> str:
    """Return the subject's one live contact that is found by its own address."""
    return rows(system, "Contact", Email=SUBJECT.email, IsPersonAccount=False)[0]


class TestSalesforce(ConnectorContract):
    """Nothing is kept."""

    name = "salesforce"
    spoiled = {"client_secret": "wrong"}

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("DELETE_FAILED", Rejected),
            ("ENTITY_IS_LOCKED", Rejected),
            ("INSUFFICIENT_ACCESS_OR_READONLY", AccessRefused),
            ("UNABLE_TO_LOCK_ROW", TryLater),
            ("SERVER_UNAVAILABLE", TryLater),
        ],
    )
    def test_a_refused_delete_hides_behind_http_200(self, system: System, code: str, expected: type[Exception]) -> None:
        """Only the record's own result tells that nothing was deleted."""
        lead = system.vendor.add("Lead", SUBJECT, Email=SUBJECT.email)
        system.vendor.state.refusals[lead] = code
        assert naive(system, "DELETE", "composite/sobjects", ids=lead).status_code == 200
        for _ in ("the delete", "the purge"):
            with system.open() as connector, pytest.raises(expected) as refused:
                connector.erase(Record(kind="lead", id=lead))
            assert refused.value.code == code
            system.vendor.state.rows[lead].cells["IsDeleted"] = True

    def test_a_deleted_record_is_in_the_bin_and_not_gone(self, system: System) -> None:
        """A 404 proves nothing: the binned record is still found, and erasing goes on with the purge."""
        system.seed(SUBJECT)
        lead = rows(system, "Lead")[0]
        naive(system, "DELETE", "composite/sobjects", ids=lead)
        assert naive(system, "GET", f"sobjects/Lead/{lead}").status_code == 404
        assert f"Lead:{lead}" in system.vendor.holdings(SUBJECT)
        record = next(r for r in system.find(SUBJECT).records if r.id == lead)
        assert system.erase([record])[0].effect is Effect.ERASED
        assert f"Lead:{lead}" not in system.vendor.holdings(SUBJECT)

    def test_query_hides_what_find_sees(self, system: System) -> None:
        """Archived activities and merged losers under another address answer to queryAll only."""
        system.seed(SUBJECT)
        loser = rows(system, "Contact", Email=SUBJECT.emails[1])[0]
        hidden = {"SELECT Id FROM Contact": loser, "SELECT Id FROM Task": rows(system, "Task")[0]}
        for query, row_id in hidden.items():
            asked = naive(system, "GET", "query", q=query)
            assert row_id not in {row["Id"] for row in asked.json()["records"]}
            assert row_id in {record.id for record in system.find(Person("", "", SUBJECT.emails[:1])).records}

    def test_a_purged_record_shows_for_a_day(self, system: System) -> None:
        """Right after the purge the answer is "not yet, in a day"; a live record is "still there" at once."""
        system.seed(SUBJECT)
        records = system.erasable(system.find(SUBJECT), ())
        with system.open() as connector:
            assert connector.verify(subject_of(SUBJECT), records).verdict is Verdict.STILL_THERE
        system.erase(records)
        with system.open() as connector:
            seen = connector.verify(subject_of(SUBJECT), records)
            assert (seen.verdict, seen.wait) == (Verdict.NOT_YET, timedelta(days=1))
            system.vendor.clock.advance(86_400)
            seen = connector.verify(subject_of(SUBJECT), records)
        assert (seen.verdict, seen.evidence) == (Verdict.CLEAN, EvidenceLevel.E3)

    def test_what_a_cascade_took_is_not_purged_by_itself(self, system: System) -> None:
        """Its purge is an error at the vendor; it leaves the bin with its parent."""
        member = system.vendor.add("Contact", SUBJECT, Email=SUBJECT.email)
        link = system.vendor.add("CampaignMember", SUBJECT, ContactId=member)
        naive(system, "DELETE", "composite/sobjects", ids=member)
        assert system.vendor._purge(link) == "DELETE_FAILED"
        records = system.erasable(system.find(SUBJECT), ())
        assert [record.id for record in records] == [link, member]
        system.erase(records)
        assert system.vendor.holdings(SUBJECT) == {}

    def test_a_person_account_is_one_record_and_a_company_none(self, system: System) -> None:
        """The contact half goes with its Account; the employer's Account is not found, and refused if asked for."""
        system.seed(SUBJECT)
        half = rows(system, "Contact", IsPersonAccount=True)[0]
        company = rows(system, "Account", IsPersonAccount=False)[0]
        assert not naive(system, "DELETE", "composite/sobjects", ids=half).json()[0]["success"]
        assert not {half, company} & {record.id for record in system.find(SUBJECT).records}
        with system.open() as connector, pytest.raises(Rejected, match="not_a_person_account"):
            connector.erase(Record(kind="account", id=company))
        assert rows(system, "Account", Id=company, **_LIVE)

    def test_every_page_is_read(self, system: System) -> None:
        """The first answer holds one page only."""
        system.seed(SUBJECT, SUBJECT)
        whole = system.find(SUBJECT).records
        system.vendor.page_rows = 2
        assert naive(system, "GET", "query", q="SELECT Id FROM Contact").json()["done"] is False
        assert system.find(SUBJECT).records == whole
        system.vendor.page_place = "@evil.example/"
        with pytest.raises(Rejected, match="odd_page_link"):
            system.find(SUBJECT)

    def test_records_hang_on_others_by_ids(self, system: System) -> None:
        """Without any address of the person: by the case, the Person Account, the Individual they share."""
        system.seed(SUBJECT)
        individual = rows(system, "Individual")[0]
        account, case = rows(system, "Account", IsPersonAccount=True)[0], rows(system, "Case")[0]
        system.vendor.state.rows[rows(system, "Contact", IsPersonAccount=True)[0]].cells["Email"] = None
        hanging = {
            system.vendor.add("Task", SUBJECT, WhatId=case),
            system.vendor.add("Event", SUBJECT, WhatId=account),
            system.vendor.add("EmailMessage", SUBJECT, FromAddress="desk@example.com", ParentId=case),
            system.vendor.add("Contact", SUBJECT, LastName="Quillfeather", Email="q@x.org", IndividualId=individual),
        }
        findings = system.find(SUBJECT)
        assert hanging | set(rows(system, "Task")) <= {record.id for record in findings.records}
        assert Identifier.email("q@x.org") in findings.learned

    def test_short_ids_mean_the_same_and_crooked_ones_nothing(self, system: System) -> None:
        """An id of 15 characters is known again; what is no id would carry the token to another host."""
        assert id18("001D000000IqhSL") == "001D000000IqhSLIAZ"
        system.seed(SUBJECT)
        with system.open() as connector:
            short = Record(kind="lead", id=rows(system, "Lead")[0][:15])
            connector.erase(short)
            seen = connector.verify(subject_of(Person("", "", ("nobody@example.org",))), [short])
            assert seen.verdict is Verdict.NOT_YET
            for crooked in ("https://evil.example/a", "../../../evil", "001", "001D000000IqhSLIA,"):
                with pytest.raises(RefusedCall):
                    connector.restrict(Record(kind="contact", id=crooked))

    @pytest.mark.parametrize("path", ["limits", "query", "composite", "Soap"])
    def test_the_daily_budget_ends_in_a_403_that_passes(self, system: System, path: str) -> None:
        """Used up is "later", and no matter of rights."""
        system.seed(SUBJECT)
        record = system.erasable(system.find(SUBJECT), ())[0]
        with system.open() as connector:
            connector.check()
            system.vendor.calls_left = int(path == "Soap")  # the delete before it takes one
            calls = {"limits": connector.check, "query": lambda: connector.find(subject_of(SUBJECT))}
            with pytest.raises(TryLater) as refused:
                calls.get(path, lambda: connector.erase(record))()
        assert refused.value.code == "REQUEST_LIMIT_EXCEEDED"

    def test_a_401_in_a_record_call_is_asked_once(self, system: System) -> None:
        """simple-salesforce with a sign-in of its own would go on without end."""
        system.seed(SUBJECT)
        system.stage.record()
        system.fault("refusal", status=401, times=50, method="PATCH")
        with system.open() as connector, pytest.raises(AccessRefused):
            connector.restrict(Record(kind="contact", id=contact(system)))
        assert 50 - system.stage.faults[0].times == 1

    @pytest.mark.parametrize(
        ("kind", "status", "code"),
        [("html", 200, "unexpected_answer"), ("empty", 200, "unexpected_answer"), ("refusal", 302, "redirected")],
    )
    def test_a_restriction_is_believed_only_with_204(self, system: System, kind: str, status: int, code: str) -> None:
        """simple-salesforce takes any 2xx for done; and it would follow a redirect with the token."""
        system.seed(SUBJECT)
        system.fault(kind, status=status, method="PATCH", headers={"Location": "/elsewhere"})
        with system.open() as connector, pytest.raises((TryLater, Rejected), match=code):
            connector.restrict(Record(kind="contact", id=contact(system)))

    def test_rest_calls_have_our_timeout_and_our_token(
        self, system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """simple-salesforce waits for ever, and requests prefers a password from ~/.netrc to any token."""
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with system.open(timeout=0.2) as connector:
            connector.check()
            system.fault("slow", seconds=0.6)
            with pytest.raises(TryLater, match="no answer"):
                connector.check()

    def test_verify_proves_the_token_first(self, system: System) -> None:
        """Before any search that may find nothing."""
        system.fault("refusal", status=401, path="/limits")
        with system.open() as connector, pytest.raises(AccessRefused):
            connector.verify(subject_of(SUBJECT), [])

    def test_a_converted_lead_cannot_be_restricted_but_erased(self, system: System) -> None:
        """Its conversion leads to a contact under another address."""
        other = system.vendor.add("Contact", SUBJECT, LastName="Quillfeather", Email="q@example.net")
        lead = system.vendor.add(
            "Lead", SUBJECT, LastName="Quillfeather", Email=SUBJECT.email, IsConverted=True, ConvertedContactId=other
        )
        records = system.find(SUBJECT).records
        assert {record.id for record in records} == {lead, other}
        with system.open() as connector, pytest.raises(Rejected, match="CANNOT_UPDATE_CONVERTED_LEAD"):
            connector.restrict(Record(kind="lead", id=lead))
        system.erase(records)
        assert system.vendor.holdings(SUBJECT) == {}

    def test_flags_that_others_changed_stop_the_lift(self, system: System) -> None:
        """What is neither ours nor the earlier state belongs to somebody else."""
        system.seed(SUBJECT)
        record = Record(kind="contact", id=contact(system))
        with system.open() as connector:
            earlier = connector.state(record)
            connector.restrict(record)
            system.vendor.state.rows[record.id].cells["HasOptedOutOfEmail"] = False
            with pytest.raises(Rejected, match="changed_by_others"):
                connector.lift(record, earlier)
        assert not rows(system, "Individual", ShouldForget=True)

    def test_hidden_fields_and_types_are_missing_rights(self, system: System) -> None:
        """Field rights make "no right" look like "nothing"; only the settings may say that the org has none."""
        system.seed(SUBJECT)
        system.vendor.hidden = {"Lead.Email", "Individual"}
        system.vendor.undeletable = {"Case"}
        with system.open() as connector:
            assert set(connector.check().missing) == {"Lead.Email", "Individual", "Case delete"}
            with pytest.raises(AccessRefused):
                connector.find(subject_of(SUBJECT))
        system.vendor.hidden = {"Individual", *(f"{kind}.IndividualId" for kind in ("Contact", "Lead"))}
        with system.open(without={"individuals"}) as connector:
            assert "Individual" not in connector.check().missing
            assert connector.find(subject_of(SUBJECT)).records

    def test_two_names_behind_one_address_stop_for_a_person(self, system: System) -> None:
        """A family shares an address; an initial does not make two people."""
        system.seed(SUBJECT)
        system.vendor.add("Lead", FirstName="A.", LastName="Quillfeather", Email=SUBJECT.email)
        assert system.find(SUBJECT)
        system.vendor.add("Contact", FirstName="Zoe", LastName="Quillfeather", Email=SUBJECT.email)
        with pytest.raises(Ambiguous, match="several_names"):
            system.find(SUBJECT)

    def test_a_custom_field_may_hold_somebody_elses_address(self, system: System) -> None:
        """A stranger's record that names the person in a custom field is never taken for the person's."""
        system.seed(SUBJECT)
        own = system.vendor.add("Contact", LastName="Quillfeather", Email="q@x.org", Alt_Email__c=SUBJECT.email)
        findings = system.find(SUBJECT)
        assert own in {record.id for record in findings.records}
        assert Identifier.email("q@x.org") not in findings.learned  # the name fits, but that is not certain enough
        bo = system.vendor.add("Contact", LastName="Tillerman", Email="bo@example.org", Manager_Email__c=SUBJECT.email)
        with pytest.raises(Ambiguous, match="custom_field_only"):
            system.find(SUBJECT)
        with system.open(others_email_fields={"Contact.Manager_Email__c"}) as connector:
            findings = connector.find(subject_of(SUBJECT))
        assert bo not in {record.id for record in findings.records}
        assert Identifier.email("bo@example.org") not in findings.learned

    def test_a_user_with_a_key_signs_in(self, system: System) -> None:
        """JWT bearer: asked for at the login host, used at the host that the reply names."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        way = {"client_secret": None, "username": system.vendor.username, "private_key": key.decode()}
        place = {"base_url": "https://acme.my.salesforce.com", "login_url": system.running.url}
        with system.open(**way, **place, audience="https://login.salesforce.com") as connector:
            assert connector.check().account == system.running.url.removeprefix("http://")
        with system.open(**way, **place) as connector, pytest.raises(AccessRefused, match="invalid_grant"):
            connector.check()
        with system.open(**{**way, **place, "private_key": "torn"}) as connector, pytest.raises(AccessRefused):
            connector.check()
        with pytest.raises(ValidationError):
            system.settings(client_secret=None)
