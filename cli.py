"""The `erasure` command."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live

from engine import requests
from engine.client import connect, is_configured, quiet_runtime, workflow_id
from engine.requests import Refused
from erasure import request as request_file
from erasure.entry import HANDLE, ReadPurpose
from erasure.failures import ConnectorFailure
from erasure.outcome import Attestation, Excuse
from erasure.sentence import BadInput, first_fault
from terminal import tables

EXIT_BAD_INPUT, EXIT_REFUSED, EXIT_ATTENTION, EXIT_INTERRUPTED = 2, 3, 4, 130
_HELP = """Carries out erasure requests in every system the privacy policy names, and proves it by reading again.

Exit codes: 0 done, 2 bad input or something is missing, 3 not possible in the request's present state,
4 done, but something needs attention."""

app = typer.Typer(
    help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
out = Console()


@dataclass
class Places:
    """Where the files and the database are."""

    policy: Path
    systems: Path
    database: str


_places = Places(Path("policy.toml"), Path("systems.toml"), "sqlite:///var/erasure.db")

RequestId = Annotated[str, typer.Argument(help="The request's id (a UUID).", metavar="ID")]
System = Annotated[str, typer.Argument(help="The system's name, as in `erasure show`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Operator = Annotated[
    str | None, typer.Option("--as", help="Your staff handle, for the record.", envvar="ERASURE_OPERATOR")
]


@app.callback()
def places(
    policy: Annotated[Path, typer.Option(help="What compliance decides.", envvar="ERASURE_POLICY")] = _places.policy,
    systems: Annotated[Path, typer.Option(help="What ops decide.", envvar="ERASURE_SYSTEMS")] = _places.systems,
    database: Annotated[
        str, typer.Option(help="Ledger: sqlite:///FILE or postgresql://...", envvar="ERASURE_DATABASE")
    ] = _places.database,
) -> None:
    """Say where things are."""
    _places.policy, _places.systems, _places.database = policy, systems, database


@app.command()
def demo(
    *,
    wait: Annotated[bool, typer.Option(help="At the end, leave everything running until Enter is pressed.")] = False,
) -> None:
    """Show one request from beginning to end, against pretend vendors on this machine."""
    from demo.run import show

    raise typer.Exit(asyncio.run(show(out, wait=wait)))


@app.command()
def worker(
    *,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Do the work; starts a Temporal server with Web UI here unless TEMPORAL_ADDRESS or a profile names one."""
    import worker as process

    process.configure_logging(as_json=log_json)
    assembly = process.assemble(_places.policy, _places.systems, os.environ)
    asyncio.run(_work(process, assembly))


async def _work(process: Any, assembly: Any) -> None:  # noqa: ANN401 -- the worker module, imported late
    from engine.server import local_server

    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    with _database() as database:
        async with local_server(Path("var/temporal.db"), wanted=not is_configured()) as ui:
            if ui:
                out.print(f"Temporal Web UI: {ui}")
            client = await connect(quiet_runtime())
            await process.run(client, assembly, database, stop)


