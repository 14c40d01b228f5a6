"""The pretend Zendesk Support, API v2.

Traps kept: deleting is moving to a bin; `users/me` answers 200 to anybody; the user search matches longer addresses
and lags; `page[size]` switches the paging's dialect; jobs are forgotten after an hour and complete with failed items;
a requester of a ticket that is not closed cannot be deleted; a permanently deleted user leaves a shell.
"""

from __future__ import annotations

import base64
import copy
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import _frame

_HOUR = 3600.0
_DAY = 86_400.0
_MAX_JOBS = 30
_SHELL = "Permanently Deleted User"
_AGENT = {"id": 9001, "name": "DSR service"}
# When each product begins and ends its part of a permanent deletion, in seconds: Chat starts four hours later.
_PRODUCTS = {"support": (60.0, 1800.0), "chat": (4 * _HOUR, 5 * _HOUR)}

Row = dict[str, Any]
Handler = Callable[[Request, Any], Response]


@dataclass
class State:
    """All data by id. Keys that begin with "_" are the simulator's own and never shown."""

    users: dict[int, Row] = field(default_factory=dict)
    tickets: dict[int, Row] = field(default_factory=dict)
    suspended: dict[int, Row] = field(default_factory=dict)
    jobs: dict[str, Row] = field(default_factory=dict)
    index: dict[int, tuple[float, Row]] = field(default_factory=dict)  # deleted users that search still shows, until
    ids: Any = field(default_factory=lambda: itertools.count(20_001))


