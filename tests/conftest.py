"""Options and fixtures of the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what is ours."""
    parser.addoption("--record", action="store_true", help="Write the workflow histories that replay tests use.")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> bool:
    """Tell whether histories are to be written."""
    return bool(request.config.getoption("--record"))
