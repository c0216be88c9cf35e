"""One process runs the lessons of all tests in here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tutor.check.runner import Runner


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """Runs lessons, each in a fork of its own."""
    found = Runner()
    yield found
    found.close()
