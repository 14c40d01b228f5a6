"""A judge nobody here wrote: a vendor's own OpenAPI file, held against recorded calls and their replies.

It judges route, method, parameters, bodies and the shape of replies. How a vendor behaves it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.templating.paths.datatypes import PathOperationServer
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.testing.requests import MockRequest
from openapi_core.testing.responses import MockResponse

from simulators._frame import Call

_SPECS = Path(__file__).resolve().parents[2].parent / "shared" / "specs"
# The files themselves are not validated: they have known defects. What they leave open is closed here: a field
# that a vendor's file does not declare is a field that somebody made up.
_CONFIG = Config(
    spec_validator_cls=None,
    additional_properties_default_policy="forbid",
    extra_media_type_deserializers={"application/problem+json": json.loads},
)


def load(vendor: str, name: str) -> dict[str, Any]:
    """Return a vendor's file; skips the test where it is not beside the checkout."""
    file = _SPECS / vendor / name
    if not file.is_file():
        pytest.skip(f"the vendor's file {vendor}/{name} is not beside this checkout; nothing judges the calls")
    return json.loads(file.read_bytes())


@dataclass(frozen=True)
class Violation:
    """What a file objects to."""

    operation: str
    side: str
    objection: str

    def __str__(self) -> str:
        return f"{self.operation}, {self.side}: {self.objection}"


@dataclass(frozen=True)
class KnownDefect:
    """A fault of the file itself: objections to `operation` that hold the words `says` are not ours."""

    operation: str
    says: str
    reason: str

    def covers(self, violation: Violation) -> bool:
        """Tell whether this fault explains a violation."""
        return violation.operation == self.operation and self.says in violation.objection


class Judge:
    """One or more files of one vendor, all served at `server`."""

    def __init__(self, server: str, *documents: dict[str, Any]) -> None:
        """Take the files; only what is called is ever looked at."""
        self._server = server
        served = [{**document, "servers": [{"url": server}]} for document in documents]
        self._files = [OpenAPI.from_dict(document, config=_CONFIG) for document in served]

    def violations(self, calls: Iterable[Call]) -> list[Violation]:
        """Return what the files object to, each once."""
        return list(dict.fromkeys(objection for call in calls for objection in self._objections(call)))

    def unexplained(self, calls: Iterable[Call], defects: Sequence[KnownDefect] = ()) -> list[str]:
        """Return the violations that no known defect covers, and the defects that cover none any more."""
        found = self.violations(calls)
        ours = [str(violation) for violation in found if not any(defect.covers(violation) for defect in defects)]
        return ours + [f"never seen: {d.operation}, {d.says}" for d in defects if not any(map(d.covers, found))]

    def _objections(self, call: Call) -> Iterator[Violation]:
        parts, host = urlsplit(call.url), urlsplit(self._server)
        address = f"{host.scheme}://{host.netloc}{parts.path}"
        for file in self._files:
            try:
                found = APICallPathFinder(file.spec).find(call.method.lower(), address)
            except PathError:
                continue
            yield from _judged(file, found, call)
            return
        yield Violation(f"{call.method} {parts.path}", "request", "the vendor has no such route")


def _judged(file: OpenAPI, found: PathOperationServer, call: Call) -> Iterator[Violation]:
    operation = f"{call.method} {found.path_result.pattern}"
    parts = urlsplit(call.url)
    request = MockRequest(
        found.server_result.pattern.removesuffix(urlsplit(found.server_result.pattern).path),
        call.method,
        parts.path,
        args=parse_qsl(parts.query, keep_blank_values=True),
        headers=call.headers,
        data=call.body,
        content_type=call.headers.get("content-type", ""),
    )
    reply = MockResponse(call.answer, call.status, content_type=call.answer_type)
    yield from (Violation(operation, "request", text) for text in _undeclared(found, call))
    for error in file.iter_request_errors(request):
        yield from (Violation(operation, "request", text) for text in _words(error))
    for error in file.iter_response_errors(request, reply):
        yield from (Violation(operation, f"reply {call.status}", text) for text in _words(error))


def _undeclared(found: PathOperationServer, call: Call) -> Iterator[str]:
    """Yield what was sent and is declared nowhere; a vendor ignores a misspelt filter and answers with everything."""
    declared = {
        parameter["name"]
        for owner in (found.path, found.operation)
        for parameter in (owner.read_value().get("parameters") or ())
        if "name" in parameter
    }
    sent = {name for name, _ in parse_qsl(urlsplit(call.url).query, keep_blank_values=True)}
    yield from (f"the query parameter {name} is not declared" for name in sorted(sent - declared))
    if call.body and "requestBody" not in found.operation.read_value():
        yield "a body is not declared"


def _words(error: Exception) -> list[str]:
    """Return what is wrong, in the validator's words for each part."""
    parts = getattr(error.__cause__, "schema_errors", None) or ()
    return [f"{'.'.join(map(str, part.absolute_path))} {part.message}".strip() for part in parts] or [str(error)]