@app.command()
def submit(
    file: Annotated[str, typer.Argument(help="The request as JSON (OpenDSR 2.0 names); - reads standard input.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Hand in a request. The same request again is the same request."""
    parsed = request_file.parse(_text(file))

    async def go() -> None:
        client = await connect(quiet_runtime())
        done = await requests.submit(client, parsed)
        facts = {"request_id": parsed.id, "workflow_id": workflow_id(parsed.id), "new": done.is_new}
        word = "accepted" if done.is_new else "is known already; nothing was started twice"
        _say(facts, f"request {parsed.id} {word}\nfollow it with: erasure watch {parsed.id}", as_json=as_json)

    asyncio.run(go())


def _text(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(request_file.MAX_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(request_file.MAX_BYTES + 1)
    except OSError:
        raise BadInput(f"{file} cannot be read") from None


@app.command()
def show(request_id: RequestId, *, as_json: AsJson = False) -> None:
    """Show where a request and each of its systems is."""
    asyncio.run(_show(_uuid(request_id), as_json=as_json))


async def _show(request_id: str, *, as_json: bool) -> None:
    from engine.progress import trying

    client = await connect(quiet_runtime())
    status = await requests.status_of(client, request_id)
    steps = await trying(client, request_id)
    facts = {**status.model_dump(mode="json"), "trying": [s.model_dump(mode="json") for s in steps.values()]}
    _say(facts, tables.request_view(status, steps, tables.now()), as_json=as_json)


@app.command()
def watch(
    request_id: RequestId,
    *,
    seconds: Annotated[float, typer.Option(help="How often to look.", min=0.2)] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Watch a request until it is complete; --json prints a line for each change."""
    asyncio.run(_watch(_uuid(request_id), seconds, as_json=as_json))


async def _watch(request_id: str, seconds: float, *, as_json: bool) -> None:
    from terminal.live import watching

    client = await connect(quiet_runtime())
    last = ""
    with contextlib.nullcontext() if as_json else Live(console=out, auto_refresh=False) as live:
        async for status, steps in watching(client, request_id, seconds):
            if live:
                live.update(tables.request_view(status, steps, tables.now()), refresh=True)
            elif (line := status.model_dump_json()) != last:
                last = line
                print(line, flush=True)  # noqa: T201 -- for programs


@app.command(name="list")
def list_requests(*, as_json: AsJson = False) -> None:
    """List all requests in the ledger, newest first."""
    with _database() as database:
        lines = database.requests()
    facts = [{**asdict(line), "received_at": line.received_at.isoformat()} for line in lines]
    _say(facts, tables.requests_view(lines), as_json=as_json)


@app.command()
def retry(request_id: RequestId, system: System, *, by: Operator = None, as_json: AsJson = False) -> None:
    """Go through a stopped system once more; a step that waits for its next attempt is tried at once."""

    async def go() -> None:
        from activities.messages import OnSystem
        from engine.progress import try_now
        from workflows.request import DataSubjectRequestWorkflow as Flow

        client = await connect(quiet_runtime())
        if await try_now(client, _uuid(request_id), system):
            _say({"system": system, "tried_now": True}, f"{system} is tried again now", as_json=as_json)
            return
        word = OnSystem(system=system, by=_handle(by))
        row = await requests.command(client, request_id, Flow.retry_system, word)
        _say(row.model_dump(mode="json"), f"{system} starts again", as_json=as_json)

    asyncio.run(go())


@app.command()
def skip(
    request_id: RequestId,
    system: System,
    reason: Annotated[Excuse, typer.Option(help="Why the system is left untreated.")],
    *,
    by: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Leave a system untreated for a reason; it is reported as excused, never as erased."""
    from activities.messages import Excused
    from workflows.request import DataSubjectRequestWorkflow as Flow

    word = Excused(system=system, by=_handle(by), why=reason)
    _command(request_id, Flow.skip_system, word, f"{system} is excused: {reason}", as_json=as_json)


@app.command()
def attest(
    request_id: RequestId,
    system: System,
    reason: Annotated[Attestation, typer.Option(help="What was done by hand.")],
    *,
    by: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Attest that a stopped system was treated by hand; it is read again all the same."""
    from activities.messages import Attested
    from workflows.request import DataSubjectRequestWorkflow as Flow

    word = Attested(system=system, by=_handle(by), word=reason)
    _command(request_id, Flow.attest, word, f"{system} is read again on your word", as_json=as_json)


@app.command()
def cancel(request_id: RequestId, *, by: Operator = None, as_json: AsJson = False) -> None:
    """Withdraw a request; possible until the first record is touched, and says what was done until then."""
    from activities.messages import Decision
    from workflows.request import DataSubjectRequestWorkflow as Flow

    said = "the request is cancelled; nothing was changed in any system"
    _command(request_id, Flow.cancel, Decision(by=_handle(by)), said, as_json=as_json)


@app.command()
def confirm(request_id: RequestId, *, by: Operator = None, as_json: AsJson = False) -> None:
    """Sign off completion, as compliance; refused while anything is open."""
    from activities.messages import Decision
    from workflows.request import DataSubjectRequestWorkflow as Flow

    said = f"completion is signed off by {_handle(by)}; read it with: erasure report {request_id}"
    _command(request_id, Flow.confirm, Decision(by=_handle(by)), said, as_json=as_json)


def _command(request_id: str, update: Any, word: Any, said: str, *, as_json: bool) -> None:  # noqa: ANN401
    async def go() -> None:
        client = await connect(quiet_runtime())
        answer = await requests.command(client, _uuid(request_id), update, word)
        _say(answer.model_dump(mode="json"), said, as_json=as_json)

    asyncio.run(go())


class Format(StrEnum):
    """What a report can be written as."""

    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


@app.command()
def report(
    request_id: RequestId,
    form: Annotated[Format, typer.Option("--format", help="For people or for programs.")] = Format.MARKDOWN,
    output: Annotated[Path | None, typer.Option(help="Write to a file instead of the terminal.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print the completion report for compliance: clock, what was done with its evidence, what was kept and why."""
    from report import facts, render

    with _database() as database:
        entries = database.entries(_uuid(request_id))
    made = facts.completion_report(entries, tables.now())
    writers = {Format.MARKDOWN: render.as_markdown, Format.HTML: render.as_html, Format.JSON: render.as_json}
    text = writers[Format.JSON if as_json else form](made)
    if output is None:
        print(text)  # noqa: T201 -- as it is, for a pipe
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError:
        raise BadInput(f"{output} cannot be written") from None
    out.print(f"written to {output}")


@app.command()
def check(
    systems: Annotated[list[str] | None, typer.Argument(help="Which systems; all when none is named.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check each system's credential, scopes and rights, without changing anything."""
    import worker as process

    assembly = process.assemble(_places.policy, _places.systems, os.environ)
    wanted = systems or sorted(assembly.systems)
    if unknown := sorted(set(wanted) - assembly.systems.keys()):
        raise BadInput(f"there is no system named {', '.join(unknown)}; there are: {', '.join(assembly.systems)}")
    reports = {name: _access(assembly.systems[name]) for name in wanted}
    facts = {n: {"error": r} if isinstance(r, str) else r.model_dump(mode="json") for n, r in reports.items()}
    _say(facts, tables.access_view(reports), as_json=as_json)
    if any(isinstance(r, str) or not r.sufficient for r in reports.values()):
        raise typer.Exit(EXIT_ATTENTION)


def _access(system: Any) -> Any:  # noqa: ANN401 -- a treated system; a report, or why there is none
    connector = system.open()
    try:
        return connector.check()
    except ConnectorFailure as failure:
        return str(failure)
    finally:
        connector.close()


@app.command()
def tombstone(
    request_id: RequestId,
    purpose: Annotated[ReadPurpose, typer.Option(help="The only two the privacy policy allows.")],
    *,
    by: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Read the "deleted members" record of a request; every read is logged with its purpose and your handle."""
    with _database() as database:
        found = database.read_tombstone(_uuid(request_id), purpose, _handle(by))
    if found is None:
        raise Refused("there is no deleted-members record for this request")
    text = f"name: {found.name}\ne-mail: {found.email}\nOpenStackID: {found.openstackid}\nuntil: {found.expires_on}"
    _say(found.model_dump(mode="json"), text, as_json=as_json)


@contextlib.contextmanager
def _database() -> Iterator[Any]:
    from ledger.stores import Database

    opened = Database.open(_places.database)
    try:
        yield opened
    finally:
        opened.close()


def _uuid(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text):
        raise BadInput("a request's id is a lower-case UUID of version 4")
    return text


def _handle(given: str | None) -> str:
    with contextlib.suppress(OSError, KeyError):
        given = given or getpass.getuser()
    if not given or not re.fullmatch(HANDLE, given):
        raise BadInput("say who you are with --as HANDLE: lower-case letters, digits, dot, dash; no e-mail address")
    return given


def _say(facts: object, text: Any, *, as_json: bool) -> None:  # noqa: ANN401 -- anything rich can print
    if as_json:
        print(json.dumps(facts, indent=2, sort_keys=True))  # noqa: T201 -- for programs
    else:
        out.print(text, highlight=False, soft_wrap=isinstance(text, str))


def _answer(run: Callable[[], Any]) -> int:
    """Run a command; whatever is wrong becomes one sentence and an exit code."""
    from ledger.stores import LedgerUnavailable

    try:
        run()
    except SystemExit as ended:  # typer's own end, also after a wrong option
        return int(ended.code or 0)
    except (BadInput, LedgerUnavailable, ValidationError) as wrong:
        sentence = first_fault(wrong) if isinstance(wrong, ValidationError) else str(wrong)
        return _fail(sentence, EXIT_BAD_INPUT)
    except Refused as no:
        return _fail(str(no), EXIT_REFUSED)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    return 0


def _fail(sentence: str, code: int) -> int:
    print(f"erasure: {sentence}", file=sys.stderr)  # noqa: T201 -- for people
    return code


def main() -> NoReturn:
    """Run the command line. Ends without Python's own clean-up, which can crash in the SDK's threads (sdk #300)."""
    code = _answer(app)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
