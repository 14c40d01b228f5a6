"""The pretend Salesforce: OAuth, REST, and the one SOAP call that empties the recycle bin.

Traps kept: a delete answers 200 even for what it refused, and only moves to the bin; `query` hides the bin and
archived activities; purged rows stay in `queryAll` for a day; what a cascade took cannot be purged by itself;
a Person Account shows up as a Contact too; a contact with cases cannot be deleted; field rights hide fields;
ids come with 15 or 18 characters and their letters' case counts; the daily budget ends in a 403.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import _frame
from simulators import _salesforce_soql as soql

_DAY = 86_400
_MAX_IDS = 200
_MAX_HEAD = 16_384  # bytes of URL and headers
_OLDEST = 31.0  # 21 to 30 are retired
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_AUDIENCES = {"https://login.salesforce.com", "https://test.salesforce.com"}
_ID_SHAPE = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_PREFIX = {
    "Account": "001",
    "CampaignMember": "00v",
    "Case": "500",
    "Contact": "003",
    "EmailMessage": "02s",
    "EmailMessageRelation": "0CX",  # stands in; nothing looks at this one
    "Event": "00U",
    "Individual": "0PK",
    "Lead": "00Q",
    "Task": "00T",
}
_FLAGS = ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall")
_INDIVIDUAL_FLAGS = tuple(f"HasOptedOut{what}" for what in ("Processing", "Profiling", "Solicit", "Tracking"))
# Fields by type, as "name" or "name:type"; a string, or a reference when the name ends in Id, unless it says more.
_SCHEMA: dict[str, str] = {
    "Account": "Name FirstName LastName PersonEmail:email MasterRecordId IsPersonAccount:boolean PersonIndividualId "
    "PersonContactId " + " ".join(f"Person{flag}:boolean" for flag in _FLAGS),
    "CampaignMember": "ContactId LeadId Status",
    "Case": "ContactId SuppliedEmail:email SuppliedName Subject Status",
    "Contact": "FirstName LastName Email:email Alt_Email__c:email Manager_Email__c:email AccountId IndividualId "
    "MasterRecordId IsPersonAccount:boolean " + " ".join(f"{flag}:boolean" for flag in _FLAGS),
    "EmailMessage": "FromAddress:email ToAddress CcAddress BccAddress ParentId RelatedToId Subject Status",
    "EmailMessageRelation": "EmailMessageId RelationId RelationAddress",
    "Event": "WhoId WhatId Subject IsArchived:boolean",
    "Individual": "FirstName LastName ShouldForget:boolean HasOptedOutGeoTracking:boolean "
    + " ".join(f"{flag}:boolean" for flag in _INDIVIDUAL_FLAGS),
    "Lead": "FirstName LastName Company Email:email IndividualId MasterRecordId ConvertedContactId "
    "IsConverted:boolean " + " ".join(f"{flag}:boolean" for flag in _FLAGS),
    "Task": "WhoId WhatId Subject IsArchived:boolean",
}
# What a delete of the parent takes along: child type, and the field that points to the parent.
_CASCADES = {
    "Account": (("Contact", "AccountId"), ("Task", "WhatId"), ("Event", "WhatId")),
    "Case": (("EmailMessage", "ParentId"), ("Task", "WhatId"), ("Event", "WhatId")),
    "Contact": (("CampaignMember", "ContactId"), ("Task", "WhoId"), ("Event", "WhoId")),
    "EmailMessage": (("EmailMessageRelation", "EmailMessageId"),),
    "Lead": (("CampaignMember", "LeadId"), ("Task", "WhoId"), ("Event", "WhoId")),
}
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"


def fields_of(kind: str) -> dict[str, str]:
    """Return a type's fields and their types."""
    named = dict(part.partition(":")[::2] for part in _SCHEMA[kind].split())
    typed = {name: said or ("reference" if name.endswith("Id") else "string") for name, said in named.items()}
    return {"Id": "id", "IsDeleted": "boolean", **typed}


@dataclass
class Row:
    """One record; `root` is the id whose deletion took it along."""

    kind: str
    cells: dict[str, Any]
    owner: tuple[str, ...] = ()
    root: str = ""
    purged_at: float | None = None

    @property
    def in_bin(self) -> bool:
        """Tell whether it lies in the recycle bin."""
        return bool(self.cells["IsDeleted"]) and self.purged_at is None


