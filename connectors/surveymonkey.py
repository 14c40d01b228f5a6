"""SurveyMonkey: responses, invited recipients and address-book contacts, by its API v3.

Addresses are searched where the vendor can search for them. An answer given through a web link carries an address
only if the person typed it, so those answers are read page by page; the vendor allows a private app 500 calls a
day, so such a scan stops, says where, and goes on another day.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, ClassVar, NoReturn, Self

import httpx
from pydantic import Field, SecretStr

from connectors import _http
from connectors._surveymonkey_search import Hits, Place, Stage, until_cut
from erasure.connector import (
    AccessReport,
    ApiLimits,
    Automation,
    ConnectorSettings,
    DataCategory,
    Findings,
    Receipt,
    Record,
    RecordKind,
    SystemCard,
    Unfinished,
    Verdict,
    Verification,
)
from erasure.failures import AccessRefused, Rejected, TryLater
from erasure.outcome import Effect, EvidenceLevel
from erasure.subject import IdentifierKind, Subject

NAME = "surveymonkey"
_DIALECT = _http.Dialect(NAME, code=lambda body: body["error"]["id"])
_GONE = frozenset({"1020"})
_NEVER: frozenset[str] = frozenset()
_OWN_USER_GONE = frozenset({"1052", "1053"})  # 404 and 410 as well, but it is our account that was deleted
_SCOPES = frozenset(
    {
        "collectors_read",
        "collectors_write",
        "contacts_read",
        "contacts_write",
        "responses_read",
        "responses_read_detail",
        "responses_write",
        "surveys_read",
        "users_read",
    }
)
_STATUSES = ("active", "optout", "bounced")  # a search without a status shows active contacts only
_SEARCH, _REREAD = (Stage.ADDRESSES, Stage.ANSWERS), (Stage.ADDRESSES, Stage.RECORDS)
_PARENTS = {"response": "survey", "recipient": "collector", "contact": ""}
_PAGE, _BULK_PAGE = 1000, 100  # the most a page may hold; of responses with their answers, only a hundred
_ID = re.compile(r"[0-9]{1,20}")


class SurveyMonkeySettings(ConnectorSettings):
    """The token of a private app, and how much of the app's daily calls a search may use.

    `base_url` is the host alone, of the data centre that the account lives in. `scan` reads the answers given
    through web links. `scan_calls_per_day` counts the calls of one search; it also stops when the app has no more
    than `scan_reserve` calls left for the day, which are kept for erasing and re-reading.
    """

    token: SecretStr
    scan: bool = True
    scan_calls_per_day: int = Field(default=200, ge=10)
    scan_reserve: int = Field(default=100, ge=0)


class SurveyMonkey:
    """Responses to surveys, the people invited to them, and the address book."""

    card: ClassVar[SystemCard] = SystemCard(
        name=NAME,
        title="SurveyMonkey",
        holds=(
            RecordKind(name="response", category=DataCategory.SURVEY_ANSWER),
            RecordKind(name="recipient", category=DataCategory.CONTACT),
            RecordKind(name="contact", category=DataCategory.CONTACT, person=True),
        ),
        finds_by=frozenset({IdentifierKind.EMAIL}),
        erases=Automation.AUTOMATED,
        restricts=None,
        proof=EvidenceLevel.E4,
        api_limits=ApiLimits(per_minute=120, per_day=500),
        vendor_docs="https://help.surveymonkey.com/en/surveymonkey/policy/surveymonkey-data/",
        side_effects=(
            "the vendor completes a deletion within 90 days, and in its backups up to 90 days later",
            "answers in free text that do not carry the address cannot be found",
            "answers to surveys that were sent by e-mail only are found by the invited address, not by their text",
            "exported spreadsheets, integrations and surveys that this account cannot see are not reached",
        ),
    )
    Settings: ClassVar[type[ConnectorSettings]] = SurveyMonkeySettings

    def __init__(self, settings: SurveyMonkeySettings) -> None:
        """Build the client; nothing is called yet."""
        token = settings.token.get_secret_value()
        self._settings = settings
        self._calls = 0
        self._headers = httpx.Headers()
        self._http = _http.client(settings, headers={"Authorization": f"Bearer {token}"})
        self._http.event_hooks = {**self._http.event_hooks, "response": [self._note]}

    @classmethod
    def open(cls, settings: SurveyMonkeySettings) -> Self:
        """Build a fresh client."""
        return cls(settings)

    def close(self) -> None:
        """Give back connections."""
        self._http.close()

    def check(self) -> AccessReport:
        """Compare the scopes that the account granted, and that its plan still has, with those needed."""
        me = self._ask("check", "GET", "/v3/users/me")
        granted, available = self._scopes("Granted"), self._scopes("Available")
        missing = sorted(_SCOPES - (granted & available))
        notes = [f"{scope}: not in the account's plan" for scope in missing if scope not in available]
        left = self._left("Day")
        notes += [] if math.isinf(left) else [f"calls left today: {left:.0f}"]
        return AccessReport(
            account=str(me["id"]), granted=tuple(sorted(granted)), missing=tuple(missing), notes=tuple(notes)
        )

    def find(self, subject: Subject, bookmark: str = "") -> Findings:
        """Search contacts, then every survey by address, then the answers given through web links.

        When the app's calls run short the findings so far come back unfinished. A page is read again where a scan
        goes on, so a record may be found twice.
        """
        hits = Hits(subject)
        if not subject.emails:
            return hits.findings()
        start = _place("find", bookmark, _SEARCH)
        before = self._calls - start.calls
        stages = _SEARCH if self._settings.scan else (Stage.ADDRESSES,)
        if not self._settings.scan:
            hits.doubts.add("web_link_answers_not_scanned")
        if not bookmark:
            self._contacts(hits)
        walk = self._walk(hits, start, stages)
        return hits.findings(until_cut(walk, start, lambda here: self._our_share(here, self._calls - before)))

    def erase(self, record: Record) -> Receipt:
        """Delete one response, recipient or contact by its id."""
        answer = self._send("erase", "DELETE", _url(record), gone=_GONE)
        return Receipt(record=record, effect=Effect.ALREADY_GONE if answer is None else Effect.ERASED)

    def state(self, record: Record) -> NoReturn:
        """Raise Rejected: the vendor has no restriction for any kind."""
        del record
        raise Rejected(NAME, "restrict", code="cannot_be_restricted")

    def restrict(self, record: Record) -> NoReturn:
        """Raise Rejected: "optout" can be read but not set by API, and it would only stop invitations."""
        self.state(record)

    def lift(self, record: Record, earlier: Mapping[str, Any]) -> NoReturn:
        """Raise Rejected: there is nothing to lift."""
        del earlier
        self.state(record)

    def confirm(self, receipt: Receipt) -> Receipt:
        """Everything here is done at once."""
        return receipt

    def verify(self, subject: Subject, records: Sequence[Record], bookmark: str = "") -> Verification:
        """Prove the token, search again by every address, and ask for each treated record by its id.

        The scan of typed answers is not repeated: it would take the same days again, and what it had found is
        asked for by id. Many surveys take more calls than a minute allows: the re-read then comes back unfinished.
        """
        self._ask("verify", "GET", "/v3/users/me")
        start = _place("verify", bookmark, _REREAD)
        hits = Hits(subject)
        if not bookmark:
            self._contacts(hits)
        cut = until_cut(self._again(hits, start, records), start, self._spent)
        remaining = tuple(hits.records.values())
        if cut:
            return Verification(verdict=Verdict.NOT_YET, remaining=remaining, unfinished=cut)
        verdict = Verdict.STILL_THERE if remaining else Verdict.CLEAN
        return Verification(verdict=verdict, evidence=EvidenceLevel.E3, remaining=remaining)

    def _contacts(self, hits: Hits) -> None:
        for address, status in itertools.product(hits.subject.emails, _STATUSES):
            asked = {"search_by": "email", "search": address, "status": status, "per_page": _PAGE}
            for contact in self._pages("/v3/contacts", asked):
                if hits.subject.is_email(contact.get("email")):
                    hits.add("contact", contact["id"])

    def _surveys(self) -> list[int]:
        """Return the ids in an order of their own: the vendor's changes whenever somebody edits a survey."""
        surveys = self._pages("/v3/surveys", {"per_page": _PAGE})
        return sorted({int(_http.checked(survey["id"], _ID)) for survey in surveys})

    def _walk(self, hits: Hits, start: Place, stages: Iterable[Stage]) -> Iterator[Place]:
        """Work through the surveys; yields each place before the work there, so that a search can stop between."""
        for place in itertools.starmap(Place, itertools.product(stages, self._surveys())):
            if place.is_before(start):
                continue
            here = place if start.is_before(place) else start
            yield here
            if here.stage is Stage.ADDRESSES:
                self._by_address(hits, here.number)
            else:
                yield from self._by_answers(hits, here)

    def _again(self, hits: Hits, start: Place, records: Iterable[Record]) -> Iterator[Place]:
        """Work through the surveys by address and then through the treated records; yields like `_walk`."""
        if start.stage is Stage.ADDRESSES:
            yield from self._walk(hits, start, (Stage.ADDRESSES,))
        for number, record in sorted(((int(_http.checked(one.id, _ID)), one) for one in records), key=itemgetter(0)):
            here = Place(Stage.RECORDS, number)
            if not here.is_before(start):
                yield here
                if self._exists(record):
                    hits.records[record.kind, record.id] = record

    def _by_address(self, hits: Hits, survey: int) -> None:
        """Search one survey's recipients, and the responses that the vendor knows to be theirs."""
        for collector in self._collectors(hits, survey):
            self._recipients(hits, survey, collector)
        for address in hits.subject.emails:
            asked = {"email": address, "per_page": _BULK_PAGE}
            for response in self._pages(f"/v3/surveys/{survey}/responses/bulk", asked, gone=_GONE):
                owner = response.get("email_address")
                if hits.subject.is_email(owner) or ("recipient", response.get("recipient_id")) in hits.records:
                    hits.add_response(response)
                elif not owner:
                    hits.doubts.add("response_without_comparable_address")

    def _recipients(self, hits: Hits, survey: int, collector: Mapping[str, Any]) -> None:
        if collector.get("type") == "weblink":
            return  # it invites nobody, and a call is dear
        url = _http.path("v3", "collectors", collector["id"], "recipients")
        for recipient in self._pages(url, {"per_page": _PAGE}, gone=_GONE):
            if hits.subject.is_email(recipient.get("email")):
                hits.add("recipient", recipient["id"], survey=str(survey), collector=collector["id"])

    def _by_answers(self, hits: Hits, place: Place) -> Iterator[Place]:
        """Read every answer of a survey that can be answered without an invitation; yields before each page.

        Oldest first, so that new answers come at the end. Where a scan goes on, the page before is read again: an
        answer that was deleted meanwhile has moved all later ones up.
        """
        if all(collector.get("type") == "email" for collector in self._collectors(hits, place.number)):
            return
        asked = {"simple": "true", "sort_by": "date_modified", "sort_order": "ASC", "per_page": _BULK_PAGE}
        url = f"/v3/surveys/{place.number}/responses/bulk"
        for page in itertools.count(max(place.page - 1, 1)):
            yield replace(place, page=max(page, place.page))
            responses, more = self._page(url, {**asked, "page": page}, gone=_GONE)
            for response in responses:
                hits.compare(response)
            if not more:
                return

    def _collectors(self, hits: Hits, survey: int) -> list[dict[str, Any]]:
        if survey not in hits.collectors:
            asked = {"include": "type", "per_page": _PAGE}
            hits.collectors[survey] = list(self._pages(f"/v3/surveys/{survey}/collectors", asked, gone=_GONE))
        return hits.collectors[survey]

    def _exists(self, record: Record) -> bool:
        return self._ask("verify", "GET", _url(record), gone=_GONE) is not None

    def _our_share(self, here: Place, calls: int) -> Unfinished | None:
        """Tell whether a search must go on another time: its share of the day or the app's minute is used up."""
        if calls >= self._settings.scan_calls_per_day or self._left("Day") <= self._settings.scan_reserve:
            return here.unfinished(0, self._reset("Day"))
        return self._spent(here, calls)

    def _spent(self, here: Place, calls: int = 0) -> Unfinished | None:
        """Tell whether the app's day or minute is used up."""
        spent = (window for window in ("Day", "Minute") if self._left(window) < 1)
        return next((here.unfinished(calls, self._reset(window)) for window in spent), None)

    def _note(self, response: httpx.Response) -> None:
        """Keep what the vendor says about scopes and limits beside each answer, good or bad."""
        self._calls += 1
        self._headers = response.headers

    def _scopes(self, which: str) -> frozenset[str]:
        return frozenset(re.findall(r"\w+", self._headers.get(f"X-OAuth-Scopes-{which}", "")))

    def _left(self, window: str) -> float:
        try:
            return float(self._headers[f"X-Ratelimit-App-Global-{window}-Remaining"])
        except (KeyError, ValueError):
            return math.inf

    def _reset(self, window: str) -> timedelta:
        """Return the time until a limit starts anew: the vendor's word, or the next minute or 00:00 GMT."""
        named = _http.retry_after(self._headers.get(f"X-Ratelimit-App-Global-{window}-Reset"))
        if window == "Minute":
            return named or timedelta(minutes=1)
        now = datetime.now(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return named or midnight - now

    def _pages(self, url: str, asked: Mapping[str, Any], gone: frozenset[str] = _NEVER) -> Iterator[dict[str, Any]]:
        for page in itertools.count(1):
            data, more = self._page(url, {**asked, "page": page}, gone)
            yield from data
            if not more:
                return

    def _page(self, url: str, asked: Mapping[str, Any], gone: frozenset[str]) -> tuple[list[dict[str, Any]], bool]:
        """Return one page, and whether another follows; a survey or collector deleted meanwhile has none."""
        body = self._ask("find", "GET", url, gone=gone, params=asked)
        if body is None:
            return [], False
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            raise TryLater(NAME, "find", 200, "not_a_page")
        # The link is not followed: it names a host, and the token would go there.
        return body["data"], bool(body["data"]) and "next" in body.get("links", {})

    def _ask(self, operation: str, method: str, url: str, **options: Any) -> Any:  # noqa: ANN401
        response = self._send(operation, method, url, **options)
        return None if response is None else _http.read_json(_DIALECT, operation, response)

    def _send(self, operation: str, method: str, url: str, **options: Any) -> httpx.Response | None:
        """Make one call; adds the vendor's own wait to a 429, and tells a deleted account from a deleted record."""
        try:
            return _http.send(self._http, _DIALECT, operation, method, url, **options)
        except TryLater as late:
            wait = late.retry_after
            if late.status == httpx.codes.TOO_MANY_REQUESTS:
                spent = (window for window in ("Day", "Minute") if self._left(window) < 1)
                wait = next(map(self._reset, spent), wait)
            raise TryLater(NAME, operation, late.status, late.code, wait) from None
        except Rejected as refused:
            if refused.code in _OWN_USER_GONE:
                raise AccessRefused(NAME, operation, refused.status, refused.code) from None
            raise


def _place(operation: str, bookmark: str, stages: Container[Stage]) -> Place:
    try:
        return Place.read(bookmark, stages)
    except ValueError:
        raise Rejected(NAME, operation, code="unknown_bookmark") from None


def _url(record: Record) -> str:
    """Return where a record stands. Without its id the same path would name every response of a collector."""
    parent = _PARENTS[record.kind]
    above = (f"{parent}s", _http.checked(record.locator.get(parent), _ID)) if parent else ()
    return _http.path("v3", *above, f"{record.kind}s", _http.checked(record.id, _ID))
