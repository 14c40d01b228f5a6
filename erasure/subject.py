"""The person a request is about, and the identifiers by which systems know them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# Wider than RFC 5322 on purpose: vendors have stored addresses such as `"a,b"@example.org` for years,
# and an address that we refuse to search for is an address that we fail to erase.
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.IGNORECASE)
_OPENSTACKID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME_LENGTH = 200


class IdentifierKind(StrEnum):
    """By what a system can find a person."""

    EMAIL = "email"
    OPENSTACKID = "openstackid"
    NAME = "name"


class Identifier(BaseModel):
    """One identifier of one person, in its normal form.

    E-mail addresses are compared without regard to case, as every vendor of ours does.
    """

    # A validation error must never repeat the address that caused it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: IdentifierKind
    value: str = Field(repr=False)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind is IdentifierKind.EMAIL and not _EMAIL.fullmatch(self.value):
            raise ValueError("an e-mail identifier is not an e-mail address")
        if self.kind is IdentifierKind.OPENSTACKID and not _OPENSTACKID.fullmatch(self.value):
            raise ValueError("an OpenStackID identifier is not an OpenStackID")
        if self.kind is IdentifierKind.NAME and not (0 < len(self.value) <= _NAME_LENGTH and self.value.isprintable()):
            raise ValueError("a name is empty, longer than 200 characters, or not printable")
        return self

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("value"), str):
            value = data["value"].strip()
            return {**data, "value": value.lower() if data.get("kind") == IdentifierKind.EMAIL else value}
        return data

    @classmethod
    def email(cls, address: str) -> Self:
        """Return the identifier for an address; raises ValueError when it is none."""
        return cls(kind=IdentifierKind.EMAIL, value=address)

    @classmethod
    def readable(cls, kind: IdentifierKind, value: object) -> tuple[Self, ...]:
        """Return what a vendor's field says as one identifier, or nothing when it is empty or malformed."""
        try:
            return (cls(kind=kind, value=str(value or "")),)
        except ValueError:
            return ()

    @classmethod
    def openstackid(cls, value: str) -> Self:
        """Return the identifier for an OpenStackID; raises ValueError when it is none."""
        return cls(kind=IdentifierKind.OPENSTACKID, value=value)

    @classmethod
    def name(cls, value: str) -> Self:
        """Return the identifier for a full name; raises ValueError when it is empty."""
        return cls(kind=IdentifierKind.NAME, value=value)


class Subject(BaseModel):
    """A data subject (GDPR Art. 4(1)): everything that is known to identify one person."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    identifiers: tuple[Identifier, ...]

    @field_validator("identifiers")
    @classmethod
    def _in_order(cls, identifiers: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
        return tuple(sorted(set(identifiers), key=lambda i: (i.kind, i.value)))

    def of(self, kind: IdentifierKind) -> tuple[str, ...]:
        """Return the values of one kind, in a stable order."""
        return tuple(i.value for i in self.identifiers if i.kind is kind)

    @property
    def emails(self) -> tuple[str, ...]:
        """Every known address, lower case."""
        return self.of(IdentifierKind.EMAIL)

    def is_email(self, value: object) -> bool:
        """Tell whether a value that a vendor sent is exactly one of the person's addresses."""
        return isinstance(value, str) and value.strip().lower() in self.emails

    def plus(self, learned: Iterable[Identifier]) -> Subject:
        """Return the subject with further identifiers; the same ones change nothing."""
        return Subject(identifiers=(*self.identifiers, *learned))

    def beyond(self, other: Subject, kinds: Iterable[IdentifierKind]) -> tuple[Identifier, ...]:
        """Return the identifiers of these kinds that `other` does not have."""
        wanted = set(kinds)
        return tuple(i for i in self.identifiers if i.kind in wanted and i not in other.identifiers)
