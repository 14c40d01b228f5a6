"""The tree as the house rules see it: which files are the product, and how one is read."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
# What is shipped, and what runs beside it from the same tree.
FOLDERS = sorted({package.partition(".")[0] for package in _SETUPTOOLS["packages"]} | {"bench"})
# Made by tools; never looked at.
_MADE = {"__pycache__", "build", "var"}


def product_files(ending: str = "") -> list[Path]:
    """Return every file of the product, or those with one ending."""
    modules = [ROOT / f"{name}.py" for name in _SETUPTOOLS["py-modules"]]
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(p for p in (*modules, *found) if not _MADE & set(p.parts) and p.name.endswith(ending))


def tree() -> Iterator[Path]:
    """Return everything in the tree that somebody wrote, folders too."""
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if not any(part.startswith(".") or part in _MADE or part.endswith(".egg-info") for part in parts):
            yield path


def shown(path: Path) -> str:
    """Return a path as people write it."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=shown(path))
