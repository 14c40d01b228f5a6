"""Turns what pydantic says about bad input into one clear sentence that never repeats a value."""

from __future__ import annotations

import re

from pydantic import ValidationError

# A field name may be shown; anything else as a key could be somebody's address.
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,40}|[0-9]+|openinfra\.dev")


_PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is not a field that is known here",
    "too_short": "must not be empty",
    "too_long": "has too many entries",
}


class BadInput(ValueError):  # noqa: N818 -- it is what it says, for the person who reads it
    """Something that was handed in cannot be used; the text is one sentence for the person who handed it in."""


def first_fault(error: ValidationError) -> str:
    """Return where the first fault is and what it is, without the value."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) if _FIELD.fullmatch(str(part)) else "?" for part in fault["loc"])
    said = _PLAIN.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    return f"{place}: {said}" if place else said