class Zendesk:
    """Tickets, suspended tickets and users of one account; each of the first and the last has a bin.

    `job_seconds`, `index_seconds` and `token_seconds` say how long a job, the search index and a token take or last.
    """

    name = "zendesk"

    def __init__(self) -> None:
        """Start empty."""
        self.credentials = {"client_id": "dsr_service", "client_secret": "zendesk-client-secret"}
        self.job_seconds, self.index_seconds, self.token_seconds = 30.0, 120.0, 1800
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.state, self.jobs, self.clock = State(), "", _frame.Clock()
        self.role, self.scopes, self.legacy_ccs = "admin", "read write", False
        self._tokens: set[str] = set()
        self._spent: dict[str, list[float]] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the vendor's routes; any other path is InvalidEndpoint, not RecordNotFound."""
        user, ticket = "/users/{id:int}", "/tickets/{id:int}"
        return [
            Route("/oauth/tokens", self._token, methods=["POST"]),
            Route("/api/v2/users/me", self._me, methods=["GET"]),
            self._route("/users/search", GET=self._search),
            self._route(user, GET=self._user, PUT=self._change_user, DELETE=self._bin_user),
            self._route(user + "/identities", GET=self._identities),
            self._route(user + "/sessions", DELETE=self._sign_out),
            self._route(user + "/tickets/{how:str}", GET=self._tickets_of),
            self._route(user + "/compliance_deletion_statuses", GET=self._statuses),
            self._route("/deleted_users", GET=self._user_bin),
            self._route("/deleted_users/{id:int}", GET=self._binned_user, DELETE=self._purge_user),
            self._route("/deleted_tickets", GET=self._ticket_bin),
            self._route("/deleted_tickets/{id:int}", DELETE=self._purge_ticket),
            self._route("/incremental/tickets/cursor", GET=self._export),
            self._route(ticket, GET=self._ticket, PUT=self._change_ticket, DELETE=self._bin_ticket),
            self._route("/suspended_tickets", GET=self._suspended),
            self._route("/suspended_tickets/{id:int}", GET=self._one_suspended, DELETE=self._drop_suspended),
            self._route("/job_statuses/{job:str}", GET=self._job),
            Route("/{path:path}", self._nowhere, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    # -- what the frame asks --

    def seed(self, person: _frame.Person) -> None:
        """Store the person's tickets in every state, bins included.

        A live address belongs to one user only, as at the vendor: seeding again adds to that user.
        """
        user = self._owner(person.email) or self._add_user(person)
        for status in ("solved", "closed"):  # solved is not closed: it still blocks deleting the requester
            self._add_ticket(user, status)
        self._add_ticket(user, "solved", _deleted_at=self.clock.now() - 5 * _DAY)
        colleague = self._add_user(_frame.Person("Kim", "Colleague", (self._fresh_address(),)))
        other = self._add_user(_frame.Person("Lee", "Colleague", (self._fresh_address(),)))
        self._add_ticket(colleague, "open", ccs=[user, other])
        number = next(self.state.ids)
        self.state.suspended[number] = {
            "id": number,
            "author": {"id": None, "name": person.name, "email": person.emails[-1]},
            "subject": "Meeting",
            "content": "Held as spam",
            "cause": "Detected as spam",
            "ticket_id": None,
            "_of": person.emails[-1],
        }
        earlier = self._add_user(person, identities=False)  # an account of long ago, binned by an agent
        earlier |= {"active": False, "_binned": True}

    def holdings(self, person: _frame.Person) -> dict[str, Any]:
        """Return users, tickets in any state or bin, suspended tickets, and places in CC."""
        mine = set(person.emails)
        held = {f"user:{u['id']}": copy.deepcopy(u) for u in self.state.users.values() if u["_of"] in mine}
        for ticket in self.state.tickets.values():
            if ticket["_of"] in mine:
                held[f"ticket:{ticket['id']}"] = copy.deepcopy(ticket)
            held |= {
                f"ticket_cc:{ticket['id']}-{user}": ticket["subject"]
                for user, address in ticket["_ccs"].items()
                if address in mine
            }
        spam = (s for s in self.state.suspended.values() if s["_of"] in mine)
        return held | {f"suspended_ticket:{s['id']}": copy.deepcopy(s) for s in spam}

    def refusal(self, status: int, headers: dict[str, str]) -> Response:
        """Return one of the vendor's three error shapes, or its plain text."""
        if status >= 500:
            return Response("Service temporarily unavailable", status, headers, "text/plain")
        shapes: dict[int, Any] = {
            401: {"error": "Couldn't authenticate you"},
            403: {"error": {"title": "Forbidden", "message": "You do not have access to this page."}},
            404: {"error": "RecordNotFound", "description": "Not found"},
            429: {"error": "APIRateLimitExceeded", "description": "Number of allowed API requests exceeded"},
        }
        return JSONResponse(shapes[status], status, headers)

    # -- who asks --

    async def _token(self, request: Request) -> Response:
        asked = await _frame.body_of(request)
        if {key: asked.get(key) for key in self.credentials} != self.credentials:
            return JSONResponse({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
        if asked.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        token = f"token-{len(self._tokens) + 1}"
        self._tokens.add(token)
        body = {"access_token": token, "token_type": "bearer", "scope": self.scopes}
        return JSONResponse(body | {"expires_in": self.token_seconds})

    def _known(self, request: Request) -> bool:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return token in self._tokens

    async def _me(self, request: Request) -> Response:
        # Open to anonymous users: 200 alone proves nothing. That the id is null then is UNCONFIRMED.
        known = self._known(request)
        me = {**_AGENT, "role": self.role} if known else {"id": None, "name": "Anonymous user", "role": "end-user"}
        return JSONResponse({"user": me})

    def _route(self, path: str, **handlers: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            if not self._known(request):
                return self.refusal(401, {})
            if request.method != "GET" and "write" not in self.scopes.split():
                return self.refusal(403, {})
            if request.method == "DELETE" and self.role != "admin":  # most deletes need an admin
                return self.refusal(403, {})
            return handlers[request.method](request, await _frame.body_of(request))

        return Route("/api/v2" + path, endpoint, methods=list(handlers))

    async def _nowhere(self, _: Request) -> Response:
        return JSONResponse({"error": "InvalidEndpoint", "description": "Not found"}, 404)

    def _limited(self, what: str, calls: int, seconds: float) -> Response | None:
        """Refuse more than `calls` in `seconds` with the wait in Retry-After."""
        now = self.clock.now()
        spent = [at for at in self._spent.get(what, []) if at > now - seconds]
        self._spent[what] = [*spent, now]
        if len(spent) < calls:
            return None
        return self.refusal(429, {"Retry-After": str(int(spent[0] + seconds - now) + 1)})

    # -- users --

    def _search(self, request: Request, _: object) -> Response:
        """Match name or any address in part; deleted users stay in the index for a while (UNCONFIRMED: minutes)."""
        asked = request.query_params["query"].replace('"', "").lower()
        pattern = re.compile(".*".join(re.escape(part) for part in asked.split("*")).replace(r"\?", "."))
        live = [user for user in self.state.users.values() if user["active"]]
        stale = [user for until, user in self.state.index.values() if until > self.clock.now()]
        hits = [user for user in (*live, *stale) if pattern.search(_indexed(user))]
        return self._page(request, "users", hits, cursors=False)

    def _user(self, request: Request, _: object) -> Response:
        user = self.state.users.get(_id(request))
        return JSONResponse({"user": _shown(user)}) if user else self.refusal(404, {})

    def _change_user(self, request: Request, body: Any) -> Response:  # noqa: ANN401 -- JSON
        user = self._live(request)
        if user is None:
            return self.refusal(404, {})
        if limited := self._limited(f"user {user['id']}", 5, 60):  # the same user about five times a minute
            return limited
        user |= {key: value for key, value in body["user"].items() if key in {"suspended", "name", "tags"}}
        return JSONResponse({"user": _shown(user)})

    def _sign_out(self, request: Request, _: object) -> Response:
        return Response(status_code=204) if self._live(request) else self.refusal(404, {})

    def _identities(self, request: Request, _: object) -> Response:
        user = self._live(request)
        return self._page(request, "identities", user["_identities"]) if user else self.refusal(404, {})

    def _bin_user(self, request: Request, _: object) -> Response:
        user = self._live(request)
        if user is None:
            return self.refusal(404, {})
        if any(t["status"] != "closed" for t in self._requested(user["id"])):
            return _invalid("base", f"{user['name']} is requester of tickets that are not closed.")
        self.state.index[user["id"]] = (self.clock.now() + self.index_seconds, copy.deepcopy(user))
        user |= {"active": False, "_binned": True}
        return JSONResponse({"user": _shown(user)})

    def _user_bin(self, request: Request, _: object) -> Response:
        # Permanently deleted users stay in this list as shells with null in place of personal data.
        gone = [user for user in self.state.users.values() if not user["active"]]
        return self._page(request, "deleted_users", gone)

    def _binned_user(self, request: Request, _: object) -> Response:
        user = self.state.users.get(_id(request))
        if user is None or not user["_binned"]:
            return self.refusal(404, {})
        return JSONResponse({"deleted_user": _shown(user)})

    def _purge_user(self, request: Request, _: object) -> Response:
        user = self.state.users.get(_id(request))
        if user is None or not user["_binned"]:
            return self.refusal(404, {})
        if limited := self._limited("purge", 700, 600):
            return limited
        shell: Row = {"name": _SHELL, "email": None, "phone": None, "external_id": None, "_identities": []}
        user |= {**shell, "_of": "", "_binned": False, "_purged_at": self.clock.now()}
        for ticket in self.state.tickets.values():
            if ticket["status"] == "closed":  # kept closed tickets show the shell; their text stays
                ticket["_ccs"].pop(user["id"], None)
        return JSONResponse({"deleted_user": _shown(user)})

    def _statuses(self, request: Request, _: object) -> Response:
        user = self.state.users.get(_id(request))
        if user is None:
            return self.refusal(404, {})
        rows = [] if user["_purged_at"] is None else self._progress(user)
        return self._page(request, "compliance_deletion_statuses", rows)

    def _progress(self, user: Row) -> list[Row]:
        asked: float = user["_purged_at"]
        events = [(asked, "request_deletion", "all")]
        for product, (start, end) in _PRODUCTS.items():
            events += [(asked + start, "started", product), (asked + end, "complete", product)]
        who = {"user_id": user["id"], "executer_id": _AGENT["id"]}
        happened = (event for event in sorted(events) if event[0] <= self.clock.now())
        return [{**who, "action": what, "application": app, "created_at": _stamp(at)} for at, what, app in happened]

    # -- tickets --

    def _tickets_of(self, request: Request, _: object) -> Response:
        number, how = _id(request), request.path_params["how"]
        if number not in self.state.users:
            return self.refusal(404, {})
        if how == "requested":
            return self._page(request, "tickets", self._requested(number))
        ccd = [t for t in self.state.tickets.values() if t["_deleted_at"] is None and number in t["email_cc_ids"]]
        return self._page(request, "tickets", ccd)

    def _ticket(self, request: Request, _: object) -> Response:
        ticket = self._live_ticket(request)
        return JSONResponse({"ticket": _shown(ticket)}) if ticket else self.refusal(404, {})

    def _change_ticket(self, request: Request, body: Any) -> Response:  # noqa: ANN401 -- JSON
        ticket = self._live_ticket(request)
        if ticket is None:
            return self.refusal(404, {})
        if limited := self._limited(f"ticket {ticket['id']}", 30, 600):
            return limited
        if ticket["status"] == "closed":
            return _invalid("status", "Status: closed prevents ticket update")
        change = body["ticket"]
        ccs = list(change.get("collaborator_ids", ticket["email_cc_ids"]))  # the older field replaces the whole list
        for entry in () if self.legacy_ccs else change.get("email_ccs", ()):
            if entry["action"] == "delete":
                ccs = [user for user in ccs if user != int(entry["user_id"])]
        ticket |= {"email_cc_ids": ccs, "_ccs": {u: a for u, a in ticket["_ccs"].items() if u in ccs}}
        return JSONResponse({"ticket": _shown(ticket), "audit": {"id": next(self.state.ids), "events": []}})

    def _bin_ticket(self, request: Request, _: object) -> Response:
        ticket = self._live_ticket(request)
        if ticket is None:
            return self.refusal(404, {})
        ticket["_deleted_at"] = self.clock.now()
        return Response(status_code=204)

    def _ticket_bin(self, request: Request, _: object) -> Response:
        # Tells who deleted, not whose it was; leaves out archived tickets; ten calls a minute.
        if limited := self._limited("deleted_tickets", 10, 60):
            return limited
        self._finish_jobs()
        binned = [t for t in self.state.tickets.values() if t["_deleted_at"] is not None and not t["_archived"]]
        rows = [
            {
                "id": ticket["id"],
                "subject": ticket["subject"],
                "actor": _AGENT,
                "deleted_at": _stamp(ticket["_deleted_at"]),
                "previous_state": ticket["status"],
            }
            for ticket in binned
        ]
        return self._page(request, "deleted_tickets", rows)

    def _export(self, request: Request, _: object) -> Response:
        """Every ticket changed since, deleted ones too, except for the last minute; ten calls a minute."""
        if limited := self._limited("export", 10, 60):
            return limited
        since, _, after = _decoded(request.query_params.get("cursor")).partition("|")
        start = float(since or request.query_params["start_time"])
        if start > self.clock.now() - 60:
            return JSONResponse({"error": "StartTimeTooRecent", "description": "Too recent start_time"}, 400)
        changed = [t for t in self.state.tickets.values() if start <= _changed(t) <= self.clock.now() - 60]
        first = int(after or 0)
        rows = [_shown(t) | ({"status": "deleted"} if t["_deleted_at"] else {}) for t in changed[first : first + 1000]]
        end = first + len(rows) >= len(changed)
        cursor = _encoded(f"{start}|{first + len(rows)}")
        return JSONResponse({"tickets": rows, "after_cursor": cursor, "end_of_stream": end})

    def _purge_ticket(self, request: Request, _: object) -> Response:
        self._finish_jobs()
        ticket = self.state.tickets.get(_id(request))
        if ticket is None or ticket["_deleted_at"] is None:
            return self.refusal(404, {})
        if sum(job["status"] == "queued" for job in self.state.jobs.values()) >= _MAX_JOBS:
            return JSONResponse({"error": "TooManyJobs", "description": "Too many jobs"}, 429, {"Retry-After": "60"})
        job = f"{next(self.state.ids):032x}"
        ends = self.clock.now() + self.job_seconds
        self.state.jobs[job] = {"status": "queued", "results": None, "_ticket": ticket["id"], "_ends": ends}
        return JSONResponse({"job_status": {"id": job, "status": "queued", "results": None}})

    def _job(self, request: Request, _: object) -> Response:
        self._finish_jobs()
        job = self.state.jobs.get(request.path_params["job"])
        forgotten = job and job["status"] != "queued" and self.clock.now() > job["_ends"] + _HOUR
        if job is None or forgotten:  # kept for about an hour
            return self.refusal(404, {})
        return JSONResponse({"job_status": {"id": request.path_params["job"], **_shown(job)}})

    def _finish_jobs(self) -> None:
        for job in self.state.jobs.values():
            if job["status"] != "queued" or self.jobs == "never" or self.clock.now() < job["_ends"]:
                continue
            if self.jobs == "fail":
                job["status"] = "failed"
            elif self.jobs == "item_errors":  # completed may hold failures for each item
                error = {"id": job["_ticket"], "success": False, "error": "TicketDeletionFailed"}
                job |= {"status": "completed", "results": [error]}
            else:
                self.state.tickets.pop(job["_ticket"], None)
                job |= {"status": "completed", "results": {"success": True}}

    # -- suspended tickets --

    def _suspended(self, request: Request, _: object) -> Response:
        return self._page(request, "suspended_tickets", self.state.suspended.values())

    def _one_suspended(self, request: Request, _: object) -> Response:
        entry = self.state.suspended.get(_id(request))
        return JSONResponse({"suspended_ticket": _shown(entry)}) if entry else self.refusal(404, {})

    def _drop_suspended(self, request: Request, _: object) -> Response:
        gone = self.state.suspended.pop(_id(request), None)
        return Response(status_code=204) if gone else self.refusal(404, {})

    # -- the store --

    def _page(self, request: Request, key: str, rows: Iterable[Row], *, cursors: bool = True) -> Response:
        """Page by cursor when `page[size]` is given (at most 100), else by number, without saying `meta`."""
        shown, asked = [_shown(row) for row in rows], request.query_params
        if cursors and "page[size]" in asked:
            size, first = int(asked["page[size]"]), int(_decoded(asked.get("page[after]")) or 0)
            if not 1 <= size <= 100:
                return JSONResponse({"error": "InvalidPaginationParameter", "description": "page[size]"}, 400)
            end = first + size
            meta = {"has_more": end < len(shown), "after_cursor": _encoded(str(end)), "before_cursor": None}
            return JSONResponse({key: shown[first:end], "meta": meta, "links": {"next": None, "prev": None}})
        page, size = int(asked.get("page", 1)), min(int(asked.get("per_page", 100)), 100)
        if page * size > 10_000:  # paging by number ends at ten thousand rows
            return JSONResponse({"error": "InvalidPaginationDepth", "description": "Use cursors"}, 400)
        more = str(request.url.include_query_params(page=page + 1)) if page * size < len(shown) else None
        return JSONResponse({key: shown[(page - 1) * size : page * size], "next_page": more, "count": len(shown)})

    def _live(self, request: Request) -> Row | None:
        user = self.state.users.get(_id(request))
        return user if user and user["active"] else None

    def _live_ticket(self, request: Request) -> Row | None:
        ticket = self.state.tickets.get(_id(request))
        return ticket if ticket and ticket["_deleted_at"] is None else None

    def _requested(self, user: int) -> list[Row]:
        return [t for t in self.state.tickets.values() if t["requester_id"] == user and t["_deleted_at"] is None]

    def _owner(self, address: str) -> Row | None:
        users = (user for user in self.state.users.values() if user["active"])
        return next((user for user in users if address in _addresses(user)), None)

    def _fresh_address(self) -> str:
        return f"colleague{next(self.state.ids)}@partner.example"

    def _add_user(self, person: _frame.Person, *, identities: bool = True) -> Row:
        number, phone = next(self.state.ids), f"+1555{next(self.state.ids)}"
        values = [("email", address) for address in person.emails] + [("phone_number", phone)]
        user = {
            "id": number,
            "name": person.name,
            "email": person.email,
            "phone": phone,  # the number lives on the user and as an identity
            "external_id": person.openstackid or None,
            "role": "end-user",
            "active": True,
            "suspended": False,
            "_of": person.email,
            "_binned": False,
            "_purged_at": None,
            "_identities": [
                {"id": next(self.state.ids), "user_id": number, "type": kind, "value": value, "verified": True}
                for kind, value in (values if identities else ())
            ],
        }
        self.state.users[number] = user
        return user

    def _add_ticket(self, user: Row, status: str, *, ccs: Iterable[Row] = (), **own: Any) -> Row:
        number = next(self.state.ids)
        ticket = {
            "id": number,
            "subject": "A question about the summit",
            "description": f"Hello, this is {user['name']}.",
            "status": status,
            "requester_id": user["id"],
            "email_cc_ids": [cc["id"] for cc in ccs],
            "_of": user["_of"],
            "_ccs": {cc["id"]: cc["_of"] for cc in ccs},
            "_created_at": self.clock.now() - 10 * _DAY,
            "_deleted_at": None,
            "_archived": False,
            **own,
        }
        self.state.tickets[number] = ticket
        return ticket


def _id(request: Request) -> int:
    number: int = request.path_params["id"]
    return number


def _shown(row: Row) -> Row:
    return {key: value for key, value in row.items() if not key.startswith("_")}


def _addresses(user: Row) -> list[str]:
    return [identity["value"] for identity in user["_identities"] if identity["type"] == "email"]


def _indexed(user: Row) -> str:
    return "\n".join([user["name"], *_addresses(user)]).replace('"', "").lower()


def _changed(ticket: Row) -> float:
    moment: float = ticket["_deleted_at"] or ticket["_created_at"]
    return moment


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encoded(cursor: str) -> str:
    return base64.b64encode(cursor.encode()).decode()


def _decoded(cursor: str | None) -> str:
    return base64.b64decode(cursor or "").decode()


def _invalid(name: str, text: str) -> Response:
    details = {name: [{"description": text, "error": "Invalid"}]}
    return JSONResponse({"error": "RecordInvalid", "description": "Record validation errors", "details": details}, 422)
