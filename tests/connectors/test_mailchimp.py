"""Mailchimp keeps the contract, and the traps of the vendor and of its own client do not catch the connector."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError
from pydantic import ValidationError

from connectors._http import RefusedCall
from connectors.mailchimp import MailchimpSettings
from erasure.connector import Record, Verdict
from erasure.failures import AccessRefused, Rejected, TryLater
from erasure.outcome import Effect
from simulators._frame import Person
from tests.connectors.contract import ConnectorContract
from tests.connectors.system import BYSTANDER, STRANGER, SUBJECT, System, subject_of

STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")
ADA = Person("Ada", "Quillfeather", SUBJECT.emails[:1])


@pytest.fixture
def system() -> System:
    """An empty vendor with its connector."""
    return System("mailchimp")


def naive(system: System) -> Any:
    """Mailchimp's own client as its manual sets it up."""
    client = Client({**system.vendor.credentials, "server": "us19", "timeout": 5})
    client.api_client.host = f"{system.running.url}/3.0"
    return client


def only_member(system: System, status: str) -> Record:
    """Make Ada a member of one audience only, and return her record."""
    audience = system.vendor.open_audience("only", required=("ADDRESS",))
    system.vendor.join(audience, ADA, ADA.email, status)
    (record,) = system.find(ADA).records
    return record


class TestMailchimp(ConnectorContract):
    """Everything goes; only the vendor's trace of a forgotten address stays, and that is no record."""

    name = "mailchimp"
    spoiled = {"api_key": "wrong-us19"}


class TestFinding:
    """Every audience, every status, every store."""

    def test_a_page_of_ten_hides_the_rest(self, system: System) -> None:
        """Audiences beyond the default page and carts beyond the largest page are found."""
        for number in range(11):
            last = system.vendor.open_audience(f"audience {number}")
        for number in range(1001):
            system.vendor.buy("shop", Person("N", "N", (f"n{number}@example.org",)))
        system.vendor.join(last, ADA, ADA.email)
        system.vendor.buy("shop", ADA)
        assert last not in {entry["id"] for entry in naive(system).lists.get_all_lists()["lists"]}
        system.erase(system.erasable(system.find(ADA), ()))
        assert system.vendor.holdings(ADA) == {}

    def test_an_address_is_hashed_in_lower_case_and_teaches_the_name(self, system: System) -> None:
        """An address that was stored with capitals has the same hash."""
        system.vendor.join(system.vendor.open_audience("only"), ADA, ADA.email.title())
        findings = system.find(ADA)
        assert [identifier.value for identifier in findings.learned] == [ADA.name]
        assert [receipt.effect for receipt in system.erase(findings.records)] == [Effect.ERASED]

    @pytest.mark.parametrize("status", STATUSES)
    def test_every_status_is_found_and_erased(self, system: System, status: str) -> None:
        """The search hides archived members; reading the address in each audience does not."""
        record = only_member(system, status)
        hits = naive(system).searchMembers.search(ADA.email)["exact_matches"]["total_items"]
        assert hits == (0 if status == "archived" else 1)
        assert [receipt.effect for receipt in system.erase([record])] == [Effect.ERASED]
        assert system.vendor.holdings(ADA) == {}

    def test_a_customer_id_means_another_person_in_another_store(self, system: System) -> None:
        """Orders are asked for store by store: across stores the same customer id is somebody else."""
        system.vendor.open_store("server-shop")
        system.vendor.buy("shop", ADA, customer="17")
        system.vendor.buy("server-shop", BYSTANDER, customer="17")
        assert naive(system).ecommerce.orders(customer_id="17")["total_items"] == 2
        before = system.vendor.holdings(BYSTANDER)
        system.erase(system.erasable(system.find(ADA), ()))
        assert (system.vendor.holdings(ADA), system.vendor.holdings(BYSTANDER)) == ({}, before)

    @pytest.mark.parametrize("own_id", ["a/b", "../lists", "ada.quillfeather@example.org"])
    def test_an_id_that_does_not_belong_into_a_url_stops_for_a_person(self, system: System, own_id: str) -> None:
        """A shop's own id that is an address or leaves its place is found, and never put into a path."""
        system.vendor.buy("shop", ADA, customer=own_id)
        records = [record for record in system.find(ADA).records if record.kind == "customer"]
        with pytest.raises(Rejected, match="id_unfit_for_a_url"):
            system.erase(records)
        assert ADA.email not in records[0].id


