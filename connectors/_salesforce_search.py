"""Finding everything of one person in Salesforce: by every e-mail field first, then along the records' ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from urllib.parse import quote

from simple_salesforce.format import format_soql

from connectors._salesforce_session import NAME, SalesforceSettings, Session, id18
from erasure.failures import Ambiguous
from erasure.subject import Identifier, IdentifierKind, Subject

# The vendor's type of each record kind, in the order in which records must be erased: links before what they
# link, cases before their contact, which cannot be deleted while it has any.
TYPES = {
    "campaign_member": "CampaignMember",
    "email_message": "EmailMessage",
    "task": "Task",
    "event": "Event",
    "case": "Case",
    "contact": "Contact",
    "lead": "Lead",
    "account": "Account",
    "individual": "Individual",
}
_KINDS = {vendor_type: kind for kind, vendor_type in TYPES.items()}
_FIELDS = {
    "Account": "IsPersonAccount PersonEmail FirstName LastName PersonContactId PersonIndividualId MasterRecordId",
    "CampaignMember": "ContactId LeadId",
    "Case": "ContactId SuppliedEmail",
    "Contact": "Email FirstName LastName AccountId IsPersonAccount IndividualId MasterRecordId",
    "EmailMessage": "FromAddress ToAddress CcAddress BccAddress ParentId RelatedToId",
    "EmailMessageRelation": "EmailMessageId RelationId RelationAddress",
    "Event": "WhoId WhatId",
    "Individual": "",
    "Lead": "Email FirstName LastName ConvertedContactId IndividualId MasterRecordId",
    "Task": "WhoId WhatId",
}
_FEATURES = {
    "person_accounts": {"Account", "Contact.IsPersonAccount"},
    "individuals": {"Individual", "Contact.IndividualId", "Lead.IndividualId", "Account.PersonIndividualId"},
    "campaigns": {"CampaignMember"},
    "email_messages": {"EmailMessage", "EmailMessageRelation"},
    "enhanced_email": {"EmailMessageRelation", "EmailMessage.RelatedToId"},
}
_EMAIL = {"Account": "PersonEmail", "Contact": "Email", "Lead": "Email"}
_INDIVIDUAL = {"Account": "PersonIndividualId", "Contact": "IndividualId", "Lead": "IndividualId"}
_MAIL_LISTS = ("ToAddress", "CcAddress", "BccAddress")
_PARENTS = {
    "CampaignMember": ("ContactId", "LeadId"),
    "Contact": ("AccountId",),
    "EmailMessage": ("ParentId",),
    "Event": ("WhoId", "WhatId"),
    "Task": ("WhoId", "WhatId"),
}
_PREFIXES = {"001": "Account", "003": "Contact", "00Q": "Lead", "500": "Case"}
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_QUERY_BYTES = 8_000  # a query stands in the URL, which with all headers may take 16,384 bytes

Row = dict[str, Any]
Pair = tuple[str, str]


@dataclass
class Found:
    """One record of the person. `how` is own, custom (a custom e-mail field only) or link (by ids)."""

    vendor_type: str
    row: Row
    how: str = "link"

    @property
    def kind(self) -> str:
        """The record kind of the card."""
        return _KINDS[self.vendor_type]

    @property
    def binned(self) -> bool:
        """Tell whether it lies in the recycle bin, or was purged within the last day or so."""
        return bool(self.row["IsDeleted"])

    @property
    def full_name(self) -> tuple[str, str]:
        """First and last name, folded for comparison."""
        first, last = (
            str(self.row.get(part) or "").strip().rstrip(".").casefold() for part in ("FirstName", "LastName")
        )
        return first, last


def fields(vendor_type: str, without: Iterable[str]) -> list[str]:
    """Return the fields that a search reads of a type; empty when the org lacks the feature."""
    missing = set().union(*(_FEATURES[feature] for feature in without))
    if vendor_type in missing:
        return []
    named = [name for name in _FIELDS[vendor_type].split() if f"{vendor_type}.{name}" not in missing]
    return ["Id", "IsDeleted", *named]


def searched_types(without: Iterable[str]) -> list[str]:
    """Return every type that a search reads."""
    return [vendor_type for vendor_type in _FIELDS if fields(vendor_type, without)]


def same_person(found: Iterable[Found], subject: Subject) -> None:
    """Refuse to take different people for one.

    Raises:
        Ambiguous: `several_names` when the person's addresses belong to records of different names,
            `custom_field_only` when nothing but a custom e-mail field points to a record of another name.
    """
    people = [one for one in found if one.vendor_type in _EMAIL and not one.row.get("MasterRecordId")]
    known = [one.full_name for one in people if one.how != "custom"]
    if not all(_alike(one, other) for one, other in combinations(known, 2)):
        raise Ambiguous(NAME, "find", code="several_names")
    said = {name.casefold() for name in subject.of(IdentifierKind.NAME)}
    for name in (one.full_name for one in people if one.how == "custom"):
        if " ".join(name).strip() not in said and not any(_alike(name, other) for other in known):
            raise Ambiguous(NAME, "find", code="custom_field_only")


def identifiers(found: Iterable[Found]) -> Iterator[Identifier]:
    """Return what the records teach; a custom field may hold anybody's address, so its record teaches nothing."""
    for one in found:
        if one.vendor_type in _EMAIL and one.how != "custom":
            yield from Identifier.readable(IdentifierKind.EMAIL, one.row.get(_EMAIL[one.vendor_type]))
            name = f"{one.row.get('FirstName') or ''} {one.row.get('LastName') or ''}"
            yield from Identifier.readable(IdentifierKind.NAME, name)


