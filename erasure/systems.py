"""systems.toml: what ops decide. Which connectors are on, where the systems are, how many calls at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from erasure.sentence import BadInput, first_fault

_SECRET = "_env"  # noqa: S105 -- the ending of keys that name an environment variable


class SystemEntry(BaseModel):
    """One system that is switched on.

    `connector` is the file in connectors/, by default the system's own name: two accounts at one vendor are two
    systems with the same connector. `parallel` is how many calls may run at once in one worker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    connector: str
    parallel: int = Field(default=4, ge=1, le=100)
    settings: dict[str, Any] = Field(default={}, repr=False)


def parse(text: str, environ: Mapping[str, str]) -> dict[str, SystemEntry]:
    """Read systems.toml; a key that ends in `_env` names the environment variable that holds the secret.

    Raises:
        BadInput: one sentence; a missing secret is named by its variable.
    """
    try:
        tables = tomllib.loads(text).get("systems", {})
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"systems.toml is not TOML: {error}") from None
    if not tables:
        raise BadInput("systems.toml switches on no system")
    return {name: _entry(name, dict(table), environ) for name, table in tables.items() if table.pop("on", True)}


def _entry(name: str, table: dict[str, Any], environ: Mapping[str, str]) -> SystemEntry:
    own: dict[str, Any] = {"name": name, "connector": name}
    own |= {key: table.pop(key) for key in ("connector", "parallel") if key in table}
    settings = {key.removesuffix(_SECRET): _value(name, key, value, environ) for key, value in table.items()}
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
