"""Findings and policy in, one treatment per record out. Pure: the same input is always the same plan."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import date

from pydantic import BaseModel, ConfigDict

from erasure.connector import Record
from erasure.outcome import Kept
from erasure.policy import Policy, Treatment

DELETED_MEMBERS = "deleted_members"  # the exception's name in policy.toml
_FROZEN = ConfigDict(frozen=True, extra="forbid")


class Step(BaseModel):
    """What happens to one record, and by which exception if it is kept."""

    model_config = _FROZEN

    record: Record
    treatment: Treatment
    exception: str = ""


class SystemPlan(BaseModel):
    """The plan for one system: one step for each record that was found, none left out.

    `tombstone` says that the "deleted members" record must exist before the first step is taken.
    """

    model_config = _FROZEN

    system: str
    steps: tuple[Step, ...] = ()
    kept: tuple[Kept, ...] = ()
    tombstone: bool = False

    @property
    def to_erase(self) -> tuple[Record, ...]:
        """The records that go."""
        return tuple(step.record for step in self.steps if step.treatment is Treatment.ERASE)

    @property
    def kept_kinds(self) -> frozenset[str]:
        """The kinds that stay."""
        return frozenset(step.record.kind for step in self.steps if step.treatment is Treatment.KEEP)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of records per kind and treatment."""
        counted = Counter(f"{step.record.kind}.{step.treatment}" for step in self.steps)
        return dict(sorted(counted.items()))

    @property
    def digest(self) -> str:
        """A short name for exactly this plan."""
        lines = sorted(f"{s.record.kind} {s.record.id} {s.treatment} {s.exception}" for s in self.steps)
        text = "\n".join([self.system, str(self.tombstone), *lines])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_system(system: str, records: Iterable[Record], policy: Policy, today: date) -> SystemPlan:
    """Decide for every record of one system.

    Raises:
        KeyError: a record of a kind that policy.toml does not classify; the check at start makes this impossible.
    """
    rules = policy.systems[system].records
    steps = tuple(
        Step(record=record, treatment=rules[record.kind].erasure, exception=rules[record.kind].exception)
        for record in records
    )
    tombstone = any(policy.writes_tombstone_for(system, s.record.kind) for s in steps if s.treatment is Treatment.ERASE)
    kept = _kept(steps, policy, today)
    if tombstone:  # it is kept data, too
        kept = (*kept, _reason(f"{DELETED_MEMBERS}_entry", DELETED_MEMBERS, 1, policy, today))
    return SystemPlan(system=system, steps=steps, kept=kept, tombstone=tombstone)


def _kept(steps: Iterable[Step], policy: Policy, today: date) -> tuple[Kept, ...]:
    counted = Counter((step.record.kind, step.exception) for step in steps if step.exception)
    return tuple(_reason(kind, name, count, policy, today) for (kind, name), count in sorted(counted.items()))


def _reason(kind: str, name: str, count: int, policy: Policy, today: date) -> Kept:
    exemption = policy.exemption(name)
    return Kept(
        record_kind=kind,
        count=count,
        exception=name,
        article=exemption.article,
        scope=exemption.scope,
        until=exemption.until(today),
    )
