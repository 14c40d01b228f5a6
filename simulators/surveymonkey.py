"""The pretend SurveyMonkey, API v3.

Traps kept: contacts are searched among the active ones only unless a status is named, and a search matches parts
of an address; `email` on responses knows invited recipients only; recipients have no filter; pages are 50 by
default and cut to the most allowed; deleting a collector's responses without an id deletes all of them; a deleted
account is a 404 too; a host of another region is a 403; limits per minute and per day are enforced at once
(the vendor lets three overruns pass).
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import _frame

SCOPES = frozenset(
    {
        "collectors_read",
        "collectors_write",
        "contacts_read",
        "contacts_write",
        "responses_read",
        "responses_read_detail",
        "responses_write",
        "surveys_read",
        "surveys_write",
        "users_read",
    }
)
_ERRORS = {
    "1003": (400, "Bad Request"),
    "1010": (401, "Authorization Error"),
    "1011": (401, "Authorization Error"),
    "1014": (403, "Permission Error"),
    "1015": (403, "Permission Error"),
    "1018": (403, "Permission Error"),
    "1020": (404, "Resource Not Found"),
    "1025": (409, "Resource Conflict"),
    "1030": (413, "Request Entity Too Large"),
    "1040": (429, "Rate limit reached"),
    "1050": (500, "Internal Server Error"),
    "1051": (503, "Internal Server Error"),
    "1052": (404, "User Soft Deleted"),
    "1053": (410, "User Deleted"),
    "1054": (502, "Bad Gateway Error"),
}
_BY_STATUS = {401: "1011", 403: "1014", 404: "1020", 410: "1053"} | {
    status: code for code, (status, _) in _ERRORS.items() if status not in {401, 403, 404, 410}
}
_MINUTE, _DAY = 60, 86_400
_DOCS = "https://developer.surveymonkey.com/api/v3/#error-codes"

Row = dict[str, Any]
Handler = Callable[[Request], Response]


@dataclass
class State:
    """Everything the account holds, by id."""

    contacts: dict[str, Row] = field(default_factory=dict)
    surveys: dict[str, Row] = field(default_factory=dict)
    collectors: dict[str, Row] = field(default_factory=dict)
    recipients: dict[str, Row] = field(default_factory=dict)
    responses: dict[str, Row] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: itertools.count(401_001))


class SurveyMonkey:
    """Contacts, surveys with their collectors, recipients of e-mail collectors, and responses."""

    name = "surveymonkey"

    def __init__(self) -> None:
        """Start empty."""
        self.credentials = {"token": "private-app-token"}
        self.reset()

    def reset(self) -> None:
        """Forget everything; limits are generous until a test or the demo tightens them."""
        self.state, self.jobs, self.clock = State(), "", _frame.Clock()
        self.per_minute, self.per_day = 1_000_000, 10_000_000
        self.granted = self.available = SCOPES
        self.host = ""  # the only host that serves this account's region; "" is any
        self.shows_address = True  # whether lists of responses carry the recipient's address beside its id
        self.account_error = ""  # "1052" or "1053" once our own user was deleted
        self._used: Counter[tuple[str, int]] = Counter()

    def routes(self) -> list[BaseRoute]:
        """Return the vendor's routes, each method with the scope it needs."""
        survey, collector = "/v3/surveys/{survey}", "/v3/collectors/{collector}"
        return [
            self._at("/v3/users/me", GET=("users_read", self._me)),
            self._at("/v3/contacts", GET=("contacts_read", self._contacts)),
            self._by_id("/v3/contacts/{id}", "contacts"),
            self._at("/v3/surveys", GET=("surveys_read", self._surveys)),
            self._at(f"{survey}/collectors", GET=("collectors_read", self._collectors)),
            self._at(f"{survey}/responses/bulk", GET=("responses_read_detail", self._bulk)),
            self._by_id(f"{survey}/responses/{{id}}", "responses"),
            self._at(f"{collector}/recipients", GET=("collectors_read", self._recipients)),
            self._by_id(f"{collector}/recipients/{{id}}", "collectors"),
            self._at(f"{collector}/responses", DELETE=("responses_write", self._wipe)),
            self._at(f"{collector}/responses/", DELETE=("responses_write", self._wipe)),
            self._at("/v3/{rest:path}", GET=("", self._unknown), DELETE=("", self._unknown)),
        ]

    def seed(self, person: _frame.Person) -> None:
        """Store contacts of every status, an invitation with its answer, and answers given through a web link.

        Everybody shares one survey with an e-mail and a web-link collector.
        """
        if not self.state.surveys:
            self.add_survey("email", "weblink")
        mailed, linked = sorted(self.state.collectors)[:2]
        for address, status in zip(itertools.cycle(person.emails), ("optout", "bounced"), strict=False):
            self.add_contact(person, address.upper(), status)
        if len(person.emails) > 1:
            self.add_contact(person, person.emails[1], "active")
        recipient = self.add_recipient(mailed, person)
        self.add_response(mailed, "Very content", recipient=recipient)
        self.add_response(linked, person.emails[-1].upper())
        self.add_response(linked, "Rather content", custom_variables={"m": person.email}, custom_value="spring")
        self.add_response(linked, "Not content", custom_value=person.email)

    def holdings(self, person: _frame.Person) -> dict[str, Any]:
        """Return every row in which one of the addresses stands, in whatever case."""
        own = {address.lower() for address in person.emails}
        tables = (self.state.contacts, self.state.recipients, self.state.responses)
        held: dict[str, Any] = {}
        for kind, table in zip(("contact", "recipient", "response"), tables, strict=True):
            for row in table.values():
                if own & {text.lower() for text in _texts(row)}:
                    held[f"{kind}:{row['id']}"] = copy.deepcopy(row)
        return held

    def refusal(self, status: int, headers: dict[str, str]) -> Response:
        """Return the vendor's error for a status."""
        return _error(_BY_STATUS.get(status, "1050"), headers, status)

    def add_contact(self, person: _frame.Person, address: str, status: str) -> str:
        """Store a contact in the address book."""
        return self._add(
            self.state.contacts,
            email=address,
            first_name=person.first_name,
            last_name=person.last_name,
            status=status,
        )

    def add_survey(self, *types: str) -> str:
        """Store a survey with one collector of each type."""
        survey = self._add(self.state.surveys, title="Community survey", touched=next(self.state.ids))
        for kind in types:
            self._add(self.state.collectors, survey=survey, type=kind, name=f"By {kind}")
        return survey

    def add_recipient(self, collector: str, person: _frame.Person) -> str:
        """Invite a person through an e-mail collector."""
        return self._add(self.state.recipients, collector=collector, email=person.email)

    def add_response(self, collector: str, text: str, recipient: str = "", **more: Any) -> str:
        """Store an answer; of a recipient it carries the invited address."""
        survey = self.state.collectors[collector]["survey"]
        self.state.surveys[survey]["touched"] = next(self.state.ids)
        answers = [{"choice_id": "11"}, {"text": text, "tag_data": []}]
        row = {
            "recipient_id": recipient,
            "email_address": self.state.recipients[recipient]["email"] if recipient else "",
            "custom_value": "",
            "custom_variables": {},
            "pages": [{"id": "1", "questions": [{"id": "2", "answers": answers}]}],
            **more,
        }
        return self._add(self.state.responses, survey=survey, collector=collector, **row)

    def _add(self, table: dict[str, Row], **row: Any) -> str:
        number = str(next(self.state.ids))
        table[number] = {"id": number, **row}
        return number

    def _by_id(self, path: str, scope: str) -> Route:
        return self._at(path, GET=(f"{scope}_read", self._one), DELETE=(f"{scope}_write", self._drop))

    def _at(self, path: str, **methods: tuple[str, Handler]) -> Route:
        async def endpoint(request: Request) -> Response:
            scope, handler = methods["GET" if request.method == "HEAD" else request.method]
            refused = self._refused(request, scope)
            answer = _error(refused) if refused else handler(request)
            answer.headers.update(self._headers())
            return answer

        return Route(path, endpoint, methods=list(methods))

    def _refused(self, request: Request, scope: str) -> str:
        """Return the error id of what stands in the way, or "" and count the call."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            return "1010"
        if scheme.lower() != "bearer" or token != self.credentials["token"]:
            return "1011"
        if self.account_error:
            return self.account_error
        if self.host and request.url.hostname != self.host:
            return "1018"
        if any(left < 1 for left in self._left().values()):
            return "1040"
        self._used.update(self._windows())
        if scope and scope not in self.available:
            return "1015"
        return "1014" if scope and scope not in self.granted else ""

    def _windows(self) -> list[tuple[str, int]]:
        """Return the running minute and day of the vendor's clock; a day starts at 00:00 GMT."""
        now = int(self.clock.now())
        return [("Minute", now // _MINUTE), ("Day", now // _DAY)]

    def _left(self) -> dict[str, int]:
        limits = {"Minute": self.per_minute, "Day": self.per_day}
        return {window[0]: limits[window[0]] - self._used[window] for window in self._windows()}

    def _headers(self) -> dict[str, str]:
        """Return the scopes, and the limits with the seconds until each starts anew."""
        now, limits = int(self.clock.now()), {"Minute": (self.per_minute, _MINUTE), "Day": (self.per_day, _DAY)}
        said = {"X-OAuth-Scopes-Granted": ",".join(sorted(self.granted))}
        said["X-OAuth-Scopes-Available"] = ",".join(sorted(self.available))
        for window, left in self._left().items():
            limit, seconds = limits[window]
            name = f"X-Ratelimit-App-Global-{window}"
            said |= {f"{name}-Limit": str(limit), f"{name}-Remaining": str(max(left, 0))}
            said[f"{name}-Reset"] = str(seconds - now % seconds)
        return said

    def _me(self, _: Request) -> Response:
        scopes = {"available": sorted(self.available), "granted": sorted(self.granted)}
        return JSONResponse({"id": "1001", "username": "foundation", "account_type": "enterprise", "scopes": scopes})

    def _contacts(self, request: Request) -> Response:
        asked = request.query_params
        wanted, name = asked.get("search", "").lower(), asked.get("search_by", "email")
        status = asked.get("status", "active")  # so that opted-out and bounced contacts stay hidden
        rows = self.state.contacts.values()
        found = [row for row in rows if row["status"] == status and wanted in str(row.get(name, "")).lower()]
        return _list(request, ({key: row[key] for key in ("id", "email", "first_name", "last_name")} for row in found))

    def _surveys(self, request: Request) -> Response:
        """List the surveys, last touched first: the order changes while people answer."""
        rows = sorted(self.state.surveys.values(), key=lambda row: -row["touched"])
        return _list(request, ({"id": row["id"], "title": row["title"], "nickname": ""} for row in rows))

    def _collectors(self, request: Request) -> Response:
        survey = request.path_params["survey"]
        if survey not in self.state.surveys:
            return _error("1020")
        shown = ["id", "name", *request.query_params.get("include", "").split(",")]
        rows = (row for row in self.state.collectors.values() if row["survey"] == survey)
        return _list(request, ({key: row[key] for key in shown if key in row} for row in rows))

    def _recipients(self, request: Request) -> Response:
        """List all recipients: an e-mail filter is not documented, so it is not heard."""
        collector = request.path_params["collector"]
        if collector not in self.state.collectors:
            return _error("1020")
        rows = (row for row in self.state.recipients.values() if row["collector"] == collector)
        return _list(request, ({"id": row["id"], "email": row["email"]} for row in rows))

    def _bulk(self, request: Request) -> Response:
        """List responses with their answers; `email` is the address of the recipient, never of the answer."""
        survey, wanted = request.path_params["survey"], request.query_params.get("email", "").lower()
        if survey not in self.state.surveys:
            return _error("1020")
        rows = [row for row in self.state.responses.values() if row["survey"] == survey]
        rows = [row for row in rows if not wanted or wanted in row["email_address"].lower()]
        if request.query_params.get("sort_order") != "ASC":
            rows.reverse()
        hidden = {"survey", "collector"} | (set() if self.shows_address else {"email_address"})
        return _list(request, (_shown(row, hidden) for row in rows), most=100)

    def _row(self, request: Request) -> tuple[dict[str, Row], Row] | None:
        """Return the table and the row that a path names; its parent must be the row's own."""
        kind = request.url.path.rsplit("/", 2)[-2]
        table: dict[str, Row] = getattr(self.state, kind)
        row = table.get(request.path_params["id"])
        parents = {key: value for key, value in request.path_params.items() if key != "id"}
        return (table, row) if row and parents.items() <= row.items() else None

    def _one(self, request: Request) -> Response:
        found = self._row(request)
        return JSONResponse({**found[1], "href": str(request.url)}) if found else _error("1020")

    def _drop(self, request: Request) -> Response:
        found = self._row(request)
        if not found:
            return _error("1020")
        table, row = found
        del table[row["id"]]
        return JSONResponse({"id": row["id"], "href": str(request.url)})

    def _wipe(self, request: Request) -> Response:
        """Delete every response of a collector: what is left of a deletion whose id is missing."""
        doomed = [r for r in self.state.responses.values() if r["collector"] == request.path_params["collector"]]
        for row in doomed:
            del self.state.responses[row["id"]]
        return JSONResponse({})

    def _unknown(self, _: Request) -> Response:
        return _error("1020")


def _error(code: str, headers: dict[str, str] | None = None, status: int = 0) -> Response:
    usual, name = _ERRORS[code]
    status = status or usual
    error = {"id": code, "name": name, "message": "Look at the docs.", "docs": _DOCS, "http_status_code": status}
    return JSONResponse({"error": error}, status, headers)


def _list(request: Request, rows: Iterable[Row], most: int = 1000) -> Response:
    """Return one page; more than the most is cut down to it without a word."""
    try:
        page = int(request.query_params.get("page", 1))
        size = min(int(request.query_params.get("per_page", 50)), most)
    except ValueError:
        return _error("1003")
    if page < 1 or size < 1:
        return _error("1003")
    every = list(rows)
    links = {"self": str(request.url.include_query_params(page=page, per_page=size))}
    if page * size < len(every):
        links["next"] = str(request.url.include_query_params(page=page + 1, per_page=size))
    data = every[(page - 1) * size : page * size]
    return JSONResponse({"data": data, "page": page, "per_page": size, "total": len(every), "links": links})


def _shown(row: Row, hidden: set[str]) -> Row:
    """Return a response as the API words it; ids grow, and stand for the time of the answer."""
    told = {key: value for key, value in row.items() if key not in hidden}
    date = datetime.fromtimestamp(1_700_000_000 + int(row["id"]), UTC).isoformat()
    return {**told, "survey_id": row["survey"], "collector_id": row["collector"], "date_modified": date}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
