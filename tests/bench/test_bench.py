"""The benchmark runs from end to end, and compares like with like; nothing here looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import people, settings
from erasure import policy as policy_file

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--requests", "2", "--systems", "5", "--in-flight", "2", "--database", "memory", "--json")


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark as `make bench` does."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.mark.slow
def test_the_real_thing_and_both_floors_do_the_same_work() -> None:
    """As many activities as the empty floor, as many calls as the bare one, and numbers everywhere."""
    ended = bench(*SMALL)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    costs: dict[str, Any] = {cost["kind"]: cost for cost in found["costs"]}
    assert set(costs) == {"real", "empty", "bare"}
    assert all(cost["requests"] == 2 and cost["seconds"] > 0 for cost in costs.values())
    assert all(ms > 0 for kind in ("real", "empty") for ms in (costs[kind]["cpu_ms"][p] for p in ("worker", "server")))
    assert costs["bare"]["cpu_ms"]["script"] > 0
    assert min(costs["real"]["peak_mb"].values()) > 0
    assert costs["real"]["calls"] == costs["bare"]["calls"] > 0
    assert costs["empty"]["calls"] == 0
    assert _numbers(costs["real"], "system_steps") == _numbers(costs["empty"], "system_steps") == {21}
    assert min(_numbers(costs["real"], "events")) > 0
    assert min(_numbers(costs["real"], "bytes")) > 0
    assert {aim["wanted"] for aim in found["aims"]} == {"at most 1.25", "under 400", "under 80000"}


def _numbers(cost: dict[str, Any], what: str) -> set[int]:
    assert len(cost["histories"]) == 2
    return {history[what] for history in cost["histories"]}


@pytest.mark.parametrize("words", [("--requests", "0"), ("--database", "paper"), ("--what", "nothing")])
def test_bad_arguments_end_with_code_2(words: tuple[str, str]) -> None:
    """And with a sentence."""
    ended = bench(*words)
    assert ended.returncode == 2
    assert words[0] in ended.stderr


def test_every_account_has_the_rules_of_its_vendor() -> None:
    """Twelve systems are two or three accounts at each of five vendors; only the waits differ from policy.toml."""
    vendors = settings.accounts(12)
    policy = policy_file.parse(settings.policy_toml(vendors, "1 second", "2 days"))
    assert policy.systems.keys() == vendors.keys()
    assert all(policy.systems[name] == policy.systems[vendor] for name, vendor in vendors.items())
    assert (policy.verification.first_look.seconds, policy.verification.second_look.days) == (1, 2)


def test_people_come_in_waves_and_nobody_twice() -> None:
    """The last wave may be smaller."""
    assert list(people.waves(1, 5, 2)) == [[1, 2], [3, 4], [5]]
    assert people.person(1) != people.person(2)
