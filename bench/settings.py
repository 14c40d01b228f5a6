"""The files a worker is started with: several accounts of the project's vendors, and waits of seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

VENDORS = ("member_database", "salesforce", "mailchimp", "zendesk", "surveymonkey")
_ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"^(?=\[systems\.\w+\]$)", re.MULTILINE)


def accounts(count: int) -> dict[str, str]:
    """Return this many systems, each with its vendor: every vendor once, then a second account of each, and so on."""
    names: dict[str, str] = {}
    for number in range(count):
        vendor, round_ = VENDORS[number % len(VENDORS)], number // len(VENDORS)
        names[f"{vendor}_{round_ + 1}" if round_ else vendor] = vendor
    return names


def systems_toml(told: Mapping[str, Mapping[str, str]], vendors: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a systems.toml for the accounts that the pretend vendors told of, and the environment with the secrets."""
    lines, environ = [], {}
    for name, settings in told.items():
        lines += [f"[systems.{name}]", f'connector = "{vendors[name]}"', "parallel = 4", "poll_every = 0.1"]
        for key, value in settings.items():
            if key == "base_url":
                lines.append(f'base_url = "{value}"')
                continue
            variable = f"BENCH_{name}_{key}".upper()
            lines.append(f'{key}_env = "{variable}"')
            environ[variable] = value
    return "\n".join(lines), environ


def policy_toml(vendors: Mapping[str, str], first_look: str, second_look: str) -> str:
    """Return the project's policy.toml for these accounts, with other waits."""
    head, *blocks = _BLOCK.split((_ROOT / "policy.toml").read_text(encoding="utf-8"))
    for key, value in {"first_look": first_look, "second_look": second_look}.items():
        head = re.sub(rf'^{key} = "[^"]*"', f'{key} = "{value}"', head, flags=re.MULTILINE)
    of_vendor = {_named(block): block for block in blocks}
    return head + "\n".join(_renamed(of_vendor[vendor], vendor, name) for name, vendor in vendors.items())


def write(
    folder: Path, told: Mapping[str, Mapping[str, str]], vendors: Mapping[str, str], waits: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Write both files; returns the options that name them, and the environment with the secrets."""
    text, environ = systems_toml(told, vendors)
    (folder / "systems.toml").write_text(text, encoding="utf-8")
    (folder / "policy.toml").write_text(policy_toml(vendors, *waits), encoding="utf-8")
    return ["--policy", str(folder / "policy.toml"), "--systems", str(folder / "systems.toml")], environ


def _named(block: str) -> str:
    return block.partition("]")[0].removeprefix("[systems.")


def _renamed(block: str, vendor: str, name: str) -> str:
    return block.replace(f"[systems.{vendor}]", f"[systems.{name}]").replace(f"[systems.{vendor}.", f"[systems.{name}.")
