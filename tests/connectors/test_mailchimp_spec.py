"""Mailchimp's own file judges what the connector sends and what the simulator answers."""

from __future__ import annotations

import json

import httpx
import pytest

from simulators._frame import Call
from tests.connectors.spec import Judge, KnownDefect, load
from tests.connectors.system import BYSTANDER, SUBJECT, System, subject_of

# Version 3.0.55 has three known defects, and none of them shows in a call. A string with the default `false` makes
# strict validators refuse the file, so the file itself is not validated; its server is replaced by the simulator;
# errors are declared as `default` only, so an error's shape is judged and never its status.
KNOWN_DEFECTS: tuple[KnownDefect, ...] = ()


@pytest.fixture
def system() -> System:
    """An empty vendor with its connector."""
    return System("mailchimp")


@pytest.fixture
def judge(system: System) -> Judge:
    """The vendor's file, as if the simulator were its server."""
    return Judge(f"{system.running.url}/3.0", load("mailchimp", "marketing-3.0.55.openapi3.json"))


def work(system: System) -> list[Call]:
    """Do everything the connector can, from check to a second erasure; return the calls."""
    system.seed(SUBJECT, BYSTANDER)
    audience = system.vendor.open_audience("customers")
    system.vendor.join(audience, SUBJECT, SUBJECT.email, status="transactional")
    system.stage.record()
    with system.open() as connector:
        connector.check()
        records = system.erasable(connector.find(subject_of(SUBJECT)), ())
        members = [record for record in records if record.kind == "member"]
        earlier = [connector.state(member) for member in members]
        for member in members:
            connector.restrict(member)
        for member, state in zip(members, earlier, strict=True):
            connector.lift(member, state)
        connector.verify(subject_of(SUBJECT), records)
    system.erase([*records, *records])
    with system.open() as connector:
        connector.verify(subject_of(SUBJECT), records)
    return system.stage.calls


def test_calls_and_replies_are_the_vendors(system: System, judge: Judge) -> None:
    """Nothing is sent that the file does not know, and nothing is answered that the vendor would not."""
    calls = work(system)
    assert {call.method for call in calls} == {"GET", "PATCH", "PUT", "POST", "DELETE"}
    assert judge.unexplained(calls, KNOWN_DEFECTS) == []


def test_replies_in_full_are_the_vendors(system: System, judge: Judge) -> None:
    """The connector asks for few fields; what the simulator says without that is judged here, with an error."""
    system.seed(SUBJECT)
    audience, own = next(iter(system.vendor.state.members))
    member, store = f"/lists/{audience}/members/{own}", "/ecommerce/stores/shop"
    routes = ["/", "/ping", "/lists", member, f"{member}/notes", f"/search-members?query={SUBJECT.email}"]
    routes += [
        "/ecommerce/stores",
        "/ecommerce/orders",
        *(f"{store}/{kind}" for kind in ("customers", "orders", "carts")),
    ]
    routes += [f"{store}/customers/{own}", f"{store}/carts/{own}", f"{store}/orders/none"]
    system.stage.record()
    with httpx.Client(base_url=f"{system.running.url}/3.0", auth=("any", system.vendor.credentials["api_key"])) as http:
        statuses = [http.get(route).status_code for route in routes]
    assert statuses == [200] * 13 + [404]
    assert judge.unexplained(system.stage.calls, KNOWN_DEFECTS) == []


def reshaped(call: Call, **changes: object) -> Call:
    """Return the call with other parts."""
    return Call(**{**vars(call), **changes})


SLIPS = {
    "a route that is not there": lambda call: reshaped(call, url=call.url.replace("/lists/", "/list/")),
    "a method the route does not have": lambda call: reshaped(call, method="OPTIONS"),
    "a parameter that is misspelt": lambda call: reshaped(call, url=call.url.replace("skip_merge", "skip_merged")),
    "a value of the wrong kind": lambda call: reshaped(call, url=call.url.replace("=true", "=perhaps")),
    "a body that is misspelt": lambda call: reshaped(call, body=call.body.replace(b"status", b"state")),
    "a status the vendor does not know": lambda call: reshaped(call, body=b'{"status": "archived"}'),
    "no body at all": lambda call: reshaped(call, body=b""),
    "no credential": lambda call: reshaped(
        call, headers={name: value for name, value in call.headers.items() if name != "authorization"}
    ),
    "an answer with a field of our own": lambda call: reshaped(
        call, answer=json.dumps({**json.loads(call.answer), "left_by": "person"}).encode()
    ),
    "an answer that is a page": lambda call: reshaped(call, answer=b"<html>", answer_type="text/html"),
    "a success the file does not name": lambda call: reshaped(call, status=204, answer=b"[]"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_the_judge_sees(system: System, judge: Judge, slip: str) -> None:
    """Each slip in an otherwise good call is objected to."""
    call = next(call for call in work(system) if call.method == "PATCH")
    assert judge.violations([call]) == []
    assert judge.violations([SLIPS[slip](call)])


def test_a_known_defect_that_is_no_longer_seen_must_go(system: System, judge: Judge) -> None:
    """The list of the file's faults cannot outlive them."""
    stale = KnownDefect("GET /lists", "nothing of the kind", "made up")
    assert judge.unexplained(work(system), (stale,)) == ["never seen: GET /lists, nothing of the kind"]
