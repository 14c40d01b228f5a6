"""A data subject request as it arrives: OpenDSR 2.0 field names with a few documented extensions."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from erasure.sentence import BadInput, first_fault
from erasure.subject import Identifier, IdentifierKind, Subject

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
MAX_BYTES = 64 * 1024
_MAX_IDENTITIES = 20
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_GDPR_APPLIES = datetime(2018, 5, 25, tzinfo=UTC)  # Art. 99(2)
_SKEW = timedelta(minutes=5)  # how far the sender's clock may be ahead of ours


class Right(StrEnum):
    """Which right of the person is exercised."""

    ERASURE = "erasure"


class ErasureGround(StrEnum):
    """The grounds of GDPR Art. 17(1), by letter."""

    NO_LONGER_NECESSARY = "17(1)(a)"
    CONSENT_WITHDRAWN = "17(1)(b)"
    OBJECTION = "17(1)(c)"
    UNLAWFUL = "17(1)(d)"
    LEGAL_DUTY = "17(1)(e)"
    CHILD = "17(1)(f)"


class DataSubjectRequest(BaseModel):
    """One request of one person. `fingerprint` tells whether a second request with the same id says the same."""

    model_config = _STRICT

    id: str
    right: Right
    submitted_at: datetime
    subject: Subject
    ground: ErasureGround | None = None
    fingerprint: str


class _Identity(BaseModel):
    model_config = _STRICT

    identity_type: Literal["email", "controller_customer_id"]
    identity_value: str
    identity_format: Literal["raw"] = "raw"

    def identifier(self) -> Identifier:
        if self.identity_type == "email":
            return Identifier.email(self.identity_value)
        return Identifier.openstackid(self.identity_value)


class _Extension(BaseModel):
    model_config = _STRICT

    openstackid: str | None = None
    name: str | None = None
    erasure_ground: ErasureGround | None = None

    def identifiers(self) -> tuple[Identifier, ...]:
        named = [Identifier.openstackid(self.openstackid)] if self.openstackid else []
        return (*named, *([Identifier.name(self.name)] if self.name else []))


class _Extensions(BaseModel):
    model_config = _STRICT

    ours: _Extension = Field(default=_Extension(), alias="openinfra.dev")


class _Body(BaseModel):
    model_config = _STRICT

    regulation: Literal["gdpr"] = "gdpr"
    subject_request_id: str
    subject_request_type: str
    submitted_time: AwareDatetime
    subject_identities: tuple[_Identity, ...] = Field(min_length=1, max_length=_MAX_IDENTITIES)
    api_version: Literal["2.0"] = "2.0"
    extensions: _Extensions = _Extensions()

    @field_validator("subject_request_id")
    @classmethod
    def _uuid(cls, value: str) -> str:
        try:
            canonical = str(uuid.UUID(value, version=4))
        except ValueError:
            canonical = ""
        if canonical != value:
            raise ValueError("is not a lower-case UUID of version 4")
        return value

    @field_validator("subject_request_type")
    @classmethod
    def _known_right(cls, value: str) -> str:
        if value not in set(Right):
            raise ValueError(f"is not a right this version carries out; it carries out: {', '.join(Right)}")
        return value

    @field_validator("submitted_time", mode="before")
    @classmethod
    def _rfc_3339(cls, value: object) -> object:
        if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
            raise ValueError("is not a time such as 2026-11-01T10:00:00Z")
        return value

    @field_validator("submitted_time")
    @classmethod
    def _plausible(cls, value: datetime) -> datetime:
        if value > datetime.now(UTC) + _SKEW:
            raise ValueError("lies in the future")
        if value < _GDPR_APPLIES:
            raise ValueError("lies before the GDPR applied")
        return value


def parse(text: str | bytes) -> DataSubjectRequest:
    """Read a request from JSON.

    Raises:
        BadInput: one sentence that says what is wrong and where, without any value from the text.
    """
    body = _read(text)
    try:
        parsed = _Body.model_validate(body)
    except ValidationError as error:
        raise BadInput(f"the request cannot be used: {first_fault(error)}") from None
    try:
        identifiers = [identity.identifier() for identity in parsed.subject_identities]
        subject = Subject(identifiers=(*identifiers, *parsed.extensions.ours.identifiers()))
    except ValidationError as error:
        raise BadInput(f"the request cannot be used: {first_fault(error)}") from None
    if not subject.of(IdentifierKind.EMAIL) and not subject.of(IdentifierKind.OPENSTACKID):
        raise BadInput("the request cannot be used: it names neither an e-mail address nor an OpenStackID")
    return DataSubjectRequest(
        id=parsed.subject_request_id,
        right=Right(parsed.subject_request_type),
        submitted_at=parsed.submitted_time,
        subject=subject,
        ground=parsed.extensions.ours.erasure_ground,
        fingerprint=hashlib.sha256(parsed.model_dump_json().encode()).hexdigest(),
    )


def _read(text: str | bytes) -> object:
    if len(text) > MAX_BYTES:
        raise BadInput(f"the request is larger than {MAX_BYTES // 1024} KiB")
    try:
        body = json.loads(text, object_pairs_hook=_no_field_twice)
        json.dumps(body, ensure_ascii=False).encode()  # half a character cannot be stored anywhere
    except BadInput:
        raise
    except (ValueError, RecursionError):
        raise BadInput("the request is not JSON") from None
    if not isinstance(body, dict):
        raise BadInput("the request is not a JSON object")
    return body


def _no_field_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse what JSON leaves open: with two lists of identities, which person is meant?"""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadInput("the request names a field twice")
    return fields
