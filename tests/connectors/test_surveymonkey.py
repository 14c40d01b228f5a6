"""SurveyMonkey keeps the contract, and its own traps are stepped around."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors._http import RefusedCall, refuse_wipe
from erasure.connector import Findings, Record, Verdict, Verification
from erasure.failures import AccessRefused, Rejected, TryLater
from simulators.surveymonkey import SCOPES
from tests.connectors.contract import ConnectorContract
from tests.connectors.system import BYSTANDER, SUBJECT, System, subject_of


class TestSurveyMonkey(ConnectorContract):
    """Responses, invitations and contacts go."""

    name = "surveymonkey"
    spoiled = {"token": "wrong"}
    # The vendor documents no body for a deletion, so an empty 200 is an answer too.
    also_success = frozenset({"empty body", "truncated JSON"})

    def test_contacts_of_every_status_are_found(self, system: System) -> None:
        """A search that names no status sees active contacts only, and also longer addresses."""
        system.seed(SUBJECT, BYSTANDER)
        naive = get(system, "/v3/contacts", search_by="email", search=SUBJECT.email)["data"]
        found = {record.id for record in system.find(SUBJECT).records if record.kind == "contact"}
        held = {key.split(":")[1] for key in system.vendor.holdings(SUBJECT) if key.startswith("contact")}
        assert found == held
        assert {contact["id"] for contact in naive}.isdisjoint(held)

    def test_an_address_typed_into_an_answer_needs_the_scan(self, system: System) -> None:
        """The vendor's filter knows invited recipients only; without the scan that is said, not hidden."""
        survey, collector = web_survey(system)
        answer = system.vendor.add_response(collector, f" {SUBJECT.email.title()} ")
        assert get(system, f"/v3/surveys/{survey}/responses/bulk", email=SUBJECT.email)["total"] == 0
        assert [record.id for record in system.find(SUBJECT).records] == [answer]
        with system.open(scan=False) as connector:
            findings = connector.find(subject_of(SUBJECT))
        assert findings == Findings(doubts=("web_link_answers_not_scanned",))

    def test_an_answer_that_only_mentions_the_person_stays(self, system: System) -> None:
        """Somebody else's answer is not erased for a mention; a person is told to look."""
        _, collector = web_survey(system, "email", "weblink")
        recipient = system.vendor.add_recipient(str(int(collector) - 1), BYSTANDER)
        system.vendor.add_response(collector, f"Ask my colleague <{SUBJECT.email}>.")
        system.vendor.add_response(str(int(collector) - 1), SUBJECT.email, recipient=recipient)
        system.vendor.add_response(collector, f"x{SUBJECT.email}")
        assert system.find(SUBJECT) == Findings(doubts=("address_mentioned_in_other_answers",))
        system.stage.reset()
        _, collector = web_survey(system)
        system.vendor.add_response(collector, f"x{SUBJECT.email}")
        assert system.find(SUBJECT) == Findings()

    def test_a_response_without_an_address_is_known_by_its_recipient(self, system: System) -> None:
        """The recipient id is the other proof of whose response it is; with neither, a person is told to look."""
        _, collector = web_survey(system, "email")
        recipient = system.vendor.add_recipient(collector, SUBJECT)
        answer = system.vendor.add_response(collector, "Fine", recipient=recipient)
        system.vendor.shows_address = False
        assert {record.id for record in system.find(SUBJECT).records} == {recipient, answer}
        del system.vendor.state.recipients[recipient]
        assert system.find(SUBJECT) == Findings(doubts=("response_without_comparable_address",))

    def test_long_lists_are_read_to_the_end(self, system: System) -> None:
        """Pages hold fifty unless asked, a hundred of answers at most, and recipients cannot be filtered."""
        _, collector = web_survey(system, "email")
        recipients = [system.vendor.add_recipient(collector, BYSTANDER) for _ in range(1_001)]
        mine = system.vendor.add_recipient(collector, SUBJECT)
        answers = [system.vendor.add_response(collector, "Fine", recipient=mine) for _ in range(101)]
        system.stage.record()
        found = {record.id for record in system.find(SUBJECT).records}
        assert found == {mine, *answers}
        assert found.isdisjoint(recipients)
        assert len([url for url in asked(system) if "/recipients" in url]) == 2

    def test_a_scan_stops_for_the_day_and_goes_on(self, system: System) -> None:
        """The app's calls run low: the findings so far come back, and the rest is read from there the next day."""
        collectors = [web_survey(system)[1] for _ in range(2)]
        answers = [system.vendor.add_response(c, text) for c in collectors for text in fillers(350)]
        at_noon(system)
        system.vendor.per_day = 18
        first = search(system, "", scan_reserve=3)
        assert first.unfinished.wait.total_seconds() == pytest.approx(43_200, abs=5)
        assert first.unfinished.bookmark.replace(".", "").isdigit()
        assert [record.id for record in first.records] == [answers[0]]
        system.vendor.clock.advance(43_200)
        system.stage.record()
        rest = search(system, first.unfinished.bookmark, scan_reserve=3)
        assert not [url for url in asked(system) if "email=" in url]
        assert rest.unfinished is None
        assert [record.id for record in rest.records] == [answers[349], answers[350], answers[699]]

    def test_our_own_budget_stops_a_scan_too(self, system: System) -> None:
        """A search takes no more of a day than it was given, and it comes to an end."""
        _, collector = web_survey(system)
        answers = [system.vendor.add_response(collector, text) for text in fillers(1_500)]
        bookmark, found, days = "", set(), 0
        while bookmark or not days:
            system.stage.record()
            part = search(system, bookmark, scan_calls_per_day=10)
            assert len(asked(system)) <= 12  # the step under way is finished
            found |= {record.id for record in part.records}
            system.stage.calls.clear()
            bookmark, days = (part.unfinished.bookmark if part.unfinished else ""), days + 1
        assert days > 1
        assert found == {answers[0], answers[-1]}

    def test_an_answer_deleted_overnight_hides_no_other(self, system: System) -> None:
        """A deletion moves later answers up a place, over the edge of the page where the scan goes on."""
        _, collector = web_survey(system)
        answers = [system.vendor.add_response(collector, "Fine") for _ in range(300)]
        part = search(system, "", scan_calls_per_day=12)
        stopped_at = 100 * (int(part.unfinished.bookmark.split(".")[2]) - 1)
        row = system.vendor.state.responses[answers[stopped_at]]
        row["custom_value"] = SUBJECT.email
        del system.vendor.state.responses[answers[0]]
        assert [r.id for r in search(system, part.unfinished.bookmark).records] == [row["id"]]

    def test_the_re_read_proves_the_token_and_does_not_scan(self, system: System) -> None:
        """A scan takes days; what it had found is read again by id."""
        system.seed(SUBJECT)
        records = system.find(SUBJECT).records
        system.stage.record()
        left = system.verify(SUBJECT, records, self.keeps).remaining
        assert {record.id for record in left} == {record.id for record in records}
        urls = asked(system)
        assert urls[0] == "/v3/users/me"
        assert not [url for url in urls if "simple=" in url]

    @pytest.mark.parametrize("kind", ["contact", "recipient", "response"])
    def test_each_kind_that_comes_back_alone_is_seen(self, system: System, kind: str) -> None:
        """The re-read searches by every way, not only by the ids that were treated."""
        _, collector = web_survey(system, "email")
        again = {
            "contact": lambda: system.vendor.add_contact(SUBJECT, SUBJECT.email, "bounced"),
            "recipient": lambda: system.vendor.add_recipient(collector, SUBJECT),
            "response": lambda: system.vendor.add_response(collector, "Fine", email_address=SUBJECT.email),
        }
        number = again[kind]()
        assert [(r.kind, r.id) for r in system.verify(SUBJECT, (), self.keeps).remaining] == [(kind, number)]

    def test_a_survey_sent_by_mail_only_is_not_scanned(self, system: System) -> None:
        """Its answers are found by recipient; and a web link has no recipients to ask for. Calls are scarce."""
        web_survey(system, "email")
        web_survey(system, "weblink")
        system.stage.record()
        system.find(SUBJECT)
        urls = asked(system)
        assert len([url for url in urls if "simple=" in url]) == 1
        assert len([url for url in urls if "/recipients" in url]) == 1

    @pytest.mark.parametrize("calls", [11, 12])  # used up between two surveys, and in the middle of one
    def test_the_minute_runs_out_in_a_search(self, system: System, calls: int) -> None:
        """The search comes back with what it has; starting over would only be stopped at the same point."""
        system.seed(SUBJECT)
        web_survey(system)
        everything = {record.id for record in system.find(SUBJECT).records}
        at_noon(system)
        system.vendor.per_minute = calls
        part = search(system, "")
        assert part.unfinished.wait <= timedelta(minutes=1)
        system.vendor.clock.advance(60)
        rest = search(system, part.unfinished.bookmark)
        assert rest.unfinished is None
        assert {record.id for record in (*part.records, *rest.records)} == everything

    @pytest.mark.parametrize("calls", [20, 21, 22])  # a part ends between two surveys, or in the middle of one
    def test_a_re_read_longer_than_a_minute_comes_to_its_end(self, system: System, calls: int) -> None:
        """Each part proves the token and goes on where the last one stopped; what an early survey shows is kept."""
        collectors = [web_survey(system)[1] for _ in range(30)]
        answers = [system.vendor.add_response(collectors[-1], SUBJECT.email) for _ in range(25)]
        records = system.find(SUBJECT).records
        system.erase(records)
        back = system.vendor.add_response(collectors[0], "Fine", email_address=SUBJECT.email)
        at_noon(system)
        system.vendor.per_minute = calls
        parts = parts_of_a_re_read(system, records)
        assert [part.verdict for part, _ in parts] == [Verdict.NOT_YET] * (len(parts) - 1) + [Verdict.CLEAN]
        assert [record.id for part, _ in parts for record in part.remaining] == [back]
        assert {urls[0] for _, urls in parts} == {"/v3/users/me"}
        times = Counter(url for _, urls in parts for url in urls)
        assert [times[url] for url in times if "/responses/" in url and "bulk" not in url] == [1] * len(answers)
        of_surveys = {url: number for url, number in times.items() if url.endswith("type&per_page=1000&page=1")}
        assert len(of_surveys) == 30
        assert max(of_surveys.values()) <= 2
        assert sum(of_surveys.values()) <= 30 + len(parts)  # at most the survey where a part stopped is asked again
        system.vendor.clock.advance(60)
        assert system.look(SUBJECT, records).verdict is Verdict.STILL_THERE

    @pytest.mark.parametrize(("window", "wait"), [("per_minute", 60), ("per_day", 43_200)])
    def test_a_spent_limit_says_how_long_to_wait(self, system: System, window: str, wait: int) -> None:
        """The vendor sends no Retry-After; the limit that is used up names its reset."""
        at_noon(system)
        setattr(system.vendor, window, 0)
        for operation in ("check", "find", "verify", "erase"):
            with system.open() as connector, pytest.raises(TryLater, match="1040") as refused:
                self._run(connector, operation, Record(kind="contact", id="1"))
            assert refused.value.retry_after.total_seconds() == pytest.approx(wait, abs=5)

    @pytest.mark.parametrize("code", ["1052", "1053"])
    def test_our_own_account_deleted_is_no_record_gone(self, system: System, code: str) -> None:
        """Both are a 404 or 410, like a record that is gone."""
        system.seed(SUBJECT)
        system.vendor.account_error = code
        for operation in ("check", "find", "verify", "erase"):
            with system.open() as connector, pytest.raises(AccessRefused):
                self._run(connector, operation, Record(kind="contact", id="1"))

    def test_a_host_of_another_region_is_refused(self, system: System) -> None:
        """The data centre is part of the access."""
        system.vendor.host = "api.eu.surveymonkey.com"
        with system.open() as connector, pytest.raises(AccessRefused, match="1018"):
            connector.check()

    def test_missing_scopes_are_named(self, system: System) -> None:
        """What was not granted, and what the plan does not include; a call without its scope is refused."""
        system.vendor.granted = SCOPES - {"contacts_read", "responses_write"}
        system.vendor.available = SCOPES - {"responses_write", "responses_read_detail"}
        with system.open() as connector:
            report = connector.check()
            assert report.missing == ("contacts_read", "responses_read_detail", "responses_write")
            assert [note.split(":")[0] for note in report.notes[:2]] == ["responses_read_detail", "responses_write"]
            with pytest.raises(AccessRefused, match="1014"):
                connector.find(subject_of(SUBJECT))

    def test_a_bookmark_of_another_shape_is_rejected(self, system: System) -> None:
        """It never becomes a search from the start."""
        with system.open() as connector, pytest.raises(Rejected, match="unknown_bookmark"):
            connector.find(subject_of(SUBJECT), bookmark="2.1.1.0")  # a re-read's
        with system.open() as connector, pytest.raises(Rejected, match="unknown_bookmark"):
            connector.verify(subject_of(SUBJECT), (), bookmark="1.1.1.0")  # a search's

    @pytest.mark.parametrize("number", ["", " ", "bulk", "..", "1/../2", "1?x"])
    def test_no_deletion_without_an_id(self, system: System, number: str) -> None:
        """One empty variable would delete every response of a collector."""
        system.seed(SUBJECT, BYSTANDER)
        kept = len(system.vendor.state.responses)
        collector = next(iter(system.vendor.state.collectors))
        odd = Record.model_construct(kind="response", id=number, locator={"survey": collector})
        with system.open() as connector:
            for record in (
                odd,
                Record(kind="response", id="1"),
                Record(kind="recipient", id="1", locator={"collector": number}),
            ):
                with pytest.raises(RefusedCall):
                    connector.erase(record)
        with pytest.raises(RefusedCall):
            refuse_wipe("DELETE", f"https://api.surveymonkey.com/v3/collectors/{collector}/responses/")
        assert len(system.vendor.state.responses) == kept
        call(system, "DELETE", f"/v3/collectors/{collector}/responses/")
        assert len(system.vendor.state.responses) < kept


