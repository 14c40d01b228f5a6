"""Salesforce: contacts, leads, person accounts, and the campaigns, activities, cases and e-mails around them.

Deleting only fills the recycle bin, so erasing is two calls: delete, then purge. To purge we use SOAP's
emptyRecycleBin and not a Bulk API 2.0 hardDelete job, for three reasons. It is answered at once, so a crash can
lose no job and start no second one; reading the record tells where to go on. It also purges what was in the bin
before us, such as the losers of a merge. And it needs no "Bulk API Hard Delete", a right over every record that
is off by default; "Modify All Data", which finding needs anyhow, is enough. A setting for the other way would be
a second life of each record to test, for volumes that one person does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self

from connectors._salesforce_search import TYPES, Found, Search, fields, identifiers, same_person, searched_types
from connectors._salesforce_session import NAME, SalesforceSettings, Session, id18, refused
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
    Verdict,
    Verification,
)
from erasure.failures import AccessRefused, Rejected
from erasure.outcome import Effect, EvidenceLevel
from erasure.subject import IdentifierKind, Subject

_CATEGORIES = {
    "campaign_member": DataCategory.MARKETING,
    "email_message": DataCategory.CORRESPONDENCE,
    "task": DataCategory.ACTIVITY,
    "event": DataCategory.ACTIVITY,
    "case": DataCategory.CORRESPONDENCE,
    "individual": DataCategory.IDENTITY,
}
_CONTACT_FLAGS = ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall")
# Never ShouldForget: in Data Cloud that starts a deletion.
_FLAGS = {
    "contact": _CONTACT_FLAGS,
    "lead": _CONTACT_FLAGS,
    "account": tuple(f"Person{flag}" for flag in _CONTACT_FLAGS),
    "individual": tuple(
        f"HasOptedOut{what}" for what in ("Processing", "Profiling", "Solicit", "Tracking", "GeoTracking")
    ),
}
# The vendor's answers for a record that is in the bin or beyond it. Which of them a record in which state gets
# is not documented for each call, so the record is read before anything is believed.
_GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
_SHOWN_AFTER_PURGE = timedelta(days=1)  # "typically 24 hours, but may be shorter or longer"


class Salesforce:
    """Everything that Salesforce knows about a person, in the bin and in archives included."""

    card: ClassVar[SystemCard] = SystemCard(
        name=NAME,
        title="Salesforce",
        holds=tuple(
            RecordKind(
                name=kind,
                category=_CATEGORIES.get(kind, DataCategory.CONTACT),
                person=kind in _FLAGS,
                restrictable=kind in _FLAGS,
            )
            for kind in TYPES
        ),
        finds_by=frozenset({IdentifierKind.EMAIL}),
        erases=Automation.AUTOMATED,
        restricts=Automation.AUTOMATED,
        proof=EvidenceLevel.E4,
        api_limits=ApiLimits(connections=25),  # the day's budget is the org's own; `check` reads what is left
        vendor_docs="https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_emptyrecyclebin.htm",
        side_effects=(
            "deleting a contact or lead takes its activities and campaign memberships along, a case its e-mails",
            "an e-mail to several people is erased as a whole, and with a case every message in it",
            "purged records stay readable to administrators (queryAll) for about a day",
            "a record whose parent is in the bin leaves the bin with its parent only, after 15 days at the latest",
            "files, notes in other people's records, field history, Chatter, Big Objects and event logs stay",
            "exported reports, sandboxes, backups, Data Cloud, Marketing Cloud and Pardot stay",
            "portal and community users cannot be deleted; they block the deletion of their contact",
            "custom e-mail fields are searched on contacts, leads and person accounts only",
            "addresses stand in the query part of URLs, as the query resource takes them",
            "restriction sets opt-out flags; automations obey them only where the org was built so",
        ),
    )
    Settings: ClassVar[type[ConnectorSettings]] = SalesforceSettings

    def __init__(self, settings: SalesforceSettings) -> None:
        """Build the session; nothing is called yet."""
        self._settings = settings
        self._session = Session(settings)

    @classmethod
    def open(cls, settings: SalesforceSettings) -> Self:
        """Build a fresh session."""
        return cls(settings)

    def close(self) -> None:
        """Give back connections."""
        self._session.close()

    def check(self) -> AccessReport:
        """Prove the token, then ask for our rights to each type and field.

        Rights to rows ("View All Data", "Modify All Data") have no cheap direct question; they are noted.
        """
        left = self._session.limits("check")
        granted: list[str] = []
        missing: list[str] = []
        notes = [f"api_calls_left: {left}", "modify_all_data: not checked"]
        for vendor_type in searched_types(self._settings.without):
            lacking, unchangeable = self._rights(vendor_type)
            missing += lacking
            notes += [f"cannot_be_changed: {name}" for name in unchangeable]
            granted += [] if lacking else [vendor_type]
        return AccessReport(
            account=self._session.host(), granted=tuple(granted), missing=tuple(missing), notes=tuple(notes)
        )

    def find(self, subject: Subject, bookmark: str = "") -> Findings:
        """Find the person by every e-mail field, then all that hangs on the person by ids.

        Raises:
            AccessRefused: a type or field is hidden from us, and `without` does not say that the org lacks it.
            Ambiguous: the records carry different people's names.
        """
        del bookmark  # a search here is some twenty calls and is never cut off
        found = self._search("find").everything(subject)
        same_person(found.values(), subject)
        return Findings(records=_records(found), learned=tuple(identifiers(found.values())))

    def erase(self, record: Record) -> Receipt:
        """Delete one record and purge it from the bin.

        A record whose parent is deleted too cannot be purged by itself: it leaves the bin with the parent, and
        `verify` says NOT_YET until then.

        Raises:
            Rejected: DELETE_FAILED (a portal user, a contract...), ENTITY_IS_LOCKED (an approval) and others.
        """
        if record.kind == "account":
            self._must_be_a_person(record)
        code = self._session.delete("erase", record.id)
        if code and code not in _GONE:
            raise refused("erase", 200, code)
        if code:
            one = self._read("erase", record)
            if one is None:
                return Receipt(record=record, effect=Effect.ALREADY_GONE)
            if not one.binned and code != "ENTITY_IS_DELETED":  # it is there, but not for us
                raise refused("erase", 200, code)
            if self._search("erase").parent_in_bin(one):
                return Receipt(record=record, effect=Effect.ERASED)
        code = self._session.purge("erase", record.id)
        if code and code not in _GONE:
            raise refused("erase", 200, code)
        return Receipt(record=record, effect=Effect.ALREADY_GONE if code else Effect.ERASED)

    def state(self, record: Record) -> dict[str, Any]:
        """Read the opt-out flags, and whether the record lies in the bin, where nobody works with it."""
        return self._flags("restrict", record)

    def restrict(self, record: Record) -> Receipt:
        """Set every opt-out flag; a record in the bin cannot be changed and needs no flag.

        No Individual is created for a person without one: that would be one more record about the person.
        """
        if not self._flags("restrict", record)["IsDeleted"]:
            flags = dict.fromkeys(_FLAGS[record.kind], True)
            self._session.update("restrict", TYPES[record.kind], record.id, flags)
        return Receipt(record=record, effect=Effect.RESTRICTED)

    def lift(self, record: Record, earlier: Mapping[str, Any]) -> Receipt:
        """Put the flags back."""
        now = self._flags("lift", record)
        if now != earlier:
            restricted = {**dict.fromkeys(now, True), "IsDeleted": False}
            if now != restricted or earlier["IsDeleted"]:
                raise Rejected(NAME, "lift", code="changed_by_others")
            flags = {name: bool(earlier[name]) for name in _FLAGS[record.kind]}
            self._session.update("lift", TYPES[record.kind], record.id, flags)
        return Receipt(record=record, effect=Effect.LIFTED)

    def confirm(self, receipt: Receipt) -> Receipt:
        """Everything here is done at once."""
        return receipt

    def verify(self, subject: Subject, records: Sequence[Record], bookmark: str = "") -> Verification:
        """Prove the token, search again, and ask for each treated record by its id.

        While a treated record shows in the bin only, which a purged one does for about a day, the answer is
        NOT_YET, whatever else is found: the day after tells what is really left.
        """
        del bookmark  # a re-read here is never cut off
        self._session.limits("verify")
        search = self._search("verify")
        found = search.everything(subject)
        treated = {id18(record.id) for record in records}
        unseen = [record for record in records if id18(record.id) not in found]
        for kind, vendor_type in TYPES.items():
            found |= search.by_id(vendor_type, [record.id for record in unseen if record.kind == kind])
        if not found:
            return Verification(verdict=Verdict.CLEAN, evidence=EvidenceLevel.E3)
        binned = {record_id: one.binned for record_id, one in found.items() if record_id in treated}
        if binned and all(binned.values()):
            wait = _SHOWN_AFTER_PURGE
            verdict, evidence = Verdict.NOT_YET, EvidenceLevel.E2
        else:
            wait = None
            verdict, evidence = Verdict.STILL_THERE, EvidenceLevel.E3
        return Verification(verdict=verdict, evidence=evidence, remaining=_records(found), wait=wait)

    def _search(self, operation: str) -> Search:
        return Search(self._session, self._settings, operation)

    def _read(self, operation: str, record: Record) -> Found | None:
        return self._search(operation).by_id(TYPES[record.kind], [record.id]).get(id18(record.id))

    def _must_be_a_person(self, record: Record) -> None:
        """A company's Account would take all its contacts along."""
        account = self._search("erase").read("Account", ("IsPersonAccount",), record.id)
        if account and not account["IsPersonAccount"]:
            raise Rejected(NAME, "erase", code="not_a_person_account")

    def _flags(self, operation: str, record: Record) -> dict[str, Any]:
        if record.kind not in _FLAGS:
            raise Rejected(NAME, operation, code="cannot_be_restricted")
        named = ("IsDeleted", *_FLAGS[record.kind])
        row = self._search(operation).read(TYPES[record.kind], named, record.id)
        if row is None:
            raise Rejected(NAME, operation, code="not_found")
        return {name: bool(row[name]) for name in named}

    def _rights(self, vendor_type: str) -> tuple[list[str], list[str]]:
        """Return what we lack of a type to erase it, and what to restrict it."""
        try:
            described = self._session.describe("check", vendor_type)
        except AccessRefused as said:
            if said.status != 404:
                raise
            return [vendor_type], []
        seen = {entry["name"]: entry for entry in described["fields"]}
        lacking = [f"{vendor_type}.{name}" for name in fields(vendor_type, self._settings.without) if name not in seen]
        if not described.get("deletable") and vendor_type in TYPES.values():
            lacking.append(f"{vendor_type} delete")
        wanted = next((flags for kind, flags in _FLAGS.items() if TYPES[kind] == vendor_type), ())
        unchangeable = [f"{vendor_type}.{name}" for name in wanted if not seen.get(name, {}).get("updateable")]
        return lacking, unchangeable


def _records(found: Mapping[str, Found]) -> tuple[Record, ...]:
    return tuple(Record(kind=one.kind, id=record_id) for record_id, one in found.items())
