"""The pretend vendors as one process, without any delay of their own: several accounts, each on its own port.

Prints a line of JSON with every account's address and credentials, then answers one line of JSON for each line it
reads: `count` (calls so far), `record` (keep every call from now on), `dump` (write the kept calls into a file).
Ends when standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bench.settings import accounts
from simulators import mailchimp, member_database, salesforce, surveymonkey, zendesk
from simulators._frame import Stage, Vendor

_DAY = 86_400.0
_CONTROL = "/__control__"
# The client of a repeated call sets these by itself.
_OWN_HEADERS = {"host", "connection", "content-length", "accept-encoding", "user-agent"}


class _Salesforce(salesforce.Salesforce):
    """Forgets purged rows at once, not after a day."""

    def _exists(self, row: salesforce.Row) -> bool:
        return row.purged_at is None


class _Zendesk(zendesk.Zendesk):
    """Finishes jobs and deletions at once, and takes calls as fast as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.job_seconds = self.index_seconds = 0.0

    def _limited(self, what: str, calls: int, seconds: float) -> Response | None:  # noqa: ARG002 -- the vendor's own
        return None

    def _progress(self, user: dict[str, Any]) -> list[dict[str, Any]]:
        return super()._progress({**user, "_purged_at": user["_purged_at"] - _DAY})


_MADE: dict[str, type[Vendor]] = {
    "mailchimp": mailchimp.Mailchimp,
    "member_database": member_database.MemberDatabase,
    "salesforce": _Salesforce,
    "surveymonkey": surveymonkey.SurveyMonkey,
    "zendesk": _Zendesk,
}


class Account:
    """One account at a vendor, which counts the calls it gets."""

    def __init__(self, vendor: Vendor) -> None:
        """Listen on a free port; nothing is served yet."""
        self.calls = 0
        self.stage = Stage(vendor)
        # Only of a socket that says TCP does asyncio know that small packets must not wait for each other.
        self.socket = socket.socket(proto=socket.IPPROTO_TCP)
        self.socket.bind(("127.0.0.1", 0))

    @property
    def told(self) -> dict[str, str]:
        """What its connector needs to know."""
        return {"base_url": f"http://127.0.0.1:{self.socket.getsockname()[1]}", **self.stage.vendor.credentials}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count and serve."""
        self.calls += not scope["path"].startswith(_CONTROL)
        await self.stage(scope, receive, send)

    async def serve(self) -> None:
        """Serve without end."""
        quiet = uvicorn.Config(self, log_level="error", lifespan="off", access_log=False)
        await uvicorn.Server(quiet).serve(sockets=[self.socket])

    def kept(self) -> list[list[Any]]:
        """Return the recorded calls in the order in which they were answered."""
        return [
            [
                call.method,
                call.url,
                {key: value for key, value in call.headers.items() if key not in _OWN_HEADERS},
                call.body.decode(),
                call.status,
            ]
            for call in self.stage.calls
        ]


async def _serve(served: list[Account]) -> None:
    await asyncio.gather(*(account.serve() for account in served))


def answer(command: dict[str, Any], served: dict[str, Account]) -> dict[str, Any]:
    """Carry out one command."""
    if command["do"] == "record":
        for account in served.values():
            account.stage.record()
    if command["do"] == "dump":
        kept = {name: account.kept() for name, account in served.items()}
        Path(command["path"]).write_text(json.dumps(kept), encoding="utf-8")
    return {"calls": sum(account.calls for account in served.values())}


def main() -> None:
    """Serve as many accounts as the command line says."""
    served = {name: Account(_MADE[vendor]()) for name, vendor in accounts(int(sys.argv[1])).items()}
    for account in served.values():
        account.socket.listen(128)
    threading.Thread(target=lambda: asyncio.run(_serve(list(served.values()))), daemon=True).start()
    print(json.dumps({name: account.told for name, account in served.items()}), flush=True)  # noqa: T201
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), served)), flush=True)  # noqa: T201 -- this is what the program says


if __name__ == "__main__":
    main()
