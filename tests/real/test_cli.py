"""The `erasure` command against everything real: Temporal, a worker process, vendors over HTTP, a database file."""

from __future__ import annotations

import json
import sqlite3
import uuid

import pytest

from demo.run import request_json
from engine import requests
from engine.client import connect
from erasure import request as request_file
from tests.real.conftest import PERSON, Plant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_request_from_submit_to_report(plant: Plant) -> None:
    """Submit, show, list, watch, confirm, report: each for people and for programs."""
    plant.start_worker()
    text = request_json()
    request = request_file.parse(text)

    told = json.loads(plant.run("submit", "-", "--json", stdin=text).stdout)
    assert told == {"request_id": request.id, "workflow_id": f"dsr-{request.id}", "new": True}
    again = plant.run("submit", "-", stdin=text)
    assert (again.returncode, "nothing was started twice" in again.stdout) == (0, True)
    other = plant.run("submit", "-", stdin=text.replace("17(1)(b)", "17(1)(d)"))
    assert (other.returncode, other.stderr) == (
        2,
        "erasure: a request with this id exists already and says something else; nothing was started\n",
    )

    early = plant.run("confirm", request.id, "--as", "compliance")
    assert early.returncode == 3
    assert "cannot be confirmed: still open" in early.stderr

    await plant.until(request, lambda seen: seen.state == "awaiting_sign_off")
    shown = json.loads(plant.run("show", request.id, "--json").stdout)
    assert {row["outcome"]["kind"] for row in shown["systems"]} == {"erased"}
    lines = plant.run("watch", request.id, "--json").stdout.splitlines()
    assert json.loads(lines[-1])["state"] == "awaiting_sign_off"
    assert "complete; compliance signs off with" in plant.run("show", request.id).stdout
    listed = json.loads(plant.run("list", "--json").stdout)
    assert [(line["request_id"], line["final"], line["systems"]) for line in listed] == [(request.id, 5, 5)]

    late = plant.run("cancel", request.id)
    assert (late.returncode, "too late to cancel" in late.stderr) == (3, True)
    assert plant.run("retry", request.id, "zendesk").returncode == 3
    assert plant.run("confirm", request.id, "--as", "someone@example.org").returncode == 2
    assert plant.run("confirm", request.id, "--as", "c.officer").returncode == 0

    facts = json.loads(plant.run("report", request.id, "--json").stdout)
    assert request.id in json.dumps(facts)
    page = plant.folder / "report.html"
    assert plant.run("report", request.id, "--format", "html", "--output", str(page)).returncode == 0
    everything = page.read_text() + plant.run("report", request.id).stdout + json.dumps(facts)
    assert "c.officer" in everything
    assert not [mark for mark in (*PERSON.emails, PERSON.last_name) if mark in everything]

    assert not _personal_in(plant, await _shown_in_clear(request.id))

    kept = json.loads(plant.run("tombstone", request.id, "--purpose", "track_compliance", "--json").stdout)
    assert (kept["name"], kept["email"], kept["openstackid"]) == (PERSON.name, PERSON.emails[0], PERSON.openstackid)


async def _shown_in_clear(request_id: str) -> str:
    """Return what Temporal stores in clear about a request: id, search attributes, and every failure of its steps."""
    described = await requests.handle_of(await connect(), request_id).describe()
    history = await requests.handle_of(await connect(), request_id).fetch_history()
    failures = [e for e in history.events if e.HasField("activity_task_started_event_attributes")]
    return f"{described.id} {list(described.typed_search_attributes)} {failures}"


def _personal_in(plant: Plant, told: str) -> list[str]:
    """Return the person's marks in the worker's logs, in the ledger, and in what Temporal shows."""
    logs = "".join(path.read_text() for path in plant.folder.glob("worker-*.log"))
    with sqlite3.connect(plant.folder / "erasure.db") as raw:
        rows = [str(row) for table in ("ledger", "case_file") for row in raw.execute(f"SELECT * FROM {table}")]  # noqa: S608
    raw.close()
    assert logs
    assert rows
    heard = f"{logs} {rows} {told}".lower()
    marks = (*PERSON.emails, *(address.replace("@", "%40") for address in PERSON.emails), PERSON.last_name)
    return [mark for mark in marks if mark.lower() in heard]


