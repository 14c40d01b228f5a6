"""How the Mailchimp connector makes its calls: worded by Mailchimp's own package, made by `_http`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailchimp_marketing import EcommerceApi, ListsApi, RootApi, SearchMembersApi
from mailchimp_marketing.api_client import ApiClient

from connectors import _http
from erasure.connector import ConnectorSettings
from erasure.failures import Rejected

NAME = "mailchimp"
GONE = frozenset({"Resource Not Found"})
# `title` is the stable key of an error; `detail` often holds the address and is never read.
# https://mailchimp.com/developer/marketing/docs/errors/
_DIALECT = _http.Dialect(NAME, code=lambda body: body["title"])
_VERSION = "3.0"
_PAGE = 1000  # the most there is; the default of 10 hides the rest
# A shop chooses the ids of its own records. One that is an address, or that climbs, is not put into a URL.
_FIT = re.compile(r"(?!\.{1,2}$)[^/\\@\s]+")


@dataclass(frozen=True)
class Call:
    """One call, worded and not yet made."""

    method: str
    url: str
    params: list[tuple[str, Any]]
    body: Any


class _Wording(ApiClient):  # type: ignore[misc] # the package ships no types
    """Mailchimp's client without its transport: its methods return the call they would make.

    The transport of 3.0.80 replaces "server" anywhere in a URL, leaves "/" in path parts, hands back an error
    without a body as if it were an answer, reads no problem+json, keeps no Retry-After, and puts the URL with the
    address into the text of a network failure.
    """

    def call_api(  # noqa: PLR0913 -- the package's own signature
        self,
        resource_path: str,
        method: str,
        path_params: Mapping[str, str],
        query_params: Sequence[tuple[str, Any]],
        header_params: object,
        *,
        body: object,
        collection_formats: Mapping[str, str],
        **_: object,
    ) -> Call:
        """Return the call; raises RefusedCall for a path part that is empty or holds a slash."""
        del header_params
        url = resource_path
        for name, value in path_params.items():
            url = url.replace(f"/{{{name}}}", _http.path(value))
        return Call(method, f"/{_VERSION}{url}", self.parameters_to_tuples(query_params, collection_formats), body)


class Calls:
    """The parts of Mailchimp's package that are used, each method returning a `Call`, and what makes the calls."""

    def __init__(self, settings: ConnectorSettings, key: str) -> None:
        """Build the client; nothing is called yet."""
        self._http = _http.client(settings, auth=("erasure", key))
        wording = _Wording()
        self.root, self.search = RootApi(wording), SearchMembersApi(wording)
        self.lists, self.shop = ListsApi(wording), EcommerceApi(wording)

    def close(self) -> None:
        """Give back connections."""
        self._http.close()

    def ask(
        self,
        operation: str,
        worded: Callable[..., Call],
        *parts: str,
        gone: frozenset[str] = frozenset(),
        **options: Any,
    ) -> Any:  # noqa: ANN401 -- a vendor's JSON
        """Make one call; None means gone, {} is the answer 204 of a change.

        Raises:
            Rejected: `id_unfit_for_a_url`, besides what `_http.ask` raises.
        """
        if not all(map(_FIT.fullmatch, parts)):
            raise Rejected(NAME, operation, code="id_unfit_for_a_url")
        call = worded(*parts, **options)
        answer = _http.send(
            self._http, _DIALECT, operation, call.method, call.url, params=call.params, json=call.body, gone=gone
        )
        if answer is None:
            return None
        if answer.status_code == 204 and call.method != "GET":
            return {}
        return _http.read_json(_DIALECT, operation, answer)

    def account(self, operation: str) -> Any:  # noqa: ANN401 -- a vendor's JSON
        """Read the account's id and the key's role: with a good key and address this always returns something."""
        return self.ask(operation, self.root.get_root, fields=["account_id", "role"])

    def pages(
        self, operation: str, key: str, worded: Callable[..., Call], *parts: str, fields: Sequence[str], **options: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield every entry of a collection, with these fields only."""
        wanted = [*(f"{key}.{field}" for field in fields), "total_items"]
        offset, total = 0, 1
        while offset < total:
            body = self.ask(operation, worded, *parts, fields=wanted, count=_PAGE, offset=offset, **options)
            yield from body[key]
            offset, total = offset + len(body[key]), body["total_items"] if body[key] else 0
