"""Mailchimp Marketing: the members of every audience, and customers, carts and orders of every connected store.

A member is reached by the MD5 of the address, which stands in `locator` only.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self

from pydantic import SecretStr, model_validator

from connectors._mailchimp_calls import GONE, NAME, Calls
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
from erasure.failures import Rejected
from erasure.outcome import Effect, EvidenceLevel
from erasure.subject import Identifier, IdentifierKind, Subject

_DATA_CENTRE = re.compile(r".+-([a-z]{2}[0-9]{1,3})")
# Which role is enough to delete permanently is not documented; these three may manage contacts.
_ROLES = frozenset({"owner", "admin", "manager"})
# How far the search index lags is not published; an hour is our assumption.
_INDEX_WAIT = timedelta(hours=1)
# Pending members get nothing until they confirm, and putting them back would mail them; cleaned ones bounce.
_LEFT_AS_IT_IS = frozenset({"unsubscribed", "cleaned", "pending"})
_MEMBER_FIELDS = ["contact_id", "email_address", "status", "tags", "marketing_permissions", "interests", "merge_fields"]


class MailchimpSettings(ConnectorSettings):
    """An API key; its end names the data centre, from which an empty `base_url` is filled."""

    api_key: SecretStr

    @model_validator(mode="before")
    @classmethod
    def _data_centre(cls, given: Any) -> Any:  # noqa: ANN401 -- what comes in is not validated yet
        if not isinstance(given, dict) or given.get("base_url"):
            return given
        key = given.get("api_key", "")
        named = _DATA_CENTRE.fullmatch(key.get_secret_value() if isinstance(key, SecretStr) else str(key))
        if not named:
            msg = "the API key does not end in a data centre such as -us19"
            raise ValueError(msg)
        return {**given, "base_url": f"https://{named[1]}.api.mailchimp.com"}


class Mailchimp:
    """Members by address in every audience, and what the connected stores tell about them."""

    card: ClassVar[SystemCard] = SystemCard(
        name=NAME,
        title="Mailchimp",
        holds=(
            RecordKind(name="order", category=DataCategory.PURCHASE),
            RecordKind(name="cart", category=DataCategory.PURCHASE),
            RecordKind(name="customer", category=DataCategory.CONTACT, person=True),
            RecordKind(name="member", category=DataCategory.MARKETING, person=True, restrictable=True),
        ),
        finds_by=frozenset({IdentifierKind.EMAIL}),
        erases=Automation.AUTOMATED,
        restricts=Automation.AUTOMATED,
        proof=EvidenceLevel.E4,
        api_limits=ApiLimits(connections=10),
        vendor_docs="https://mailchimp.com/developer/marketing/api/list-members/",
        side_effects=(
            "Mailchimp keeps a trace of the forgotten address and refuses its import; only the person can return",
            "notes, tags and activity go with the member; campaign reports stay, anonymised",
            "survey answers, inbox messages and exports already made remain for a person to remove",
        ),
    )
    Settings: ClassVar[type[ConnectorSettings]] = MailchimpSettings

    def __init__(self, settings: MailchimpSettings) -> None:
        """Build the client; nothing is called yet."""
        self._key = settings.api_key.get_secret_value()
        self._calls = Calls(settings, self._key)
        self._lists, self._shop = self._calls.lists, self._calls.shop
        self._reads = {
            "order": self._shop.get_order,
            "cart": self._shop.get_store_cart,
            "customer": self._shop.get_store_customer,
            "member": self._lists.get_list_member,
        }
        self._deletes = {
            "order": self._shop.delete_order,
            "cart": self._shop.delete_store_cart,
            "customer": self._shop.delete_store_customer,
            "member": self._lists.delete_list_member_permanent,  # the plain delete only archives
        }

    @classmethod
    def open(cls, settings: MailchimpSettings) -> Self:
        """Build a fresh client."""
        return cls(settings)

    def close(self) -> None:
        """Give back connections."""
        self._calls.close()

    def check(self) -> AccessReport:
        """Ask the account for the key's role: keys have no scopes, they carry the role of their user."""
        account = self._calls.account("check")
        missing = () if account["role"] in _ROLES else ("role manager",)
        return AccessReport(account=account["account_id"], granted=(account["role"],), missing=missing)

    def find(self, subject: Subject, bookmark: str = "") -> Findings:
        """Find store records and members by every address, in every store and every audience."""
        del bookmark  # nothing here is limited by the day
        seen = [*self._purchases("find", subject), *self._members("find", subject)]
        learned = tuple(identifier for _, names in seen for identifier in names)
        return Findings(records=tuple(record for record, _ in seen), learned=learned)

    def erase(self, record: Record) -> Receipt:
        """Delete a store record, or a member permanently."""
        if self._calls.ask("erase", self._deletes[record.kind], *_place(record), gone=GONE) is None:
            self._calls.account("erase")  # a wrong address answers 404 to everything; then this call fails
            return Receipt(record=record, effect=Effect.ALREADY_GONE)
        return Receipt(record=record, effect=Effect.ERASED)

    def state(self, record: Record) -> dict[str, Any]:
        """Read the member's status, tags, marketing permissions and interests."""
        if record.kind != "member":
            raise Rejected(NAME, "restrict", code="cannot_be_restricted")
        return _state(self._member("restrict", record))

    def restrict(self, record: Record) -> Receipt:
        """Unsubscribe the member, also an archived one, which an import would subscribe again."""
        if self.state(record)["status"] not in _LEFT_AS_IT_IS:
            self._set_status("restrict", record, "unsubscribed")
        return Receipt(record=record, effect=Effect.RESTRICTED)

    def lift(self, record: Record, earlier: Mapping[str, Any]) -> Receipt:
        """Give the member the earlier status again.

        Raises:
            Rejected: `changed_by_others`, or Mailchimp's "Member In Compliance State": the person unsubscribed, and
                only the person's own opt-in may undo that.
        """
        now = self.state(record)
        if now != earlier:
            if earlier["status"] in _LEFT_AS_IT_IS or now != {**earlier, "status": "unsubscribed"}:
                raise Rejected(NAME, "lift", code="changed_by_others")
            self._put_back(record, earlier["status"])
        return Receipt(record=record, effect=Effect.LIFTED)

    def confirm(self, receipt: Receipt) -> Receipt:
        """Everything here is done at once."""
        return receipt

    def verify(self, subject: Subject, records: Sequence[Record], bookmark: str = "") -> Verification:
        """Prove the key, search stores and audiences afresh, read each record, and ask the search index as well.

        What only the index still shows is gone and lags: the verdict is then NOT_YET.
        """
        del bookmark  # a re-read here is never cut off
        self._calls.account("verify")
        searched = [*self._purchases("verify", subject), *self._members("verify", subject)]
        found = {(record.kind, record.id): record for record, _ in searched}
        found |= {(record.kind, record.id): record for record in records if self._exists(record)}
        if found:
            remaining = tuple(found.values())
            return Verification(verdict=Verdict.STILL_THERE, evidence=EvidenceLevel.E3, remaining=remaining)
        if listed := tuple(self._indexed(subject)):
            return Verification(verdict=Verdict.NOT_YET, remaining=listed, wait=_INDEX_WAIT)
        return Verification(verdict=Verdict.CLEAN, evidence=EvidenceLevel.E3)

    def _members(self, operation: str, subject: Subject) -> Iterator[tuple[Record, tuple[Identifier, ...]]]:
        """Read every address in every audience: that finds each status, which lists and searches do not."""
        read = self._lists.get_list_member
        for audience in self._calls.pages(operation, "lists", self._lists.get_all_lists, fields=["id"]):
            for address in subject.emails:
                place = (audience["id"], _hash(address))
                member = self._calls.ask(operation, read, *place, gone=GONE, fields=_MEMBER_FIELDS)
                if member is not None and subject.is_email(member["email_address"]):
                    merged = member.get("merge_fields") or {}
                    yield _member_record(audience["id"], member), _name(merged.get("FNAME"), merged.get("LNAME"))

    def _purchases(self, operation: str, subject: Subject) -> Iterator[tuple[Record, tuple[Identifier, ...]]]:
        for store in self._calls.pages(operation, "stores", self._shop.stores, fields=["id"]):
            customers = self._customers(operation, store["id"], subject)
            for customer in customers:
                names = _name(customer.get("first_name"), customer.get("last_name"))
                yield self._store_record("customer", store["id"], customer["id"]), names
            for kind, entry in self._baskets(operation, store["id"], [customer["id"] for customer in customers]):
                # A filter that the vendor ignored would hand us everybody's: each entry is compared here.
                buyer = entry.get("customer") or {}
                if subject.is_email(buyer.get("email_address")) or buyer.get("id") in {c["id"] for c in customers}:
                    yield self._store_record(kind, store["id"], entry["id"]), ()

    def _customers(self, operation: str, store: str, subject: Subject) -> list[dict[str, Any]]:
        # That the filter ignores case, as addresses do elsewhere at Mailchimp, is an assumption.
        worded, fields = self._shop.get_all_store_customers, ["id", "email_address", "first_name", "last_name"]
        found: dict[str, dict[str, Any]] = {}
        for address in subject.emails:
            options = {"fields": fields, "email_address": address}
            for customer in self._calls.pages(operation, "customers", worded, store, **options):
                if subject.is_email(customer.get("email_address")):
                    found[customer["id"]] = customer
        return list(found.values())

    def _baskets(self, operation: str, store: str, customers: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the customers' orders, and every cart of the store: carts have no filter."""
        fields = ["id", "customer.id", "customer.email_address"]
        for customer in customers:
            worded = self._shop.get_store_orders
            for order in self._calls.pages(operation, "orders", worded, store, fields=fields, customer_id=customer):
                yield "order", order
        for cart in self._calls.pages(operation, "carts", self._shop.get_store_carts, store, fields=fields):
            yield "cart", cart

    def _store_record(self, kind: str, store: str, own_id: str) -> Record:
        """Name a store's record by a keyed digest: a shop's id may be the address's MD5, as WooCommerce's is."""
        digest = hmac.new(self._key.encode(), own_id.encode(), hashlib.sha256).hexdigest()[:20]
        return Record(kind=kind, id=f"{store}.{digest}", locator={"within": store, "at": own_id})

    def _indexed(self, subject: Subject) -> Iterator[Record]:
        """Yield what the search index shows; it matches names as well, so addresses are compared here."""
        for address in subject.emails:
            exact = self._calls.ask("verify", self._calls.search.search, query=address)["exact_matches"]
            for member in exact["members"]:
                if subject.is_email(member["email_address"]):
                    yield _member_record(member["list_id"], member)

    def _exists(self, record: Record) -> bool:
        worded = self._reads[record.kind]
        return self._calls.ask("verify", worded, *_place(record), gone=GONE, fields=["id"]) is not None

    def _member(self, operation: str, record: Record) -> dict[str, Any]:
        member: dict[str, Any] = self._calls.ask(
            operation, self._lists.get_list_member, *_place(record), fields=_MEMBER_FIELDS
        )
        return member

    def _set_status(self, operation: str, record: Record, status: str) -> None:
        # Without the switch an empty required merge field refuses the change.
        body, worded = {"status": status}, self._lists.update_list_member
        self._calls.ask(operation, worded, *_place(record), body=body, skip_merge_validation=True)

    def _put_back(self, record: Record, status: str) -> None:
        """Set a status by the one call that can: PATCH knows neither `archived` nor `transactional`.

        Neither of the two is a subscription, so neither overturns what the person did meanwhile.
        """
        if status == "archived":
            self._calls.ask("lift", self._lists.delete_list_member, *_place(record))
        elif status == "transactional":
            address = self._member("lift", record)["email_address"]
            body = {"email_address": address, "status_if_new": status, "status": status}
            self._calls.ask("lift", self._lists.set_list_member, *_place(record), body=body, skip_merge_validation=True)
        else:
            self._set_status("lift", record, status)


def _hash(address: str) -> str:
    """Return the id Mailchimp gives an address: of its lower-case form."""
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


def _place(record: Record) -> tuple[str, str]:
    return record.locator["within"], record.locator["at"]


def _member_record(audience: str, member: Mapping[str, Any]) -> Record:
    locator = {"within": audience, "at": _hash(member["email_address"])}
    return Record(kind="member", id=f"{audience}.{member['contact_id']}", locator=locator)


def _name(first: object, last: object) -> tuple[Identifier, ...]:
    return Identifier.readable(IdentifierKind.NAME, f"{first or ''} {last or ''}")


def _state(member: Mapping[str, Any]) -> dict[str, Any]:
    permissions = member.get("marketing_permissions") or []
    return {
        "status": member["status"],
        "tags": sorted(tag["name"] for tag in member.get("tags") or []),
        "marketing_permissions": {p["marketing_permission_id"]: p["enabled"] for p in permissions},
        "interests": dict(member.get("interests") or {}),
    }