async def test_an_operator_mends_what_stopped(plant: Plant) -> None:
    """A revoked scope stops one system; `check` names it, `retry` finishes it, `skip` excuses another."""
    members = plant.vendors["member_database"].stage.vendor
    members.scopes = "members/read"
    refused = plant.run("check", "member_database", "--json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["member_database"]["missing"] == ["members/write"]
    members.scopes = "members/read members/write"
    assert plant.run("check").returncode == 0

    plant.fault("mailchimp", kind="refusal", status=403, times=1)
    plant.fault("surveymonkey", kind="refusal", status=401, times=1)
    plant.start_worker()
    text = request_json()
    request = request_file.parse(text)
    assert plant.run("submit", "-", stdin=text).returncode == 0
    await plant.until(
        request,
        lambda s: {r.system for r in s.systems if r.state == "needs_attention"} >= {"mailchimp", "surveymonkey"},
    )
    assert "NEEDS A PERSON" in plant.run("show", request.id).stdout
    assert plant.run("retry", request.id, "mailchimp", "--as", "ops").returncode == 0
    assert plant.run("skip", request.id, "surveymonkey", "--reason", "because").returncode == 2
    assert plant.run("skip", request.id, "surveymonkey", "--reason", "contract_ended", "--as", "ops").returncode == 0
    seen = await plant.until(request, lambda s: s.state == "awaiting_sign_off")
    outcomes = {row.system: row.outcome.kind for row in seen.systems}
    assert (outcomes["mailchimp"], outcomes["surveymonkey"]) == ("erased", "excused")


def test_bad_input_is_one_sentence_and_starts_nothing(plant: Plant) -> None:
    """Whatever is handed in: an exit code, one line, no traceback, nothing personal."""
    good = json.loads(request_json())
    bad = {
        "not JSON": "{",
        "right": json.dumps({**good, "subject_request_type": "portability"}),
        "no identity": json.dumps({**good, "subject_identities": []}),
        "no address": json.dumps(
            {**good, "subject_identities": [{"identity_type": "email", "identity_value": "ada.quillfeather"}]}
        ),
    }
    for name, text in bad.items():
        answer = plant.run("submit", "-", stdin=text)
        assert (answer.returncode, answer.stdout) == (2, ""), name
        assert answer.stderr.startswith("erasure: the request ")
        assert answer.stderr.count("\n") == 1
        assert "quillfeather" not in answer.stderr
    assert json.loads(plant.run("list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "not-an-id"], "a request's id is a lower-case UUID of version 4"),
        (["show", str(uuid.uuid4())], "Temporal knows no open or recent request with this id"),
        (["report", str(uuid.uuid4())], ""),
        (["check", "salesfarce"], "there is no system named salesfarce"),
        (["submit", "no-such-file.json"], "no-such-file.json cannot be read"),
        (["tombstone", str(uuid.uuid4()), "--purpose", "track_compliance"], "there is no deleted-members record"),
    ],
)
def test_a_wrong_command_is_one_sentence(plant: Plant, arguments: list[str], said: str) -> None:
    """Never a traceback."""
    answer = plant.run(*arguments)
    assert answer.returncode in {2, 3}
    assert answer.stderr.startswith(f"erasure: {said}")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("policy.toml", 'cart = "erase"\n', "", "policy.toml does not classify record kind of mailchimp cart"),
        ("policy.toml", 'cart = "erase"', 'cart = "shred"', "policy.toml: systems.mailchimp.records.cart"),
        ("policy.toml", "version =", "version", "policy.toml is not TOML"),
        ("systems.toml", "[systems.zendesk]", "[systems.zendusk]", "systems.toml: zendusk: there is no connector"),
        ("systems.toml", "DEMO_ZENDESK_CLIENT_ID", "NOT_SET_HERE", "the environment variable NOT_SET_HERE is not set"),
        ("systems.toml", "[systems.zendesk]", "[systems.zendesk]\non = false", "systems.toml does not switch on"),
        ("systems.toml", "http://127.0.0.1", "http://vendor.example", "base_url: must be an https address"),
    ],
)
def test_a_wrong_file_stops_the_worker_with_one_sentence(
    plant: Plant, file: str, old: str, new: str, said: str
) -> None:
    """What compliance or ops got wrong is named before anything starts."""
    path = plant.folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    answer = plant.run("worker")
    assert answer.returncode == 2
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_without_temporal_nothing_is_started_and_nothing_is_lost(plant: Plant) -> None:
    """The request stays with whoever hands it in, who is told what to do."""
    plant.environ["TEMPORAL_ADDRESS"] = "127.0.0.1:9"
    answer = plant.run("submit", "-", stdin=request_json())
    assert answer.returncode == 2
    assert answer.stderr.startswith("erasure: Temporal does not answer at 127.0.0.1:9; start `erasure worker`")
