"""systems.toml: what ops decide. Which connectors are on, where the systems are, how many calls at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from erasure.sentence import BadInput, first_fault

_SECRET = "_env"  # noqa: S105 -- the ending of keys that name an environment variable
_OWN = frozenset({"connector", "on", "parallel"})


class SystemEntry(BaseModel):
    """One system that is switched on.

    `connector` is the file in connectors/, by default the system's own name: two accounts at one vendor are two
    systems with the same connector. `parallel` is how many calls may run at once in one worker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    connector: str
    on: bool = Field(default=True, strict=True)
    parallel: int = Field(default=4, ge=1, le=100)
    settings: dict[str, Any] = Field(default={}, repr=False)


def parse(text: str, environ: Mapping[str, str]) -> dict[str, SystemEntry]:
    """Read systems.toml; a key that ends in `_env` names the environment variable that holds the secret.

    Raises:
        BadInput: one sentence; a missing secret is named by its variable.
    """
    try:
        tables = tomllib.loads(text).get("systems", {})
    except (ValueError, RecursionError) as error:
        raise BadInput(f"systems.toml is not TOML: {error}") from None
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise BadInput("systems.toml: each system is a table such as [systems.zendesk]")
    entries = {name: _entry(name, table, environ) for name, table in tables.items()}
    switched_on = {name: entry for name, entry in entries.items() if entry.on}
    if not switched_on:
        raise BadInput("systems.toml switches on no system")
    return switched_on


def _entry(name: str, table: Mapping[str, Any], environ: Mapping[str, str]) -> SystemEntry:
    own: dict[str, Any] = {"name": name, "connector": name}
    own |= {key: value for key, value in table.items() if key in _OWN}
    given = {key: value for key, value in table.items() if key not in _OWN}
    if doubled := sorted(key for key in given if f"{key}{_SECRET}" in given):
        raise BadInput(f"systems.toml: {name}: {doubled[0]} is given twice, also as {doubled[0]}{_SECRET}")
    settings = {}
    if table.get("on", True) is True:  # what is switched off needs no secret
        settings = {key.removesuffix(_SECRET): _value(name, key, value, environ) for key, value in given.items()}
    try:
        return SystemEntry(**own, settings=settings)
    except ValidationError as error:
        raise BadInput(f"systems.toml: {name}: {first_fault(error)}") from None


def _value(name: str, key: str, value: object, environ: Mapping[str, str]) -> object:
    if not key.endswith(_SECRET):
        return value
    if not environ.get(str(value)):
        raise BadInput(f"systems.toml: {name}: the environment variable {value} is not set")
    return environ[str(value)]