def web_survey(system: System, *types: str) -> tuple[str, str]:
    """Store a survey; return its id and that of its last collector."""
    survey = system.vendor.add_survey(*(types or ("weblink",)))
    return survey, max(system.vendor.state.collectors, key=int)


def fillers(count: int) -> list[str]:
    """Return answers of which the first and the last are the subject's."""
    return [SUBJECT.email, *["Fine"] * (count - 2), SUBJECT.email]


def search(system: System, bookmark: str, **settings: Any) -> Findings:
    """Search with a fresh connector from a bookmark."""
    with system.open(**settings) as connector:
        return connector.find(subject_of(SUBJECT), bookmark=bookmark)


def parts_of_a_re_read(system: System, records: Sequence[Record]) -> list[tuple[Verification, list[str]]]:
    """Read again with a fresh connector for each part; return what each answered and what it called."""
    parts: list[tuple[Verification, list[str]]] = []
    bookmark = ""
    for _ in range(50):
        system.stage.calls.clear()
        system.stage.record()
        with system.open() as connector:
            part = connector.verify(subject_of(SUBJECT), records, bookmark)
        parts.append((part, asked(system)))
        if part.unfinished is None:
            return parts
        bookmark = part.unfinished.bookmark
        assert bookmark.replace(".", "").isdigit()
        system.vendor.clock.advance(part.unfinished.wait.total_seconds())
    pytest.fail("the re-read never came to an end")


def at_noon(system: System) -> None:
    """Move the vendor's clock to 12:00 GMT, so that no limit starts anew in the middle of a test."""
    system.vendor.clock.advance(86_400 + 43_200 - system.vendor.clock.now() % 86_400)


def asked(system: System) -> list[str]:
    """Return the calls so far."""
    return [call.url for call in system.stage.calls]


def call(system: System, method: str, url: str, **asked: Any) -> httpx.Response:
    """Call the vendor the naive way."""
    headers = {"Authorization": f"Bearer {system.vendor.credentials['token']}"}
    return httpx.request(method, system.running.url + url, params=asked, headers=headers)


def get(system: System, url: str, **asked: Any) -> dict[str, Any]:
    """Read from the vendor the naive way."""
    return call(system, "GET", url, **asked).json()
