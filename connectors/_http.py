"""What connectors share about HTTP: timeouts, status to failure, and the guards against wiping an account."""

from __future__ import annotations

import json
import logging
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from erasure.connector import ConnectorSettings
from erasure.failures import AccessRefused, ConnectorFailure, Rejected, TryLater

# These libraries log whole URLs, and with them addresses, at INFO or DEBUG.
for _library in ("httpx", "httpcore", "urllib3", "zeep", "simple_salesforce"):
    logging.getLogger(_library).setLevel(logging.WARNING)

# Reading the certificate store costs about ten milliseconds; a context may be shared between threads.
_TLS = ssl.create_default_context()
_EPOCH_FROM = 10**9  # SendGrid gives either seconds or a moment in one header: above this it is a moment
_FAULT = 500
_BUSY = frozenset({408, 421, 423, 425, 429})

# Calls that empty a whole account when one variable is empty or one flag slips. Refused by name, whoever asks.
_WIPES = (
    ("DELETE", re.compile(r"/members/?$"), "Emma: every member of the account"),
    ("DELETE", re.compile(r"/(3\.0/)?lists/[^/]+/?$"), "Mailchimp: a whole audience"),
    ("DELETE", re.compile(r"/collectors/[^/]+/responses/?$"), "SurveyMonkey: every response of a collector"),
    ("DELETE", re.compile(r"/surveys/[^/]+/responses/?$"), "SurveyMonkey: every response of a survey"),
    ("DELETE", re.compile(r"/collectors/[^/]+/?$"), "SurveyMonkey: a whole collector"),
    ("DELETE", re.compile(r"/surveys/[^/]+/?$"), "SurveyMonkey: a whole survey"),
)
_WIPE_FLAGS = frozenset({"delete_all", "delete_all_contacts"})


class RefusedCall(Exception):  # noqa: N818 -- it names what happened, like the failures of the contract
    """A call that this project never makes; it is a fault in a connector, so nothing catches it on the way."""


def path(*parts: str | int) -> str:
    """Join path parts, each quoted.

    Raises:
        RefusedCall: a part is empty, climbs, or holds a slash: what is left would name a whole collection.
    """
    for part in map(str, parts):
        if not part.strip() or part in {".", ".."} or "/" in part or "\\" in part:
            msg = "a path part is empty or leaves its place"
            raise RefusedCall(msg)
    return "/" + "/".join(quote(str(part), safe="") for part in parts)


def _flags(value: object) -> set[str]:
    """Return every key of a JSON value, however deep."""
    if isinstance(value, dict):
        return {str(key) for key in value}.union(*map(_flags, value.values()))
    if isinstance(value, list):
        return set().union(*map(_flags, value))
    return set()


def refuse_wipe(method: str, url: str, body: object = None) -> None:
    """Raise RefusedCall for a call that would empty an account, or whose path has an empty part."""
    parts = urlsplit(url)
    if "//" in parts.path:
        msg = "a path part is empty"
        raise RefusedCall(msg)
    for verb, pattern, what in _WIPES:
        if method.upper() == verb and pattern.search(parts.path):
            msg = f"refused: {what}"
            raise RefusedCall(msg)
    keys = {key.lower() for key, _ in parse_qsl(parts.query, keep_blank_values=True)}
    keys |= {key.lower() for key in _flags(body)}
    if keys & _WIPE_FLAGS:
        msg = "refused: a flag that deletes everything"
        raise RefusedCall(msg)


