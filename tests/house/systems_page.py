"""docs/systems.md as data: the rows of its table, and the lists below each system's heading."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.house.rooms import ROOT

PAGE = ROOT / "docs" / "systems.md"


class Row(NamedTuple):
    """One row of the table."""

    system: str
    title: str
    records: str
    found_by: str
    erased: str
    restriction: str
    proof: str
    vendor_page: str


def rows() -> dict[str, Row]:
    """Return the rows by system; a row with too few or too many cells is an error."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    made = [Row(*row)._replace(system=row[0].strip("`")) for row in cells]
    assert len({row.system for row in made}) == len(made), "docs/systems.md names a system twice"
    return {row.system: row for row in made}


def listed(system: str, title: str) -> list[str]:
    """Return the items of one list in a system's section, each on one line."""
    section = re.search(
        rf"^## `{system}`\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    block = re.search(rf"^{title}:\n\n((?:[- ] .+\n)+)", section[1] if section else "", re.MULTILINE)
    items = re.split(r"^- ", block[1] if block else "", flags=re.MULTILINE)
    return [" ".join(item.split()) for item in items if item.strip()]