class TestErasing:
    """Gone for good, and nothing is called gone that is only out of sight."""

    def test_the_plain_delete_only_archives(self, system: System) -> None:
        """What somebody deleted in the usual way is still there, is seen by the re-read, and is then erased."""
        record = only_member(system, "subscribed")
        naive(system).lists.delete_list_member(record.locator["within"], record.locator["at"])
        assert system.verify(ADA, [record], ()).verdict is Verdict.STILL_THERE
        system.erase([record])
        assert system.verify(ADA, [record], ()).verdict is Verdict.CLEAN

    def test_a_forgotten_address_is_never_proven_by_adding_it(self, system: System) -> None:
        """An import of a forgotten address is refused; the re-read only reads."""
        record = only_member(system, "subscribed")
        system.erase([record])
        body = {"email_address": ADA.email, "status_if_new": "subscribed"}
        with pytest.raises(ApiClientError) as refused:
            naive(system).lists.set_list_member(record.locator["within"], record.locator["at"], body)
        assert json.loads(refused.value.text)["title"] == "Forgotten Email Not Subscribed"
        system.stage.record()
        system.verify(ADA, [record], ())
        assert {call.method for call in system.stage.calls} == {"GET"}
        assert system.stage.calls[0].url.startswith("/3.0/?"), "the account must answer before anything counts as gone"

    def test_an_order_without_its_customer_is_still_there(self, system: System) -> None:
        """The search leads over the customer; the order itself is read as well."""
        system.vendor.buy("shop", ADA, customer="17")
        records = {record.kind: record for record in system.find(ADA).records}
        system.erase([records["cart"], records["customer"]])
        assert system.verify(ADA, tuple(records.values()), ()).remaining == (records["order"],)

    def test_gone_needs_an_address_that_answers(self, system: System) -> None:
        """A wrong base path answers every call with the same 404; that is no proof that a record is gone."""
        record = only_member(system, "subscribed")
        with system.open(base_url=f"{system.running.url}/wrong") as connector, pytest.raises(Rejected):
            connector.erase(record)

    def test_an_index_that_lags_is_waited_for(self, system: System) -> None:
        """A member whom only the search still shows is not yet clean, and not still there."""
        system.vendor.search_lag = 1800.0
        record = only_member(system, "subscribed")
        system.erase([record])
        with system.open() as connector:
            seen = connector.verify(subject_of(ADA), [record])
        assert (seen.verdict, [r.id for r in seen.remaining]) == (Verdict.NOT_YET, [record.id])
        assert system.verify(ADA, [record], ()).verdict is Verdict.CLEAN

    def test_a_name_is_not_a_match(self, system: System) -> None:
        """The search takes names as well: somebody who calls himself by an address is not its owner."""
        audience = system.vendor.open_audience("only")
        system.vendor.join(audience, Person(STRANGER.email, "", ("impostor@example.org",)), "impostor@example.org")
        next(iter(system.vendor.state.members.values()))["full_name"] = STRANGER.email
        assert naive(system).searchMembers.search(STRANGER.email)["exact_matches"]["total_items"] == 1
        assert system.verify(STRANGER, (), ()).verdict is Verdict.CLEAN

    def test_a_whole_audience_is_never_deleted(self, system: System) -> None:
        """The guard stands before the vendor's client as well."""
        audience = system.vendor.open_audience("dear")
        with system.open() as connector, pytest.raises(RefusedCall):
            connector._calls.ask("erase", connector._lists.delete_list, audience)
        assert audience in system.vendor.state.audiences


class TestRestricting:
    """Unsubscribed while restricted; afterwards as before, unless a person decided otherwise."""

    @pytest.mark.parametrize("status", STATUSES)
    def test_every_status_comes_back_and_nobody_is_mailed(self, system: System, status: str) -> None:
        """An empty required field does not stand in the way, and no opt-in mail is sent."""
        record = only_member(system, status)
        before = system.vendor.holdings(ADA)
        with system.open() as connector:
            earlier = connector.state(record)
            connector.restrict(record)
            quiet = status in {"unsubscribed", "cleaned", "pending"}
            assert connector.state(record)["status"] == (status if quiet else "unsubscribed")
            connector.lift(record, earlier)
        assert (system.vendor.holdings(ADA), system.vendor.state.opt_in_mails) == (before, 0)

    def test_an_empty_required_field_refuses_the_plain_change(self, system: System) -> None:
        """This is what a PATCH without `skip_merge_validation` meets."""
        place = only_member(system, "subscribed").locator
        with pytest.raises(ApiClientError) as refused:
            naive(system).lists.update_list_member(place["within"], place["at"], {"status": "unsubscribed"})
        assert refused.value.status_code == 400

    def test_the_persons_own_unsubscription_stays(self, system: System) -> None:
        """Who left meanwhile is not subscribed again, and the vendor's text with the address is not repeated."""
        record = only_member(system, "subscribed")
        with system.open() as connector:
            earlier = connector.state(record)
            connector.restrict(record)
            system.vendor.unsubscribe(record.locator["within"], ADA.email)
            with pytest.raises(Rejected, match="HTTP 400 Member In Compliance State") as refused:
                connector.lift(record, earlier)
            assert connector.state(record)["status"] == "unsubscribed"
        assert ADA.email not in str(refused.value)

    def test_a_pending_member_who_left_is_not_asked_again(self, system: System) -> None:
        """Setting `pending` again would mail the person."""
        record = only_member(system, "pending")
        with system.open() as connector:
            earlier = connector.state(record)
            connector.restrict(record)
            system.vendor.unsubscribe(record.locator["within"], ADA.email)
            with pytest.raises(Rejected, match="changed_by_others"):
                connector.lift(record, earlier)
        assert system.vendor.state.opt_in_mails == 0

    @pytest.mark.parametrize("change", [{"status": "cleaned"}, {"interests": {"a1b2c3d4e5": False}}, {"tags": []}])
    def test_what_others_changed_is_left_to_a_person(self, system: System, change: dict[str, Any]) -> None:
        """Neither as we left it nor as it was: nothing is put back."""
        record = only_member(system, "subscribed")
        with system.open() as connector:
            earlier = connector.state(record)
            connector.restrict(record)
            next(iter(system.vendor.state.members.values())).update(change)
            with pytest.raises(Rejected, match="changed_by_others"):
                connector.lift(record, earlier)


