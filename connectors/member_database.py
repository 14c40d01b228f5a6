"""The Foundation's member database: a stand-in behind the contract until the real connector comes.

It speaks like summit-api where that is known (filter grammar, page size, error shapes); deleting a member by
API is the stand-in's own, the real one has no such route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import SecretStr

from connectors import _http
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
from erasure.failures import Ambiguous, Rejected
from erasure.outcome import Effect, EvidenceLevel
from erasure.subject import Identifier, IdentifierKind, Subject

NAME = "member_database"
_DIALECT = _http.Dialect(NAME, code=lambda body: body["message"])
_GONE = frozenset({"entity not found", "Not Found"})
_SCOPES = frozenset({"members/read", "members/write"})
_PAGE = 100


class MemberDatabaseSettings(ConnectorSettings):
    """A service client's bearer token."""

    token: SecretStr


class MemberDatabase:
    """Members, their affiliations, and the name on their contributions."""

    card: ClassVar[SystemCard] = SystemCard(
        name=NAME,
        title="Member database",
        holds=(
            RecordKind(name="affiliation", category=DataCategory.IDENTITY),
            RecordKind(name="individual_member", category=DataCategory.MEMBERSHIP, person=True, restrictable=True),
            RecordKind(name="contribution", category=DataCategory.CONTRIBUTION),
        ),
        finds_by=frozenset({IdentifierKind.EMAIL, IdentifierKind.OPENSTACKID}),
        erases=Automation.AUTOMATED,
        restricts=Automation.AUTOMATED,
        proof=EvidenceLevel.E4,
        api_limits=ApiLimits(per_minute=10_000),
        vendor_docs="https://openinfra.dev/privacy-policy",
        side_effects=("the public directory profile disappears with the member",),
    )
    Settings: ClassVar[type[ConnectorSettings]] = MemberDatabaseSettings

    def __init__(self, settings: MemberDatabaseSettings) -> None:
        """Build the client; nothing is called yet."""
        token = settings.token.get_secret_value()
        self._http = _http.client(settings, headers={"Authorization": f"Bearer {token}"})

    @classmethod
    def open(cls, settings: MemberDatabaseSettings) -> Self:
        """Build a fresh client."""
        return cls(settings)

    def close(self) -> None:
        """Give back connections."""
        self._http.close()

    def check(self) -> AccessReport:
        """Ask the token for its scopes."""
        token = self._ask("check", "GET", "/oauth2/token/info")
        granted = frozenset(token["scope"].split())
        missing = tuple(sorted(_SCOPES - granted))
        return AccessReport(account=token["client_id"], granted=tuple(sorted(granted)), missing=missing)

    def find(self, subject: Subject, bookmark: str = "") -> Findings:
        """Find the member by every address and by OpenStackID, with affiliations and contributions."""
        del bookmark  # a search here is a handful of calls and is never cut off
        members = self._members(subject)
        if len({(m["first_name"], m["last_name"]) for m in members.values()}) > 1:
            raise Ambiguous(NAME, "find", code="several_names")
        records = [record for member in members.values() for record in self._records(member)]
        learned = [identifier for member in members.values() for identifier in _identifiers(member)]
        return Findings(records=tuple(records), learned=tuple(learned))

    def erase(self, record: Record) -> Receipt:
        """Delete an affiliation or the member; a contribution has no delete, its name stays by policy."""
        if record.kind == "contribution":
            raise Rejected(NAME, "erase", code="contribution_has_no_delete")
        answer = _http.send(self._http, _DIALECT, "erase", "DELETE", self._place(record), gone=_GONE)
        return Receipt(record=record, effect=Effect.ERASED if answer else Effect.ALREADY_GONE)

    def state(self, record: Record) -> dict[str, Any]:
        """Read whether the profile stands in the public directory."""
        if record.kind != "individual_member":
            raise Rejected(NAME, "restrict", code="cannot_be_restricted")
        member = self._ask("restrict", "GET", self._place(record))
        return {"published": bool(member["published"])}

    def restrict(self, record: Record) -> Receipt:
        """Take the profile out of the public directory."""
        self.state(record)
        self._publish(record, "restrict", published=False)
        return Receipt(record=record, effect=Effect.RESTRICTED)

    def lift(self, record: Record, earlier: Mapping[str, Any]) -> Receipt:
        """Publish the profile again if it was published before."""
        if self.state(record)["published"] and not earlier["published"]:
            raise Rejected(NAME, "lift", code="changed_by_others")
        self._publish(record, "lift", published=bool(earlier["published"]))
        return Receipt(record=record, effect=Effect.LIFTED)

    def confirm(self, receipt: Receipt) -> Receipt:
        """Everything here is done at once."""
        return receipt

    def verify(self, subject: Subject, records: Sequence[Record], bookmark: str = "") -> Verification:
        """Prove the token, search again, and ask for each treated record by its id."""
        del bookmark  # a re-read here is never cut off
        self._ask("verify", "GET", "/oauth2/token/info")
        found = {record.id: record for record in self.find(subject).records}
        found |= {record.id: record for record in records if self._exists(record)}
        verdict = Verdict.STILL_THERE if found else Verdict.CLEAN
        return Verification(verdict=verdict, evidence=EvidenceLevel.E3, remaining=tuple(found.values()))

    def _ask(self, operation: str, method: str, url: str, **options: Any) -> Any:  # noqa: ANN401
        return _http.ask(self._http, _DIALECT, operation, method, url, **options)

    def _members(self, subject: Subject) -> dict[int, dict[str, Any]]:
        filters = [f"email=={_escaped(address)}" for address in subject.emails]
        filters += [f"openstackid=={_escaped(value)}" for value in subject.of(IdentifierKind.OPENSTACKID)]
        return {member["id"]: member for asked in filters for member in self._pages("/api/v1/members", asked)}

    def _pages(self, url: str, asked: str) -> Iterator[dict[str, Any]]:
        page, last = 1, 1
        while page <= last:
            body = self._ask("find", "GET", url, params={"filter": asked, "page": page, "per_page": _PAGE})
            yield from body["data"]
            page, last = page + 1, body["last_page"]

    def _records(self, member: Mapping[str, Any]) -> Iterator[Record]:
        place = {"member": str(member["id"])}
        for affiliation in member["affiliations"]:
            yield Record(kind="affiliation", id=str(affiliation["id"]), locator=place)
        yield Record(kind="individual_member", id=str(member["id"]))
        for contribution in member["contributions"]:
            yield Record(kind="contribution", id=str(contribution["id"]), locator=place)

    def _place(self, record: Record) -> str:
        if record.kind == "individual_member":
            return _http.path("api", "v1", "members", record.id)
        return _http.path("api", "v1", "members", record.locator["member"], f"{record.kind}s", record.id)

    def _exists(self, record: Record) -> bool:
        return self._ask("verify", "GET", self._place(record), gone=_GONE) is not None

    def _publish(self, record: Record, operation: str, *, published: bool) -> None:
        self._ask(operation, "PUT", self._place(record), json={"published": published})


def _escaped(value: str) -> str:
    """Quote the filter grammar's own signs: "," is OR there."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("|", "\\|").replace("&", "\\&")


def _identifiers(member: Mapping[str, Any]) -> Iterator[Identifier]:
    for field in ("email", "second_email", "third_email"):
        yield from Identifier.readable(IdentifierKind.EMAIL, member.get(field))
    yield from Identifier.readable(IdentifierKind.OPENSTACKID, member.get("openstackid"))
    name = f"{member.get('first_name') or ''} {member.get('last_name') or ''}"
    yield from Identifier.readable(IdentifierKind.NAME, name)
