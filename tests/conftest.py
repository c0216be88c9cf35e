"""What runs learners' code for the tests of all rooms, with torch imported once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.worker.recording import Forker
from tutor.check.runner import Runner


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """Records a script, or its text, in a process of its own."""
    forker = Forker(tmp_path_factory.mktemp("recorded"))
    yield forker
    forker.close()


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """Runs lessons, each in a process of its own."""
    found = Runner()
    yield found
    found.close()
