"""Run every pretend vendor in one process: `python -m simulators`.

Prints one line of JSON when all listen: for each system its address and the credentials its connector needs.
Ends when standard input closes, so that it never outlives whoever started it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import pkgutil
import sys

import simulators
from simulators._frame import Running, Vendor


def vendor(name: str) -> Vendor:
    """Return a fresh vendor: the one class in the module that carries the system's name."""
    module = importlib.import_module(f"simulators.{name}")
    found = [m for m in vars(module).values() if isinstance(m, type) and getattr(m, "name", "") == name]
    made: Vendor = found[0]()
    return made


def names() -> list[str]:
    """Return the name of every vendor there is."""
    modules = (module.name for module in pkgutil.iter_modules(simulators.__path__))
    return sorted(name for name in modules if not name.startswith("_"))


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m simulators", description="Pretend vendors on this machine.")
    parser.add_argument("systems", nargs="*", help="which ones; all of them when none is named")
    wanted = parser.parse_args().systems or names()
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(Running(vendor(name))) for name in wanted}
        told = {name: {"base_url": one.url, **one.stage.vendor.credentials} for name, one in running.items()}
        print(json.dumps(told), flush=True)  # noqa: T201 -- this is what the program says
        sys.stdin.read()


if __name__ == "__main__":
    main()
