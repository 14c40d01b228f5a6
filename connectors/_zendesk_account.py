"""The Zendesk account as the connector calls it: signing in, asking, paging, deleting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from connectors import _http
from erasure.connector import ConnectorSettings
from erasure.failures import AccessRefused, Rejected

NAME = "zendesk"
SCOPES = frozenset({"read", "write"})
PAGE = 100
# A path that does not exist is another 404, InvalidEndpoint: it never counts as gone.
GONE = frozenset({"RecordNotFound"})
# Errors come in three shapes; only {"error": "RecordInvalid", ...} has a code, the others hold sentences.
_DIALECT = _http.Dialect(NAME, code=lambda body: body["error"] if isinstance(body["error"], str) else "")
_TOKEN_MARGIN = 60.0  # seconds before its end at which a token is replaced


class ZendeskSettings(ConnectorSettings):
    """An OAuth client whose user is an admin; `base_url` is https://{subdomain}.zendesk.com.

    `applications` are the account's products by the vendor's words ("support", "chat", "explore"): each must report
    its deletion complete. A product that has not started yet is not listed at all, so name those in use.
    """

    client_id: str
    client_secret: SecretStr
    applications: tuple[str, ...] = ()


class Account:
    """One client with an access token of its own, got at the first call."""

    def __init__(self, settings: ZendeskSettings) -> None:
        """Build the client; nothing is called yet."""
        self.scope: frozenset[str] = frozenset()
        self._settings = settings
        self._http = _http.client(settings, headers={"Accept": "application/json"})
        self._token_ends = 0.0

    def close(self) -> None:
        """Give back connections."""
        self._http.close()

    def ask(
        self, operation: str, method: str, *parts: str | int, gone: frozenset[str] = frozenset(), **options: Any
    ) -> Any:  # noqa: ANN401 -- a vendor's JSON
        """Make one call below /api/v2; None when the thing is gone. Failures as in `_http.ask`."""
        self._sign_in()
        return _http.ask(self._http, _DIALECT, operation, method, _path(*parts), gone=gone, **options)

    def pages(
        self, key: str, *parts: str | int, gone: frozenset[str] = frozenset()
    ) -> Iterator[tuple[list[dict[str, Any]] | None, bool]]:
        """Return a collection page by page, each with whether more follow; one None when its owner is gone."""
        asked: dict[str, str | int] = {"page[size]": PAGE}
        more = True
        while more:
            body = self.ask("find", "GET", *parts, params=asked, gone=gone)
            if body is None:
                yield None, False
                return
            more = bool(body["meta"]["has_more"])
            yield body[key], more
            asked["page[after]"] = body["meta"]["after_cursor"]

    def all_of(self, key: str, *parts: str | int, gone: frozenset[str] = frozenset()) -> list[dict[str, Any]] | None:
        """Return a whole collection, or None when what it belongs to is gone."""
        rows: list[dict[str, Any]] = []
        for page, _ in self.pages(key, *parts, gone=gone):
            if page is None:
                return None
            rows += page
        return rows

    def drop(self, operation: str, *parts: str | int) -> bool:
        """Delete; tell whether it was there. Success is a 204, or the deleted thing."""
        self._sign_in()
        answer = _http.send(self._http, _DIALECT, operation, "DELETE", _path(*parts), gone=GONE)
        if answer is not None and answer.status_code != 204:
            _http.read_json(_DIALECT, operation, answer)
        return answer is not None

    def myself(self, operation: str) -> dict[str, Any]:
        """Return our own user. Anonymous callers get a 200 too, with an id of null (UNCONFIRMED)."""
        me: dict[str, Any] = self.ask(operation, "GET", "users", "me")["user"]
        if me["id"] is None:
            raise AccessRefused(NAME, operation, code="anonymous")
        return me

    def _sign_in(self) -> None:
        """Get an access token, again when it is about to end."""
        if time.monotonic() < self._token_ends:
            return
        asked = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "scope": " ".join(sorted(SCOPES)),
        }
        try:
            token = _http.ask(self._http, _DIALECT, "sign_in", "POST", "/oauth/tokens", json=asked)
        except Rejected as refused:  # RFC 6749 lets a server refuse a client with 400 as well
            raise AccessRefused(NAME, "sign_in", refused.status, refused.code) from None
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"
        self.scope = frozenset(token["scope"].split())
        self._token_ends = time.monotonic() + float(token["expires_in"]) - _TOKEN_MARGIN


def _path(*parts: str | int) -> str:
    return _http.path("api", "v2", *parts)
