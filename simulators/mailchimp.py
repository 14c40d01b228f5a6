"""The pretend Mailchimp Marketing API 3.0.

Traps kept, each from the vendor's reference or error glossary: a page holds 10 unless asked otherwise; the plain
delete only archives; delete-permanent forgets the address and refuses its import; a person's own unsubscription
cannot be undone by the API; a search matches names, hides the archived and may lag; `detail` repeats the address;
carts have no filter; a customer's id is the shop's own, so the MD5 of the address, and not unique across stores.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import _frame

_MAX_COUNT = 1000
_PATCHABLE = {"subscribed", "unsubscribed", "cleaned", "pending"}
_PUTTABLE = _PATCHABLE | {"transactional"}
_TITLES = {
    400: "Invalid Resource",
    401: "API Key Invalid",
    403: "User Disabled",
    404: "Resource Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_PLURALS = {"customers": "customer", "orders": "order", "carts": "cart"}
_HIDDEN = {"left_by"}  # what the vendor knows and does not show
_Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class State:
    """Everything in the account. Members by (audience, hash); store records by (kind, store, own id)."""

    audiences: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    notes: dict[int, dict[str, Any]] = field(default_factory=dict)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    shop: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    forgotten: set[tuple[str, str]] = field(default_factory=set)
    index: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    opt_in_mails: int = 0
    last_id: int = 1000

    def next_id(self) -> int:
        """Count up."""
        self.last_id += 1
        return self.last_id


class Mailchimp:
    """Two audiences and one store to begin with; tests open more."""

    name = "mailchimp"

    def __init__(self) -> None:
        """Start empty."""
        self.credentials = {"api_key": "0f1e2d3c4b5a69788796a5b4c3d2e1f0-us19"}
        self.reset()

    def reset(self) -> None:
        """Forget everything. `search_lag` is how many seconds the search shows a member that is gone."""
        self.state, self.jobs, self.clock = State(), "", _frame.Clock()
        self.role, self.search_lag = "owner", 0.0
        self.open_audience("newsletter", required=("ADDRESS",))
        self.open_audience("events")
        self.open_store("shop")

    def open_audience(self, name: str, required: tuple[str, ...] = ()) -> str:
        """Open an audience whose sign-up form requires these merge fields; returns its id."""
        audience = _opaque("list", self.state.next_id())[:10]
        self.state.audiences[audience] = {"id": audience, "name": name, "required": required}
        return audience

    def open_store(self, store: str) -> str:
        """Connect a store; returns its id, which the integration chooses."""
        audience = next(iter(self.state.audiences))
        self.state.stores[store] = {"id": store, "list_id": audience, "name": store, "currency_code": "EUR"}
        return store

    def seed(self, person: _frame.Person) -> None:
        """Subscribe the first address, archive the last, and let the person buy and leave a cart in the store."""
        first, second = list(self.state.audiences)[:2]
        self.join(first, person, person.email)
        self.join(second, person, person.emails[-1], status="archived")
        self.buy("shop", person)

    def join(self, audience: str, person: _frame.Person, address: str, status: str = "subscribed") -> dict[str, Any]:
        """Let a person sign up by the form, which works for forgotten addresses as well; returns the member."""
        place = (audience, _hash(address))
        self.state.forgotten.discard(place)
        if place in self.state.members:
            return self.state.members[place]
        number = self.state.next_id()
        self.state.members[place] = {
            "id": place[1],
            "email_address": address,
            "unique_email_id": _opaque("unique", number)[:10],
            "contact_id": _opaque("contact", number)[:32],
            "full_name": person.name,
            "web_id": number,
            "status": status,
            "merge_fields": {"FNAME": person.first_name, "LNAME": person.last_name, "ADDRESS": ""},
            "interests": {"a1b2c3d4e5": True},
            "marketing_permissions": [{"marketing_permission_id": "f0e1d2c3b4", "text": "Email", "enabled": True}],
            "tags_count": 1,
            "tags": [{"id": 7, "name": "summit"}],
            "list_id": audience,
            "left_by": "",
        }
        note = self.state.next_id()
        self.state.notes[note] = {"id": note, "list_id": audience, "email_id": place[1], "note": f"Met {person.name}"}
        return self.state.members[place]

    def buy(self, store: str, person: _frame.Person, customer: str = "", order: str = "") -> None:
        """Store a customer, an order and a cart; ids as the WooCommerce plugin chooses them unless given."""
        own = customer or _hash(person.email)
        buyer: dict[str, Any] = {"id": own, "email_address": person.email, "first_name": person.first_name}
        buyer |= {"last_name": person.last_name, "opt_in_status": False}
        number = order or str(self.state.next_id())
        base = {"customer": buyer, "currency_code": "EUR", "order_total": 25.0, "lines": []}
        self.state.shop["customer", store, own] = buyer
        self.state.shop["order", store, number] = {**base, "id": number, "store_id": store}
        self.state.shop["cart", store, own] = {**base, "id": own}

    def unsubscribe(self, audience: str, address: str) -> None:
        """Let the person leave by the link in a mail."""
        self.state.members[audience, _hash(address)] |= {"status": "unsubscribed", "left_by": "person"}

    def holdings(self, person: _frame.Person) -> dict[str, Any]:
        """Return members of every status, their notes, and the store records under the person's addresses."""
        hashes = {_hash(address) for address in person.emails}
        held: dict[str, Any] = {
            f"member:{audience}.{member['contact_id']}": dict(member)
            for (audience, own), member in self.state.members.items()
            if own in hashes
        }
        held |= {f"note:{note['id']}": dict(note) for note in self.state.notes.values() if note["email_id"] in hashes}
        for (kind, store, own), entry in self.state.shop.items():
            if entry.get("customer", entry)["email_address"] in person.emails:
                held[f"{kind}:{store}.{own}"] = dict(entry)
        return held

    def refusal(self, status: int, headers: dict[str, str], title: str = "", detail: str = "") -> Response:
        """Return problem+json, which the vendor's own client does not parse."""
        body = {
            "type": "https://mailchimp.com/developer/marketing/docs/errors/",
            "title": title or _TITLES.get(status, "Bad Request"),
            "status": status,
            "detail": detail or "The requested resource could not be found or changed.",
            "instance": "995c5cb0-3280-4a6e-808b-3b096d0bb219",
        }
        return JSONResponse(body, status, headers, media_type="application/problem+json")

    def routes(self) -> list[BaseRoute]:
        """Return the routes; all others answer with the vendor's own 404."""
        member = "/3.0/lists/{audience}/members/{key}"
        store = "/3.0/ecommerce/stores/{store}"
        table: list[tuple[str, str, _Handler]] = [
            ("GET", "/3.0/", self._root),
            ("GET", "/3.0/ping", self._ping),
            ("GET", "/3.0/lists", self._lists),
            ("DELETE", "/3.0/lists/{audience}", self._drop_audience),
            ("GET", member, self._read),
            ("PATCH", member, self._patch),
            ("PUT", member, self._put),
            ("DELETE", member, self._archive),
            ("POST", f"{member}/actions/delete-permanent", self._forget),
            ("GET", f"{member}/notes", self._notes),
            ("GET", "/3.0/search-members", self._find),
            ("GET", "/3.0/ecommerce/stores", self._stores),
            ("GET", "/3.0/ecommerce/orders", self._store_entries),
            ("GET", f"{store}/{{kind}}", self._store_entries),
            ("GET", f"{store}/{{kind}}/{{id}}", self._store_entry),
            ("DELETE", f"{store}/{{kind}}/{{id}}", self._store_entry),
        ]
        routes: list[BaseRoute] = [Route(path, self._guarded(do), methods=[method]) for method, path, do in table]
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [*routes, Route("/{path:path}", self._guarded(self._unknown), methods=methods)]

    def _guarded(self, handler: _Handler) -> _Handler:
        """Ask for Basic auth: any user name, the key as password."""

        async def guarded(request: Request) -> Response:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            key = base64.b64decode(given).decode().partition(":")[2] if scheme == "Basic" else ""
            if key != self.credentials["api_key"]:
                return self.refusal(401, {})
            return await handler(request)

        return guarded

    async def _unknown(self, _: Request) -> Response:
        return self.refusal(404, {})

    async def _root(self, request: Request) -> Response:
        account = {"account_id": "8d3a3db4d97663a9074efcc16", "account_name": "Example Foundation", "role": self.role}
        return _shown(request, account)

    async def _ping(self, _: Request) -> Response:
        return JSONResponse({"health_status": "Everything's Chimpy!"})

    async def _lists(self, request: Request) -> Response:
        entries = [{"id": a["id"], "name": a["name"]} for a in self.state.audiences.values()]
        return self._page(request, "lists", entries)

    async def _drop_audience(self, request: Request) -> Response:
        """A whole audience in one call: never needed, and refused by our own guard."""
        audience = request.path_params["audience"]
        self.state.audiences.pop(audience, None)
        self.state.members = {place: m for place, m in self.state.members.items() if place[0] != audience}
        return Response(status_code=204)

    def _member(self, request: Request) -> dict[str, Any] | None:
        """Resolve the last path part: hash, contact id or plain address. A hash is of the lower-case address."""
        audience, key = request.path_params["audience"], request.path_params["key"]
        for (own, hashed), member in self.state.members.items():
            if own == audience and key in {hashed, member["contact_id"], member["email_address"]}:
                return member
        return None

    async def _read(self, request: Request) -> Response:
        member = self._member(request)
        return _shown(request, member) if member else self.refusal(404, {})

    async def _notes(self, request: Request) -> Response:
        member = self._member(request)
        if member is None:
            return self.refusal(404, {})
        notes = [note for note in self.state.notes.values() if note["email_id"] == member["id"]]
        return self._page(request, "notes", [note for note in notes if note["list_id"] == member["list_id"]])

    async def _patch(self, request: Request) -> Response:
        member = self._member(request)
        if member is None:
            return self.refusal(404, {})
        return self._change(request, member, await _frame.body_of(request), _PATCHABLE)

    async def _put(self, request: Request) -> Response:
        """Update or create; an address that was forgotten is not taken."""
        body, member, audience = await _frame.body_of(request), self._member(request), request.path_params["audience"]
        address = body.get("email_address", "")
        if not address or body.get("status_if_new") not in _PUTTABLE:
            return self.refusal(400, {})
        if (audience, _hash(address)) in self.state.forgotten:
            detail = f"{address} was permanently deleted and cannot be re-imported. The contact must re-subscribe."
            return self.refusal(400, {}, "Forgotten Email Not Subscribed", detail)
        if member is None:
            status = body["status_if_new"]
            member = self.join(audience, _frame.Person("", "", (address,)), address, status)
        return self._change(request, member, body, _PUTTABLE)

    def _change(self, request: Request, member: dict[str, Any], body: dict[str, Any], known: set[str]) -> Response:
        status = body.get("status", member["status"])
        required = self.state.audiences[member["list_id"]]["required"]
        skipped = request.query_params.get("skip_merge_validation") == "true"
        if status not in known or (not skipped and not all(member["merge_fields"].get(name) for name in required)):
            return self.refusal(400, {}, detail=f"{member['email_address']}: a merge field is required.")
        stuck = member["left_by"] == "person" or member["status"] == "cleaned"
        if status in {"subscribed", "transactional"} and stuck and status != member["status"]:
            detail = f"{member['email_address']} is in a compliance state and cannot be subscribed."
            return self.refusal(400, {}, "Member In Compliance State", detail)
        self.state.opt_in_mails += status == "pending"  # the vendor mails the person at once
        member["status"] = status
        return _shown(request, member)

    async def _archive(self, request: Request) -> Response:
        """Delete plainly: the member is only archived, with everything that is known."""
        member = self._member(request)
        if member is None:
            return self.refusal(404, {})
        member["status"] = "archived"
        return Response(status_code=204)

    async def _forget(self, request: Request) -> Response:
        """Delete permanently: member and notes go, the address is remembered as forgotten, the store keeps its own."""
        member = self._member(request)
        if member is None:
            return self.refusal(404, {})
        place = (member["list_id"], member["id"])
        del self.state.members[place]
        self.state.notes = {
            number: note for number, note in self.state.notes.items() if (note["list_id"], note["email_id"]) != place
        }
        self.state.forgotten.add(place)
        self.state.index.append((self.clock.now(), member))
        return Response(status_code=204)

    async def _find(self, request: Request) -> Response:
        """Search by address or name. That it hides the archived and may lag is assumed, as the harder case."""
        query, now = request.query_params["query"].lower(), self.clock.now()
        gone = [member for since, member in self.state.index if now < since + self.search_lag]
        shown = [m for m in (*self.state.members.values(), *gone) if m["status"] != "archived"]
        exact = [m for m in shown if query in {m["email_address"].lower(), m["full_name"].lower()}]
        full = [m for m in shown if query in m["email_address"].lower() or query in m["full_name"].lower()]
        hits = {
            name: {"members": [_visible(m) for m in members], "total_items": len(members)}
            for name, members in (("exact_matches", exact), ("full_search", full))
        }
        return _shown(request, hits)

    async def _stores(self, request: Request) -> Response:
        return self._page(request, "stores", list(self.state.stores.values()))

    async def _store_entries(self, request: Request) -> Response:
        """List a store's customers, orders or carts, or the orders of all stores."""
        plural, store = request.path_params.get("kind", "orders"), request.path_params.get("store")
        if plural not in _PLURALS or (store and store not in self.state.stores):
            return self.refusal(404, {})
        entries = [
            entry
            for (kind, own, _), entry in self.state.shop.items()
            if kind == _PLURALS[plural] and store in {None, own}
        ]
        if (address := request.query_params.get("email_address")) and plural == "customers":
            # Whether the filter is exact is not documented: taken for loose, as the harder case.
            entries = [entry for entry in entries if entry["email_address"].lower().startswith(address.lower())]
        if (customer := request.query_params.get("customer_id")) and plural == "orders":  # carts know no filter
            entries = [entry for entry in entries if entry["customer"]["id"] == customer]
        return self._page(request, plural, entries)

    async def _store_entry(self, request: Request) -> Response:
        plural, store, own = (request.path_params[part] for part in ("kind", "store", "id"))
        place = (_PLURALS.get(plural, ""), store, own)
        if place not in self.state.shop:
            return self.refusal(404, {})
        if request.method == "DELETE":  # a customer's orders and carts stay
            del self.state.shop[place]
            return Response(status_code=204)
        return _shown(request, self.state.shop[place])

    def _page(self, request: Request, key: str, entries: list[dict[str, Any]]) -> Response:
        count, offset = int(request.query_params.get("count", 10)), int(request.query_params.get("offset", 0))
        if count > _MAX_COUNT:
            return self.refusal(400, {})
        return _shown(request, {key: entries[offset : offset + count], "total_items": len(entries)})


def _shown(request: Request, body: dict[str, Any]) -> Response:
    """Answer with the fields that `fields` asks for, or with all."""
    asked = request.query_params.get("fields")
    visible = _visible(body)
    return JSONResponse(_only(visible, [name.split(".") for name in asked.split(",")]) if asked else visible)


def _visible(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in _HIDDEN}


def _only(value: Any, wanted: list[list[str]]) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, list):
        return [_only(entry, wanted) for entry in value]
    if [] in wanted or not isinstance(value, dict):
        return value
    heads = {name[0] for name in wanted}
    return {key: _only(value[key], [n[1:] for n in wanted if n[0] == key]) for key in value if key in heads}


def _hash(address: str) -> str:
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


def _opaque(what: str, number: int) -> str:
    return hashlib.sha256(f"{what}{number}".encode()).hexdigest()
