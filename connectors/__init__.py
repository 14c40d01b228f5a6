"""One file per system; the file name is the system name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

from erasure.connector import Connector, SystemCard


def names() -> tuple[str, ...]:
    """Return the name of every connector there is, in alphabetical order."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load(name: str) -> type[Connector]:
    """Return the connector class of a system.

    Raises:
        LookupError: there is no file of that name, or it does not define exactly one connector.
    """
    if name not in names():
        msg = f"there is no connector named {name!r}; there are: {', '.join(names())}"
        raise LookupError(msg)
    module = importlib.import_module(f"{__name__}.{name}")
    here: list[Any] = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and isinstance(getattr(member, "card", None), SystemCard)
    ]
    if len(here) != 1 or here[0].card.name != name:
        msg = f"connectors/{name}.py must define exactly one class whose card is named {name!r}"
        raise LookupError(msg)
    connector: type[Connector] = here[0]
    return connector
