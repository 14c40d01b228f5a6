"""The stand-in member database keeps the contract."""

from __future__ import annotations

import pytest

from erasure.failures import Ambiguous
from erasure.subject import IdentifierKind
from simulators._frame import Person
from tests.connectors.contract import ConnectorContract
from tests.connectors.system import SUBJECT, System


class TestMemberDatabase(ConnectorContract):
    """Members go, the name on contributions stays."""

    name = "member_database"
    keeps = frozenset({"contribution"})
    spoiled = {"token": "wrong"}
    # DELETE answers 204 without a body, so an empty 200 is an answer too.
    also_success = frozenset({"empty body", "truncated JSON"})

    def test_teaches_every_identifier(self, system: System) -> None:
        """A member's further addresses, OpenStackID and name feed the next round."""
        system.seed(SUBJECT)
        learned = system.find(Person("Ada", "", SUBJECT.emails[:1])).learned
        assert {identifier.kind for identifier in learned} == set(IdentifierKind)
        assert SUBJECT.emails[1] in {identifier.value for identifier in learned}

    def test_two_people_behind_the_addresses_stop_for_a_person(self, system: System) -> None:
        """Addresses that lead to members of different names are not merged into one."""
        system.seed(Person("Ada", "Quillfeather", SUBJECT.emails[:1]), Person("Gus", "Other", SUBJECT.emails[1:]))
        with pytest.raises(Ambiguous):
            system.find(SUBJECT)
