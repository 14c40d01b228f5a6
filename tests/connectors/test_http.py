"""The guards against wiping an account, and what a status means."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import _http
from erasure.connector import ConnectorSettings
from erasure.failures import AccessRefused, ConnectorFailure, Rejected, TryLater
from tests.connectors.system import System

DIALECT = _http.Dialect("crm", code=lambda body: body["error"], busy=frozenset({"ROW_LOCKED"}))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("DELETE", "https://api.e2ma.net/1234/members", None),
        ("DELETE", "https://api.e2ma.net/1234/members/", None),
        ("DELETE", "https://us1.api.mailchimp.com/3.0/lists/abc", None),
        ("delete", "https://us1.api.mailchimp.com/3.0/lists/abc/", None),
        ("DELETE", "https://api.surveymonkey.com/v3/collectors/1/responses", None),
        ("DELETE", "https://api.surveymonkey.com/v3/collectors/1/responses/", None),
        ("DELETE", "https://api.surveymonkey.com/v3/collectors/1", None),
        ("DELETE", "https://api.surveymonkey.com/v3/collectors/1/", None),
        ("DELETE", "https://api.surveymonkey.com/v3/surveys/1", None),
        ("DELETE", "https://api.surveymonkey.com/v3/surveys/1/responses", None),
        ("DELETE", "https://api.surveymonkey.com/v3/surveys/1/responses/", None),
        ("DELETE", "https://api.sendgrid.com/v3/marketing/contacts?delete_all_contacts=true", None),
        ("DELETE", "https://api.sendgrid.com/v3/marketing/contacts?Delete_All_Contacts=", None),
        ("DELETE", "https://api.sendgrid.com/v3/suppression/bounces", {"delete_all": True}),
        ("DELETE", "https://api.sendgrid.com/v3/suppression/bounces", [{"deep": {"DELETE_ALL": False}}]),
        ("DELETE", "https://x.zendesk.com/api/v2/users//identities", None),
        ("GET", "https://x.zendesk.com/api/v2//users", None),
    ],
)
def test_account_wipes_are_refused_by_name(method: str, url: str, body: object) -> None:
    """Each call that one empty variable turns into the loss of an account."""
    with pytest.raises(_http.RefusedCall):
        _http.refuse_wipe(method, url, body)


def test_the_client_guards_every_call() -> None:
    """The guard sits in the client, below every connector: the request never leaves."""
    with _http.client(ConnectorSettings(base_url="http://127.0.0.1:9")) as http:
        for call in (
            lambda: http.request("DELETE", "/3.0/lists/abc"),
            lambda: http.request("DELETE", "/v3/suppression/bounces", json={"delete_all": True}),
        ):
            with pytest.raises(_http.RefusedCall):
                call()


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_no_input_builds_a_shorter_path(parts: list[str]) -> None:
    """Whatever comes in, the path has exactly as many parts as were meant, or there is no path."""
    try:
        built = _http.path("members", *parts)
    except _http.RefusedCall:
        assert any(not p.strip() or p in {".", ".."} or "/" in p or "\\" in p for p in parts)
    else:
        assert built.count("/") == len(parts) + 1
        assert not re.search(r"//|/\.\.?(/|$)|[?#]", built)
        assert all(httpx.URL(f"https://x.example{built}").path.split("/")[2:])


@given(st.text(max_size=30))
def test_only_ids_of_the_vendors_shape_pass(value: str) -> None:
    """A URL, a climb or an address in the place of an id goes nowhere."""
    shape = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
    if shape.fullmatch(value):
        assert _http.checked(value, shape) == value
    else:
        with pytest.raises(_http.RefusedCall):
            _http.checked(value, shape)


@pytest.mark.parametrize(
    ("status", "body", "html", "expected"),
    [
        (401, "", False, AccessRefused),
        (403, '{"error": "Forbidden"}', False, AccessRefused),
        (403, "<html>", True, TryLater),
        (403, '{"error": "ROW_LOCKED"}', False, TryLater),
        (404, '{"error": "NotFound"}', False, Rejected),
        (409, "", False, Rejected),
        (422, '{"error": "RecordInvalid"}', False, Rejected),
        (423, "", False, TryLater),
        (429, "", False, TryLater),
        (500, "", False, TryLater),
        (200, "<html>", True, TryLater),
        (301, "", False, Rejected),
        (None, "", False, TryLater),
    ],
)
def test_what_a_status_means(status: int | None, body: str, html: bool, expected: type) -> None:  # noqa: FBT001
    """Busy and broken is tried later, refused stops for ops, the rest stops for a person."""
    failure = _http.failure(DIALECT, "erase", status, body, html=html)
    assert type(failure) is expected


@pytest.mark.parametrize(
    "code", ["ada@example.org", "https://x/y", 'a"b', "x" * 61, "per%40cent", "line\nbreak", "", "ada'"]
)
def test_a_code_that_is_no_code_is_dropped(code: str) -> None:
    """Vendors put addresses where a code should be."""
    assert str(Rejected("crm", "erase", 400, code)) == "crm erase: HTTP 400"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta()),
        (str(int(NOW.timestamp()) + 90), timedelta(seconds=90)),
        (str(int(NOW.timestamp()) - 90), timedelta()),
        ("Tue, 24 Nov 2026 12:01:00 GMT", timedelta(seconds=60)),
        ("Tue, 24 Nov 2026 11:00:00 GMT", timedelta()),
        ("soon", None),
        ("-5", None),
        ("1e99", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_every_form(value: str | None, expected: timedelta | None) -> None:
    """Seconds, a moment since 1970 or an HTTP date; nonsense is no wait."""
    assert _http.retry_after(value, NOW) == expected


@pytest.mark.parametrize("url", ["http://vendor.example", "ftp://127.0.0.1", "vendor.example", "http://10.0.0.1", ""])
def test_plain_http_leaves_this_machine_never(url: str) -> None:
    """Personal data goes over TLS, or not at all."""
    with pytest.raises(ValueError, match="https"):
        ConnectorSettings(base_url=url)


@pytest.mark.parametrize("name", ["salesforce", "zendesk"])  # requests and httpx, httpx alone
def test_proxies_of_the_environment_are_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they are there for, it is not for personal data; the one named here does not even exist."""
    for variable in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with System(name).open() as connector:
        assert connector.check().sufficient


def test_a_redirect_is_not_followed() -> None:
    """It would carry the token to another host."""
    transport = httpx.MockTransport(lambda _: httpx.Response(302, headers={"Location": "https://evil.example"}))
    http = httpx.Client(transport=transport, base_url="https://vendor.example")
    with pytest.raises(ConnectorFailure) as caught:
        _http.send(http, DIALECT, "find", "GET", "/users")
    assert "evil" not in str(caught.value)
