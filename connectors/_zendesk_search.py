"""Finding a person in Zendesk: users by every address, their tickets, the bins, and mails held as spam."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors._zendesk_account import GONE, NAME, PAGE, Account
from erasure.connector import Findings, Record
from erasure.failures import Ambiguous, Rejected
from erasure.subject import Identifier, IdentifierKind, Subject

_BLIND = timedelta(minutes=2)  # the export leaves out the last minute and refuses to start in it
_BIN_PAGES = 9  # ten looks a minute are allowed; a search that needs more would start anew each time
_SYNTAX = re.compile(r'^-|[":]')  # UNCONFIRMED how the search reads an address with its own signs


@dataclass(frozen=True)
class Bin:
    """The deleted tickets of the whole account, each with when; `whole` is False when there are too many to read."""

    tickets: dict[int, datetime]
    whole: bool


@dataclass(frozen=True)
class Sight:
    """What one search saw: besides the findings, users whom only the lagging index still shows, and the ticket bin."""

    findings: Findings
    stale: tuple[Record, ...]
    bin: Bin


@dataclass(frozen=True)
class _People:
    users: list[dict[str, Any]]
    stale: tuple[Record, ...]
    learned: tuple[Identifier, ...]
    doubts: set[str]


def search(account: Account, subject: Subject) -> Sight:
    """Look everywhere that the vendor lets us look.

    UNCONFIRMED: that a user's list of requested tickets includes archived ones, and that a binned user keeps the
    address until the permanent deletion.
    """
    people = _people(account, subject)
    deleted = account.all_of("deleted_users", "deleted_users") or ()
    gone = [user for user in deleted if subject.is_email(user["email"])]
    if any(user["email"] is None and not is_shell(user) for user in deleted):
        people.doubts.add("binned_user_without_address")
    ids = {user["id"] for user in (*people.users, *gone)}
    tickets, copies, doubts = _tickets(account, ids)
    bin_ = _bin(account)
    own, blind = _binned_of(account, ids, bin_)
    spam = account.all_of("suspended_tickets", "suspended_tickets") or ()
    records = (
        *(_record("ticket", ticket) for ticket in tickets),
        *(_record("deleted_ticket", ticket) for ticket in own),
        *(_record("suspended_ticket", t["id"]) for t in spam if subject.is_email((t["author"] or {}).get("email"))),
        *copies,
        *(_record("user", user["id"]) for user in people.users),
        *(_record("deleted_user", user["id"]) for user in gone),
    )
    told = tuple(sorted(people.doubts | doubts | blind))
    return Sight(Findings(records=records, learned=people.learned, doubts=told), people.stale, bin_)


def is_shell(user: Mapping[str, Any]) -> bool:
    """Tell whether this is what a permanently deleted user leaves in lists."""
    return str(user["name"]).lower() == "permanently deleted user" and user["email"] is None


def _people(account: Account, subject: Subject) -> _People:
    """Return the users who have one of the addresses now, whatever the lagging search index says."""
    hits = {user["id"]: user for address in subject.emails for user in _hits(account, address)}
    users, stale, learned = [], [], []
    doubts = {"address_with_search_syntax" for address in subject.emails if _SYNTAX.search(address)}
    for user in hits.values():
        identities = account.all_of("identities", "users", user["id"], "identities", gone=GONE)
        if identities is None and subject.is_email(user["email"]):
            stale.append(_record("user", user["id"]))
        addresses = [i for i in identities or () if i["type"] == "email"]
        own = [i for i in addresses if subject.is_email(i["value"])]
        if not own:
            continue
        users.append(user)
        if any(i["verified"] for i in own):
            learned += [i["value"] for i in addresses if i["verified"]]
        else:  # anybody can type in an address: good enough to find the person, not to follow further ones
            doubts.add("address_not_verified")
    _refuse_doubtful(users)
    known = (i for address in learned for i in Identifier.readable(IdentifierKind.EMAIL, address))
    return _People(users, tuple(stale), tuple(known), doubts)


def _hits(account: Account, address: str) -> Iterator[dict[str, Any]]:
    """Search for an address; the vendor matches names, notes and longer addresses as well."""
    page: int | None = 1
    while page:
        asked = {"query": address, "page": page, "per_page": PAGE}
        body = account.ask("find", "GET", "users", "search", params=asked)
        yield from body["users"]
        page = page + 1 if body["next_page"] else None


def _refuse_doubtful(users: Sequence[Mapping[str, Any]]) -> None:
    if any(user["role"] != "end-user" for user in users):
        raise Rejected(NAME, "find", code="staff_account")
    if len({user["external_id"] for user in users if user["external_id"]}) > 1:
        raise Ambiguous(NAME, "find", code="several_external_ids")


def _tickets(account: Account, ids: set[int]) -> tuple[list[int], list[Record], set[str]]:
    """Return the users' own tickets, their copies of other people's, and doubts."""
    own: dict[int, None] = {}
    copies, doubts = [], set()
    for user in sorted(ids):
        requested = account.all_of("tickets", "users", user, "tickets", "requested", gone=GONE) or ()
        own |= dict.fromkeys(ticket["id"] for ticket in requested if ticket["requester_id"] in ids)
        for ticket in account.all_of("tickets", "users", user, "tickets", "ccd", gone=GONE) or ():
            if ticket["requester_id"] in ids:
                continue
            doubts.add("comments_in_tickets_of_others")
            if ticket["status"] == "closed":  # nobody can change it any more
                doubts.add("cc_on_closed_ticket")
                continue
            place = {"ticket": str(ticket["id"]), "user": str(user)}
            copies.append(Record(kind="ticket_cc", id=f"{ticket['id']}-{user}", locator=place))
    return list(own), copies, doubts


def _bin(account: Account) -> Bin:
    tickets: dict[int, datetime] = {}
    for number, (page, more) in enumerate(account.pages("deleted_tickets", "deleted_tickets"), start=1):
        tickets |= {ticket["id"]: datetime.fromisoformat(ticket["deleted_at"]) for ticket in page or ()}
        if more and number == _BIN_PAGES:
            return Bin(tickets, whole=False)
    return Bin(tickets, whole=True)


def _binned_of(account: Account, ids: set[int], bin_: Bin) -> tuple[list[int], set[str]]:
    """Return the users' tickets in the bin, and doubts.

    The bin does not tell whose a ticket was; the export does, from the first deletion on.
    """
    doubts = set() if bin_.whole else {"ticket_bin_too_long"}
    if not ids or not bin_.tickets:
        return [], doubts
    since = min(bin_.tickets.values()) - _BLIND
    owners = {ticket["id"]: ticket["requester_id"] for ticket in _exported(account, since)}
    if bin_.tickets.keys() - owners.keys():
        doubts.add("tickets_deleted_a_moment_ago")
    return [ticket for ticket in sorted(bin_.tickets) if owners.get(ticket) in ids], doubts


def _exported(account: Account, since: datetime) -> Iterator[dict[str, Any]]:
    """Return every ticket changed since, deleted ones too. This paging has a dialect of its own."""
    asked: dict[str, str | int] = {"start_time": int(since.timestamp())}
    while True:
        body = account.ask("find", "GET", "incremental", "tickets", "cursor", params=asked)
        yield from body["tickets"]
        if body["end_of_stream"]:
            return
        asked = {"cursor": body["after_cursor"]}


def _record(kind: str, number: int) -> Record:
    return Record(kind=kind, id=str(number))
