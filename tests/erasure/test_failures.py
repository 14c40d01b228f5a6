"""A failure says the system, the operation, the status and the vendor's code, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erasure.failures import AccessRefused, Ambiguous, ConnectorFailure, Rejected, StoreUnavailable, TryLater

KINDS = [TryLater, AccessRefused, Rejected, Ambiguous]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (None, "", "zendesk find: no answer"),
        (503, "", "zendesk find: HTTP 503"),
        (None, "several_names", "zendesk find: several_names"),
        (404, "RecordNotFound", "zendesk find: HTTP 404 RecordNotFound"),
        (400, "Member In Compliance State", "zendesk find: HTTP 400 Member In Compliance State"),
        (400, "ada@example.org", "zendesk find: HTTP 400"),
        (400, "User 'ada' is gone", "zendesk find: HTTP 400"),
        (400, "x" * 61, "zendesk find: HTTP 400"),
        (400, "code\nGET /users?query=ada", "zendesk find: HTTP 400"),
        (400, "ada%40example.org", "zendesk find: HTTP 400"),
    ],
)
def test_the_message(kind: type[ConnectorFailure], status: int | None, code: str, text: str) -> None:
    """What has not the shape of an error code is dropped, not shortened or masked."""
    failure = kind("zendesk", "find", status, code)
    assert str(failure) == text
    assert failure.args == (text,)


# Signs that only free text, addresses, URLs and bodies have.
GIVEN_AWAY = set("@%/\\'\"<>{}[]()?&=:;,#\n\r\t")


@given(st.sampled_from(KINDS), st.text() | st.text(alphabet="aZ9_. -@%/'\"\n", max_size=70))
def test_no_code_lets_an_address_through(kind: type[ConnectorFailure], code: str) -> None:
    """Vendors put sentences, URLs and addresses where their codes belong."""
    failure = kind("crm", "erase", 400, code)
    assert not GIVEN_AWAY & set(str(failure).removeprefix("crm erase: "))
    assert not GIVEN_AWAY & set(failure.code)
    assert code.isascii() or failure.code == ""


def test_the_vendors_wait_is_kept_beside_the_message() -> None:
    """Temporal needs it; a person who reads the message does not."""
    failure = TryLater("crm", "find", 429, retry_after=timedelta(seconds=7))
    assert failure.retry_after == timedelta(seconds=7)
    assert str(failure) == "crm find: HTTP 429"


def test_our_own_database_is_no_vendor() -> None:
    """Whoever handles the failures of a system must not take it for one."""
    assert not issubclass(StoreUnavailable, ConnectorFailure)
