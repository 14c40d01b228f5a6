"""The report as Markdown, as HTML and as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from report import words
from report.shape import CompletionReport, State

# What Markdown, or HTML inside Markdown, would take for an order. A line break would end a table row.
_MARKS = re.compile(r"([\\|<>*`\[\]])")
_BREAKS = re.compile(r"\s+")

_TITLES = {
    State.OPEN: "Interim report on an erasure request: not complete",
    State.AWAITING_SIGN_OFF: "Completion report on an erasure request: awaiting sign-off",
    State.SIGNED_OFF: "Completion report on an erasure request",
    State.CANCELLED: "Report on a cancelled erasure request",
}


def as_markdown(report: CompletionReport) -> str:
    """Return the report as Markdown."""
    return _MARKDOWN.get_template("report.md.j2").render(_context(report))


def as_html(report: CompletionReport) -> str:
    """Return the report as one HTML page that needs nothing else."""
    return _HTML.get_template("report.html.j2").render(_context(report))


def as_json(report: CompletionReport) -> str:
    """Return the report as JSON; equal reports are equal texts."""
    return report.model_dump_json(indent=2) + "\n"


def _context(report: CompletionReport) -> dict[str, Any]:
    return {
        "report": report,
        "title": _TITLES[report.state],
        "right": words.RIGHTS.get(report.right, report.right),
        "ground": words.GROUNDS.get(report.ground, report.ground),
        "evidence_levels": words.EVIDENCE,
        "outcomes": words.OUTCOMES,
        "human_steps": words.HUMAN_STEPS,
    }


def _inert(value: object) -> object:
    """Make a value plain text for Markdown, whatever it holds; the templates' own marks do not pass through here."""
    return _MARKS.sub(r"\\\1", _BREAKS.sub(" ", value)) if isinstance(value, str) else value


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if value else "not yet"


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {words.spaced(name)}" for name, count in counts.items()) or "none"


def _environment(*, markdown: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("report"),
        autoescape=not markdown,  # noqa: S701 -- off for Markdown alone, where `_inert` takes its place
        finalize=_inert if markdown else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "day": words.day,
        "moment": _moment,
        "numbers": _numbers,
        "spaced": words.spaced,
        "who": words.who,
        "reason": lambda step: words.reason_of(step.step, step.reason),
    }
    return environment


_MARKDOWN = _environment(markdown=True)
_HTML = _environment(markdown=False)
