"""The report on paper and on screen."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from erasure.entry import Event
from report.render import as_html, as_json, as_markdown
from report.shape import CompletionReport
from tests.report.book import CASE, NAME, Book

HOSTILE = '<script>alert("x")</script> | [a](b) `c`\nnext'
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Reads a page strictly: every element closes in order, every table has headers."""

    def __init__(self, text: str) -> None:
        """Read it."""
        super().__init__()
        self.open: list[str] = []
        self.tables: list[dict[str, int]] = []
        self.headings: list[int] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what opens."""
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append({"col": 0, "row": 0, "caption": 0, "tr": 0})
        if tag == "th":
            self.tables[-1][dict(attrs)["scope"] or ""] += 1
        if tag in {"caption", "tr"}:
            self.tables[-1][tag] += 1
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Only the innermost element may close."""
        assert self.open.pop() == tag


def full_report() -> CompletionReport:
    """Return a report in which every part of the page has something to show."""
    book = Book("crm", "member_database", "old").found("crm", contact=2, doubts=["address_not_verified"]).erased("crm")
    book.planned("member_database", {"contribution.keep": 1}, NAME).looked("member_database", "clean", "clean")
    book.concluded("member_database", "kept", 4, {}, NAME)
    book.write(Event.STOPPED, "old", reason="AccessRefused").write(Event.RETRIED, "old", by="ops")
    book.write(Event.EXCUSED, "old", turn=2, by="dana", reason="system_retired")
    return book.concluded("old", "excused", 0, reason="system_retired").completed().signed().report()


def hostile_report() -> CompletionReport:
    """Return a report whose policy texts try to be markup."""
    kept = NAME | {"scope": HOSTILE, "article": HOSTILE}
    detail = {"plan": "d", "kept": [kept], "remains": [HOSTILE]}
    book = Book("crm", ground=HOSTILE).found("crm", doubts=[HOSTILE])
    return book.write(Event.PLANNED, "crm", detail=detail).report()


def test_first_lines_answer_the_three_questions() -> None:
    """Complete, in time, how well proven: in this order, before anything else."""
    lines = [line for line in as_markdown(full_report()).splitlines() if line][:4]
    assert lines[0] == "# Completion report on an erasure request"
    assert [line.split("**")[1] for line in lines[1:]] == ["Complete?", "In time?", "How well proven?"]


def test_sections_stand_in_order() -> None:
    """What was kept comes before the systems; the words are explained at the end."""
    for text, mark in ((as_markdown(full_report()), "## "), (as_html(full_report()), "<h2>")):
        titles = [
            "What was kept and why",
            "Systems",
            "What people decided",
            "Limits of this report",
            "What the words mean",
        ]
        places = [text.index(f"{mark}{title}") for title in titles]
        assert places == sorted(places)


def test_interim_report_says_so_in_its_title() -> None:
    """A printed page of an open request cannot be taken for a completion report."""
    report = Book("crm").report()
    assert as_markdown(report).startswith("# Interim report on an erasure request: not complete\n")
    assert "<h1>Interim report on an erasure request: not complete</h1>" in as_html(report)


def test_important_sentences_stand_in_every_form() -> None:
    """Markdown, HTML and JSON say the same."""
    report = full_report()
    for text in (as_markdown(report), as_html(report), as_json(report)):
        assert "2 records erased; two re-reads 3 days apart found nothing (E4)." in text
        assert "Left untreated by decision of dana: the system is retired." in text
        assert "the name shown with a contribution" in text
        assert CASE in text


@pytest.mark.parametrize("report", [full_report(), hostile_report(), Book("crm").report()])
def test_html_is_well_formed_and_every_table_has_headers(report: CompletionReport) -> None:
    """A screen reader can name each cell: column and row headers with scope, and a caption."""
    page = Page(as_html(report))
    assert page.tables
    for table in page.tables:
        assert table["caption"] == 1
        assert table["col"] >= 2
        assert table["row"] == table["tr"] - 1
    assert page.headings[0] == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))


def test_html_needs_nothing_from_outside() -> None:
    """No address to load anything from, no script; light, dark and paper."""
    text = as_html(full_report())
    page = Page(text)
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "onclick", "style"}
    assert not re.search(r"url\(|@import|https?://|<script", text)
    for rule in ("prefers-color-scheme: dark", "@media print", 'name="viewport"'):
        assert rule in text


def test_hostile_text_stays_text_in_html() -> None:
    """Autoescape is on, also for what stands in policy.toml."""
    text = as_html(hostile_report())
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in text


def test_hostile_text_stays_text_in_markdown() -> None:
    """It can neither end a table row nor become HTML or a link."""
    text = as_markdown(hostile_report())
    assert not re.search(r"(?<!\\)<script", text)
    assert not re.search(r"(?<!\\)\[a", text)
    row = next(line for line in text.splitlines() if "contributor name" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 7


def test_markdown_tables_are_whole() -> None:
    """Each row has as many cells as its header."""
    for block in re.findall(r"(?:^\|.*\n)+", as_markdown(full_report()), flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_json_is_stable_and_speaks_of_levels_by_name() -> None:
    """Equal ledgers give equal texts; E4 is not a bare 4."""
    one = Book("crm").found("crm", contact=1, lead=2).acted("crm", {"lead.erased": 2, "contact.erased": 1})
    two = Book("crm").found("crm", lead=2, contact=1).acted("crm", {"contact.erased": 1, "lead.erased": 2})
    assert as_json(one.report()) == as_json(two.report())
    read = json.loads(as_json(full_report()))
    assert read["evidence"] == "E4"
    assert list(read)[:2] == ["case_id", "as_of"]
    assert CompletionReport.model_fields.keys() == read.keys()


def test_unknown_codes_are_shown_as_they_stand() -> None:
    """A code from a later version is not guessed at."""
    book = Book("crm").write(Event.STOPPED, "crm", reason="Novel: thing")
    assert "waits for a person: Novel: thing." in as_markdown(book.report())
