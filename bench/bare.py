"""The vendors' own floor: the calls of a real run, made again by a bare script with a thread for each account.

Nothing of this project is imported. Calls go through one `requests.Session` for the accounts named so (the vendor's
package uses requests) and through one `httpx.Client` for the others; answers are read, and nothing is done with them.

Reads a line of JSON ({"calls": file, "addresses": {account: url}, "by_requests": [accounts]}), answers with one.
Ends when standard input closes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import requests

_TIMEOUT = 30


def through_httpx(address: str, calls: list[Any]) -> list[int]:
    """Make the calls in their order; returns the answers' statuses."""
    with httpx.Client(base_url=address, timeout=_TIMEOUT) as client:
        return [
            client.request(method, url, headers=headers, content=body or None).status_code
            for method, url, headers, body in calls
        ]


def through_requests(address: str, calls: list[Any]) -> list[int]:
    """Make the calls in their order; returns the answers' statuses."""
    with requests.Session() as session:
        session.trust_env = False
        return [
            session.request(method, address + url, headers=headers, data=body or None, timeout=_TIMEOUT).status_code
            for method, url, headers, body in calls
        ]


def replay(order: dict[str, Any]) -> dict[str, Any]:
    """Make all calls again; returns what that cost, and how many answers had another status than before."""
    kept: dict[str, list[Any]] = json.loads(Path(order["calls"]).read_text(encoding="utf-8"))
    calls = {name: [call[:4] for call in some] for name, some in kept.items()}
    before = {name: [call[4] for call in some] for name, some in kept.items()}
    ways: dict[str, Callable[[str, list[Any]], list[int]]] = {
        name: through_requests if name in order["by_requests"] else through_httpx for name in calls
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        start, cpu = time.monotonic(), time.process_time()
        running = {name: pool.submit(ways[name], order["addresses"][name], calls[name]) for name in calls}
        statuses = {name: future.result() for name, future in running.items()}
        spent, seconds = time.process_time() - cpu, time.monotonic() - start
    others = sum(new != old for name in calls for new, old in zip(statuses[name], before[name], strict=True))
    return {"cpu": spent, "seconds": seconds, "calls": sum(map(len, calls.values())), "other_statuses": others}


def main() -> None:
    """Carry out orders until there are no more."""
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 -- this is what the program says
    for line in sys.stdin:
        print(json.dumps(replay(json.loads(line))), flush=True)  # noqa: T201 -- likewise


if __name__ == "__main__":
    main()
