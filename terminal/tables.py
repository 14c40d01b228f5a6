"""Tables of requests and systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.progress import Trying
from erasure.connector import AccessReport
from erasure.outcome import Kept, OutcomeKind
from ledger.stores import RequestLine
from workflows.status import RequestState, RequestStatus, SystemState, SystemStatus

_COLOURS = {
    OutcomeKind.ERASED: "green",
    OutcomeKind.NOTHING_HELD: "green",
    OutcomeKind.KEPT: "cyan",
    OutcomeKind.EXCUSED: "yellow",
    OutcomeKind.NOT_IDENTIFIABLE: "yellow",
}
_WORDS = {
    SystemState.DISCOVERING: "searching",
    SystemState.WAITING_FOR_OTHERS: "waits for the others",
    SystemState.PLANNING: "planning",
    SystemState.ACTING: "erasing",
    SystemState.CONFIRMING: "vendor is working",
    SystemState.FIRST_LOOK_DUE: "first re-read due",
    SystemState.VERIFYING: "reading again",
    SystemState.SECOND_LOOK_DUE: "second re-read due",
    SystemState.NEEDS_ATTENTION: "NEEDS A PERSON",
    SystemState.FINAL: "final",
}


def request_view(status: RequestStatus, steps: Mapping[str, Trying], now: datetime) -> RenderableType:
    """Return the whole picture of one request: head line, table of systems, what a person can do."""
    return Group(_head(status, now), _systems(status.systems, steps, now), *_hints(status))


def _head(status: RequestStatus, now: datetime) -> Text:
    final = sum(row.outcome is not None for row in status.systems)
    line = Text.assemble(
        ("request ", "dim"), status.request_id, ("  state ", "dim"), (status.state.replace("_", " "), "bold")
    )
    if status.due_by:
        line.append(f"  due {status.due_by:%Y-%m-%d} ({(status.due_by - now).days} days left)", "dim")
    line.append(f"  {final} of {len(status.systems)} systems final", "dim")
    if status.reason:
        line.append(f"  {status.reason}", "red")
    return line


def _systems(rows: Iterable[SystemStatus], steps: Mapping[str, Trying], now: datetime) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("system", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found", justify="right")
    for column in ("done", "proof", "note"):
        table.add_column(column)
    for row in rows:
        proof = row.evidence.name if row.outcome or row.evidence else ""
        found = str(sum(row.found.values())) if row.found else ""
        note = _note(row, steps.get(row.system), now)
        table.add_row(row.system, _state(row), found, _effects(row.done), proof, note)
    return table


def _state(row: SystemStatus) -> Text:
    if row.outcome:
        return Text(row.outcome.kind.replace("_", " "), _COLOURS.get(row.outcome.kind, "white"))
    return Text(_WORDS[row.state], "bold red" if row.state is SystemState.NEEDS_ATTENTION else "blue")


def _effects(done: Mapping[str, int]) -> str:
    """Sum up `contact.erased` and the like over the kinds of record; the report tells them apart."""
    summed: Counter[str] = Counter()
    for name, count in done.items():
        summed[name.rpartition(".")[2].replace("_", " ")] += count
    return ", ".join(f"{count} {effect}" for effect, count in sorted(summed.items()))


def _note(row: SystemStatus, step: Trying | None, now: datetime) -> str:
    said = [row.reason.replace("_", " ")] if row.reason else []
    said += [f"kept: {kept.scope}" for kept in _kept(row)]
    if step and step.failure and not row.outcome:
        wait = f", again in {_seconds(step.next_attempt_at, now)}" if step.next_attempt_at else ""
        said.append(f"{step.failure} (attempt {step.attempt}{wait})")
    if row.waiting_until:
        said.append(f"in {_seconds(row.waiting_until, now)}")
    return "; ".join(said)


def _kept(row: SystemStatus) -> tuple[Kept, ...]:
    return row.outcome.kept if row.outcome else ()


def _seconds(moment: datetime | None, now: datetime) -> str:
    seconds = max(int((moment - now).total_seconds()), 0) if moment else 0
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _hints(status: RequestStatus) -> list[Text]:
    stopped = [row.system for row in status.systems if row.state is SystemState.NEEDS_ATTENTION]
    hints = [
        Text(f"{system}: erasure retry | attest | skip {status.request_id} {system}", "yellow") for system in stopped
    ]
    if status.state is RequestState.AWAITING_SIGN_OFF:
        hints.append(Text(f"complete; compliance signs off with: erasure confirm {status.request_id}", "green"))
    return hints


def requests_view(lines: Sequence[RequestLine]) -> Table:
    """Return all requests of the ledger."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("request", "received", "state", "systems final"):
        table.add_column(column, no_wrap=column == "request")
    for line in lines:
        state = line.state.replace("_", " ")
        table.add_row(line.request_id, f"{line.received_at:%Y-%m-%d %H:%M}", state, f"{line.final} of {line.systems}")
    return table


def access_view(reports: Mapping[str, AccessReport | str]) -> Table:
    """Return what each credential may do; a string is why it could not be asked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("system", "access", "account", "missing", "notes"):
        table.add_column(column, overflow="fold")
    for system, report in reports.items():
        if isinstance(report, str):
            table.add_row(system, Text("no", "bold red"), "", "", report)
        else:
            word = Text("yes", "green") if report.sufficient else Text("not enough", "bold red")
            table.add_row(system, word, report.account, ", ".join(report.missing), "; ".join(report.notes))
    return table


def now() -> datetime:
    """Return the moment the tables are drawn for."""
    return datetime.now(UTC)