@dataclass
class Search:
    """One search in one session; `operation` is the step it is part of."""

    session: Session
    settings: SalesforceSettings
    operation: str
    _asked: set[tuple[str, str, str]] = field(default_factory=set)

    def everything(self, subject: Subject) -> dict[str, Found]:
        """Return all records of the person by their 18-character ids."""
        found = self._people(subject)
        who = [i for i, one in found.items() if one.vendor_type in {"Contact", "Lead"}]
        for row_id, half in list(found.items()):
            # A Person Account shows up as a Contact too, which goes with the Account and only with it.
            if half.row.get("AccountId") and half.row.get("IsPersonAccount"):
                del found[row_id]
                found.setdefault(id18(half.row["AccountId"]), Found("Account", half.row, half.how))
        accounts = [i for i, one in found.items() if one.vendor_type == "Account"]
        return found | self._hanging_on(subject, who, accounts) | self._individuals(found.values())

    def read(self, vendor_type: str, named: Iterable[str], record_id: str) -> Row | None:
        """Return these fields of one record, or None when it is gone for good."""
        soql = format_soql(f"SELECT {', '.join(named)} FROM {vendor_type} WHERE Id = {{}}", id18(record_id))  # noqa: S608
        return next(self.session.query(self.operation, soql), None)

    def by_id(self, vendor_type: str, ids: Iterable[str]) -> dict[str, Found]:
        """Return those of these records that are still there, in the bin included."""
        return {id18(row["Id"]): Found(vendor_type, row) for row in self._rows(vendor_type, pairs("Id", ids))}

    def parent_in_bin(self, one: Found) -> bool:
        """Tell whether a parent of the record is deleted, so that the record can only leave the bin with it."""
        parents = (one.row.get(pointer) for pointer in _PARENTS.get(one.vendor_type, ()))
        for parent in filter(None, parents):
            vendor_type = _PREFIXES.get(parent[:3])
            # Asked without the other fields: an Account may be a company's, in an org without Person Accounts.
            if vendor_type and any(
                row["IsDeleted"] for row in self._rows(vendor_type, pairs("Id", [parent]), bare=True)
            ):
                return True
        return False

    def _people(self, subject: Subject) -> dict[str, Found]:
        """Find people by address, then follow merges, conversions and the Individual they share."""
        found: dict[str, Found] = {}
        custom = {kind: self._custom_fields(kind) for kind in _EMAIL if fields(kind, self.settings.without)}
        ask = {
            kind: [p for name in (_EMAIL[kind], *more) for p in pairs(name, subject.emails)]
            for kind, more in custom.items()
        }
        first = True
        while any(ask.values()):
            fresh: dict[str, Found] = {}
            for kind, wanted in ask.items():
                for row in self._rows(kind, wanted, more=custom[kind]):
                    how = _how(kind, row, custom[kind], subject)
                    if (how or not first) and id18(row["Id"]) not in found:
                        fresh[id18(row["Id"])] = Found(kind, row, how or "link")
            found |= fresh
            ask, first = self._links(fresh, found), False
        return found

    def _custom_fields(self, kind: str) -> list[str]:
        described = self.session.describe(self.operation, kind)["fields"]
        emails = [f["name"] for f in described if f["type"] == "email" and f.get("filterable") and f.get("custom")]
        others = self.settings.others_email_fields
        return [name for name in emails if _API_NAME.fullmatch(name) and f"{kind}.{name}" not in others]

    def _links(self, fresh: dict[str, Found], found: dict[str, Found]) -> dict[str, list[Pair]]:
        """Return what to ask next, so that also a merged or linked record under another address is found."""
        ask: dict[str, set[Pair]] = {kind: set() for kind in _EMAIL if fields(kind, self.settings.without)}
        for row_id, one in fresh.items():
            row = one.row
            ask[one.vendor_type] |= {("MasterRecordId", row_id), ("Id", row.get("MasterRecordId") or "")}
            ask["Contact"] |= {("Id", row.get("ConvertedContactId") or ""), ("Id", row.get("PersonContactId") or "")}
            if row.get("IsPersonAccount") and one.vendor_type == "Contact":
                ask["Account"] |= {("Id", row.get("AccountId") or "")}
            individual = row.get(_INDIVIDUAL[one.vendor_type]) or ""
            for kind in ask if individual else ():
                ask[kind] |= {(_INDIVIDUAL[kind], individual)}
        known = {("Id", row_id) for row_id in found}
        return {kind: self._new(kind, {p for p in wanted if p[1]} - known) for kind, wanted in ask.items()}

    def _new(self, kind: str, wanted: set[Pair]) -> list[Pair]:
        new = sorted(pair for pair in wanted if (kind, *pair) not in self._asked)
        self._asked |= {(kind, *pair) for pair in new}
        return new

    def _hanging_on(self, subject: Subject, who: list[str], accounts: list[str]) -> dict[str, Found]:
        contacts, leads = ([i for i in who if i.startswith(prefix)] for prefix in ("003", "00Q"))
        cases = self._typed("Case", pairs("SuppliedEmail", subject.emails) + pairs("ContactId", contacts))
        what = [*cases, *accounts]
        activities = pairs("WhoId", who) + pairs("WhatId", what)
        members = self._typed("CampaignMember", pairs("ContactId", contacts) + pairs("LeadId", leads))
        mails = self._mails(subject, who, list(cases), accounts)
        return cases | members | mails | self._typed("Task", activities) | self._typed("Event", activities)

    def _mails(self, subject: Subject, who: list[str], cases: list[str], accounts: list[str]) -> dict[str, Found]:
        """Find messages by address, by relation, and those of the person's own cases, which go with the case."""
        addressed = pairs("FromAddress", subject.emails)
        addressed += [p for name in _MAIL_LISTS for p in pairs(name, subject.emails)]
        found = {i: one for i, one in self._typed("EmailMessage", addressed).items() if _is_addressed(one.row, subject)}
        related = pairs("RelationId", who) + pairs("RelationAddress", subject.emails)
        messages = {row["EmailMessageId"] for row in self._rows("EmailMessageRelation", related)}
        linked = pairs("Id", sorted(filter(None, messages))) + pairs("ParentId", cases)
        if "RelatedToId" in fields("EmailMessage", self.settings.without):
            linked += pairs("RelatedToId", accounts)
        return found | self._typed("EmailMessage", linked)

    def _individuals(self, people: Iterable[Found]) -> dict[str, Found]:
        named = {one.row.get(_INDIVIDUAL[one.vendor_type]) for one in people if one.vendor_type in _INDIVIDUAL}
        return self._typed("Individual", pairs("Id", sorted(filter(None, named))))

    def _typed(self, vendor_type: str, wanted: list[Pair]) -> dict[str, Found]:
        return {id18(row["Id"]): Found(vendor_type, row) for row in self._rows(vendor_type, wanted)}

    def _rows(
        self, vendor_type: str, wanted: list[Pair], more: Iterable[str] = (), *, bare: bool = False
    ) -> Iterator[Row]:
        """Ask for the rows that fulfil any of the pairs, in queries short enough for a URL."""
        named = ["Id", "IsDeleted"] if bare else [*fields(vendor_type, self.settings.without), *more]
        if not named:
            return
        for some in _short_enough(wanted):
            soql = f"SELECT {', '.join(named)} FROM {vendor_type} WHERE {_where(some)}"  # noqa: S608 -- names only
            yield from self.session.query(self.operation, soql)


