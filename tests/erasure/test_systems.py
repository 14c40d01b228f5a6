"""systems.toml: which connectors are on, and where their secrets come from."""

from __future__ import annotations

import pytest

from erasure.sentence import BadInput
from erasure.systems import parse
from tests.erasure.samples import one_clear_sentence

SECRET = "zqvxk-secret"
ENVIRON = {"CRM_KEY": SECRET, "EMPTY": "", "SHOP_KEY": "other"}
CRM = '[systems.crm]\nbase_url = "https://crm.example.org"\nkey_env = "CRM_KEY"\n'


def said(text: str) -> str:
    """Return the sentence with which the file is refused."""
    with pytest.raises(BadInput) as refused:
        parse(text, ENVIRON)
    assert refused.value.__cause__ is None
    assert one_clear_sentence(str(refused.value))
    assert SECRET not in str(refused.value)
    return str(refused.value)


def test_a_system_is_its_connector_unless_it_says_otherwise() -> None:
    """A section needs nothing but the connector's own settings."""
    crm = parse(CRM, ENVIRON)["crm"]
    assert (crm.name, crm.connector, crm.parallel) == ("crm", "crm", 4)
    assert crm.settings == {"base_url": "https://crm.example.org", "key": SECRET}


def test_two_accounts_at_one_vendor_are_two_systems() -> None:
    """The same connector twice, each with its own secret and pace."""
    text = f'{CRM}[systems.crm_eu]\nconnector = "crm"\nkey_env = "SHOP_KEY"\nparallel = 1\n'
    one, other = parse(text, ENVIRON).values()
    assert (one.name, other.name) == ("crm", "crm_eu")
    assert one.connector == other.connector == "crm"
    assert (one.settings["key"], other.settings["key"], other.parallel) == (SECRET, "other", 1)


def test_a_system_that_is_off_needs_no_secret() -> None:
    """Switching off is one word, and takes the system out whole."""
    off = '[systems.shop]\non = false\nkey_env = "NOT_SET"\n'
    assert list(parse(CRM + off, ENVIRON)) == ["crm"]


@pytest.mark.parametrize("variable", ["NOT_SET", "EMPTY"])
def test_a_missing_secret_is_named_by_its_variable(variable: str) -> None:
    """An empty one is missing, too: no vendor is asked with it."""
    sentence = f"systems.toml: crm: the environment variable {variable} is not set"
    assert said(CRM.replace("CRM_KEY", variable)) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "systems.toml switches on no system"),
        ("[systems]\n", "systems.toml switches on no system"),
        ("[system.crm]\n", "systems.toml switches on no system"),
        ("[systems.crm\n", "systems.toml is not TOML: "),
        (f"{CRM}parallel = 0\n", "systems.toml: crm: parallel: Input should be greater than or equal to 1"),
        (f"{CRM}parallel = 101\n", "systems.toml: crm: parallel: Input should be less than or equal to 100"),
        (f'{CRM}parallel = "many"\n', "systems.toml: crm: parallel: Input should be a valid integer"),
        (f"{CRM}connector = 3\n", "systems.toml: crm: connector: Input should be a valid string"),
    ],
)
def test_what_cannot_be_used(text: str, sentence: str) -> None:
    """Each fault is one sentence that names the system and the key."""
    assert said(text).startswith(sentence)


def test_an_unknown_key_is_left_to_the_connector() -> None:
    """Only the connector knows its settings; its model refuses what it does not know (tests/house)."""
    assert parse(f"{CRM}speling = 1\n", ENVIRON)["crm"].settings["speling"] == 1


def test_a_secret_is_never_shown() -> None:
    """Not when an entry is printed, logged or put into an error."""
    crm = parse(CRM, ENVIRON)["crm"]
    assert SECRET not in f"{crm!r} {crm}"


# -- defects found while writing these tests --


@pytest.mark.parametrize("text", ["systems = 3", '[systems]\ncrm = "on"', "[[systems]]\nname = 'crm'"])
def test_what_is_no_section_is_one_sentence(text: str) -> None:
    """A line where a section belongs is a slip, not a crash."""
    assert said(text).startswith("systems.toml")


@pytest.mark.parametrize("word", ['"no"', '"false"'])
def test_on_is_true_or_false(word: str) -> None:
    """`on = "false"` must not switch a system on."""
    said(f"{CRM}on = {word}\n")


@pytest.mark.parametrize("name", ["crm-eu", "CRM", "ada@example.org", "c" * 41])
def test_a_name_that_the_ledger_refuses_is_refused_at_start(name: str) -> None:
    """Otherwise the worker starts, and every step of that system fails when it is written down."""
    said(CRM.replace("[systems.crm]", f'[systems."{name}"]'))


def test_a_setting_is_given_once() -> None:
    """With `key` and `key_env`, which one is used must not depend on their order."""
    said(f'{CRM}key = "in the clear"\n')
