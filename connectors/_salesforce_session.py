"""One OAuth session with Salesforce: REST through simple-salesforce, and the one SOAP call that REST lacks.

simple-salesforce is used in direct mode, with a token that we fetch ourselves: its own sign-in either uses the
SOAP login that Salesforce ends, or renews the token without end when a record call meets a 401. Each of its
exceptions carries the URL, and with it the address that was searched for, so none leaves this module.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import httpx
import jwt
import requests
from pydantic import Field, SecretStr, model_validator
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError

from connectors import _http
from erasure.connector import ConnectorSettings, refuse_plain_http
from erasure.failures import AccessRefused, ConnectorFailure, Rejected, TryLater

NAME = "salesforce"
# urljoin in simple-salesforce would send the token to another host for an id such as "https://..." or "../".
ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_CURSOR = re.compile(r"/services/data/v\d+\.\d/query(All)?/[A-Za-z0-9-]+")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_SECONDS = 180
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"
_BUSY = frozenset(
    {
        "REQUEST_LIMIT_EXCEEDED",  # a 403: the day's budget is used up
        "SERVER_UNAVAILABLE",
        "UNABLE_TO_LOCK_ROW",  # another transaction held the parent for more than ten seconds
        "UNKNOWN_EXCEPTION",
        "temporarily_unavailable",
        "unknown_error",
    }
)
# Field rights make a field or a whole type look as if the org had none.
_NO_RIGHT = frozenset({"INVALID_FIELD", "INVALID_SESSION_ID", "INVALID_TYPE"})


def _error_code(body: Any) -> str:  # noqa: ANN401 -- a vendor's JSON
    """REST answers with a list of errors, OAuth with one object."""
    return str(body["error"] if isinstance(body, dict) else body[0]["errorCode"])


_DIALECT = _http.Dialect(NAME, code=_error_code, busy=_BUSY)


class SalesforceSettings(ConnectorSettings):
    """An External Client App: its secret (client credentials), or a user with a key (JWT bearer).

    `base_url` is the org's My Domain; client credentials are asked for there. A JWT goes to `login_url`, for a
    sandbox https://test.salesforce.com, and names `audience`, which is the same unless it is set. `without` are
    features that the org does not have; everything else must be readable. `others_email_fields` are custom
    e-mail fields that hold somebody else's address, as "Contact.Manager_Email__c"; they are not searched.
    """

    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    username: str = ""
    private_key: SecretStr | None = None
    login_url: str = "https://login.salesforce.com"
    audience: str = ""
    api_version: str = Field(default="64.0", pattern=r"^\d{2,3}\.0$")
    without: frozenset[Literal["person_accounts", "individuals", "campaigns", "email_messages", "enhanced_email"]] = (
        frozenset()
    )
    others_email_fields: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        by_key = bool(self.username and self.private_key)
        if by_key == bool(self.client_secret):
            raise ValueError("salesforce needs either client_secret, or username and private_key")
        return self


def id18(value: str) -> str:
    """Return the 18-character form of an id.

    Capitals matter in the short form; the last three characters say which letters are capitals.

    Raises:
        RefusedCall: it has not the shape of an id.
    """
    if len(_http.checked(value, ID)) == 18:
        return value
    fives = (value[start : start + 5] for start in (0, 5, 10))
    return value + "".join(_SUFFIX[sum(1 << n for n, c in enumerate(five) if "A" <= c <= "Z")] for five in fives)


def refused(operation: str, status: int | None, code: str) -> ConnectorFailure:
    """Return what an error code means that Salesforce gave for one record or in a SOAP fault."""
    if code in _BUSY:
        return TryLater(NAME, operation, status, code)
    if code in _NO_RIGHT or code.startswith("INSUFFICIENT_ACCESS"):
        return AccessRefused(NAME, operation, status, code)
    return Rejected(NAME, operation, status, code)


class _Adapter(HTTPAdapter):
    """Sends what simple-salesforce asks for, which is always https and without a timeout, to where it belongs."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout
        self.scheme = "https"
        self.retry_after: str | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        url = self.scheme + str(request.url).removeprefix("https")
        _http.refuse_wipe(str(request.method), url)
        request.url = url
        response = super().send(request, *args, **{**options, "timeout": options.get("timeout") or self._timeout})
        self.retry_after = response.headers.get("retry-after")
        return response


