"""Zendesk Support: tickets, suspended tickets, copies of other people's tickets, and the user.

"Deleted" means "moved to a bin" at this vendor: tickets and users need a second, different call to be gone.
https://developer.zendesk.com/api-reference/ticketing/users/users/#permanently-delete-user
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self

from connectors._zendesk_account import GONE, NAME, SCOPES, Account, ZendeskSettings
from connectors._zendesk_search import Bin, is_shell, search
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
from erasure.failures import AccessRefused, Rejected, TryLater
from erasure.outcome import Effect, EvidenceLevel
from erasure.subject import IdentifierKind, Subject

_JOB_OPEN = frozenset({"queued", "working"})
# In the vendor's example Chat starts four hours after Support; the search index follows within minutes (UNCONFIRMED).
_LAG = timedelta(hours=1)


class Zendesk:
    """The help desk of the Foundation.

    A ticket belongs to its requester. Where the person is only in CC, the CC is taken away and the ticket stays: it
    is somebody else's correspondence, and Art. 17 gives a right to one's own data only. What the person wrote in it
    stays too, under "Permanently deleted user" once the user is gone; a doubt tells compliance to look.
    """

    card: ClassVar[SystemCard] = SystemCard(
        name=NAME,
        title="Zendesk",
        # The user last: the vendor refuses to delete the requester of a ticket that is not closed.
        holds=(
            RecordKind(name="ticket", category=DataCategory.CORRESPONDENCE),
            RecordKind(name="deleted_ticket", category=DataCategory.CORRESPONDENCE),
            RecordKind(name="suspended_ticket", category=DataCategory.CORRESPONDENCE),
            RecordKind(name="ticket_cc", category=DataCategory.CORRESPONDENCE),
            RecordKind(name="user", category=DataCategory.CONTACT, person=True, restrictable=True),
            RecordKind(name="deleted_user", category=DataCategory.CONTACT, person=True),
        ),
        finds_by=frozenset({IdentifierKind.EMAIL}),
        erases=Automation.AUTOMATED,
        restricts=Automation.AUTOMATED,
        settles_later=True,
        proof=EvidenceLevel.E4,
        api_limits=ApiLimits(per_minute=200),  # the smallest plan; listing the ticket bin and exports: 10 a minute
        vendor_docs="https://support.zendesk.com/hc/en-us/articles/4408845703194",
        side_effects=(
            "help-centre posts and comments stay and need a person",
            "comments in other people's tickets and in tickets kept by policy keep their text",
            "on closed tickets of others the CC stays as 'Permanently deleted user'",
            "Explore and Chat erase hours later; Talk recordings and mailed attachments are not covered",
            "the audit log keeps its entries unless an admin setting removes them",
            "archived tickets that somebody else deleted before are not listed; the vendor scrubs them after 30 days",
            "removing a CC updates the ticket and can run the account's triggers",
            "a suspended user's new mails wait in a queue, to be recovered by a person within 14 days or lost",
            "triggers, exports and existing tickets go on while a user is suspended",
            "a restriction signs the person out; a lift does not sign in again",
        ),
    )
    Settings: ClassVar[type[ConnectorSettings]] = ZendeskSettings

    def __init__(self, settings: ZendeskSettings) -> None:
        """Build the client; nothing is called yet."""
        self._account = Account(settings)
        self._applications = frozenset(settings.applications)

    @classmethod
    def open(cls, settings: ZendeskSettings) -> Self:
        """Build a fresh client; its access token is its own."""
        return cls(settings)

    def close(self) -> None:
        """Give back connections."""
        self._account.close()

    def check(self) -> AccessReport:
        """Ask who we are and what the token may do."""
        me = self._account.myself("check")
        missing = sorted(SCOPES - self._account.scope)
        if me["role"] != "admin":
            missing.append("role admin")
        return AccessReport(
            account=str(me["id"]),
            granted=tuple(sorted(self._account.scope)),
            missing=tuple(missing),
            notes=("the setting 'agents can delete tickets' must be on; only a deletion shows it",),
        )

    def find(self, subject: Subject, bookmark: str = "") -> Findings:
        """Find users by every address they have, their tickets, bins included, and mails held as spam.

        Raises:
            Ambiguous: the addresses lead to users whom the Foundation's own single sign-on keeps apart.
            Rejected: `staff_account`: an agent must be made an end user by a person first.
        """
        del bookmark  # nothing here has a daily allowance
        return search(self._account, subject).findings

    def erase(self, record: Record) -> Receipt:
        """Delete and then delete for good; of another's ticket only the CC is taken away."""
        if record.kind in {"ticket", "deleted_ticket"}:
            return self._erase_ticket(record)
        if record.kind in {"user", "deleted_user"}:
            return self._erase_user(record)
        if record.kind == "ticket_cc":
            return self._leave_ticket(record)
        there = self._account.drop("erase", "suspended_tickets", record.id)
        return Receipt(record=record, effect=Effect.ERASED if there else Effect.ALREADY_GONE)

    def state(self, record: Record) -> dict[str, Any]:
        """Read whether the user is suspended."""
        if record.kind != "user":
            raise Rejected(NAME, "restrict", code="cannot_be_restricted")
        return {"suspended": bool(self._account.ask("restrict", "GET", "users", record.id)["user"]["suspended"])}

    def restrict(self, record: Record) -> Receipt:
        """Suspend the user and end the open sessions."""
        if not self.state(record)["suspended"]:
            self._suspend(record, "restrict", suspended=True)
        self._account.drop("restrict", "users", record.id, "sessions")
        return Receipt(record=record, effect=Effect.RESTRICTED)

    def lift(self, record: Record, earlier: Mapping[str, Any]) -> Receipt:
        """End the suspension if the user was not suspended before."""
        now, before = self.state(record)["suspended"], bool(earlier["suspended"])
        if before and not now:
            raise Rejected(NAME, "lift", code="changed_by_others")
        if now and not before:
            self._suspend(record, "lift", suspended=False)
        return Receipt(record=record, effect=Effect.LIFTED)

    def confirm(self, receipt: Receipt) -> Receipt:
        """Ask about a job; one that the vendor no longer keeps (about an hour) is judged by the ticket itself."""
        if not receipt.pending:
            return receipt
        answer = self._account.ask("confirm", "GET", "job_statuses", receipt.job, gone=GONE)
        if answer is None:
            # Asking for the deletion again is the only read of a binned ticket: it is gone, or a new job has begun.
            return receipt.model_copy(update={"job": self._purge(receipt.record, "confirm") or ""})
        job = answer["job_status"]
        if job["status"] in _JOB_OPEN:
            return receipt
        if job["status"] != "completed":
            raise Rejected(NAME, "confirm", code="job_failed")
        if _has_failed_item(job["results"]):
            raise Rejected(NAME, "confirm", code="job_item_failed")
        return receipt.model_copy(update={"job": ""})

    def verify(self, subject: Subject, records: Sequence[Record], bookmark: str = "") -> Verification:
        """Prove the credential, search again, read each record by its id, and read the vendor's deletion log."""
        del bookmark  # a re-read here is never cut off
        if self._account.myself("verify")["role"] != "admin":
            raise AccessRefused(NAME, "verify", code="not_admin")
        sight = search(self._account, subject)
        left = [record for record in records if self._is_there(record, sight.bin)]
        late = [*sight.stale, *(record for record in records if record not in left and not self._is_complete(record))]
        remaining = {(record.kind, record.id): record for record in (*left, *late, *sight.findings.records)}
        if late and not left:  # before the other verdict: what the policy keeps must not hide what is not finished
            return Verification(
                verdict=Verdict.NOT_YET,
                evidence=EvidenceLevel.E1,
                remaining=tuple(remaining.values()),
                wait=_LAG,
            )
        if records and not remaining and not sight.bin.whole:
            return Verification(verdict=Verdict.NOT_PROVABLE, evidence=EvidenceLevel.E2)
        verdict = Verdict.STILL_THERE if remaining else Verdict.CLEAN
        return Verification(verdict=verdict, evidence=EvidenceLevel.E3, remaining=tuple(remaining.values()))

    # -- treating --

    def _erase_ticket(self, record: Record) -> Receipt:
        was_live = self._account.drop("erase", "tickets", record.id)
        job = self._purge(record, "erase")
        if job is None and was_live:
            raise TryLater(NAME, "erase", code="not_in_bin_yet")
        return Receipt(record=record, effect=Effect.ERASED if job else Effect.ALREADY_GONE, job=job or "")

    def _purge(self, record: Record, operation: str) -> str | None:
        """Start the permanent deletion of a binned ticket; return its job, or None when it is not in the bin."""
        answer = self._account.ask(operation, "DELETE", "deleted_tickets", record.id, gone=GONE)
        return None if answer is None else str(answer["job_status"]["id"])

    def _erase_user(self, record: Record) -> Receipt:
        was_live = self._account.drop("erase", "users", record.id)
        was_binned = self._account.drop("erase", "deleted_users", record.id)
        if was_live and not was_binned:
            raise TryLater(NAME, "erase", code="not_in_bin_yet")
        return Receipt(record=record, effect=Effect.ERASED if was_binned else Effect.ALREADY_GONE)

    def _leave_ticket(self, record: Record) -> Receipt:
        ticket, user = self._copied(record, "erase"), int(record.locator["user"])
        if ticket is None or user not in _copied_to(ticket):
            return Receipt(record=record, effect=Effect.ALREADY_GONE)
        if ticket["status"] == "closed":
            raise Rejected(NAME, "erase", code="ticket_closed")
        # One entry with "delete" leaves the others in CC; the older `collaborator_ids` would replace the whole list.
        change = {"ticket": {"email_ccs": [{"user_id": str(user), "action": "delete"}]}}
        answer = self._account.ask("erase", "PUT", "tickets", record.locator["ticket"], json=change)
        if user in _copied_to(answer["ticket"]):
            raise Rejected(NAME, "erase", code="cc_stays")
        return Receipt(record=record, effect=Effect.ERASED)

    def _copied(self, record: Record, operation: str) -> dict[str, Any] | None:
        answer = self._account.ask(operation, "GET", "tickets", record.locator["ticket"], gone=GONE)
        return None if answer is None else answer["ticket"]

    def _suspend(self, record: Record, operation: str, *, suspended: bool) -> None:
        change = {"user": {"suspended": suspended}}
        answer = self._account.ask(operation, "PUT", "users", record.id, json=change)
        if answer["user"]["suspended"] is not suspended:
            raise Rejected(NAME, operation, code="suspension_ignored")

    # -- proving --

    def _is_there(self, record: Record, bin_: Bin) -> bool:
        """Read one treated record by its id, in its place and in its bin."""
        if record.kind == "ticket_cc":
            ticket = self._copied(record, "verify")
            return ticket is not None and int(record.locator["user"]) in _copied_to(ticket)
        if record.kind == "suspended_ticket":
            return self._reads("suspended_tickets", record.id) is not None
        if record.kind in {"ticket", "deleted_ticket"}:
            return int(record.id) in bin_.tickets or self._reads("tickets", record.id) is not None
        answers = (self._reads("users", record.id), self._reads("deleted_users", record.id))
        users = [user for answer in answers if answer for user in answer.values()]
        return any(not is_shell(user) for user in users)

    def _reads(self, *parts: str) -> dict[str, Any] | None:
        answer: dict[str, Any] | None = self._account.ask("verify", "GET", *parts, gone=GONE)
        return answer

    def _is_complete(self, record: Record) -> bool:
        """Tell whether every product that began to delete a user has finished, and every one that ops named.

        "Not in this account" is an end as well: the credential was proven, and the id is one that we deleted.
        """
        if not self.card.kind(record.kind).person:
            return True
        key = "compliance_deletion_statuses"
        rows = self._account.all_of(key, "users", record.id, key, gone=GONE)
        if rows is None:
            return True
        started = {row["application"] for row in rows if row["action"] == "started"}
        complete = {row["application"] for row in rows if row["action"] == "complete"}
        return bool(complete) and started | self._applications <= complete


def _copied_to(ticket: Mapping[str, Any]) -> set[int]:
    return {*ticket.get("email_cc_ids", ()), *ticket.get("collaborator_ids", ())}


def _has_failed_item(results: object) -> bool:
    """Tell whether a completed job failed for an item; results are a list, one object, or nothing."""
    items = results if isinstance(results, list) else [results]
    return any(
        isinstance(item, dict) and (item.get("success") is False or item.get("error") or item.get("errors"))
        for item in items
    )
