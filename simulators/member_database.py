"""The pretend member database, in the manner of summit-api.

Traps kept: `per_page` above 100 is refused, the default page size is 10, the filter grammar splits on ",",
a filter looks at three addresses, validation errors are 412.
"""

from __future__ import annotations

import copy
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import _frame

_SCOPES = "members/read members/write"
_UNESCAPED_OR = re.compile(r"(?<!\\),|\|\||&&")
_MAX_PAGE = 100


@dataclass
class State:
    """All members and contributions, by id."""

    members: dict[int, dict[str, Any]] = field(default_factory=dict)
    contributions: dict[int, dict[str, Any]] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: itertools.count(5001))


class MemberDatabase:
    """Members with affiliations; contributions that outlive them with a name only."""

    name = "member_database"

    def __init__(self) -> None:
        """Start empty."""
        self.credentials = {"token": "member-service-token"}
        self.scopes = _SCOPES
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.state, self.jobs, self.clock, self.scopes = State(), "", _frame.Clock(), _SCOPES

    def routes(self) -> list[BaseRoute]:
        """Return the stand-in's routes."""
        member = "/api/v1/members/{member:int}"
        return [
            Route("/oauth2/token/info", self._token, methods=["GET"]),
            Route("/api/v1/members", self._search, methods=["GET"]),
            Route(member, self._member, methods=["GET", "PUT", "DELETE"]),
            Route(member + "/affiliations/{id:int}", self._affiliation, methods=["GET", "DELETE"]),
            Route(member + "/contributions/{id:int}", self._contribution, methods=["GET"]),
        ]

    def seed(self, person: _frame.Person) -> None:
        """Store a member with two affiliations and, for a contributor, two contributions."""
        if not person.member:
            return
        number = next(self.state.ids)
        addresses = (*person.emails, "", "")[:3]
        self.state.members[number] = {
            "id": number,
            "first_name": person.first_name,
            "last_name": person.last_name,
            **dict(zip(("email", "second_email", "third_email"), addresses, strict=True)),
            "openstackid": person.openstackid,
            "published": True,
            "affiliations": [{"id": next(self.state.ids), "organization": "Example Org"} for _ in range(2)],
        }
        for title in ("Fix the scheduler", "Document the installer") if person.contributor else ():
            contribution = next(self.state.ids)
            entry = {"id": contribution, "member_id": number, "title": title, "name": person.name}
            self.state.contributions[contribution] = entry

    def holdings(self, person: _frame.Person) -> dict[str, Any]:
        """Return the members found by any address, and the contributions under the person's name."""
        held: dict[str, Any] = {}
        for member in self.state.members.values():
            if {member["email"], member["second_email"], member["third_email"]} & set(person.emails):
                held[f"individual_member:{member['id']}"] = copy.deepcopy(member)
                held |= {f"affiliation:{a['id']}": dict(a) for a in member["affiliations"]}
        own = (c for c in self.state.contributions.values() if c["name"] == person.name)
        return held | {f"contribution:{c['id']}": dict(c) for c in own}

    def refusal(self, status: int, headers: dict[str, str]) -> Response:
        """Return the error shape of summit-api."""
        texts = {401: "Unauthorized", 403: "You don't have access", 404: "Not Found", 412: "Validation Failed"}
        return JSONResponse({"message": texts.get(status, "Server Error")}, status, headers)

    def _denied(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {self.credentials['token']}":
            return self.refusal(401, {"WWW-Authenticate": "Bearer"})
        return None

    async def _token(self, request: Request) -> Response:
        return self._denied(request) or JSONResponse({"client_id": "dsr-service", "scope": self.scopes})

    async def _search(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("per_page", 10))
        if size > _MAX_PAGE:
            return self.refusal(412, {})
        found = [self._shown(m) for m in self.state.members.values() if _hit(m, request.query_params["filter"])]
        last = max(-(-len(found) // size), 1)
        data = found[(page - 1) * size : page * size]
        body = {"total": len(found), "per_page": size, "current_page": page, "last_page": last, "data": data}
        return JSONResponse(body)

    async def _member(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        member = self.state.members.get(request.path_params["member"])
        if member is None:
            return self.refusal(404, {})
        if request.method == "DELETE":
            del self.state.members[member["id"]]
            return Response(status_code=204)
        if request.method == "PUT":
            member["published"] = (await request.json())["published"]
        return JSONResponse(self._shown(member))

    async def _affiliation(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        member = self.state.members.get(request.path_params["member"], {"affiliations": []})
        entry = next((a for a in member["affiliations"] if a["id"] == request.path_params["id"]), None)
        if entry is None:
            return self.refusal(404, {})
        if request.method == "DELETE":
            member["affiliations"].remove(entry)
            return Response(status_code=204)
        return JSONResponse(entry)

    async def _contribution(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        entry = self.state.contributions.get(request.path_params["id"])
        return JSONResponse(entry) if entry else self.refusal(404, {})

    def _shown(self, member: dict[str, Any]) -> dict[str, Any]:
        own = [c for c in self.state.contributions.values() if c["member_id"] == member["id"]]
        return {**member, "contributions": [{"id": c["id"], "title": c["title"]} for c in own]}


def _hit(member: dict[str, Any], asked: str) -> bool:
    """Apply summit-api's filter: conditions split by an unescaped "," are alternatives."""
    for condition in _UNESCAPED_OR.split(asked):
        name, _, value = condition.partition("==")
        value = re.sub(r"\\(.)", r"\1", value).lower()
        fields = ("email", "second_email", "third_email") if name == "email" else (name,)
        if value and value in {str(member.get(f, "")).lower() for f in fields}:
            return True
    return False