class TestTheVendorsClient:
    """The faults of mailchimp-marketing 3.0.80, each beside what the connector does."""

    def test_it_writes_the_data_centre_over_server(self, system: System) -> None:
        """A store whose id holds "server" is out of its reach."""
        system.vendor.open_store("server-shop")
        system.vendor.buy("server-shop", ADA)
        with pytest.raises(ApiClientError):
            naive(system).ecommerce.get_all_store_customers("server-shop")
        assert {record.kind for record in system.find(ADA).records} == {"customer", "order", "cart"}

    def test_it_takes_an_empty_error_for_an_answer(self, system: System) -> None:
        """An error without a body comes back without an exception, a deletion as it seems."""
        record = only_member(system, "subscribed")
        system.fault("empty", status=500, times=2)
        answer = naive(system).lists.delete_list_member_permanent(record.locator["within"], record.locator["at"])
        assert answer.status_code == 500
        with pytest.raises(TryLater):
            system.erase([record])

    def test_it_leaves_an_error_unread(self, system: System) -> None:
        """The code is in a string of JSON there, and in the failure here."""
        with pytest.raises(ApiClientError) as unread:
            naive(system).lists.get_list_member("none", "none")
        assert isinstance(unread.value.text, str)
        with system.open(api_key="wrong-us19") as connector, pytest.raises(AccessRefused, match="API Key Invalid"):
            connector.check()

    def test_it_says_the_address_when_the_network_fails(self, system: System) -> None:
        """Its failure has no status and the URL in its text; ours has neither."""
        nobody = "http://127.0.0.1:9"
        client = naive(system)
        client.api_client.host = f"{nobody}/3.0"
        with pytest.raises(ApiClientError) as told:
            client.searchMembers.search(ADA.email)
        assert told.value.status_code is None
        assert ADA.email.replace("@", "%40") in str(told.value.text)
        with system.open(base_url=nobody) as connector, pytest.raises(TryLater) as silent:
            connector.find(subject_of(ADA))
        assert str(silent.value) == "mailchimp find: no answer"


class TestSettings:
    """The key says where the account is."""

    def test_the_data_centre_comes_from_the_key(self) -> None:
        """Without a base URL, and never against one."""
        assert MailchimpSettings(api_key="0f1e-us19").base_url == "https://us19.api.mailchimp.com"
        assert MailchimpSettings(api_key="0f1e-us19", base_url="https://x.example").base_url == "https://x.example"

    @pytest.mark.parametrize("key", ["0f1e2d3c", "0f1e2d3c-", "0f1e2d3c-evil.example/", "0f1e2d3c-us19.evil.example"])
    def test_a_key_without_one_is_refused_and_not_repeated(self, key: str) -> None:
        """Nothing but a data centre becomes part of a host name."""
        with pytest.raises(ValidationError) as refused:
            MailchimpSettings(api_key=key)
        assert "0f1e2d3c" not in str(refused.value)

    def test_plain_http_leads_only_to_this_machine(self, system: System) -> None:
        """The key does not travel unencrypted."""
        with pytest.raises(ValueError, match="https"), system.open(base_url="http://mailchimp.example"):
            pass

    def test_a_role_that_may_not_delete_is_missing_something(self, system: System) -> None:
        """Keys carry the role of their user."""
        system.vendor.role = "viewer"
        with system.open() as connector:
            assert connector.check().missing == ("role manager",)