@dataclass
class State:
    """All rows by id; `refusals` are error codes that deleting an id meets; `cursors` are open result lists."""

    rows: dict[str, Row] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    next_id: int = 1


class Salesforce:
    """An org with Person Accounts, Individuals, campaigns, cases and e-mail."""

    name = "salesforce"

    def __init__(self) -> None:
        """Start empty."""
        self.credentials = {"client_id": "3MVG9pretend", "client_secret": "pretend-consumer-secret"}
        self.username = "dsr@integration.example"
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.state, self.jobs, self.clock = State(), "", _frame.Clock()
        self.page_rows, self.page_place = 2000, "/services/data/v64.0/query/"
        self.calls_left = 100_000
        self.hidden: set[str] = set()  # "Type" or "Type.Field" that the user has no right to see
        self.undeletable: set[str] = set()  # types without the right to delete
        # Not in `state`: a lagging read replica still knows today's sessions.
        self._sessions: set[str] = set()

    def routes(self) -> list[BaseRoute]:
        """Return the routes of OAuth, REST and SOAP; everything else is the vendor's own 404."""
        data = "/services/data/v{version:float}"
        return [
            Route("/services/oauth2/token", self._token, methods=["POST"]),
            Route(data + "/sobjects/{kind}/describe", self._rest(self._describe), methods=["GET"]),
            Route(data + "/sobjects/{kind}/{id}", self._rest(self._record), methods=["GET", "PATCH"]),
            Route(data + "/query/{cursor}", self._rest(self._more), methods=["GET"]),
            Route(data + "/queryAll/{cursor}", self._rest(self._more), methods=["GET"]),
            Route(data + "/{verb:path}", self._rest(self._verb), methods=["GET", "DELETE"]),
            Route("/services/Soap/u/{version}", self._soap, methods=["POST"]),
            Route("/{anything:path}", self._nowhere, methods=["GET", "POST", "PATCH", "PUT", "DELETE"]),
        ]

    def seed(self, person: _frame.Person) -> None:
        """Store a person as Individual, Contacts, Lead and Person Account, with all that hangs on them."""
        first, last = person.emails[0], person.emails[-1]
        name = {"FirstName": person.first_name, "LastName": person.last_name}
        employer = self.add("Account", Name="Example Org")  # nobody's: the connector must leave it
        individual = self.add("Individual", person, **name)
        contact = self.add(
            "Contact", person, **name, Email=first, AccountId=employer, IndividualId=individual, DoNotCall=True
        )
        # A merge leaves the loser in the bin under its own address.
        self.add("Contact", person, **name, Email=last, IsDeleted=True, MasterRecordId=contact)
        self.add("Contact", person, **name, Alt_Email__c=first)
        lead = self.add("Lead", person, **name, Company="Example Org", Email=last)
        account = self.add("Account", person, **name, Name=person.name, PersonEmail=first, IsPersonAccount=True)
        half = self.add("Contact", person, **name, Email=first, AccountId=account, IsPersonAccount=True)
        self.state.rows[account].cells["PersonContactId"] = half
        self.add("CampaignMember", person, ContactId=contact, Status="Sent")
        self.add("CampaignMember", person, LeadId=lead, Status="Responded")
        self.add("Task", person, WhoId=half, Subject="Call back", IsArchived=True)
        self.add("Event", person, WhoId=lead, Subject="Booth talk", IsArchived=True)
        self.add("Case", person, ContactId=contact, Subject="Badge", Status="New")
        case = self.add("Case", person, SuppliedEmail=first.title(), SuppliedName=person.name, Status="Closed")
        self.add("EmailMessage", person, ParentId=case, FromAddress=first, Status="1")
        self.add("EmailMessage", person, ToAddress=f"desk@example.com; {last}", Status="3")
        related = self.add("EmailMessage", person, FromAddress="desk@example.com", Status="3")
        self.add("EmailMessageRelation", person, EmailMessageId=related, RelationId=contact)

    def add(self, kind: str, person: _frame.Person | None = None, **cells: Any) -> str:
        """Store one row and return its id."""
        number, signs = self.state.next_id, ""
        self.state.next_id += 1
        while number:
            number, digit = divmod(number, 62)
            signs = _DIGITS[digit] + signs
        row_id = soql.id18(_PREFIX[kind] + signs.rjust(12, "0"))
        empty = {name: False if type_ == "boolean" else None for name, type_ in fields_of(kind).items()}
        owner = person.emails if person else ()
        self.state.rows[row_id] = Row(kind, {**empty, **cells, "Id": row_id}, owner)
        return row_id

    def holdings(self, person: _frame.Person) -> dict[str, Any]:
        """Return every row that was stored for the person and is not purged, those in the bin included."""
        return {
            f"{row.kind}:{row_id}": dict(row.cells)
            for row_id, row in self.state.rows.items()
            if set(row.owner) & set(person.emails) and row.purged_at is None
        }

    def refusal(self, status: int, headers: dict[str, str]) -> Response:
        """Return the REST error shape: a list."""
        codes = {
            401: "INVALID_SESSION_ID",
            403: "API_DISABLED_FOR_ORG",
            404: "NOT_FOUND",
            429: "TOO_MANY_REQUESTS",
            503: "SERVER_UNAVAILABLE",
        }
        return _error(status, codes.get(status, "UNKNOWN_EXCEPTION"), headers)

    async def _nowhere(self, _: Request) -> Response:
        return self.refusal(404, {})

    # OAuth

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        grants: dict[str, Callable[[dict[str, str]], str]] = {
            "client_credentials": self._client_error,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._assertion_error,
        }
        known = grants.get(form.get("grant_type", ""))
        if error := known(form) if known else "unsupported_grant_type":
            # OAuth errors have a shape of their own, unlike REST's list.
            return JSONResponse({"error": error, "error_description": "authentication failure"}, 400)
        token = f"00D5f0000001!{len(self._sessions)}.pretend"
        self._sessions.add(token)
        instance = f"{request.url.scheme}://{request.url.netloc}"
        return JSONResponse({"access_token": token, "instance_url": instance, "token_type": "Bearer"})

    def _client_error(self, form: dict[str, str]) -> str:
        given = {name: form.get(name) for name in ("client_id", "client_secret")}
        return "" if given == self.credentials else "invalid_client"

    def _assertion_error(self, form: dict[str, str]) -> str:
        """Judge the claims; the signature is not checked here."""
        try:
            claims = json.loads(base64.urlsafe_b64decode(form["assertion"].split(".")[1] + "=="))
            lasts = claims["exp"] - self.clock.now()
            known = (claims["iss"], claims["sub"]) == (self.credentials["client_id"], self.username)
        except (ValueError, LookupError):
            return "invalid_grant"
        return "" if known and claims["aud"] in _AUDIENCES and 0 < lasts <= 181 else "invalid_grant"

    # REST

    def _rest(self, answer: Callable[[Request, Any], Response]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            head = len(str(request.url)) + sum(len(k) + len(v) for k, v in request.headers.raw)
            if head > _MAX_HEAD:
                return _error(414, "URI_TOO_LONG")
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self._sessions:
                return self.refusal(401, {})
            if self.calls_left <= 0:  # a 403, without Retry-After
                return _error(403, "REQUEST_LIMIT_EXCEEDED")
            if request.path_params["version"] < _OLDEST:
                return _error(410, "UNSUPPORTED_API_VERSION")
            self.calls_left -= 1
            response = answer(request, await _frame.body_of(request) if request.method == "PATCH" else None)
            response.headers["Sforce-Limit-Info"] = f"api-usage={100_000 - self.calls_left}/100000"
            return response

        return endpoint

    def _describe(self, request: Request, _: Any) -> Response:  # noqa: ANN401 -- no body
        kind = request.path_params["kind"]
        if kind not in _SCHEMA or kind in self.hidden:
            return self.refusal(404, {})
        fields = [
            {
                "name": name,
                "type": type_,
                "filterable": True,
                "custom": name.endswith("__c"),
                "updateable": name not in {"Id", "IsDeleted"},
            }
            for name, type_ in self._visible(kind).items()
        ]
        allowed = kind not in self.undeletable
        return JSONResponse(
            {"name": kind, "queryable": True, "deletable": allowed, "updateable": True, "fields": fields}
        )

    def _visible(self, kind: str) -> dict[str, str]:
        return {name: type_ for name, type_ in fields_of(kind).items() if f"{kind}.{name}" not in self.hidden}

    def _record(self, request: Request, body: Any) -> Response:  # noqa: ANN401 -- JSON
        row = self._row(request.path_params["id"])
        if row is None or row.kind != request.path_params["kind"]:
            return self.refusal(404, {})
        if row.cells["IsDeleted"]:  # 404 also while it lies in the bin
            return _error(404, "ENTITY_IS_DELETED")
        if request.method == "GET":
            return JSONResponse(row.cells)
        if unknown := set(body) - set(self._visible(row.kind)):
            return _error(400, "INVALID_FIELD_FOR_INSERT_UPDATE", fields=sorted(unknown))
        if row.cells.get("IsConverted"):
            return _error(400, "CANNOT_UPDATE_CONVERTED_LEAD")
        row.cells.update(body)
        return Response(status_code=204)

    def _verb(self, request: Request, _: Any) -> Response:  # noqa: ANN401 -- no body
        method, verb = request.method, request.path_params["verb"].rstrip("/")
        if (method, verb) == ("DELETE", "composite/sobjects"):
            return self._delete(request.query_params.get("ids", "").split(","))
        if (method, verb) == ("GET", "limits"):
            return JSONResponse({"DailyApiRequests": {"Max": 100_000, "Remaining": self.calls_left}})
        if method == "GET" and verb in {"query", "queryAll"}:
            return self._query(request.query_params.get("q", ""), binned=verb == "queryAll")
        return self.refusal(404, {})

    def _query(self, text: str, *, binned: bool) -> Response:
        try:
            query = soql.parse(text)
        except soql.Malformed:
            return _error(400, "MALFORMED_QUERY")
        if query.type not in _SCHEMA or query.type in self.hidden:
            return _error(400, "INVALID_TYPE")
        if query.used() - set(self._visible(query.type)):  # field rights hide a field as if there were none
            return _error(400, "INVALID_FIELD")
        found = [
            {"attributes": {"type": row.kind}, **{name: row.cells[name] for name in query.fields}}
            for row in self._shown(query.type, binned=binned)
            if soql.matches(query.where, row.cells)
        ][: query.limit]
        return self._page(found, len(found))

    def _shown(self, kind: str, *, binned: bool) -> Iterator[Row]:
        for row in self.state.rows.values():
            if row.kind != kind or not self._exists(row):
                continue
            if binned or not (row.cells["IsDeleted"] or row.cells.get("IsArchived")):
                yield row

    def _exists(self, row: Row) -> bool:
        """Purged rows stay visible to queryAll for about 24 hours."""
        return row.purged_at is None or self.clock.now() < row.purged_at + _DAY

    def _page(self, found: list[dict[str, Any]], total: int) -> Response:
        body: dict[str, Any] = {"totalSize": total, "done": True, "records": found[: self.page_rows]}
        if rest := found[self.page_rows :]:
            cursor = f"01g{len(self.state.cursors):012d}-{total - len(rest)}"
            self.state.cursors[cursor] = rest
            body |= {"done": False, "nextRecordsUrl": self.page_place + cursor}
        return JSONResponse(body)

    def _more(self, request: Request, _: Any) -> Response:  # noqa: ANN401 -- no body
        rest = self.state.cursors.get(request.path_params["cursor"])
        return _error(404, "INVALID_QUERY_LOCATOR") if rest is None else self._page(rest, len(rest))

    def _row(self, row_id: str) -> Row | None:
        row = self.state.rows.get(soql.id18(row_id))
        return row if row and self._exists(row) else None

    def _delete(self, ids: list[str]) -> Response:
        if len(ids) > _MAX_IDS or not all(ids):
            return _error(400, "INVALID_BATCH_SIZE")
        results = []  # HTTP 200 whatever happened to each
        for row_id in ids:
            code = self._delete_one(row_id)
            errors = [{"statusCode": code, "message": "refused", "fields": []}] if code else []
            results.append({**({} if code else {"id": soql.id18(row_id)}), "success": not code, "errors": errors})
        return JSONResponse(results)

    def _delete_one(self, row_id: str) -> str:
        row = self._row(row_id)
        if not _ID_SHAPE.fullmatch(row_id):
            return "MALFORMED_ID"
        if row is None:
            return "INVALID_CROSS_REFERENCE_KEY"
        if row.cells["IsDeleted"]:
            return "ENTITY_IS_DELETED"
        if row.kind in self.undeletable:
            return "INSUFFICIENT_ACCESS_OR_READONLY"
        if code := self.state.refusals.get(row.cells["Id"]) or self._blocked(row):
            return code
        row.cells["IsDeleted"] = True
        for child in self._below(row):
            child.cells["IsDeleted"], child.root = True, row.cells["Id"]
        return ""

    def _blocked(self, row: Row) -> str:
        """A contact or account with cases cannot be deleted, nor the contact half of a Person Account."""
        people = {row.cells["Id"]} if row.kind == "Contact" else set()
        if row.kind == "Account":
            people = {
                r.cells["Id"] for r in self._shown("Contact", binned=False) if r.cells["AccountId"] == row.cells["Id"]
            }
        cases = (case for case in self._shown("Case", binned=False) if case.cells["ContactId"] in people)
        return "DELETE_FAILED" if any(cases) or (row.kind == "Contact" and row.cells["IsPersonAccount"]) else ""

    def _below(self, row: Row) -> Iterator[Row]:
        for kind, pointer in _CASCADES.get(row.kind, ()):
            for child in self.state.rows.values():
                if child.kind == kind and child.cells[pointer] == row.cells["Id"] and child.purged_at is None:
                    yield child
                    yield from self._below(child)

    # SOAP

    async def _soap(self, request: Request) -> Response:
        try:
            envelope = ET.fromstring(await request.body())  # noqa: S314 -- our own connector wrote it
        except ET.ParseError:
            return _fault("UNKNOWN_EXCEPTION")
        if envelope.findtext(f".//{{{_PARTNER}}}sessionId") not in self._sessions:
            return _fault("INVALID_SESSION_ID")
        if self.calls_left <= 0:
            return _fault("REQUEST_LIMIT_EXCEEDED")
        self.calls_left -= 1
        ids = [part.text or "" for part in envelope.iterfind(f".//{{{_PARTNER}}}emptyRecycleBin/{{{_PARTNER}}}ids")]
        if not 0 < len(ids) <= _MAX_IDS:
            return _fault("MISSING_ARGUMENT")
        results = "".join(_soap_result(row_id, self._purge(row_id)) for row_id in ids)
        return _xml(200, f'<emptyRecycleBinResponse xmlns="{_PARTNER}">{results}</emptyRecycleBinResponse>')

    def _purge(self, row_id: str) -> str:
        """Purge one row. The vendor says that these are errors, but not their codes: those are our guess."""
        row = self._row(row_id)
        if row is None or (row.purged_at is not None):
            return "ENTITY_IS_DELETED"
        if not row.in_bin:
            return "INVALID_ID_FIELD"
        if row.root:  # never the id of a record that a cascade took
            return "DELETE_FAILED"
        if code := self.state.refusals.get(row.cells["Id"]):
            return code
        for gone in (row, *self._below(row)):
            gone.purged_at = self.clock.now()
        return ""


def _error(status: int, code: str, headers: dict[str, str] | None = None, fields: Any = ()) -> Response:  # noqa: ANN401
    return JSONResponse([{"message": "refused", "errorCode": code, "fields": list(fields)}], status, headers)


def _xml(status: int, body: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}">'
    text += f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    return Response(text, status, media_type="text/xml")


def _fault(code: str) -> Response:
    """SOAP says every refusal with a 500 and a fault."""
    return _xml(
        500,
        f'<soapenv:Fault><faultcode xmlns:sf="urn:fault.partner.soap.sforce.com">sf:{code}</faultcode>'
        f"<faultstring>{code}: refused</faultstring></soapenv:Fault>",
    )


def _soap_result(row_id: str, code: str) -> str:
    errors = f"<errors><message>refused</message><statusCode>{code}</statusCode></errors>" if code else ""
    return f"<result>{errors}<id>{escape(row_id)}</id><success>{str(not code).lower()}</success></result>"
