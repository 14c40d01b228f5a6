"""Another process: `python -m tests.ledger.process once|forever URL` waits for a line, then opens and writes."""

from __future__ import annotations

import os
import sys
from itertools import count

from ledger.stores import Database
from tests.ledger.samples import entry, part


def say(word: object) -> None:
    """Tell the parent."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(how: str, url: str) -> None:
    """Write one entry, or entries until killed; each is told after it was written."""
    say("ready")
    sys.stdin.readline()
    database = Database.open(url)
    for number in count() if how == "forever" else (os.getpid(),):
        database.write([entry(f"key-{number}")], [part(f"content {number}")])
        say(number)
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