class Session:
    """A session that signs in at its first call; one per connector, never shared between threads."""

    def __init__(self, settings: SalesforceSettings) -> None:
        """Build the clients; nothing is called yet."""
        self._settings = settings
        self._http = _http.client(settings)
        self._requests = requests.Session()
        self._requests.trust_env = False  # or a password from ~/.netrc would take the place of the token
        self._requests.max_redirects = 0  # a redirect would take the token along
        self._adapter = _Adapter(settings.timeout)
        self._requests.mount("https://", self._adapter)
        self._signed_in: Salesforce | None = None

    def close(self) -> None:
        """Give back connections."""
        self._requests.close()
        self._http.close()

    def host(self) -> str:
        """Return the org's own host, as the token reply names it."""
        return str(self._sdk().sf_instance)

    def limits(self, operation: str) -> int:
        """Prove the token by a call that always has an answer; returns the calls that are left of today's."""
        body = self._call(operation, lambda sdk: sdk.limits())
        try:
            return int(body["DailyApiRequests"]["Remaining"])
        except (LookupError, TypeError, ValueError):
            raise TryLater(NAME, operation, code="unexpected_answer") from None

    def describe(self, operation: str, kind: str) -> dict[str, Any]:
        """Return what we may see and do of a type; raises AccessRefused when that is nothing."""
        try:
            body = self._call(operation, lambda sdk: sdk.restful(f"sobjects/{kind}/describe"))
        except Rejected as said:
            if (said.status, said.code) != (404, "NOT_FOUND"):
                raise
            raise AccessRefused(NAME, operation, 404, "INVALID_TYPE") from None
        if not isinstance(body, dict) or not isinstance(body.get("fields"), list):
            raise TryLater(NAME, operation, code="unexpected_answer")
        return body

    def query(self, operation: str, soql: str) -> Iterator[dict[str, Any]]:
        """Return every row of every page, the recycle bin and archived activities included."""
        body = self._call(operation, lambda sdk: sdk.query(soql, include_deleted=True))
        while True:
            if not isinstance(body, dict) or not isinstance(body.get("records"), list) or "done" not in body:
                raise TryLater(NAME, operation, code="unexpected_answer")
            yield from body["records"]
            if body["done"]:
                return
            place = str(body.get("nextRecordsUrl"))
            if not _CURSOR.fullmatch(place):  # anything else could lead the token to another host
                raise Rejected(NAME, operation, code="odd_page_link")
            body = self._call(
                operation, partial(Salesforce.query_more, next_records_identifier=place, identifier_is_url=True)
            )

    def delete(self, operation: str, record_id: str) -> str:
        """Move one record to the bin; returns "" or the vendor's code for the record. HTTP says 200 to both."""
        params = {"ids": id18(record_id), "allOrNone": "false"}
        body = self._call(operation, lambda sdk: sdk.restful("composite/sobjects", params=params, method="DELETE"))
        try:
            return "" if body[0]["success"] is True else str(body[0]["errors"][0]["statusCode"])
        except (LookupError, TypeError):
            raise TryLater(NAME, operation, code="unexpected_answer") from None

    def update(self, operation: str, kind: str, record_id: str, fields: dict[str, Any]) -> None:
        """Change fields of one record."""
        known = id18(record_id)
        status = self._call(operation, lambda sdk: getattr(sdk, kind).update(known, fields))
        if status != 204:  # simple-salesforce takes any 2xx, also a page from a proxy
            raise TryLater(NAME, operation, code="unexpected_answer")

    def purge(self, operation: str, record_id: str) -> str:
        """Take one record out of the bin for good; returns "" or the vendor's code for the record."""
        sdk = self._sdk()
        url = f"{self._adapter.scheme}://{sdk.sf_instance}/services/Soap/u/{self._settings.api_version}"
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
        try:
            response = self._http.post(url, content=_envelope(sdk.session_id, id18(record_id)), headers=headers)
        except httpx.HTTPError:
            raise TryLater(NAME, operation) from None
        return _purged(operation, response)

    def _call(self, operation: str, ask: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- a vendor's JSON
        sdk = self._sdk()
        try:
            return ask(sdk)
        except SalesforceError as said:
            raise self._failure(operation, said) from None
        except requests.JSONDecodeError:
            raise TryLater(NAME, operation, code="not_json") from None
        except requests.TooManyRedirects:
            raise Rejected(NAME, operation, code="redirected") from None
        except requests.RequestException:
            raise TryLater(NAME, operation) from None
        except (TypeError, ValueError):  # simple-salesforce stumbles over a success that is no object or list
            raise TryLater(NAME, operation, code="not_json") from None

    def _failure(self, operation: str, said: SalesforceError) -> ConnectorFailure:
        text = said.content if isinstance(said.content, str) else json.dumps(said.content)
        wait = _http.retry_after(self._adapter.retry_after)
        html = text.lstrip()[:1] == "<"
        known = _http.failure(_DIALECT, operation, said.status, text, wait, html=html)
        return refused(operation, said.status, known.code) if isinstance(known, Rejected) else known

    def _sdk(self) -> Any:  # noqa: ANN401 -- simple-salesforce makes its attributes up
        if self._signed_in is None:
            token, instance_url = self._sign_in()
            self._adapter.scheme = urlsplit(instance_url).scheme
            self._signed_in = Salesforce(
                session_id=token,
                instance_url=instance_url,
                version=self._settings.api_version,
                session=self._requests,
            )
        return self._signed_in

    def _sign_in(self) -> tuple[str, str]:
        """Fetch a token; returns it with the address of the org, which may differ from where it was asked for."""
        url, form = self._grant()
        try:
            body = _http.ask(self._http, _DIALECT, "sign_in", "POST", url, data=form)
        except Rejected as said:
            if said.status == 400:  # OAuth words every refused credential as a 400
                raise AccessRefused(NAME, "sign_in", 400, said.code) from None
            raise
        try:
            refuse_plain_http(body["instance_url"])
            return str(body["access_token"]), str(body["instance_url"])
        except (LookupError, TypeError, ValueError):
            raise TryLater(NAME, "sign_in", code="unexpected_answer") from None

    def _grant(self) -> tuple[str, dict[str, str]]:
        given = self._settings
        path = "/services/oauth2/token"
        if given.client_secret:
            secret = given.client_secret.get_secret_value()
            form = {"grant_type": "client_credentials", "client_id": given.client_id, "client_secret": secret}
            return path, form
        refuse_plain_http(given.login_url)
        return given.login_url.rstrip("/") + path, {"grant_type": _JWT_GRANT, "assertion": _assertion(given)}


def _assertion(given: SalesforceSettings) -> str:
    claims = {
        "iss": given.client_id,
        "sub": given.username,
        "aud": given.audience or given.login_url,
        "exp": int(time.time()) + _JWT_SECONDS,
    }
    try:
        return jwt.encode(claims, given.private_key.get_secret_value() if given.private_key else "", algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise AccessRefused(NAME, "sign_in", code="private_key_unreadable") from None


def _envelope(token: str, record_id: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{_SOAP}" xmlns="{_PARTNER}">'
        f"<e:Header><SessionHeader><sessionId>{escape(token)}</sessionId></SessionHeader></e:Header>"
        f"<e:Body><emptyRecycleBin><ids>{record_id}</ids></emptyRecycleBin></e:Body></e:Envelope>"
    ).encode()


def _purged(operation: str, response: httpx.Response) -> str:
    """Read the answer to emptyRecycleBin: one result, or a fault, which comes with HTTP 500."""
    try:
        answer = ET.fromstring(response.content)  # noqa: S314 -- expat loads nothing and stops expansion bombs
    except ET.ParseError:
        answer = ET.Element("none")
    if fault := answer.findtext(f".//{{{_SOAP}}}Fault/faultcode"):
        raise refused(operation, response.status_code, fault.rpartition(":")[2])
    result = answer.find(f".//{{{_PARTNER}}}result")
    if result is not None and response.is_success:
        done = result.findtext(f"{{{_PARTNER}}}success") == "true"
        return "" if done else result.findtext(f".//{{{_PARTNER}}}statusCode") or "UNKNOWN_EXCEPTION"
    if response.is_success:
        raise TryLater(NAME, operation, response.status_code, "not_xml")
    wait = _http.retry_after(response.headers.get("retry-after"))
    html = response.text.lstrip()[:1] == "<"
    raise _http.failure(_DIALECT, operation, response.status_code, response.text, wait, html=html)
