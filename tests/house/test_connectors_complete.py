"""Every connector has everything that belongs to it, and all of it agrees. What is missing is red."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import connectors
from erasure import policy as policy_file
from erasure import systems as systems_file
from erasure.connector import Connector, SystemCard
from erasure.policy import Policy
from simulators import __main__ as simulators
from tests.connectors.contract import ConnectorContract
from tests.house import systems_page
from tests.house.rooms import ROOT

NAMES = connectors.names()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each connector's name in turn."""
    return str(request.param)


@pytest.fixture
def connector(name: str) -> type[Connector]:
    """Each connector in turn."""
    return connectors.load(name)


@pytest.fixture
def card(connector: type[Connector]) -> SystemCard:
    """Each card in turn."""
    return connector.card


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The policy that is in force."""
    return policy_file.parse((ROOT / "policy.toml").read_text(encoding="utf-8"))


def test_there_are_connectors() -> None:
    """An empty walk would pass everything below."""
    assert len(NAMES) >= 5


def test_the_card_is_named_like_its_file(name: str, connector: type[Connector], card: SystemCard) -> None:
    """One name leads to the file, the queue, the row and the section."""
    assert card.name == name
    assert connector.__module__ == f"connectors.{name}"


def test_the_card_cites_the_vendor(card: SystemCard) -> None:
    """Whoever doubts what the card says can read it where the vendor says it."""
    assert card.vendor_docs.startswith("https://")
    assert " " not in card.vendor_docs


def test_the_card_makes_sense(card: SystemCard) -> None:
    """Kinds are told apart, somebody can be found, and only a restriction that exists is claimed."""
    kinds = [kind.name for kind in card.holds]
    assert len(set(kinds)) == len(kinds) > 0
    assert card.finds_by
    assert any(kind.restrictable for kind in card.holds) == (card.restricts is not None)
    assert card.match_limit > 0


def test_the_card_can_be_written_down(card: SystemCard) -> None:
    """Every plan writes the side effects into the ledger, which takes no address."""
    assert not [text for text in (card.title, *card.side_effects) if "@" in text or "\n" in text]


def test_every_simulator_has_its_connector() -> None:
    """And every connector its simulator, under the same name."""
    assert set(simulators.names()) == set(NAMES)


def test_the_simulators_credentials_are_the_settings(name: str, connector: type[Connector]) -> None:
    """The demo and the tests can open the connector with what the pretend vendor says."""
    vendor = simulators.vendor(name)
    settings = connector.Settings(base_url="http://127.0.0.1:1", **vendor.credentials)
    shown = f"{settings!r} {settings}"
    secrets = [key for key in vendor.credentials if key != "client_id"]
    assert secrets
    assert not [key for key in secrets if vendor.credentials[key] in shown]


def test_the_settings_refuse_what_they_do_not_know(name: str, connector: type[Connector]) -> None:
    """systems.toml leaves unknown keys to the connector; a slip there must not be passed over."""
    with pytest.raises(ValueError, match="speling"):
        connector.Settings(base_url="http://127.0.0.1:1", **simulators.vendor(name).credentials, speling=1)


def test_the_connector_keeps_the_contract(name: str) -> None:
    """Its test file runs the shared suite."""
    module = importlib.import_module(f"tests.connectors.test_{name}")
    suites = [m for m in vars(module).values() if isinstance(m, type) and issubclass(m, ConnectorContract)]
    own = [suite for suite in suites if suite is not ConnectorContract]
    assert [suite.name for suite in own] == [name]
    assert own[0].__name__.startswith("Test")
    assert own[0].spoiled


def test_the_policy_classifies_exactly_what_the_system_holds(card: SystemCard, policy: Policy) -> None:
    """No kind is undecided, and no decision is about a kind that does not exist."""
    assert card.name in policy.systems
    assert set(policy.systems[card.name].records) == {kind.name for kind in card.holds}


def test_the_policy_treats_no_system_without_a_connector(policy: Policy) -> None:
    """What is in force can be carried out."""
    assert set(policy.systems) <= set(NAMES)


def test_systems_toml_opens_the_connector(name: str, connector: type[Connector]) -> None:
    """It has a section, and every key in it is one of the connector's settings."""
    text = (ROOT / "systems.toml").read_text(encoding="utf-8")
    secrets = dict.fromkeys(re.findall(r'_env = "(\w+)"', text), "pretend-us1")
    entries = systems_file.parse(text, secrets)
    used = [entry for entry in entries.values() if entry.connector == name]
    assert used
    for entry in used:
        assert connector.Settings(**entry.settings).base_url.startswith("https://")


# -- docs/systems.md --


def test_the_page_has_exactly_these_systems() -> None:
    """A row without a connector would be a promise."""
    assert sorted(systems_page.rows()) == list(NAMES)


def test_the_row_says_what_the_card_says(card: SystemCard) -> None:
    """Title, identifiers, automation, restriction, proof and vendor page."""
    row = systems_page.rows()[card.name]
    how, _, phrase = row.erased.partition(": ")
    assert (row.title, how, row.proof) == (card.title, card.erases, card.proof.name)
    assert row.found_by == ", ".join(sorted(card.finds_by))
    assert row.restriction == (card.restricts or "none")
    assert row.vendor_page == f"<{card.vendor_docs}>"
    assert phrase


def test_the_row_says_what_the_policy_decides(card: SystemCard, policy: Policy) -> None:
    """Every kind in the order of erasing, each kept one with its exception."""
    rules = policy.systems[card.name].records
    erased = [kind.name for kind in card.holds if not rules[kind.name].exception]
    kept = [f"{kind.name} ({rules[kind.name].exception})" for kind in card.holds if rules[kind.name].exception]
    parts = [f"erase: {', '.join(erased)}"] * bool(erased) + [f"keep: {', '.join(kept)}"] * bool(kept)
    assert systems_page.rows()[card.name].records == "; ".join(parts)


def test_the_section_says_what_remains(card: SystemCard) -> None:
    """In the words of the card, which are the words of the completion report."""
    assert systems_page.listed(card.name, "What remains") == list(card.side_effects)


def test_the_section_says_what_is_assumed(name: str) -> None:
    """A vendor about whom nothing had to be assumed has not been looked at."""
    assert systems_page.listed(name, "Assumptions")


def test_the_connector_marks_what_the_section_assumes(name: str) -> None:
    """Each UNCONFIRMED in a connector's files has at least one assumption on the page."""
    files = [path for path in Path(connectors.__path__[0]).glob("*.py") if name in path.stem]
    marks = sum(path.read_text(encoding="utf-8").count("UNCONFIRMED") for path in files)
    assert len(systems_page.listed(name, "Assumptions")) >= marks
