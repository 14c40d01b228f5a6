"""What can be typed is written down: every command and every target, in the README or for operations."""

from __future__ import annotations

import re

import pytest

from cli import app
from tests.house.rooms import ROOT

PAGES = [ROOT / "README.md", ROOT / "docs" / "operations.md"]
COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands)
TARGETS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def documented(words: str) -> bool:
    """Tell whether a page names exactly these words as something to type."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.exists())
    return bool(re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", text))


def test_there_is_something_to_document() -> None:
    """An empty walk would pass everything below."""
    assert {"submit", "confirm", "report"} <= set(COMMANDS)
    assert {"demo", "test"} <= set(TARGETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    """A command that nobody can find does not exist."""
    assert documented(f"erasure {command}")


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_documented(target: str) -> None:
    """Whoever comes new reads the pages, not the Makefile."""
    assert documented(f"make {target}")


def test_every_command_says_what_it_does() -> None:
    """`erasure --help` shows a sentence for each."""
    silent = [command.callback.__name__ for command in app.registered_commands if not command.callback.__doc__]
    assert silent == []
