"""The steps of a request as a whole: acknowledge, plan, tombstone, write down, conclude, close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from temporalio import activity

from activities.failing import told_to_temporal
from activities.messages import Acted, Case, CaseSystem, Concluded, Conclusion, Planned, PlanWanted, SystemStep
from activities.stores import Stores
from activities.system import Papers, Receipts, TreatedSystem
from erasure.completion import refusal, weakest
from erasure.deadline import due_by
from erasure.entry import Entry, Event, Part, PartKind, Tombstone
from erasure.failures import Rejected
from erasure.outcome import Outcome
from erasure.plan import SystemPlan, plan_system
from erasure.policy import Policy
from erasure.request import DataSubjectRequest
from erasure.subject import IdentifierKind

_REQUEST = "request"


class CaseActivities:
    """The steps, handed the policy, the systems and the database."""

    def __init__(self, policy: Policy, systems: Mapping[str, TreatedSystem], stores: Stores) -> None:
        """Keep what the steps need."""
        self._policy = policy
        self._systems = systems
        self._stores = stores

    @activity.defn
    def acknowledge(self, request: DataSubjectRequest) -> Case:
        """Open the ledger of a request, start its clock, and fix the rules it runs by."""
        with told_to_temporal(_REQUEST, "acknowledge"):
            deadline = due_by(request.submitted_at)
            entry = Entry(
                key=f"{request.id}:acknowledged",
                request_id=request.id,
                at=datetime.now(UTC),
                event=Event.ACKNOWLEDGED,
                detail={
                    "right": request.right,
                    "ground": request.ground or "",
                    "submitted_at": request.submitted_at.isoformat(),
                    "due_by": deadline.isoformat(),
                    "policy_version": self._policy.version,
                    "policy_digest": self._policy.digest,
                    "systems": sorted(self._policy.systems),
                    "days_for_e4": self._policy.verification.days_for_e4,
                },
            )
            self._stores.write([entry])
            return self._case(deadline)

    @activity.defn
    def plan(self, wanted: PlanWanted) -> list[Planned]:
        """Decide for every record found so far; the plan is written down before anything is touched."""
        with told_to_temporal(_REQUEST, "plan"):
            papers = {part.system: part for part in self._stores.parts(wanted.request_id, [PartKind.FINDINGS])}
            plans = [self._plan(name, papers.get(name)) for name in wanted.turns]
            entries = [self._planned(wanted, plan) for plan in plans]
            parts = [
                Part(
                    request_id=wanted.request_id,
                    system=plan.system,
                    kind=PartKind.PLAN,
                    content=plan.model_dump_json(exclude_defaults=True),
                )
                for plan in plans
            ]
            self._stores.write(entries, parts)
            return [
                Planned(
                    system=plan.system,
                    digest=plan.digest,
                    erase=len(plan.to_erase),
                    kept=plan.kept,
                    tombstone=plan.tombstone,
                )
                for plan in plans
            ]

    @activity.defn
    def bury(self, step: SystemStep) -> None:
        """Write the "deleted members" record of the person whose membership is about to be erased."""
        with told_to_temporal(step.system, "tombstone"):
            parts = self._stores.parts(step.request_id, [PartKind.FINDINGS], step.system)
            known = Papers.model_validate_json(parts[0].content).findings.learned
            first = {identifier.kind: identifier.value for identifier in reversed(known)}
            if IdentifierKind.EMAIL not in first:
                raise Rejected(step.system, "tombstone", code="member_without_address")
            rule = self._policy.exceptions.deleted_members
            until = rule.until(datetime.now(UTC).date())
            assert until is not None  # noqa: S101 -- policy.toml cannot leave a tombstone's end open
            tombstone = Tombstone(
                request_id=step.request_id,
                name=first.get(IdentifierKind.NAME, ""),
                email=first[IdentifierKind.EMAIL],
                openstackid=first.get(IdentifierKind.OPENSTACKID, ""),
                expires_on=until,
            )
            self._stores.bury(tombstone)
            key = f"{step.request_id}:{step.system}:{Event.TOMBSTONE_WRITTEN}"
            detail = {
                "article": rule.article,
                "scope": rule.scope,
                "until": until.isoformat(),
            }
            self._stores.write([self._entry(key, step, Event.TOMBSTONE_WRITTEN, detail)])

    @activity.defn
    def record(self, entries: list[Entry]) -> None:
        """Write down what the workflow decided or was told."""
        with told_to_temporal(_REQUEST, "record"):
            self._stores.write(entries)

    @activity.defn
    def tally(self, step: SystemStep) -> Acted:
        """Return what was already done in a system that a person excuses in the middle of its work."""
        with told_to_temporal(step.system, "tally"):
            parts = self._stores.parts(step.request_id, [PartKind.RECEIPTS], step.system)
            return Receipts.model_validate_json(parts[0].content).acted() if parts else Acted()

    @activity.defn
    def conclude(self, conclusion: Conclusion) -> Concluded:
        """Write every system's outcome, unless a system was neither treated nor excused."""
        with told_to_temporal(_REQUEST, "conclude"):
            why = refusal(self._policy.systems, conclusion.outcomes)
            if why:
                missing = self._policy.systems.keys() - conclusion.outcomes.keys()
                return Concluded(refusal=why, missing=self._case_systems(sorted(missing)))
            entries = [
                _outcome_entry(conclusion, name, outcome) for name, outcome in sorted(conclusion.outcomes.items())
            ]
            completed = Entry(
                key=f"{conclusion.request_id}:{Event.COMPLETED}:turn{conclusion.turn}",
                request_id=conclusion.request_id,
                at=conclusion.at,
                event=Event.COMPLETED,
                evidence=weakest(conclusion.outcomes.values()),
            )
            self._stores.write([*entries, completed])
            return Concluded()

    @activity.defn
    def close(self, request_id: str) -> None:
        """Destroy the case file; the ledger stays."""
        with told_to_temporal(_REQUEST, "close"):
            papers = self._stores.destroy_case_file(request_id)
            entry = Entry(
                key=f"{request_id}:{Event.CLOSED}",
                request_id=request_id,
                at=datetime.now(UTC),
                event=Event.CLOSED,
                counts={"papers_destroyed": papers},
            )
            self._stores.write([entry])

    def _case(self, deadline: datetime) -> Case:
        times = self._policy.verification
        return Case(
            systems=self._case_systems(sorted(self._policy.systems)),
            due_by=deadline,
            patience=self._policy.discovery.patience,
            rounds=self._policy.discovery.rounds,
            first_look=times.first_look,
            second_look=times.second_look,
            days_for_e4=times.days_for_e4,
        )

    def _case_systems(self, names: Sequence[str]) -> tuple[CaseSystem, ...]:
        return tuple(
            CaseSystem(
                name=name,
                order=self._policy.systems[name].order,
                teaches=self._policy.systems[name].teaches,
                finds_by=tuple(sorted(self._systems[name].card.finds_by)),
            )
            for name in names
        )

    def _plan(self, system: str, part: Part | None) -> SystemPlan:
        records = Papers.model_validate_json(part.content).findings.records if part else ()
        return plan_system(system, records, self._policy, datetime.now(UTC).date())

    def _planned(self, wanted: PlanWanted, plan: SystemPlan) -> Entry:
        key = f"{wanted.request_id}:{plan.system}:{Event.PLANNED}:turn{wanted.turns[plan.system]}"
        step = SystemStep(request_id=wanted.request_id, system=plan.system, turn=wanted.turns[plan.system])
        detail = {
            "plan": plan.digest,
            "kept": [kept.model_dump(mode="json") for kept in plan.kept],
            "remains": list(self._systems[plan.system].card.side_effects),
        }
        return self._entry(key, step, Event.PLANNED, detail, counts=plan.counts)

    def _entry(
        self,
        key: str,
        step: SystemStep,
        event: Event,
        detail: Mapping[str, object],
        counts: dict[str, int] | None = None,
    ) -> Entry:
        return Entry(
            key=key,
            request_id=step.request_id,
            system=step.system,
            at=datetime.now(UTC),
            event=event,
            attempts=activity.info().attempt,
            counts=counts or {},
            version=self._systems[step.system].version,
            detail=dict(detail),
        )


def _outcome_entry(conclusion: Conclusion, system: str, outcome: Outcome) -> Entry:
    return Entry(
        key=f"{conclusion.request_id}:{system}:{Event.CONCLUDED}:turn{conclusion.turn}",
        request_id=conclusion.request_id,
        system=system,
        at=conclusion.at,
        event=Event.CONCLUDED,
        counts=outcome.counts,
        outcome=outcome.kind,
        evidence=outcome.evidence,
        reason=outcome.reason,
        detail={"kept": [kept.model_dump(mode="json") for kept in outcome.kept], "attested": outcome.attested},
    )
