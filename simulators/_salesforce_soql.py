"""As much of SOQL as the pretend Salesforce understands: SELECT fields FROM type WHERE conditions LIMIT n."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"\s*('(?:\\.|[^'\\])*'|[(),=]|[A-Za-z0-9_.]+)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


class Malformed(Exception):  # noqa: N818 -- named like the vendor's MALFORMED_QUERY
    """The query is no SOQL."""


@dataclass(frozen=True)
class Condition:
    """One comparison; `value` is what the right side says, for LIKE still with its escapes."""

    field: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Group:
    """Conditions joined by one word."""

    word: str
    parts: tuple[Group | Condition, ...]


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    fields: tuple[str, ...]
    type: str
    where: Group | Condition | None
    limit: int | None

    def used(self) -> set[str]:
        """Return every field the query names."""
        return set(self.fields) | _fields(self.where)


def id18(value: str) -> str:
    """Return the 18-character form of an id: three signs say which of the fifteen letters are capitals."""
    if len(value) != 15:
        return value
    groups = (value[i : i + 5] for i in (0, 5, 10))
    return value + "".join(_SUFFIX[sum(1 << n for n, c in enumerate(g) if "A" <= c <= "Z")] for g in groups)


def parse(text: str) -> Query:
    """Return the query; raises Malformed."""
    return _Parser(text).query()


def matches(where: Group | Condition | None, row: dict[str, Any]) -> bool:
    """Tell whether a row fulfils the conditions."""
    if where is None:
        return True
    if isinstance(where, Group):
        return (all if where.word == "AND" else any)(matches(part, row) for part in where.parts)
    held = row[where.field]
    if where.operator == "LIKE":
        return isinstance(held, str) and bool(_pattern(where.value).fullmatch(held))
    wanted = where.value if where.operator == "IN" else [where.value]
    return _folded(where.field, held) in [_folded(where.field, value) for value in wanted]


def _folded(field: str, value: Any) -> Any:  # noqa: ANN401 -- a cell
    """Text is compared without regard to case, ids exactly and on 18 characters."""
    if not isinstance(value, str):
        return value
    return id18(value) if field.endswith("Id") else value.lower()


def _fields(where: Group | Condition | None) -> set[str]:
    if isinstance(where, Group):
        return set().union(*map(_fields, where.parts))
    return {where.field} if where else set()


def _pattern(raw: str) -> re.Pattern[str]:
    signs = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|[^\\]", raw, re.DOTALL)
    plain = (re.escape(p[1] if p[1] in "%_" else _ESCAPES.get(p[1], p[1])) if p[0] == "\\" else "" for p in parts)
    regex = "".join(text or signs.get(p, re.escape(p)) for p, text in zip(parts, plain, strict=True))
    return re.compile(regex, re.IGNORECASE | re.DOTALL)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while text[at:].strip():
            token = _TOKEN.match(text, at)
            if not token:
                raise Malformed
            self._tokens.append(token[1])
            at = token.end()

    def query(self) -> Query:
        self._expect("SELECT")
        fields = [self._next()]
        while self._takes(","):
            fields.append(self._next())
        self._expect("FROM")
        name = self._next()
        where = self._expression() if self._takes("WHERE") else None
        limit = int(self._next()) if self._takes("LIMIT") else None
        if self._tokens:
            raise Malformed
        return Query(tuple(fields), name, where, limit)

    def _next(self) -> str:
        if not self._tokens:
            raise Malformed
        return self._tokens.pop(0)

    def _takes(self, word: str) -> bool:
        if self._tokens and self._tokens[0].upper() == word:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise Malformed

    def _expression(self) -> Group | Condition:
        parts, word = [self._term()], ""
        while self._tokens and self._tokens[0].upper() in {"AND", "OR"}:
            joined = self._next().upper()
            if word not in {"", joined}:  # SOQL wants parentheses where AND and OR meet
                raise Malformed
            word = joined
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else Group(word, tuple(parts))

    def _term(self) -> Group | Condition:
        if self._takes("("):
            inner = self._expression()
            self._expect(")")
            return inner
        field, operator = self._next(), self._next().upper()
        if operator == "IN":
            self._expect("(")
            values = [self._value()]
            while self._takes(","):
                values.append(self._value())
            self._expect(")")
            return Condition(field, operator, values)
        if operator not in {"=", "LIKE"}:
            raise Malformed
        return Condition(field, operator, self._value(raw=operator == "LIKE"))

    def _value(self, *, raw: bool = False) -> Any:  # noqa: ANN401 -- a literal
        token = self._next()
        if token.lower() in _CONSTANTS:
            return _CONSTANTS[token.lower()]
        if not token.startswith("'"):
            raise Malformed
        return token[1:-1] if raw else re.sub(r"\\(.)", _escape, token[1:-1], flags=re.DOTALL)


def _escape(sign: re.Match[str]) -> str:
    if sign[1] not in _ESCAPES:
        raise Malformed
    return _ESCAPES[sign[1]]