def pairs(name: str, values: Iterable[str]) -> list[Pair]:
    """Return a field with each of its values."""
    return [(name, value) for value in values]


def _where(wanted: list[Pair]) -> str:
    """Join conditions by OR; every value goes through format_soql, whose `{}` quotes."""
    by_field: dict[str, list[str]] = {}
    for name, value in wanted:
        by_field.setdefault(name, []).append(value)
    conditions = []
    for name, values in by_field.items():
        if name in _MAIL_LISTS:
            # Only a coarse net, so "%" and "_" may stand for any sign, and a backslash must: we compare exactly later.
            patterns = (value.replace("\\", "_") for value in values)
            conditions += [format_soql(f"{name} LIKE {{}}", f"%{pattern}%") for pattern in patterns]
        else:
            conditions.append(format_soql(f"{name} IN {{}}", values))
    return " OR ".join(conditions)


def _short_enough(wanted: list[Pair]) -> Iterator[list[Pair]]:
    some: list[Pair] = []
    size = 0
    for name, value in wanted:
        cost = len(name) + len(quote(value, safe="")) + 30
        if some and size + cost > _QUERY_BYTES:
            yield some
            some, size = [], 0
        some.append((name, value))
        size += cost
    if some:
        yield some


def _how(kind: str, row: Row, custom: Iterable[str], subject: Subject) -> str:
    if subject.is_email(row[_EMAIL[kind]]):
        return "own"
    return "custom" if any(subject.is_email(row[name]) for name in custom) else ""


def _is_addressed(row: Row, subject: Subject) -> bool:
    """Tell whether one of the person's addresses stands in the message whole, also as `Ada <ada@example.org>`."""
    if subject.is_email(row["FromAddress"]):
        return True
    lists = [str(row[name] or "").lower() for name in _MAIL_LISTS]
    edges = (re.compile(rf"(?:^|[;,<\s]){re.escape(address)}(?:$|[;,>\s])") for address in subject.emails)
    return any(edge.search(text) for edge in edges for text in lists)


def _alike(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Tell whether two names can be one person's: an initial or a missing first name is no contradiction."""
    (first, last), (first_too, last_too) = one, other
    return last == last_too and (first.startswith(first_too) or first_too.startswith(first))
