"""Rules of the house that no linter knows, read off the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from erasure import failures
from tests.house.rooms import ROOT, parsed, product_files, shown, tree

LONGEST = 35
CONNECTORS = sorted((ROOT / "connectors").glob("*.py"))
HOMELESS = {"utils", "helpers", "common", "base", "manager"}
RETRIES = {"tenacity", "backoff", "retry", "retrying", "stamina", "urllib3"}
# A vendor's own failures are ours already, raised `from None` where they were made; anything else is the vendor's text.
OUR_FAILURES = {name for name, kind in vars(failures).items() if isinstance(kind, type) and issubclass(kind, Exception)}
MACHINE = re.compile(
    r"""(?:^|["'\s=(:])/(?:home|root|Users|work|opt|mnt|srv)/\w"""  # somebody's own folders
    r"""|(?<!no-emit-)(?:index-url|find-links)\b"""
    r"""|https?://[^\s"'/]*(?:pypi|artifactory|nexus|devpi|mirror)"""
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
each_connector_file = pytest.mark.parametrize("path", CONNECTORS, ids=shown)


def functions(module: ast.AST) -> Iterator[Function]:
    """Return every function and method, nested ones too."""
    return (node for node in ast.walk(module) if isinstance(node, Function))


def public(within: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Return what others may use: functions, classes, and the methods of those classes."""
    for node in within.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def imported(module: ast.AST) -> Iterator[str]:
    """Return every module that is imported, by its dotted name; `from a import b` is both a and a.b."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(module: ast.AST) -> Iterator[str]:
    """Return what every call calls, by its last name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Return the last names of what a handler catches."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {kind.attr if isinstance(kind, ast.Attribute) else getattr(kind, "id", "") for kind in kinds}


def leaking(handler: ast.ExceptHandler) -> Iterator[int]:
    """Return the lines that raise with the vendor's exception behind them, and with it its URL and body."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise):
            is_from_none = isinstance(node.cause, ast.Constant) and node.cause.value is None
            is_ours_again = node.exc is None and caught(handler) <= OUR_FAILURES
            if not is_from_none and not is_ours_again:
                yield node.lineno


@each_connector_file
def test_no_connector_knows_another(path: Path) -> None:
    """What two share stands in `connectors/_*.py`; adding a system touches no other."""
    others = {p.stem for p in CONNECTORS if not p.stem.startswith("_")}
    known = {name.split(".")[1] for name in imported(parsed(path)) if name.startswith("connectors.")}
    assert not known & others


@each_connector_file
def test_connectors_never_wait_or_retry(path: Path) -> None:
    """Only Temporal does: a wait in a connector holds a thread and is lost with the worker."""
    module = parsed(path)
    assert not {name.partition(".")[0] for name in imported(module)} & RETRIES
    assert not {name for name in called(module) if name in {"sleep", "Retry"}}
    options = {word.arg for node in ast.walk(module) if isinstance(node, ast.Call) for word in node.keywords}
    assert not options & {"retries", "max_retries"}


@each_connector_file
def test_connectors_raise_from_none(path: Path) -> None:
    """Vendors' exceptions carry the person's address; Temporal stores the whole chain."""
    handlers = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ExceptHandler)]
    assert not [f"{shown(path)}:{line}" for handler in handlers for line in leaking(handler)]


@pytest.mark.parametrize(
    ("body", "leaks"),
    [
        ("raise TryLater() from None", False),
        ("raise TryLater()", True),
        ("raise TryLater() from said", True),
        ("raise", True),
    ],
)
def test_the_rule_above_sees_a_leak(body: str, *, leaks: bool) -> None:
    """A rule that finds nothing must be able to."""
    (handler,) = ast.parse(f"try: pass\nexcept httpx.HTTPError as said: {body}").body[0].handlers
    assert bool(list(leaking(handler))) is leaks
    (ours,) = ast.parse("try: pass\nexcept Rejected: raise").body[0].handlers
    assert not list(leaking(ours))


def test_what_has_no_name_has_no_home() -> None:
    """A folder or file that could hold anything soon does."""
    assert not [shown(path) for path in tree() if path.stem.strip("_").lower() in HOMELESS]


def test_functions_fit_on_a_screen() -> None:
    """A function of the product has at most 35 lines, its signature and docstring among them."""
    long = {
        f"{shown(path)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in product_files(".py")
        for node in functions(parsed(path))
        if node.end_lineno - node.lineno >= LONGEST
    }
    assert long == {}


def test_the_product_knows_no_machine() -> None:
    """Nobody's folders and nobody's package index: it runs on a fresh machine."""
    told = []
    for path in product_files():
        lines = path.read_text(encoding="utf-8").splitlines()
        told += [f"{shown(path)}:{n} {line.strip()}" for n, line in enumerate(lines, start=1) if MACHINE.search(line)]
    assert told == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('path = "/home/ada/erasure"', True),
        ("--index-url https://example.org/simple", True),
        ("--no-emit-index-url --no-emit-find-links", False),
        ("url = 'https://pypi.example.org/simple'", True),
        ('"/api/v1/members"', False),
        ("https://example.org/work/1", False),
    ],
)
def test_the_rule_above_sees_a_machine(line: str, *, found: bool) -> None:
    """A rule that finds nothing must be able to."""
    assert bool(MACHINE.search(line)) is found


def test_the_language_of_the_work_explains_itself() -> None:
    """Every public module, class, function and method in erasure/ has a docstring."""
    silent = []
    for path in sorted((ROOT / "erasure").glob("*.py")):
        module = parsed(path)
        silent += [
            f"{shown(path)} {getattr(n, 'name', '')}" for n in (module, *public(module)) if not ast.get_docstring(n)
        ]
    assert silent == []