def checked(value: object, pattern: re.Pattern[str]) -> str:
    """Return an id of the vendor's own shape; anything else never reaches a URL."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        msg = "an id does not have the vendor's shape"
        raise RefusedCall(msg)
    return value


def _guard(request: httpx.Request) -> None:
    body: object = None
    if request.headers.get("content-type", "").startswith("application/json") and request.content:
        body = json.loads(request.content)
    refuse_wipe(request.method, str(request.url), body)


def client(settings: ConnectorSettings, **options: Any) -> httpx.Client:
    """Return a fresh client: guarded, with timeouts; it follows no redirect, which would take the token along.

    Proxies and passwords that the environment holds for other programs are not used.
    """
    return httpx.Client(
        base_url=settings.base_url,
        timeout=settings.timeout,
        verify=_TLS,
        follow_redirects=False,
        trust_env=False,
        event_hooks={"request": [_guard]},
        **options,
    )


def retry_after(value: str | None, now: datetime | None = None) -> timedelta | None:
    """Read a Retry-After or rate-limit reset header: seconds, a moment since 1970, or an HTTP date."""
    if not value:
        return None
    now = now or datetime.now(UTC)
    try:
        seconds = float(value)
    except ValueError:
        try:
            return max(parsedate_to_datetime(value) - now, timedelta())
        except (TypeError, ValueError):
            return None
    if not 0 <= seconds < float(10**11):
        return None
    return timedelta(seconds=max(seconds - now.timestamp(), 0) if seconds > _EPOCH_FROM else seconds)


@dataclass(frozen=True)
class Dialect:
    """How one vendor words its errors.

    `code` reads the vendor's error code from a parsed error body. `busy` tells codes that mean "too fast" or
    "locked at the moment" under another status than 429.
    """

    system: str
    code: Callable[[Any], str]
    busy: frozenset[str] = field(default_factory=frozenset)


def failure(  # noqa: PLR0913 -- one argument per thing that may be told, nothing else can slip in
    dialect: Dialect,
    operation: str,
    status: int | None,
    body: str,
    wait: timedelta | None = None,
    *,
    html: bool = False,
) -> ConnectorFailure:
    """Return the failure that an answer means; the body is read for its code only."""
    system = dialect.system
    code = _code(dialect, body)
    if status is None or status in _BUSY or status >= _FAULT or code in dialect.busy:
        return TryLater(system, operation, status, code, wait)
    if html:  # a proxy or an edge in front of the vendor spoke, not the vendor; also with a 200
        return TryLater(system, operation, status, "not_json", wait)
    if status in {401, 403}:
        return AccessRefused(system, operation, status, code)
    return Rejected(system, operation, status, code)


def _code(dialect: Dialect, body: str) -> str:
    try:
        return str(dialect.code(json.loads(body)) or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _is_html(response: httpx.Response) -> bool:
    return "html" in response.headers.get("content-type", "") or response.text.lstrip()[:1] == "<"


def send(  # noqa: PLR0913 -- the call's own parts
    http: httpx.Client,
    dialect: Dialect,
    operation: str,
    method: str,
    url: str,
    *,
    gone: frozenset[str] = frozenset(),
    **options: Any,
) -> httpx.Response | None:
    """Make one call. Returns the answer, or None when the vendor says by a code in `gone` that the thing is not there.

    A bare 404 is not enough for "gone": a wrong base path looks the same.

    Raises:
        TryLater: no answer, a busy vendor, a fault on its side, or a page instead of an answer.
        AccessRefused: 401 or 403.
        Rejected: anything else but success.
    """
    try:
        response = http.request(method, url, **options)
    except httpx.HTTPError:
        raise TryLater(dialect.system, operation) from None
    if response.is_success and not _is_html(response):
        return response
    if gone and response.status_code in {404, 410} and _code(dialect, response.text) in gone:
        return None
    wait = retry_after(response.headers.get("retry-after"))
    raise failure(dialect, operation, response.status_code, response.text, wait, html=_is_html(response)) from None


def ask(  # noqa: PLR0913 -- the call's own parts
    http: httpx.Client,
    dialect: Dialect,
    operation: str,
    method: str,
    url: str,
    *,
    gone: frozenset[str] = frozenset(),
    **options: Any,
) -> Any:  # noqa: ANN401 -- a vendor's JSON
    """Make one call like `send` and return its JSON, or None when the thing is gone.

    Raises:
        TryLater: besides the reasons of `send`, a success whose body is empty, cut off or no JSON.
    """
    response = send(http, dialect, operation, method, url, gone=gone, **options)
    if response is None:
        return None
    return read_json(dialect, operation, response)


def read_json(dialect: Dialect, operation: str, response: httpx.Response) -> Any:  # noqa: ANN401 -- a vendor's JSON
    """Return the body of a success as an object or list; raises TryLater for anything else."""
    try:
        body = response.json()
    except ValueError:
        raise TryLater(dialect.system, operation, response.status_code, "not_json") from None
    if not isinstance(body, dict | list):
        raise TryLater(dialect.system, operation, response.status_code, "not_json")
    return body
